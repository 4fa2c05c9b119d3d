#!/bin/bash
# --verify: agrees on sound code at every level, target, batch and thread count; says so where it does not.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
emitted_unchecked
emitted_quick "$([ -n "$SANITIZED" ] && echo -O1 || echo -O2)"
tiny > "$WORK/tiny.rn"
other > "$WORK/other.rn"

for level in -O0 -O1 -O2; do
    expect "$level" 0 "$RNC" --verify $level tiny.rn
    prints "$level" "agree with the interpreter"
done
expect "AVX2" 0 "$RNC" --verify --target x86-64-v3 tiny.rn
# what each pass changes in this network; tests/numeric has them on random networks
for pass in fold-affine fuse-add fold-shortcut fuse-act fuse-pool in-place; do
    [ -n "$SANITIZED" ] || expect "-fno-$pass" 0 "$RNC" --verify "-fno-$pass" tiny.rn
done
expect "batch and threads" 0 "$RNC" --verify --batch 5 --threads 3 tiny.rn
expect "another network" 0 "$RNC" --verify --random-weights=3 other.rn
expect "odd size" 0 "$RNC" --verify -D size=19 -D classes=13 tiny.rn

# weights stored as bf16: exact all the same, since the interpreter rounds them too; what rounding does is told
for level in -O0 -O2; do
    expect "bf16 $level" 0 "$RNC" --verify --store bf16 $level --batch 3 --tolerance 1e-5 tiny.rn
    prints "bf16 $level" "agree with the interpreter, outputs within 1e-05"
    prints "bf16 $level" "rounding weights to bf16 moves the output by 0.0"
done
expect "fp32" 0 "$RNC" --verify --store fp32 tiny.rn
if grep -q bf16 "$WORK/.out"; then bad fp32 "speaks of bf16"; else ok; fi

# a graph after some passes, or all of them, is as good a source
for pass in lower fold-affine in-place; do
    (cd "$WORK" && "$RNC" --dump-after=$pass tiny.rn) > "$WORK/$pass.ir"
    expect "after $pass" 0 "$RNC" --verify "$pass.ir"
done
cat > "$WORK/mixed.ir" <<'N'
network mixed
input %0 3x8x8 input

@0 = param 8x3x3x3 name conv.weight
@1 = param 8 name bn.weight
@2 = param 8 name bn.bias
@3 = param 8 name bn.running_mean
@4 = param 8 name bn.running_var
@5 = bn_scale(@1, @4) 8 real 1e-05
@6 = bn_shift(@2, @3, @5) 8

%1 8x8x8 conv = conv(%0 * @0 3x3 pad 1)
%2 8x8x8 bn = bn(%1) weight @1 bias @2 mean @3 var @4
%3 8x8x8 affine = affine(%1) weight @5 bias @6
%4 8x8x8 bn2 = bn(%3) weight @1 bias @6 mean @6 var @1
%5 8x8x8 add = add(%2, %4)
output %5
N
expect "batch norms and expressions of one parameter" 0 "$RNC" --verify mixed.ir
expect "weights of a fused graph" 0 "$RNC" -o fused.safetensors --random-weights in-place.ir
expect "weights of a fused graph" 0 "$RNC" --verify --weights fused.safetensors in-place.ir

# only what reads the input may take its pixels by fours: beside others' channels, or after a ReLU, their fourth lane is no zero
cat > "$WORK/deep.rn" <<'N'
network deep {
    input 3x64x64
    conv 32, 7x7 /2 pad 3 as stem; relu as s
    from input
    concat { { conv 3, 3x3 pad 1 } as t  { conv 29, 3x3 pad 1 } as u }
    from t.conv1
    conv 32, 7x7 /2 pad 3 as second; relu as r
    add s
    relu
    output
    from input
    relu
    conv 32, 7x7 /2 pad 3 as third
    output
    from concat
    conv 32, 3x3 /2 pad 1
    avgpool global
    fc 10
}
N
expect "pixels by fours" 0 "$RNC" --verify --random-weights deep.rn
expect "pixels by fours" 0 "$RNC" -mtune=generic --dump=plan deep.rn
if grep 'stem ' "$WORK/.out" | grep -q 'of 2x2 pixels' && ! grep 'second \|third ' "$WORK/.out" | grep -q 'of 2x2 pixels'; then
    ok
else
    bad "pixels by fours" "$(grep winograd "$WORK/.out")"
fi

# images that are large beside a group's weights are not kept for all of the group
cat > "$WORK/far.rn" <<'N'
network far {
    input 3x512x512
    conv 64, 3x3 bias; relu
    concat { { avgpool 64x64 /64; fc 10 } { maxpool global } }
    fc 12
}
N
expect "images far apart" 0 "$RNC" --verify --threads 2 --batch 28 --random-weights far.rn

# two stems of one shape whose pools differ in stride and padding alone: each has a way of its own
for order in "/3 pad 0 /2 pad 1" "/2 pad 1 /3 pad 0"; do
    set -- $order
    cat > "$WORK/stems.rn" <<N
network stems {
    input 3x36x36
    concat { {conv 16, 3x3; relu; maxpool 3x3 $1 pad $3; avgpool global}
             {conv 16, 3x3; relu; maxpool 3x3 $4 pad $6; avgpool global} }
    fc 5
}
N
    expect "pools $order" 0 "$RNC" --verify stems.rn
done

# a tolerance that no float arithmetic meets: the compile says so, and what it says is what outputs are held to
expect "too strict" 0 "$RNC" --verify --tolerance 1e-12 tiny.rn
says "too strict" "more than the tolerance of 1e-12: in fp32 no way to compute it does better, not even direct sums"
prints "too strict" "agree with the interpreter, outputs within "

# ended from outside, it leaves nothing behind
mkdir "$WORK/interrupted"
printf '#!/bin/bash\nexec sleep 60\n' > "$WORK/slow-cc"
chmod +x "$WORK/slow-cc"
for signal in TERM KILL; do
    (cd "$WORK" && TMPDIR=$WORK/interrupted CC=$WORK/slow-cc exec "$RNC" --verify tiny.rn > /dev/null 2>&1) &
    for ((i = 0; i < 200; i++)); do ls -d "$WORK"/interrupted/.rnc-* > /dev/null 2>&1 && break; sleep 0.05; done
    if [ $i -lt 200 ]; then ok; else bad "$signal" "no folder was made"; fi
    kill -$signal $! && wait $! 2> /dev/null
    for ((i = 0; i < 200; i++)); do ls -d "$WORK"/interrupted/.rnc-* > /dev/null 2>&1 || break; sleep 0.05; done
    if [ $i -lt 200 ]; then ok; else bad "$signal" "its folder was left behind"; fi
done
pkill -f "$WORK/slow-cc" 2> /dev/null

# it must be able to fail: code that is wrong
bad_cc
expect "wrong code" 1 env REAL_CC="$CC" CC="$WORK/bad-cc" "$RNC" --verify tiny.rn
says "wrong code" "differs from the interpreter"
says "wrong code" "tiny.rn:"
expect "weights widened wrongly" 1 env REAL_CC="$CC" CC="$WORK/bad-cc" FAULT='s/(wide, 16)/(wide, 15)/' "$RNC" --verify --store bf16 tiny.rn
says "weights widened wrongly" "layer 'fc'"

# --input: the numbers and pictures of the user, as programs take them. With a relu that lets negative numbers through,
# what is said tells which numbers were run
cat > "$WORK/bounded.rn" <<'N'
network bounded {
    input 3x6x8 rgb, mean 0.5, std [0.5, 0.25, 0.5]
    relu
}
N
"$PYTHON" - "$WORK" <<'P'
import sys
import numpy as np
x = np.ones((5, 3, 6, 8), "<f4")
np.save(sys.argv[1] + "/positive.npy", x)
np.save(sys.argv[1] + "/one.npy", x[0])
np.save(sys.argv[1] + "/transposed.npy", x.transpose(0, 1, 3, 2).copy())
x[3, 2, 4, 7] = -1.25
np.save(sys.argv[1] + "/fourth.npy", x)
x[1, 0, 0, 2] = np.nan
np.save(sys.argv[1] + "/nan.npy", x)
P
"$PYTHON" - "$WORK/bright.png" "$WORK/dark.png" <<'P'
import struct, sys, zlib
def picture(name, pixels): # 8 x 6
    rows = b"".join(b"\0" + b"".join(bytes(pixels(x, y)) for x in range(8)) for y in range(6))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, 2, 0, 0, 0)) +
                           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
picture(sys.argv[1], lambda x, y: (200, 220, 240))
picture(sys.argv[2], lambda x, y: (200, 51 if (x, y) == (5, 3) else 220, 240))
P
faulty() { env REAL_CC="$CC" CC="$WORK/bad-cc" "$RNC" --verify "$@"; }
expect "--input" 0 "$RNC" --verify --batch 3 --input fourth.npy bounded.rn
prints "--input" "5 images of fourth.npy"
expect "--input: one image" 0 "$RNC" --verify --input=one.npy bounded.rn
prints "--input: one image" "1 image of one.npy"
expect "--input: a picture" 0 "$RNC" --verify --input dark.png bounded.rn
expect "--input: no number meets the fault" 0 faulty --input positive.npy bounded.rn
expect "--input: one does" 1 faulty --input fourth.npy bounded.rn
says "--input: one does" "channel 2, row 4, column 7 of image 4 of fourth.npy is -1.25 and should be 0"
expect "--input: in a batch" 1 faulty --batch 4 --input fourth.npy bounded.rn
expect "--input: no pixel meets the fault" 0 faulty --input bright.png bounded.rn
expect "--input: one pixel does" 1 faulty --input dark.png bounded.rn # (51 / 255 - 0.5) / 0.25
says "--input: one pixel does" "channel 1, row 3, column 5 of image 1 of dark.png is -1.2"
expect "noise meets it" 1 faulty bounded.rn
refuses() { # refuses FILE TEXT [STATUS]
    expect "--input $1" "${3:-1}" "$RNC" --verify --input "$1" bounded.rn
    says "--input $1" "$2"
}
refuses transposed.npy "transposed.npy: shape 5 x 3 x 8 x 6; bounded takes N x 3 x 6 x 8"
refuses nan.npy "nan.npy: number 3 of image 2 is not finite"
refuses nowhere.npy "nowhere.npy"
refuses bounded.rn "bounded.rn: neither a .npy array nor a PNG or JPEG picture"
head -c 300 "$WORK/positive.npy" > "$WORK/cut.npy"
refuses cut.npy cut.npy
head -c 60 "$WORK/dark.png" > "$WORK/cut.png"
refuses cut.png cut.png
printf 'network four {\n    input 4x6x8\n    relu\n}\n' > "$WORK/four.rn"
expect "--input: four channels" 1 "$RNC" --verify --input dark.png four.rn
says "--input: four channels" "dark.png: a picture of 8 x 6 cannot be made the input of four, 4 x 6 x 8"
expect "--input alone" 2 "$RNC" --summary --input dark.png bounded.rn
says "--input alone" "say --verify too"
# the numbers of quantize layers come nowhere near their bounds, and some lie between two steps
printf 'network steps {\n    input 4x40x40\n    conv 16, 3x3; sigmoid\n    quantize\n}\n' > "$WORK/steps.rn"
for seed in 2 4; do expect "quantize: either of two steps, $seed" 0 "$RNC" --verify --kernels=c --random-weights=$seed steps.rn; done
finish
