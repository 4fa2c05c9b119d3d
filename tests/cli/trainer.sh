#!/bin/bash
# Trainers in every form that -o has, linked into an application: it trains in an arena of its own, a form is as good as
# another to the bit, the C compiles without a warning. And what shows a trainer: --dump, notes, errors.
. "$(dirname "$0")/../lib.sh"
LINK_CC=$CC
emitted_unchecked
INCLUDE=$OUT/include/rn
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lz -lgomp -lpthread -lrt -ldl -lm"
STRICT="-std=c11 -Wall -Wextra -pedantic -Werror"
cp "$ROOT/tests/cli/trainer.c" "$WORK"
cat > "$WORK/tiny.rn" << 'N'
network tiny(classes = 4) {
    input 1x8x8 gray, std [0.5]
    conv 8, 3x3; bn; relu
    conv 16, 3x3 /2; bn; relu
    conv 16, 3x3; bn; relu
    avgpool global
    fc classes
    softmax
}
train {
    batch 16
    sgd lr 0.05, momentum 0.9
    stop at 100
    init he
}
N

trains() { # trains NAME COMMAND...: links it and trains; what it prints is in $WORK/NAME.txt
    local name=$1
    shift
    if [[ $1 = *.c ]]; then
        expect "$name: compiled" 0 $CC $STRICT -O1 -I. -I"$INCLUDE" -c -o net.o "$1" || return
        set -- net.o "${@:2}"
    fi
    expect "$name: linked" 0 $LINK_CC $STRICT -I. -I"$INCLUDE" -o app trainer.c "$@" || return
    expect "$name: trains" 0 env LD_LIBRARY_PATH=. ./app
    cp "$WORK/.out" "$WORK/$name.txt"
    expect "$name: a smaller batch, two threads" 0 env LD_LIBRARY_PATH=. ./app 12 2
    cp "$WORK/.out" "$WORK/$name-12.txt"
    expect "$name: three threads" 0 env LD_LIBRARY_PATH=. ./app 16 3
    cmp -s "$WORK/.out" "$WORK/$name.txt" && ok || bad "$name: three threads" "other bits than one"
}
as() { # as NAME OTHER: the same bits
    cmp -s "$WORK/$1.txt" "$WORK/$2.txt" && cmp -s "$WORK/$1-12.txt" "$WORK/$2-12.txt" && ok ||
        bad "$1" "other bits than $2: $(cat "$WORK/$1.txt" "$WORK/$2.txt")"
}
near() { # near NAME OTHER: the first loss, to rounding
    local a b
    a=$(cut -d' ' -f2 "$WORK/$1.txt") b=$(cut -d' ' -f2 "$WORK/$2.txt")
    awk "BEGIN { exit !($a > 0 && ($a - $b) ^ 2 < 1e-8) }" && ok || bad "$1" "loss $a, of $2 $b"
}

# ---- forms ----
expect "c" 0 "$RNC" --train -o tiny.c tiny.rn
expect "--dump=c" 0 "$RNC" --train --dump=c tiny.rn
diff <(sed 's/rnc --train.* tiny.rn//' "$WORK/.out") <(sed 's/rnc --train.* tiny.rn//' "$WORK/tiny.c") > "$WORK/.diff" && ok ||
    bad "--dump=c" "not the file: $(head -5 "$WORK/.diff")"
trains c tiny.c $LIBS
for cc in gcc clang; do
    command -v $cc > /dev/null || continue
    expect "warnings: $cc" 0 $cc $STRICT -O1 -I. -I"$INCLUDE" -c -o none.o tiny.c
    for language in c c++; do
        expect "the header: $cc, $language" 0 $cc -x $language -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$INCLUDE" tiny.h
    done
done
expect "o" 0 "$RNC" --train -o tiny.o tiny.rn
trains o tiny.o $LIBS
as o c
expect "a" 0 "$RNC" --train -o tiny.a tiny.rn
trains a tiny.a $LIBS
as a c
if [ -z "$SANITIZED" ]; then # else librn's sanitizer would have to be there before the shared object
    expect "so" 0 "$RNC" --train -o tiny.so tiny.rn
    (INCLUDE=none && trains so ./tiny.so) # its header is enough, and its runtime inside
    as so c
    for language in c c++; do
        expect "the header of a shared object: $language" 0 $CC -x $language -Wall -Wextra -pedantic -Werror -fsyntax-only tiny.h
        echo '#include "rn_train.h"' | cat - "$WORK/tiny.h" > "$WORK/both.h"
        expect "the header after librn's: $language" 0 $CC -x $language -fsyntax-only -I"$INCLUDE" both.h
    done
    expect "exports" 0 nm -D --defined-only tiny.so
    grep -v ' T tiny_' "$WORK/.out" && bad "exports" "something beside the API" || ok
    names=$(grep -o 'tiny_train_[a-z_]*(' "$WORK/tiny.h" | sort -u | tr -d '(')
    [ "$(wc -w <<< "$names")" -gt 20 ] && ok || bad "exports" "few functions: $names"
    for name in $names; do prints "exports" " T $name"; done
fi

# ---- kernels, targets, levels ----
for kernels in static c; do
    expect "--kernels=$kernels" 0 "$RNC" --train --kernels=$kernels -o tiny.c tiny.rn
    trains $kernels tiny.c $LIBS
    if [ $kernels = static ]; then as static c; else near $kernels c; fi
done
for target in x86-64-v3 x86-64-v4,x86-64-v3; do
    grep -qw avx512f /proc/cpuinfo || [ $target = x86-64-v3 ] || continue
    expect "--target $target" 0 "$RNC" --train --target $target -o tiny.c tiny.rn
    [ $target != x86-64-v3 ] || export LIBXSMM_TARGET=hsw # its JIT makes what the CPU has, whatever the target is
    trains $target tiny.c $LIBS
    unset LIBXSMM_TARGET
    near $target c
done
expect "--target x86-64-v3 --kernels=static" 0 "$RNC" --train --target x86-64-v3 --kernels=static -o tiny.c tiny.rn
trains v3-static tiny.c $LIBS
as v3-static x86-64-v3
for level in 0 1; do
    expect "-O$level" 0 "$RNC" --train -O$level -o tiny.c tiny.rn
    trains O$level tiny.c $LIBS
    near O$level c
done

# ---- what shows it ----
expect "--dump=plan" 0 "$RNC" --train --dump=plan --target x86-64-v4 tiny.rn
for text in "batch_conv      conv3 " "F(4x4, 3x3) products 36 tiles 1x1" "direct 9 taps" "slabs 16" "parameters at" \
    "gradients at" "labels at" "computed where it is read: relu"; do prints "--dump=plan" "$text"; done
expect "--dump=plan -O1" 0 "$RNC" --train --dump=plan -O1 tiny.rn
grep -q "computed where" "$WORK/.out" && bad "-O1" "fused" || ok
sed 's/conv 16, 3x3; bn/conv 512, 3x3; bn; relu; conv 512, 3x3; bn/' "$WORK/tiny.rn" > "$WORK/wide.rn"
expect "a shared plan" 0 "$RNC" --train --dump=plan --target x86-64-v4 wide.rn
prints "a shared plan" " shared by "
# ---- no warnings, of loops that are not gone through either ----
sed 's/fc classes/fc 20; relu; fc classes/' "$WORK/tiny.rn" > "$WORK/loops.rn"
expect "C loops" 0 "$RNC" --train --kernels=c -o loops.c loops.rn
expect "C loops" 0 $CC -std=c11 -O2 -Wall -Wextra -Werror -pedantic -I"$OUT/include/rn" -c -o loops.o loops.c

# ---- --verify: a step against the interpreter ----
. "$ROOT/tests/cli/networks.bash"
expect "--verify" 0 "$RNC" --train --verify tiny.rn
prints "--verify" "verify: tiny: a step's loss, and 17 gradients and statistics agree with the interpreter"
sed 's/avgpool global/dropout 0.3; avgpool global/; s/init he/init he; freeze conv2, bn2/' "$WORK/tiny.rn" > "$WORK/odd.rn"
cat > "$WORK/cancels.rn" << 'N' # gradients of a bias, and of weights of one channel, before a batch norm: 0 but for rounding
network cancels {
    input 1x14x11
    conv 17, 1x1; bn; relu
    concat { { conv 8, 1x3 bias; sigmoid } { conv 85, 1x1 groups 17 bias; bn; swish } }; bn; relu
    avgpool global
    fc 5
    softmax
}
train {
    batch 2
    sgd lr 0.05
    stop at 2
}
N
expect "--verify of what cancels out" 0 "$RNC" --train --verify cancels.rn
expect "--verify of others" 0 "$RNC" --train --verify -O0 --kernels=c --threads 2 odd.rn
bad_cc
faulty() { env REAL_CC="$CC" CC="$WORK/bad-cc" FAULT="$1" "$RNC" --train --verify "${@:2}" tiny.rn; }
expect "--verify: a wrong gradient" 1 faulty 's/, sub(v\([0-9]*\), about), products)/, add(v\1, about), products)/' --json
says "--verify: a wrong gradient" "tiny.rn:5:19: error: verify: the gradient of 'bn3.weight' differs from the interpreter: relative error"
for text in '"agrees":	false' '"what":	"gradient"' '"place":	"tiny.rn:5:19"'; do prints "--verify: a wrong gradient" "$text"; done
expect "--verify --json" 0 "$RNC" --train --verify --json tiny.rn
for text in '"agrees":	true' '"loss_error"' '"gradient_error"' '"parameter"'; do prints "--verify --json" "$text"; done

# ---- --report: text, page and document of one plan ----
expect "--report" 0 "$RNC" --train --report tiny.rn --target x86-64-v4 -mtune=generic
for text in "a step of batch 16; times are" "weights  conv_weights" "F(4x4, 3x3) products 36" "direct 9 taps" \
    "most values live at '" "values are computed where they are read"; do prints "--report" "$text"; done
expect "--report --recompute" 0 "$RNC" --train --report --recompute=blocks "$ROOT/examples/cifar/resnet20.rn"
prints "--report --recompute" " again  "
expect "--report --json" 0 "$RNC" --train --json --report=page.html --batch 8 tiny.rn -o tiny
cp "$WORK/.out" "$WORK/report.json"
expect "info --json" 0 ./tiny info --json
cp "$WORK/.out" "$WORK/info.json"
expect "--report --json: its sums" 0 "$PYTHON" -c '
import json
r, info = json.load(open("report.json"))["report"], json.load(open("info.json"))
for word in "us", "calls", "multiply_adds", "multiplications", "bytes":
    for rows in r["layers"], r["passes"].values():
        assert abs(sum(row[word] for row in rows) - r[word]) <= 1e-9 * r[word], word
assert r["batch"] == 8 and set(r["passes"]) == {"forward", "data", "weights"}
assert r["multiply_adds"] == 8 * info["macs"] and r["multiplications"] == 8 * info["multiplications"], (r, info)
assert 0 < r["multiplications"] < r["multiply_adds"] and r["held"][0]["bytes"] >= r["held"][-1]["bytes"] > 0
assert sum(h["bytes"] for h in r["held"]) <= r["value_bytes"]
page = open("page.html").read()
assert all(row["name"] in page for row in r["layers"]) and "What holds memory" in page'
if [ -z "$SANITIZED" ]; then # whose shadow memory counts
    sed 's/1x8x8 gray, std \[0.5\]/1x64x64/; s/conv 8,/conv 32,/; s/conv 16, 3x3 .2/conv 32, 3x3/; s/conv 16,/conv 32,/; s/batch 16/batch 32/' \
        "$WORK/tiny.rn" > "$WORK/large.rn"
    expect "memory" 0 "$RNC" --train --name large -o large large.rn
    expect "memory: as planned" 0 "$PYTHON" -c '
import json, os, subprocess
def sizes(program): # planned, resident
    planned = json.loads(subprocess.check_output([program, "info", "--json"]))["arena_bytes"]
    with open(os.devnull, "w") as nowhere:
        child = subprocess.Popen([program, "bench", "--seconds", "0.01"], stdout=nowhere)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, program
    return planned, usage.ru_maxrss * 1024
(tiny, tiny_resident), (large, large_resident) = sizes("./tiny"), sizes("./large")
ratio = (large_resident - tiny_resident) / (large - tiny)
assert large > 50e6 and 0.95 <= ratio <= 1.05, (large, large_resident, tiny_resident, ratio)
print(ratio)'
fi
expect "--report where nothing can be written" 1 "$RNC" --train --report=none/page.html tiny.rn

refused() { # refused NAME STATUS TEXT ARGUMENTS...
    expect "$1" "$2" "$RNC" --train "${@:4}"
    says "$1" "$3"
    [ "$(grep -c error: "$WORK/.err")" = 1 ] && ok || bad "$1" "not one error: $(cat "$WORK/.err")"
}
refused --json 2 "--json needs --report or --verify" --json -o none.c tiny.rn
refused --input 2 "--train does not go with --input" --verify --input x.npy tiny.rn
refused --summary 2 "--train does not go with --summary, which is of the network" --summary -o none.c tiny.rn
refused onnx 2 "--train makes no weights" -o none.onnx tiny.rn
refused safetensors 2 "--train makes no weights" -o none.safetensors tiny.rn
sed '/^train/,$d' "$WORK/tiny.rn" > "$WORK/bare.rn"
refused "no train section" 1 "no train section" -o none.c bare.rn
refused "no train section: --dump=plan" 1 "no train section" --dump=plan bare.rn
"$RNC" --train --dump=ir "$WORK/tiny.rn" > "$WORK/step.ir"
refused "a step's graph" 1 "step.ir" -o none.c step.ir
awkward() { # awkward STRIDE: a window whose gradient falls apart
    printf 'network n {\n input 3x50x50\n conv 4, 1x1\n conv 4, 20x20 dilate 2 pad 19 / %d\n fc 3\n}\n' $1
    printf 'train {\n batch 2\n sgd lr 0.1\n stop at 2\n loss crossentropy\n}\n'
}
awkward 41 > "$WORK/awkward.rn"
refused "a gradient of many parts" 1 "awkward.rn:4:2: error: training: the gradient of a 20x20 window" -o none.c awkward.rn
awkward 100 | sed 's/20x20 dilate 2 pad 19/2x2/' > "$WORK/huge.rn"
expect "a huge stride" 0 "$RNC" --train -o huge.c huge.rn
[ "$(wc -l < "$WORK/huge.c")" -lt 3000 ] && ok || bad "a huge stride" "$(wc -l < "$WORK/huge.c") lines"
rm -f "$WORK"/huge.[ch]
absent "errors" none.c none.h none.onnx none.safetensors
clean "errors"
finish
