#!/bin/bash
# The mean image, input.mean: in weights files, packed files and embedded ones, linked and standalone, of pixels and of
# channels, beside range, std and the order of channels, against NumPy; absent where a train section alone asks for it.
. "$(dirname "$0")/../lib.sh"
LIBS="$OUT/librn.a -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"

# what run_rgb makes of a picture: networks here give out their input
cat > "$WORK/app.c" <<'C'
#include "net.h"
#include <stdio.h>

int main(int argc, char **argv) {
    static uint8_t rgb[6 * 5 * 3];
    static float output[NET_OUTPUT_SIZE];
    const uint8_t *pictures[1] = {rgb};
    const int height[1] = {6}, width[1] = {5};
    char error[RN_ERROR_SIZE] = "";
    rn_weights *weights = NULL;
    net *n = NULL;
    FILE *file = argc == 4 ? fopen(argv[2], "rb") : NULL;
    if (!file || fread(rgb, sizeof rgb, 1, file) != 1 || fclose(file)) return 2;
    if (*argv[1] != '-' && rn_weights_open(&weights, net_model(), argv[1], error, sizeof error)) return puts(error), 3;
    if (net_create(&n, NULL, 0, weights, NULL)) return 4;
    if (net_run_rgb(n, 1, pictures, height, width, output)) return puts(net_message(n)), 5;
    net_destroy(n);
    rn_weights_close(weights);
    file = fopen(argv[3], "wb");
    return !file || fwrite(output, sizeof output, 1, file) != 1 || fclose(file) ? 6 : 0;
}
C
cat > "$WORK/mean.py" <<'P'
"""picture: a picture, raw and as PNG;  tensors FILE NAME=SHAPE...: a safetensors file of noise;
check OUT FILE CHANNELS ORDER RANGE STD [MEAN]: OUT is the picture less the file's input.mean, then less MEAN;
ready FILE ORDER RANGE STD: the same to ready.npy"""
import json, struct, sys, zlib
import numpy as np

def tensors(path):
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {k: np.frombuffer(data[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]], "<f4").reshape(v["shape"])
            for k, v in header.items()}

def save(path, values):
    header, data = {}, b""
    for k, v in values.items():
        header[k] = {"dtype": "F32", "shape": v.shape, "data_offsets": [len(data), len(data) + v.nbytes]}
        data += v.astype("<f4").tobytes()
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)

def ready(path, channels, order, range_, std, mean=0):
    rgb = np.fromfile("rgb", "u1").reshape(6, 5, 3).astype("f8")
    planes = (rgb @ [0.299, 0.587, 0.114])[None] if order == "gray" else rgb.transpose(2, 0, 1)[::-1 if order == "bgr" else 1]
    less = tensors(path).get("input.mean", np.zeros(channels)).astype("f8")
    less = less.reshape(channels, -1, less.shape[-1] if less.ndim == 3 else 1)
    return (planes * float(range_) / 255 - less - float(mean)) / np.array(eval(std), "f8").reshape(-1, 1, 1)

command, *args = sys.argv[1:]
if command == "picture":
    rgb = np.random.default_rng(3).integers(0, 256, (6, 5, 3), "u1")
    rgb.tofile("rgb")
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    open("picture.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 6, 8, 2, 0, 0, 0)) +
                                    chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
if command == "tensors":
    values = tensors(args[1]) if len(args) > 1 else {}
    shape = [int(s) for s in args[2].split("x")] if len(args) > 2 else None
    if shape: values["input.mean"] = np.random.default_rng(7).uniform(0.1, 0.9, shape).astype("f4")
    save(args[0], values)
if command == "check":
    out = np.fromfile(args[0], "<f4")
    want = ready(args[1], int(args[2]), *args[3:]).ravel()
    assert out.shape == want.shape and not abs(want).max() < 0.1, (out.shape, want.shape)
    assert abs(out - want).max() <= 1e-6 * abs(want).max(), abs(out - want).max()
if command == "ready":
    np.save("ready.npy", ready(args[0], 3, *args[1:])[None].astype("<f4"))
P
expect "a picture" 0 "$PYTHON" mean.py picture

# ---- run_rgb ----
# app FOLDER: the application with FOLDER/net.c; with librn, or without it
app() {
    local libs=$LIBS include="-I$OUT/include/rn"
    [ "$1" != alone ] || libs="-lm" include=
    # shellcheck disable=SC2086
    expect "$1: built" 0 $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -pedantic $include -I"$1" -o "$1/app" app.c "$1/net.c" $libs
}

# subtracts NAME "INPUT" SHAPE CHANNELS ORDER RANGE STD [MEAN]: of a file with an input.mean of this shape (none: ""),
# opened as it is, packed, embedded and standalone
subtracts() {
    local name=$1 shape=$3 form
    printf 'network net { input %s; leakyrelu 1 }\n%s\n' "$2" "${TRAIN:-}" > "$WORK/net.rn"
    shift 3
    # shellcheck disable=SC2086
    expect "$name: tensors" 0 "$PYTHON" mean.py tensors "w.safetensors" ${shape:+/dev/stdin $shape} < "$WORK/none" || return
    mkdir -p "$WORK/linked" "$WORK/embedded" "$WORK/alone"
    for form in $FORMS; do
        local weights=$form/net.rnw options=()
        case $form in
        alone) options=(--standalone) ;;
        embedded) options=(--embed) weights=- ;;
        esac
        expect "$name: $form" 0 "$RNC" "${options[@]}" -o "$form/net.c" --weights w.safetensors net.rn
        [ -n "$shape" ] || [ -z "$TRAIN" ] || says "$name" "w.safetensors: note: input.mean is not there: nothing is subtracted from pictures"
        app "$form" && subtracted "$form" "$weights" "$@"
        [ "$form" != linked ] || subtracted linked w.safetensors "$@"
    done
}
# subtracted FOLDER WEIGHTS ...
subtracted() {
    expect "$name: $1 $2" 0 "$1/app" "$2" rgb out && expect "$name: $1 $2, NumPy" 0 "$PYTHON" mean.py check out w.safetensors "${@:3}"
}
"$PYTHON" -c 'import struct; open("'"$WORK"'/none", "wb").write(struct.pack("<Q", 2) + b"{}")'
FORMS="linked embedded alone"
subtracts "pixels" "3x6x5, mean pixel" 3x6x5 3 rgb 1 1
FORMS=linked
subtracts "pixels, Caffe's" "3x6x5 bgr, range 255, mean pixel, std [2, 4, 0.5]" 3x6x5 3 bgr 255 '[2,4,0.5]'
subtracts "channels" "3x6x5 bgr, mean channel, std 0.25" 3 3 bgr 1 0.25
FORMS=alone
subtracts "channels, alone" "3x6x5 rgb, mean channel" 3 3 rgb 1 1
FORMS=linked
subtracts "gray pixels" "1x6x5 gray, mean pixel, std 2" 1x6x5 1 gray 1 2
subtracts "no mean" "3x6x5, mean 0.3, std 2" "" 3 rgb 1 2 0.3
TRAIN="train { subtract pixel mean }"
subtracts "a train section's" "3x6x5, std 2" 3x6x5 3 rgb 1 2
subtracts "a train section's, absent" "3x6x5, std 2" "" 3 rgb 1 2
TRAIN="train { subtract channel mean }"
subtracts "a train section's, of channels" "3x6x5" 3 3 rgb 1 1

# ---- a network's commands, and rnc's ----
printf 'network net { input 3x6x5 bgr, range 2, mean pixel, std 0.5; conv 8, 3x3; bn; relu; avgpool global; fc 5; softmax }\n' > "$WORK/net.rn"
expect "random weights" 0 "$RNC" --random-weights=3 -o zero.safetensors net.rn
expect "with a mean" 0 "$PYTHON" mean.py tensors w.safetensors zero.safetensors 3x6x5
expect "a program" 0 "$RNC" -o prog --weights w.safetensors net.rn
expect "info" 0 ./prog info && prints "info" "less input.mean" && prints "info" "parameters      $((8 * 27 + 16 + 45))"
expect "made ready" 0 "$PYTHON" mean.py ready w.safetensors bgr 2 0.5
expect "run" 0 ./prog run ready.npy out.npy
expect "classify" 0 ./prog classify --json picture.png && cp "$WORK/.out" "$WORK/classes.json"
expect "classify is run of what NumPy makes ready" 0 "$PYTHON" -c '
import json, numpy as np
y, rows = np.load("out.npy").ravel(), json.load(open("classes.json"))
def found(o):
    if isinstance(o, dict):
        if "probability" in o: yield o
        o = o.values()
    if not isinstance(o, (str, int, float, type(None))): yield from (r for x in o for r in found(x))
rows = list(found(rows))
assert len(rows) == 5, rows
for r in rows: assert abs(y[r["class"]] - r["probability"]) < 1e-6, (r, y)'
expect "--verify of a picture" 0 "$RNC" --verify --input picture.png --weights w.safetensors net.rn
expect "ONNX" 0 "$RNC" -o net.onnx --weights w.safetensors net.rn
says "ONNX" "warning: 'net.onnx' has no input.mean: it is to be subtracted from what goes into the file's input"
expect "ONNX, nothing to subtract" 0 "$RNC" -o net.onnx --weights zero.safetensors net.rn
if [ -s "$WORK/.err" ]; then bad "ONNX, nothing to subtract" "$(cat "$WORK/.err")"; else ok; fi
expect "safetensors" 0 "$RNC" -o again.safetensors --weights w.safetensors net.rn
expect "safetensors keep it" 0 "$PYTHON" -c '
import sys; sys.argv[1:] = ["none"]
exec(open("mean.py").read())
a, b = tensors("w.safetensors"), tensors("again.safetensors")
assert (a["input.mean"] == b["input.mean"]).all() and a.keys() == b.keys()'

# ---- files that do not fit ----
expect "without" 0 "$PYTHON" -c '
import sys; sys.argv[1:] = ["none"]
exec(open("mean.py").read())
values = tensors("w.safetensors")
del values["input.mean"]
save("without.safetensors", values)'
expect "rnc: it is missing" 1 "$RNC" -o no.c --weights without.safetensors net.rn
says "rnc: it is missing" "input.mean is missing (3x6x5)"
expect "program: it is missing" 1 ./prog run --weights without.safetensors ready.npy no.npy
says "program: it is missing" "input.mean is missing (3x6x5)"
expect "another shape" 0 "$PYTHON" mean.py tensors channels.safetensors w.safetensors 3
expect "rnc: another shape" 1 "$RNC" -o no.c --weights channels.safetensors net.rn
says "rnc: another shape" "input.mean is 3, the network needs 3x6x5"
sed 's/, mean pixel//' "$WORK/net.rn" > "$WORK/plain.rn"
expect "rnc: a network without" 1 "$RNC" -o no.c --weights w.safetensors plain.rn
says "rnc: a network without" "input.mean is surplus"
absent "files that do not fit" no.c no.npy
finish
