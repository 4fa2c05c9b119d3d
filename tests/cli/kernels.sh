#!/bin/bash
# Where kernels come from: --kernels=jit, static and c, and several targets in one file. static has the bits of jit, links
# without libxsmm and runs where memory may not become executable; c is right on any CPU.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
other > "$WORK/other.rn"
cat > "$WORK/odd.rn" <<'RN'
network odd {
    input 3x19x17
    conv 23, 5x5 /2 bias; prelu; maxpool 3x3 /2 pad 1
    residual { conv 70, 3x3; bn; relu; conv 129, 1x1; bn } shortcut project
    relu
    concat { {conv 9, 1x1; swish} {conv 33, 3x3 groups 3; sigmoid} {identity} }
    conv 24, 3x3 dilate 2; tanh
    residual { conv 24, 3x3 groups 24; bn } shortcut identity
    lrn size 5 alpha 0.1 beta 0.7 k 1
    fc 77; relu; fc 11
    softmax
}
RN
INCLUDE=$OUT/include/rn
WARN="-Wall -Wextra -Werror -pedantic"
LIBS="$OUT/librn.a -lcjson -lxxhash -lgomp -lpthread -lm" # no libxsmm
JIT_LIBS="$OUT/librn.a -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"
compilers=(gcc clang) networks=(tiny other odd) plain_loops=("-Og -DRN_NO_VECTORS") # -O1 takes gcc three times as long
# what links with a sanitized librn; fewer, since all is slower: gcc takes half a minute over plain loops. What plain compilers
# make of the same text the ordinary build shows, and numeric/networks checks the code around libxsmm's kernels.
[ -z "${SANITIZED:-}" ] || compilers=("$CC") networks=(odd) plain_loops=()
v3=$(grep -c -m1 avx2 /proc/cpuinfo) v4=$(grep -c -m1 avx512vl /proc/cpuinfo)

# Runs net on noise, writes its output to a file; with a third argument, after it has given up making memory executable.
cat > "$WORK/app.c" <<'C'
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

int main(int argc, char **argv) {
    enum { BATCH = 2 };
    char error[RN_ERROR_SIZE] = "";
    rn_weights *weights;
    net *n;
    rn_options options = {.threads = 2, .error = error, .error_size = sizeof error};
    static float image[BATCH * NET_INPUT_SIZE], output[BATCH * NET_OUTPUT_SIZE];
    unsigned state = 1;
    for (int i = 0; i < BATCH * NET_INPUT_SIZE; i++) image[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
    if (argc > 3 && !strcmp(argv[3], "mdwe") && prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0)) return 77;
    if (rn_weights_open(&weights, net_model(), argv[1], error, sizeof error)) return puts(error), 3;
    rn_status status = net_create(&n, NULL, 0, weights, &options);
    if (status) return rn_weights_close(weights), puts(error), 4;
    if (net_run(n, BATCH, image, output)) return puts(net_message(n)), 6;
    FILE *file = fopen(argv[2], "wb");
    if (!file || fwrite(output, sizeof *output, BATCH * NET_OUTPUT_SIZE, file) != BATCH * NET_OUTPUT_SIZE || fclose(file)) return 7;
    net_destroy(n);
    rn_weights_close(weights);
    return 0;
}
C

# build FOLDER NETWORK OPTIONS...: net.c, net.h, net.rnw in a folder; the app beside it
build() {
    local folder=$1 network=$2 libs=$LIBS cc=${compiler:-$CC} level=-O2
    shift 2
    case "$*" in *=static* | *=c*) ;; *) libs=$JIT_LIBS cc=${LINKING_CC:-$cc} level=-Og ;; esac # what others are compared with
    mkdir -p "$WORK/$folder"
    expect "$folder" 0 "$RNC" -o "$folder/net.c" --name net --batch 2 --random-weights "$@" "$network.rn" &&
        expect "$folder app" 0 $cc -std=c11 -D_GNU_SOURCE $WARN ${flags:-$level} -I"$INCLUDE" -I"$folder" -o "$folder/app" app.c "$folder/net.c" $libs
}
run() { expect "$1 runs" "${3:-0}" "$1/app" "$1/net.rnw" "$1/out" ${2:-}; }
same_bits() { if cmp -s "$WORK/$2/out" "$WORK/$3/out"; then ok; else bad "$1" "$2 and $3 give other bits"; fi; }
near() { # near NAME A B TOLERANCE: the largest difference of two outputs
    if "${PYTHON:-python3}" - "$WORK/$2/out" "$WORK/$3/out" "$4" <<'PY'; then ok; else bad "$1" "$2 and $3 differ"; fi
import struct, sys
a, b = (struct.unpack('%df' % (len(d) // 4), d) for d in (open(f, 'rb').read() for f in sys.argv[1:3]))
sys.exit(not (len(a) == len(b) > 0 and all(abs(x - y) <= float(sys.argv[3]) for x, y in zip(a, b))))
PY
}

# ---- static: the same bits as libxsmm's JIT for that instruction set, and nothing of libxsmm ----
declare -A jit_target=([v3]=hsw [v4]=) # of AVX-512, whatever kind the CPU has
for network in "${networks[@]}"; do
    for isa in v3 v4; do
        [ "${!isa}" = 1 ] || continue
        for level in -O0 -O2; do
            [ "$network$level" = odd-O0 ] || [ $level = -O2 ] || continue
            at=$network$isa$level
            build "jit$at" $network $level --target x86-64-$isa && LIBXSMM_TARGET=${jit_target[$isa]} run "jit$at"
            build "static$at" $network $level --target x86-64-$isa --kernels=static && run "static$at"
            same_bits "static $network $isa $level" "jit$at" "static$at"
        done
    done
done
[ "$v4" = 1 ] && isa=v4 || isa=v3
at=odd$isa-O2
if nm "$WORK/static$at/app" | grep -qi xsmm; then bad "no libxsmm" "the application holds it"; else ok; fi
if nm "$WORK/jit$at/app" | grep -qi xsmm; then ok; else bad "no libxsmm" "not even with jit: the test sees nothing"; fi
for kernels in jit static c; do # nor does a program hold it for the sake of bench
    [ $kernels = jit ] && holds=0 peak="[1-9]" || holds=1 peak=null
    expect "program, $kernels" 0 "$RNC" -o program$kernels --kernels=$kernels --random-weights tiny.rn
    nm "$WORK/program$kernels" | grep -qi xsmm
    [ $? = $holds ] && ok || bad "program, $kernels" "libxsmm is or is not in it"
    expect "bench, $kernels" 0 ./program$kernels bench --seconds 0.01 --json
    grep -q "gemm_peak_gflops.:	$peak" "$WORK/.out" && ok || bad "bench, $kernels" "$(grep gemm "$WORK/.out")"
done
"$WORK/static$at/app" "$WORK/static$at/net.rnw" "$WORK/out" mdwe
if [ $? != 77 ]; then # the kernel can deny it
    run "static$at" mdwe && same_bits "without executable memory" "jit$at" "static$at"
    run "jit$at" mdwe 4 && prints "jit is denied" "may not make memory executable"
fi

# ---- static with both compilers, as PIE and not, optimised at link time, and as shared object ----
for compiler in "${compilers[@]}"; do
    for flags in "-O2 -fPIE -pie" "-O1 -fno-pie -no-pie" "-O0 -fcommon" "-O3 -flto"; do
        [[ $flags = *flto* && $compiler != gcc ]] && continue # needs a linker of its own
        [ -z "${SANITIZED:-}" ] || [ "$flags" = "-O2 -fPIE -pie" ] || continue
        build "linked" odd --target x86-64-$isa --kernels=static && run linked && same_bits "$compiler $flags" "jit$at" linked
    done
    [ -z "${SANITIZED:-}" ] || continue # a sanitizer's symbols come from the program
    expect "$compiler shared" 0 $compiler -std=c11 $WARN -O2 -fPIC -shared -Wl,-z,defs -I"$INCLUDE" -Ilinked -o linked/net.so linked/net.c $LIBS
    if readelf -d "$WORK/linked/net.so" | grep -q TEXTREL; then bad "$compiler shared" "has text relocations"; else ok; fi
done
unset compiler flags
expect "two in one program" 0 "$RNC" -o second.c --name second --kernels=static --random-weights --target x86-64-$isa odd.rn
expect "two in one program" 0 $CC -std=c11 -D_GNU_SOURCE -I"$INCLUDE" -I"linked" -o two app.c linked/net.c second.c $LIBS
# ---- several targets: one file, one packed file; each gives the bits of its own build; older CPUs get an error ----
if [ "$v3$v4" = 11 ]; then
    for kernels in jit static; do
        build both odd --target x86-64-v3,x86-64-v4 --kernels=$kernels && run both
        same_bits "both, $kernels" both "jitoddv4-O2"
        cmp -s "$WORK/both/net.rnw" "$WORK/jitoddv4-O2/net.rnw" && ok || bad "both" "other packed weights"
        # the same program where the CPU has no AVX-512, as far as it can tell; the plan is the stronger one's
        sed 's/rn_cpu_runs(RN_ISA_X86_64_V4)/0/' "$WORK/both/net.c" > "$WORK/both/older.c"
        expect "older CPU" 0 $CC -std=c11 -D_GNU_SOURCE -O2 -I"$INCLUDE" -Iboth -o both/app app.c both/older.c $JIT_LIBS
        mkdir -p "$WORK/older$kernels" && LIBXSMM_TARGET=hsw run both && cp "$WORK/both/out" "$WORK/older$kernels/out" &&
            near "both, older CPU, $kernels" both "jitoddv3-O2" 1e-5
    done
    same_bits "both, older CPU" olderjit olderstatic
    if cmp -s "$WORK/olderjit/out" "$WORK/jitoddv4-O2/out"; then bad "both, older CPU" "ran the AVX-512 code"; else ok; fi
fi
expect "either order" 0 "$RNC" -o both.c --target x86-64-v4,x86-64-v3 --kernels=static --random-weights tiny.rn
for compiler in gcc clang; do
    [ -z "${SANITIZED:-}" ] || continue
    expect "both $compiler" 0 $compiler -std=c11 $WARN -O1 -I"$INCLUDE" -I. -c -o both.o both.c
done
unset compiler

# ---- a file for each, of which the application takes one (docs/runtime.md), with that one's bits ----
mkdir -p "$WORK/chosen" && cat > "$WORK/chosen/net.h" <<'C'
#include "net_v3.h"
#include "net_v4.h"
#define NET_INPUT_SIZE NET_V3_INPUT_SIZE
#define NET_OUTPUT_SIZE NET_V3_OUTPUT_SIZE
#define net_model() (rn_cpu_runs(RN_ISA_X86_64_V4) ? net_v4_model() : net_v3_model())
#define net_create net_model()->create
#define net_run net_model()->run
#define net_message net_model()->message
#define net_destroy net_model()->destroy
typedef void net;
C
for choice in v3 v4; do expect "chosen, $choice" 0 "$RNC" -o chosen/net_$choice.c --name net_$choice --batch 2 --kernels=static --random-weights --target x86-64-$choice odd.rn; done
expect "chosen" 0 $CC -std=c11 -D_GNU_SOURCE $WARN -O2 -I"$INCLUDE" -Ichosen -o chosen/app app.c chosen/net_v3.c chosen/net_v4.c $LIBS
cp "$WORK/chosen/net_$isa.rnw" "$WORK/chosen/net.rnw" && run chosen && same_bits "chosen" chosen "jit$at"

# ---- weights stored as bf16: each source of kernels, several targets, half of the packed bytes of these layers ----
bf16=0
for kernels in jit static; do
    for isa in v3 v4; do
        [ "${!isa}" = 1 ] || continue
        build "bf16$kernels$isa" odd --store bf16 --target x86-64-$isa --kernels=$kernels && LIBXSMM_TARGET=${jit_target[$isa]} run "bf16$kernels$isa"
        bf16=bf16$kernels$isa
    done
done
for isa in v3 v4; do [ "${!isa}" != 1 ] || same_bits "bf16 $isa" bf16jit$isa bf16static$isa; done
if [ "$v3$v4" = 11 ]; then
    build bf16both odd --store bf16 --target x86-64-v3,x86-64-v4 && run bf16both && same_bits "bf16, both" bf16both bf16jitv4
fi
for flags in -O2 "${plain_loops[@]}"; do
    build bf16c odd --store bf16 --kernels=c && run bf16c && near "bf16 c $flags" $bf16 bf16c 1e-5
done
unset flags
[ "$v4" = 1 ] && isa=v4 || isa=v3
smaller=$(($(stat -c %s "$WORK/jitodd$isa-O2/net.rnw") - $(stat -c %s "$WORK/$bf16/net.rnw")))
[ $smaller -gt 90000 ] && ok || bad "bf16" "packed weights are $smaller bytes smaller"
near "bf16 and fp32" "jitodd$isa-O2" $bf16 1e-2
if cmp -s "$WORK/jitodd$isa-O2/out" "$WORK/$bf16/out"; then bad "bf16 and fp32" "give the same: nothing was rounded"; else ok; fi
# packed at compile time and at start-up; weights that are bf16 in their file are not changed
expect "bf16 weights" 0 "$RNC" -o w.safetensors --random-weights odd.rn
expect "bf16 at start-up" 0 "$bf16/app" w.safetensors "$bf16/out2" && cmp -s "$WORK/$bf16/out" "$WORK/$bf16/out2" && ok || bad "bf16 at start-up" "gives another result"
"${PYTHON:-python3}" - "$WORK/w.safetensors" "$WORK/w16.safetensors" <<'PY'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
head, out, body = json.loads(data[8:8 + n]), {}, b""
for name, t in head.items():
    if name == "__metadata__": continue
    a, b = t["data_offsets"]
    part = data[8 + n + a:8 + n + b]
    if name.startswith("fc"): # the upper halves: truncated, so that they are bf16 numbers
        t["dtype"], part = "BF16", b"".join(part[i + 2:i + 4] for i in range(0, len(part), 4))
    t["data_offsets"] = [len(body), len(body) + len(part)]
    out[name], body = t, body + part
text = json.dumps(out).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + body)
PY
expect "bf16 file" 0 "$RNC" --verify --store bf16 --weights w16.safetensors odd.rn && prints "bf16 file" "moves the output by 0 of"

# ---- c: any CPU; as vectors of the compiler and as plain loops, with the widths of several CPUs ----
for network in "${networks[@]}"; do
    build ref $network --target x86-64-v3 && run ref
    for compiler in "${compilers[@]}"; do
        for flags in -O2 "-O3 -march=x86-64-v3 -ffp-contract=fast" "${plain_loops[@]}"; do
            [ $network = odd ] || [ "$flags" = -O2 ] || continue
            build c $network --kernels=c && run c && near "c $network $compiler $flags" ref c 1e-5
        done
    done
    unset compiler flags
    expect "c verified $network" 0 "$RNC" --verify --kernels=c $network.rn
done
if [ -z "${SANITIZED:-}" ]; then
    # other processors, as far as a compiler without their C library can tell
    mkdir -p "$WORK/stub"
    printf '#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\nvoid *memset(void *, int, size_t);\n' > "$WORK/stub/string.h"
    printf 'float sqrtf(float), fabsf(float), copysignf(float, float), rintf(float);\n#define INFINITY __builtin_inff()\n' > "$WORK/stub/math.h"
    for cpu in aarch64 riscv64; do
        expect "c for $cpu" 0 clang --target=$cpu-linux-gnu -ffreestanding -std=c11 $WARN -O1 -Istub -I"$INCLUDE" -Ic -c -o c/other.o c/net.c
    done
    # and librn for them, as far as a compiler for this one can tell: with the system's headers read, x86-64 is forgotten
    {
        echo '#include <stdio.h>' # jpeglib.h needs it before
        grep -ho '^#include <[^>]*>' "$ROOT"/runtime/*.h "$ROOT"/runtime/*/*.[ch] | grep -v 'xsmm\|cpuid\|mpi' | sort -u
    } > "$WORK/system.h"
    printf '#undef __x86_64__\n#undef __i386__\n' > "$WORK/other.h"
    mkdir -p "$WORK/librn"
    printf '#include "rn_tools.h"\nint main(int argc, char **argv) { return rn_main(net_model(), argc, argv); }\n' > "$WORK/program.c"
    cc="$CC -std=c11 -D_GNU_SOURCE $WARN -Wno-pedantic -O0 -fopenmp"
    expect "the system's headers" 0 $cc -c -x c-header -o system.h.gch system.h # read once, not for each file
    expect "librn for another processor" 0 bash -c "
        for file in '$ROOT'/runtime/{core,weights,image,data,eval,train,cli}/*.c; do # without MPI's
            $cc -I'$ROOT'/runtime -include system.h -include other.h -c -o librn/\$(echo \${file#'$ROOT'/} | tr / -).o \$file || exit 1
        done
        $cc -I'$INCLUDE' -Ic -include net.h -o other program.c c/net.c librn/*.o -lpng -ljpeg -lcjson -lxxhash -lz -lgomp -lpthread -lm"
    expect "a CPU without AVX2" 0 ./other bench --weights c/net.rnw --seconds 0.01
    prints "a CPU without AVX2" "the FMA peak is not measured"
    for command in bench profile; do
        expect "a CPU without AVX2" 0 ./other $command --weights c/net.rnw --seconds 0.01 --json
        [ $(grep -c 'peak_[a-z]*":	null' "$WORK/.out") -ge 3 ] && ok || bad "a CPU without AVX2" "$(grep peak "$WORK/.out")"
    done
fi
if grep -q immintrin "$WORK/c/net.c"; then bad c "needs x86"; else ok; fi

# ---- what does not go together ----
refused() { # refused TEXT OPTIONS...
    local text=$1
    shift
    expect "refused: $*" 2 "$RNC" -o no.c "$@" tiny.rn && says "refused: $*" "$text" && absent "refused: $*" no.c no.h
}
refused "--kernels: 'statik' is not jit, static or c; did you mean 'static'?" --kernels=statik
refused "for any processor" --kernels=c --target x86-64-v3
refused "needs --kernels=c" --target generic
refused "needs --kernels=c" --target generic --kernels static
refused "stands alone" --target generic,x86-64-v3 --kernels=c
refused "twice" --target x86-64-v3,x86-64-v3
refused "'x86-64-v5' is not" --target x86-64-v3,x86-64-v5
refused "'' is not" --target x86-64-v3,
finish
