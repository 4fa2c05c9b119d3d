#!/bin/bash
# --standalone: C that a compiler alone builds, in a folder with nothing of rnc; the same bits as the linked form; several
# in one program, also beside a linked one; weights that are not its own are refused.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
other > "$WORK/other.rn"
WARN="-Wall -Wextra -Werror -pedantic"
v3=$(grep -c -m1 avx2 /proc/cpuinfo) v4=$(grep -c -m1 avx512vl /proc/cpuinfo)
compilers=(gcc clang)
[ -z "${SANITIZED:-}" ] || compilers=() # what they make of the same text, the ordinary build shows
checked=${SANITIZED:+$CC}               # else with checks
LIBS="$OUT/librn.a -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"

# app FILE WEIGHTS THREADS OUT: noise and a picture through the network, the outputs to a file
cat > "$WORK/app.c" <<'C'
#include "net.h"
#include <stdio.h>
#include <stdlib.h>

#ifdef POOL /* of the application's own: one part after another */
static void pool(void *user, int n, rn_task fn, void *arg) {
    for (int i = n - 1; i >= 0; i--) fn(arg, i, n);
    ++*(int *)user;
}
#endif

static int layers;
static void count(void *user, int layer, const rn_tensor *out) {
    (void)user, (void)layer;
    if (out) layers += out->images; /* of as many as are run together */
}

int main(int argc, char **argv) {
    enum { BATCH = 2, SIDE = 23 };
    char error[RN_ERROR_SIZE] = "";
    rn_weights *weights = NULL;
    net *n;
    rn_options options = {0};
    static float image[BATCH * NET_INPUT_SIZE], output[3 * BATCH * NET_OUTPUT_SIZE];
    static uint8_t picture[SIDE * (SIDE + 1) * 3];
    unsigned state = 1;
    int calls = 0;
    if (argc < 4) return 2;
    options.threads = atoi(argv[2]);
    options.error = error;
    options.error_size = sizeof error;
    options.layer = count;
#ifdef POOL
    options.parallel = pool;
    options.parallel_user = &calls;
#endif
    for (int i = 0; i < BATCH * NET_INPUT_SIZE; i++) image[i] = (float)((state = state * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
    for (int i = 0; i < SIDE * (SIDE + 1) * 3; i++) picture[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    const uint8_t *rgb[BATCH] = {picture, picture};
    const int height[BATCH] = {SIDE, SIDE + 1}, width[BATCH] = {SIDE + 1, SIDE};
    if (*argv[1] != '-' && rn_weights_open(&weights, net_model(), argv[1], error, sizeof error)) return puts(error), 3;
    rn_status status = net_create(&n, NULL, 0, weights, &options);
    if (status) return rn_weights_close(weights), printf("%s (%s)\n", error, rn_status_text(status)), 4;
    if (net_run(n, BATCH + 1, image, output) != RN_ERROR_ARGUMENT || !*net_message(n)) return 5;
    if (net_run(n, BATCH, image, output)) return puts(net_message(n)), 6;
    if (net_run_rgb(n, BATCH, rgb, height, width, output + BATCH * NET_OUTPUT_SIZE)) return puts(net_message(n)), 7;
    net_destroy(n);
    void *arena = aligned_alloc(64, (net_arena_size(NET_BATCH, 1) + 63) / 64 * 64);
    if (!arena || net_create(&n, arena, net_arena_size(NET_BATCH, 1), weights, NULL) || net_run(n, 1, image, output + 2 * BATCH * NET_OUTPUT_SIZE)) return 8;
    net_destroy(n);
    free(arena);
    FILE *file = fopen(argv[3], "wb");
    if (!file || fwrite(output, sizeof output, 1, file) != 1 || fclose(file)) return 9;
    if (weights && (!rn_weights_payload(weights, NULL) || rn_weights_recipe(weights) == 0)) return 10;
    rn_weights_close(weights);
    rn_weights_close(NULL);
#ifdef POOL
    if (options.threads > 1 && !calls) return 11;
#endif
    (void)calls;
    for (int i = 0; i < net_model()->layer_count; i++) layers -= 4 * (*net_model()->layers[i].value != 0);
    if (layers) return 12;
    return 0;
}
C

same() { if cmp -s "$WORK/$2" "$WORK/$3"; then ok; else bad "$1" "$2 and $3 differ"; fi; }
near() { # near NAME A B TOLERANCE: the largest difference of two outputs
    if "${PYTHON:-python3}" - "$WORK/$2" "$WORK/$3" "$4" <<'PY'; then ok; else bad "$1" "$2 and $3 differ"; fi
import struct, sys
a, b = (struct.unpack('%df' % (len(d) // 4), d) for d in (open(f, 'rb').read() for f in sys.argv[1:3]))
sys.exit(not (len(a) == len(b) > 0 and all(abs(x - y) <= float(sys.argv[3]) for x, y in zip(a, b))))
PY
}
# alone FOLDER OPTIONS...: net.c, net.h, net.rnw in a folder that has nothing else
alone() {
    local folder=$1
    shift
    rm -rf "${WORK:?}/$folder" && mkdir -p "$WORK/$folder" && cp "$WORK/app.c" "$WORK/$folder"
    expect "$folder" 0 "$RNC" --standalone -o "$folder/net.c" --name net --batch 2 --random-weights "$@" tiny.rn
}
# compiled FOLDER COMPILER FLAGS...: builds it there with no path to anything and runs it
compiled() {
    local folder=$1
    shift
    (cd "$WORK/$folder" && rm -f app out && env -u CPATH -u C_INCLUDE_PATH -u LIBRARY_PATH "$@" -o app app.c net.c -lm) 2> "$WORK/.err" && ok ||
        { bad "$folder: $*" "$(head -c 600 "$WORK/.err")"; return 1; }
    expect "$folder: $* runs" 0 "$folder/app" "$folder/net.rnw" 1 "$folder/out"
}
object() { # object FOLDER FLAGS...: FOLDER/net.c as net.o, and the application of it
    expect "$1: object" 0 $CC "${@:2}" -c -o "$1/net.o" "$1/net.c" && expect "$1: application" 0 $CC -I"$1" -o "$1/app" app.c "$1/net.o" -lm
}
linked() { # linked FOLDER OPTIONS...: the same network with librn
    local folder=$1
    shift
    mkdir -p "$WORK/$folder"
    expect "$folder" 0 "$RNC" -o "$folder/net.c" --name net --batch 2 --random-weights "$@" tiny.rn
    expect "$folder" 0 $CC -std=c11 -D_GNU_SOURCE -O2 -I"$OUT/include/rn" -I"$folder" -o "$folder/app" app.c "$folder/net.c" $LIBS
    expect "$folder runs" 0 "$folder/app" "$folder/net.rnw" 1 "$folder/out"
}
globals() { nm "$1" | grep ' [A-TV-Z] ' | sed 's/.* //' | sort | tr '\n' ' '; }
unknown() { # undefined symbols that are neither the C library's nor the compiler's own
    nm -u "$1" | sed 's/.* //' | while read -r symbol; do
        case $symbol in GOMP_* | omp_* | __kmpc_* | _GLOBAL_OFFSET_TABLE_) continue ;; esac
        echo "$symbol" | grep -qxFf "$WORK/libc" || echo "$symbol"
    done
}
for library in libc.so.6 libm.so.6; do nm -D --defined-only "$(${CC%% *} -print-file-name=$library)"; done | sed 's/.* //; s/@.*//' > "$WORK/libc"
API="net_arena_size net_create net_destroy net_message net_model net_run net_run_rgb net_weights_close net_weights_memory net_weights_open "

# ---- the bits of the linked form, from a compiler alone ----
[ "$v4" = 1 ] && isa=x86-64-v4 || isa=x86-64-v3
[ "$v3" = 1 ] || { echo "0 tests, 0 failed"; exit 0; } # runs nowhere without
linked ref --kernels=static --target $isa
alone st --target $isa
same "packed weights" ref/net.rnw st/net.rnw
for compiler in "${compilers[@]}"; do
    for flags in -O2 "-O1 -pthread" "-O0 -fcommon" "-O3 -fPIE -pie"; do
        compiled st $compiler -std=c11 $WARN $flags && same "$compiler $flags" ref/out st/out
    done
done
[ -n "${SANITIZED:-}" ] || { compiled st cc && same "no options at all" ref/out st/out; }
compiled st $CC -fopenmp -O2 && same "OpenMP" ref/out st/out
expect "two threads" 0 st/app st/net.rnw 2 st/two
expect "linked, two threads" 0 ref/app ref/net.rnw 2 ref/two
same "two threads" ref/two st/two
if grep -q '"rn\.h"\|"recipe\.h"\|xxhash\|cJSON\|libxsmm_' "$WORK/st/net.c"; then bad "self-contained" "net.c includes something of rnc"; else ok; fi

# ---- threads: an error where there are none to be had, or the application's pool ----
object st -O2
if [ -z "${SANITIZED:-}" ]; then # a sanitizer's symbols are everywhere
    [ "$(globals "$WORK/st/net.o")" = "$API" ] && ok || bad "global symbols" "$(globals "$WORK/st/net.o")"
    left=$(unknown "$WORK/st/net.o")
    [ -z "$left" ] && ok || bad "undefined symbols" "$left"
    [ -n "$(unknown "$WORK/ref/net.o" 2> /dev/null || true)" ] || { expect "linked object" 0 gcc -I"$OUT/include/rn" -c -o ref/net.o ref/net.c && [ -n "$(unknown "$WORK/ref/net.o")" ]; } && ok || bad "undefined symbols" "none even where librn is needed: the test sees nothing"
fi
expect "threads without OpenMP" 4 st/app st/net.rnw 2 st/none
prints "threads without OpenMP" "compiled without OpenMP; compile it with -fopenmp"
expect "own pool" 0 $CC -DPOOL -Ist -o st/pool app.c st/net.o -lm
expect "own pool" 0 st/pool st/net.rnw 1 st/out && expect "own pool" 0 st/pool st/net.rnw 2 st/two && same "own pool" ref/two st/two

# ---- C for any processor ----
linked refc --kernels=c
alone c --kernels=c
for compiler in "${compilers[@]}"; do
    compiled c $compiler -std=c11 $WARN -O2 && near "c, $compiler" refc/out c/out 1e-5
done
object c -std=c11 -O2
expect "c runs" 0 c/app c/net.rnw 1 c/out && same "c" refc/out c/out
left=$([ -n "${SANITIZED:-}" ] || unknown "$WORK/c/net.o") # a sanitizer's symbols are everywhere
[ -z "$left" ] && ok || bad "c: undefined symbols" "$left"
# another processor's compiler, with this machine's C library as far as its headers go
mkdir -p "$WORK/stub/bits" "$WORK/stub/gnu" && : > "$WORK/stub/gnu/stubs.h" && echo '#define __WORDSIZE 64' > "$WORK/stub/bits/wordsize.h"
expect "c for aarch64" 0 clang --target=aarch64-linux-gnu -std=c11 $WARN -O1 -Istub -isystem "/usr/include/$(gcc -print-multiarch)" -Ic -c -o c/other.o c/net.c

# ---- several instruction sets, embedded weights ----
if [ "$v4" = 1 ]; then
    alone both --target x86-64-v3,x86-64-v4
    compiled both ${checked:-gcc} -std=c11 $WARN -O2 && same "both" ref/out both/out
    sed -i 's/rn_cpu_runs(RN_ISA_X86_64_V4)/0/' "$WORK/both/net.c" # as where there is no AVX-512
    compiled both ${checked:-gcc} -O2 -Wno-unused-function && near "older CPU" ref/out both/out 1e-5
    if cmp -s "$WORK/ref/out" "$WORK/both/out"; then bad "older CPU" "ran the AVX-512 code"; else ok; fi
fi
alone embedded --embed --target $isa
for compiler in "${compilers[@]:-$CC}"; do compiled embedded $compiler -std=c11 $WARN -O2; done
mv "$WORK/embedded/net.rnw" "$WORK/embedded/away"
expect "embedded" 0 embedded/app - 1 embedded/out && same "embedded" ref/out embedded/out
sed 's/rn_cpu_missing(rn_isa isa) {/&\n    if (isa == RN_ISA_X86_64_V4 || isa == RN_ISA_X86_64_V3) return "avx9";/' "$WORK/st/net.c" > "$WORK/st/older.c"
expect "no such CPU" 0 cc -Wno-all -Ist -o st/app app.c st/older.c -lm
expect "no such CPU" 4 st/app st/net.rnw 1 st/none && prints "no such CPU" "compiled for $isa, but this machine has no avx9"

# ---- weights that are not its own ----
expect "as before" 0 $CC -Ist -o st/app app.c st/net.o -lm
refuse() { # refuse TEXT FILE
    expect "$1" 3 st/app "$2" 1 st/none && prints "$1" "$1" && absent "$1" st/none
}
size=$(stat -c %s "$WORK/st/net.rnw")
head -c $((size - 1)) "$WORK/st/net.rnw" > "$WORK/cut.rnw"
refuse "truncated: $((size - 1)) bytes of $size" cut.rnw
head -c 77 "$WORK/st/net.rnw" > "$WORK/cut.rnw"
refuse "the header alone has 4096" cut.rnw
{ cat "$WORK/st/net.rnw" && echo; } > "$WORK/long.rnw"
refuse "1 bytes follow the packed weights" long.rnw
for at in 40 4088 4096 $((size / 2)) $((size - 1)); do # one byte, in the header's sums and in the payload
    "${PYTHON:-python3}" - "$WORK/st/net.rnw" "$WORK/altered.rnw" "$at" <<'PY'
import sys
bytes_ = bytearray(open(sys.argv[1], 'rb').read())
bytes_[int(sys.argv[3])] ^= 4
open(sys.argv[2], 'wb').write(bytes_)
PY
    refuse "checksum is wrong" altered.rnw
done
expect other 0 "$RNC" -o other.c --random-weights other.rn
refuse "packed for the network other, not for net" other.rnw
expect "another build" 0 "$RNC" -o o0.c --name net -O0 --random-weights tiny.rn
refuse "these weights are packed for" o0.rnw
expect safetensors 0 "$RNC" -o w.safetensors --random-weights tiny.rn
refuse "a standalone network, which reads packed weights alone: rnc --standalone --weights FILE makes them" w.safetensors
refuse "cannot be opened" nowhere.rnw
refuse "neither packed weights" tiny.rn
refuse "a directory" st
expect "none" 4 st/app - 1 st/none && prints "none" "no weights given and none embedded"
code() { grep -v 'rnc --standalone -o' "$WORK/st/net.c"; } # without the command that it tells
code > "$WORK/random.c"
expect "weights of safetensors" 0 "$RNC" --standalone -o st/net.c --name net --batch 2 --target $isa --weights w.safetensors tiny.rn
if cmp -s <(code) "$WORK/random.c"; then ok; else bad "weights of safetensors" "other code: $(code | diff - "$WORK/random.c" | head -4)"; fi
expect "weights of safetensors" 0 st/app st/net.rnw 1 st/out && same "weights of safetensors" ref/out st/out
expect "no weights" 0 "$RNC" --standalone -o unweighted.c tiny.rn && absent "no weights" unweighted.rnw

# ---- objects, archives, shared objects; nothing of librn is needed beside rnc ----
mkdir -p "$WORK/bin" "$WORK/o" && cp "$RNC" "$WORK/bin/"
expect "object" 0 bin/rnc --standalone -o o/net.o --name net --batch 2 --random-weights --target $isa tiny.rn
expect "archive" 0 bin/rnc --standalone -o o/net.a --name net --batch 2 --random-weights --target $isa tiny.rn
expect "shared" 0 bin/rnc --standalone -o o/net.so --name net --batch 2 --random-weights --embed --target $isa tiny.rn
for file in net.o net.a; do
    expect "$file" 0 $CC -Io -o o/app app.c "o/$file" -lm && expect "$file runs" 0 o/app o/net.rnw 1 o/out && same "$file" ref/out o/out
done
if [ -z "${SANITIZED:-}" ]; then
    [ "$(nm -D --defined-only "$WORK/o/net.so" | sed 's/.* //' | sort | tr '\n' ' ')" = "$API" ] && ok || bad shared "exports $(nm -D --defined-only "$WORK/o/net.so")"
    left=$(ldd "$WORK/o/net.so" | grep -v 'libc\.so\|libm\.so\|linux-vdso\|ld-linux')
    [ -z "$left" ] && ok || bad shared "needs $left"
    expect "shared" 0 $CC -Io -o o/app app.c o/net.so -Wl,-rpath,"$WORK/o" -lm && expect "shared runs" 0 o/app - 1 o/out && same shared ref/out o/out
    "${PYTHON:-python3}" - "$WORK/o/net.so" "$WORK/st/net.rnw" > "$WORK/.err" 2>&1 <<'PY' && ok || bad "from Python" "$(cat "$WORK/.err")"
import ctypes as c, sys
lib = c.CDLL(sys.argv[1])
lib.net_model.restype = c.c_void_p
weights, error = c.c_void_p(), c.create_string_buffer(512)
lib.net_weights_open.argtypes = [c.POINTER(c.c_void_p), c.c_void_p, c.c_char_p, c.c_char_p, c.c_size_t]
lib.net_weights_close.argtypes = [c.c_void_p]
assert lib.net_weights_open(c.byref(weights), lib.net_model(), sys.argv[2].encode(), error, 512) == 0, error.value
lib.net_weights_close(weights)
assert lib.net_weights_open(c.byref(weights), lib.net_model(), b"nowhere", error, 512) == 3 and b"nowhere" in error.value
PY
    (cd "$WORK" && "$PYTHON" -c 'import numpy as np; np.save("noise.npy", np.random.default_rng(1).normal(size=(3, 3, 16, 16)))') && ok || bad "from Python" "no array"
    export PYTHONPATH=$ROOT/python
    for so in standalone linked; do
        expect "$so.so" 0 "$RNC" $([ $so = linked ] || echo --standalone) --kernels=static -o o/$so.so --name net --batch 2 --random-weights tiny.rn
        expect "classify.py with $so.so" 0 "$PYTHON" "$ROOT/examples/apps/classify.py" o/$so.so noise.npy && cp "$WORK/.out" "$WORK/$so.txt"
    done
    same "classify.py" standalone.txt linked.txt
    : > "$WORK/one.png"
    expect "classify.py: a picture" 1 "$PYTHON" "$ROOT/examples/apps/classify.py" o/standalone.so one.png && says "classify.py: a picture" "reads no picture files"
fi

# ---- the headers; two standalone networks and a linked one in one program, in every order of their headers ----
expect one 0 "$RNC" --standalone -o one.c --random-weights --embed --name one tiny.rn
expect two 0 "$RNC" --standalone -o two.c --random-weights --name two --kernels=c other.rn
expect three 0 "$RNC" -o three.c --random-weights --name three other.rn
cat > "$WORK/several.h" <<'C'
#include <stdio.h>
#include <string.h>

#define CHECK(x) do { if (!(x)) { printf("line %d: %s %s\n", __LINE__, #x, error); return 1; } } while (0)

int main(void) {
    static float image[ONE_INPUT_SIZE], a[ONE_OUTPUT_SIZE], b[TWO_OUTPUT_SIZE], c[4];
    char error[RN_ERROR_SIZE] = "";
    for (int i = 0; i < ONE_INPUT_SIZE; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
    one *x = NULL;
    two *y = NULL;
    rn_weights *weights = NULL, *mine = NULL;
    CHECK(!strcmp(rn_status_text(RN_OK), "no error"));
    CHECK(!one_create(&x, NULL, 0, NULL, NULL) && !one_run(x, 1, image, a));
    CHECK(!rn_weights_open(&weights, two_model(), "two.rnw", error, sizeof error));
    CHECK(!two_create(&y, NULL, 0, weights, NULL) && !two_run(y, 1, image, b));
    CHECK(one_weights_open(&mine, one_model(), "two.rnw", error, sizeof error) == RN_ERROR_FORMAT && !mine);
    CHECK(!two_weights_open(&mine, two_model(), "two.rnw", error, sizeof error));
    rn_weights_close(mine);
#ifdef LINKED
    three *z = NULL;
    CHECK(rn_weights_open(&mine, two_model(), "empty.safetensors", error, sizeof error) == RN_ERROR_FORMAT && strstr(error, "standalone"));
    CHECK(!rn_weights_open(&mine, three_model(), "three.rnw", error, sizeof error));
    CHECK(!three_create(&z, NULL, 0, mine, NULL) && !three_run(z, 1, image, c));
    for (int i = 0; i < 4; i++) CHECK(b[i] - c[i] <= 1e-5f && c[i] - b[i] <= 1e-5f);
    three_destroy(z);
    rn_weights_close(mine);
    rn_image picture;
    CHECK(rn_image_read(&picture, "nowhere.png", error, sizeof error) == RN_ERROR_FILE);
#else
    (void)c;
#endif
    one_destroy(x);
    two_destroy(y);
    rn_weights_close(weights);
    puts("all run");
    return 0;
}
C
printf '\2\0\0\0\0\0\0\0{}' > "$WORK/empty.safetensors"
printf '#include "%s"\n' one.h two.h several.h > "$WORK/several.c"
expect "objects" 0 $CC -std=c11 $WARN -c one.c two.c
expect "two networks" 0 $CC -std=c11 $WARN -I. -o several several.c one.o two.o -lm && expect "two networks run" 0 ./several && prints "two networks run" "all run"
expect "header as C99" 0 gcc -std=c99 $WARN -I. -fsyntax-only several.c
cp "$WORK/several.c" "$WORK/several.cc"
for compiler in g++ clang++; do expect "headers as C++ by $compiler" 0 $compiler -std=c++11 $WARN -I. -fsyntax-only several.cc; done
expect "C++" 0 $CXX -std=c++11 $WARN -I. -o several_cc several.cc one.o two.o -lm && expect "C++ runs" 0 ./several_cc && prints "C++ runs" "all run"
expect "a linked object" 0 $CC -std=c11 $WARN -I"$OUT/include/rn" -c three.c
for order in "one.h two.h three.h" "three.h two.h one.h" "two.h three.h one.h"; do
    printf '#include "%s"\n' $order several.h > "$WORK/mixed.c"
    cp "$WORK/mixed.c" "$WORK/mixed.cc"
    expect "mixed: $order" 0 $CC -std=c11 $WARN -DLINKED -I. -I"$OUT/include/rn" -o mixed mixed.c one.o two.o three.o -lpng -ljpeg $LIBS -lpng -ljpeg &&
        expect "mixed: $order runs" 0 ./mixed && prints "mixed: $order runs" "all run"
    expect "mixed as C++: $order" 0 g++ -std=c++11 $WARN -DLINKED -I. -I"$OUT/include/rn" -fsyntax-only mixed.cc
done
sed 's/define RN_ABI [0-9]*/define RN_ABI 1/' "$WORK/one.h" > "$WORK/old.h"
printf '#include "old.h"\n#include "two.h"\n' > "$WORK/versions.c"
expect "two versions" 1 gcc -I. -fsyntax-only versions.c && says "two versions" "different versions of rnc"

# ---- the same bytes; names; --dump ----
expect "again" 0 "$RNC" --standalone -o o/one.c --random-weights --embed --name one tiny.rn && same "again" one.c o/one.c && same "again" one.h o/one.h
if grep -qF "$ROOT" "$WORK/one.c" "$WORK/one.h"; then bad "any folder" "a path is in the emitted C"; else ok; fi
expect "--dump=c" 0 "$RNC" --standalone --dump=c tiny.rn && prints "--dump=c" "rnc's runtime"
for name in net status options made weights model_1 image opened; do
    expect "called $name" 0 "$RNC" --standalone -o "o/called.o" --name "$name" tiny.rn
done
for name in avalanche Header magic context_check Axis STRIP; do
    expect "called $name" 1 "$RNC" --standalone -o "o/no.o" --name "$name" tiny.rn && says "called $name" "--name OTHER" && absent "called $name" o/no.o
    expect "called $name, linked" 0 "$RNC" -o "o/called.o" --name "$name" tiny.rn
done

# ---- what does not go together ----
refused() { # refused TEXT OPTIONS...
    local text=$1
    shift
    expect "refused: $*" 2 "$RNC" --standalone "$@" tiny.rn && says "refused: $*" "$text" && absent "refused: $*" no no.c no.h no.onnx
}
refused "does not go with --kernels=jit" --kernels=jit -o no.c
refused "makes no program" -o no
refused "needs -o with" -o no.onnx --random-weights
refused "needs -o with" --verify
refused "needs -o with" --summary
refused "needs -o with"
finish
