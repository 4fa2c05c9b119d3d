#!/bin/bash
# The network of examples/fashion, trained by rnc: how many of Fashion-MNIST's 10,000 test pictures it classifies rightly after
# compilation, at every level, for every target and source of kernels, against PyTorch's number for the same weights
# (tests/experiment/pytorch_fashion.py). Rounding may turn a picture that is nearly two things. Skipped where Fashion-MNIST is not.
. "$(dirname "$0")/../lib.sh"
RIGHT=9276 ROUNDING=2
DATA=${DATA:-/usr/share/datasets/fashion-mnist}
if [ -n "$SANITIZED" ] || [ ! -f "$DATA/t10k-images-idx3-ubyte.gz" ]; then
    [ -n "$SANITIZED" ] || echo "skipped: there is no Fashion-MNIST (make data)"
    finish
    exit
fi
LIBS="$OUT/librn.a -lcjson -lxxhash -lgomp -lz -lpthread -lrt -ldl -lm"
v4=$(grep -c -m1 avx512vl /proc/cpuinfo) v3=$(grep -c -m1 avx2 /proc/cpuinfo)

counts() { # counts LEVEL TARGET [FLAGS]
    local name="$*"
    expect "$name" 0 "$RNC" -o net.c --name net --batch 10 --weights "$ROOT/examples/fashion/resnet20.safetensors" \
        "-O$1" --target "$2" "${@:3}" "$ROOT/examples/fashion/resnet20.rn" &&
        expect "$name compiles" 0 $CC -std=c11 -O2 -Wall -Wextra -Werror -I. -I"$OUT/include/rn" -o app "$ROOT/tests/cli/fashion.c" net.c $LIBS &&
        expect "$name runs" 0 ./app "$DATA/t10k-images-idx3-ubyte.gz" "$DATA/t10k-labels-idx1-ubyte.gz" net.rnw || return
    local right
    read -r right _ < "$WORK/.out"
    [ $((right < RIGHT ? RIGHT - right : right - RIGHT)) -le $ROUNDING ] && ok || bad "$name" "$(cat "$WORK/.out") right instead of $RIGHT"
}

if [ "$v4" = 1 ]; then for level in 0 2; do counts $level x86-64-v4; done; fi
if [ "$v3" = 1 ]; then for level in 1 2 s; do counts $level x86-64-v3; done; fi
counts 2 generic --kernels=c
# all of the rest
if [ -n "$FULL" ]; then
    if [ "$v4" = 1 ]; then for level in 1 3 s; do counts $level x86-64-v4; done; counts 2 x86-64-v4 --kernels=static; fi
    if [ "$v3" = 1 ]; then for level in 0 3; do counts $level x86-64-v3; done; counts 2 x86-64-v3 --kernels=static; fi
    for level in 0 1 s; do counts $level generic --kernels=c; done
fi
# top-1 of `eval` against ONNX Runtime's, of the same network as an ONNX file, where Python has it
if [ -n "$FULL" ] && ! "$PYTHON" -c 'import numpy, onnxruntime' 2> /dev/null; then
    echo "skipped: eval against ONNX Runtime: no Python with numpy and onnxruntime"
elif [ -n "$FULL" ]; then
    weights=$ROOT/examples/fashion/resnet20.safetensors
    expect "ONNX" 0 "$RNC" -o net.onnx --weights "$weights" "$ROOT/examples/fashion/resnet20.rn"
    expect "program" 0 "$RNC" -o net --weights "$weights" "$ROOT/examples/fashion/resnet20.rn"
    expect "eval" 0 ./net eval --data "idx:$DATA" --probabilities ours.npy --json
    expect "ONNX Runtime" 0 "$PYTHON" - "$DATA" "$weights" "$WORK/net.onnx" "$WORK/ours.npy" << 'P'
import gzip, json, struct, sys
import numpy as np
import onnxruntime
data, weights, model, ours = sys.argv[1:]
def idx(name, header):
    with gzip.open(f"{data}/t10k-{name}-ubyte.gz") as file:
        return np.frombuffer(file.read()[header:], "u1")
raw = open(weights, "rb").read()
(size,) = struct.unpack("<Q", raw[:8])
begin, end = (8 + size + x for x in json.loads(raw[8:8 + size])["input.mean"]["data_offsets"])
images = idx("images-idx3", 16).reshape(-1, 1, 28, 28).astype("f4") / 255 - np.frombuffer(raw[begin:end], "<f4").reshape(1, 28, 28)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
theirs = np.concatenate([session.run(None, {"input": x})[0].reshape(len(x), -1) for x in np.split(images, 20)])
ours, labels = np.load(ours), idx("labels-idx1", 8)
right = [int((p.argmax(1) == labels).sum()) for p in (ours, theirs)]
difference, parted = float(abs(ours - theirs).max()), int((ours.argmax(1) != theirs.argmax(1)).sum())
print(f"right: {right[0]}, ONNX Runtime {right[1]}; probabilities differ by {difference:.1e}; top-1 of {parted} pictures")
sys.exit(abs(right[0] - right[1]) > 2 or difference > 1e-4 or parted > 2)
P
    cat "$WORK/.out"
fi
finish
