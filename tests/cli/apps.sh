#!/bin/bash
# The applications of examples/apps, as a user builds and runs them: C, C++ and Python give the same classes, and the face
# network tells the same person from another.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
picture "$WORK/one.png" 40 30
picture "$WORK/two.png" 17 50
seq -f 'label %g' 10 > "$WORK/labels.txt"
APPS=$ROOT/examples/apps
INCLUDE=$OUT/include/rn
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"
WARN="-Wall -Wextra -Werror"

expect compile 0 "$RNC" -o tiny.c --random-weights tiny.rn
expect C 0 $CC -std=c11 $WARN -DNET=tiny -I. -I"$INCLUDE" -o classify_c "$APPS/classify.c" tiny.c $LIBS
expect "C runs" 0 ./classify_c tiny.rnw labels.txt one.png two.png
prints "C runs" "label "
cp "$WORK/.out" "$WORK/c.txt"
expect "C: numbers only" 0 ./classify_c tiny.rnw - one.png
expect "C: no picture" 1 ./classify_c tiny.rnw - nowhere.png
says "C: no picture" nowhere.png
expect "C: no weights" 1 ./classify_c nowhere.rnw - one.png
says "C: no weights" nowhere.rnw

expect "C++ object" 0 "$RNC" -o tiny.o tiny.rn
expect C++ 0 $CXX -std=c++17 $WARN -DNET=tiny -I. -I"$INCLUDE" -o classify_cpp "$APPS/classify.cpp" tiny.o $LIBS
expect "C++ runs" 0 ./classify_cpp tiny.rnw labels.txt one.png two.png
if grep -o 'label [0-9]*' "$WORK/.out" | diff - <(grep -o 'label [0-9]*' "$WORK/c.txt") > /dev/null; then ok; else bad C++ "other classes than C"; fi
expect "C++: no picture" 1 ./classify_cpp tiny.rnw - nowhere.png
says "C++: no picture" nowhere.png

# Python loads an unsanitized object only: the sanitizer must be there first
if [ -z "$SANITIZED" ]; then
    expect "shared object" 0 "$RNC" -o tiny.so --random-weights tiny.rn
    export PYTHONPATH=$ROOT/python
    expect Python 0 "$PYTHON" "$APPS/classify.py" --labels labels.txt tiny.so one.png two.png
    if grep -o 'label [0-9]*' "$WORK/.out" | diff - <(grep -o 'label [0-9]*' "$WORK/c.txt") > /dev/null; then ok; else bad Python "other classes than C"; fi
    expect "Python: an array" 0 "$PYTHON" -c 'import numpy as np; np.save("in.npy", np.zeros((2, 3, 16, 16), "<f4"))'
    expect "Python: an array" 0 "$PYTHON" "$APPS/classify.py" tiny.so in.npy
    [ "$(grep -c in.npy "$WORK/.out")" = 2 ] && ok || bad "Python: an array" "$(cat "$WORK/.out")"
    expect "Python: no weights" 1 "$PYTHON" "$APPS/classify.py" --weights nowhere.rnw tiny.so one.png
    says "Python: no weights" nowhere.rnw
fi

cp "$ROOT"/examples/face/face.rn "$ROOT"/examples/face/face.safetensors "$ROOT"/examples/face/*.png "$WORK"
expect face 0 "$RNC" -o face.c --weights face.safetensors face.rn
expect "face app" 0 $CC -std=c11 $WARN -I. -I"$INCLUDE" -o faces "$APPS/face.c" face.c $LIBS
expect "faces" 0 ./faces face.rnw face_obama.png face_obama2.png face_biden.png
cp "$WORK/.out" "$WORK/faces.txt"
prints faces "same"
# fine-tuning: the layers that are frozen stay to the bit, the last one learns other classes
cat > "$WORK/tuned.rn" << 'N'
network tuned(classes = 4) {
    input 3x8x8 rgb, mean 0.5, std 0.5
    conv 8, 3x3; bn; relu
    conv 8, 3x3 /2; bn; relu
    avgpool global
    fc classes
    softmax
}
train { batch 8; sgd lr 0.1, momentum 0.9; freeze conv1, bn1 }
N
expect "pictures" 0 "$PYTHON" -c '
import struct, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for k in range(12):
    rows = b"".join(b"\0" + bytes((200 + 3 * k if c == k % 3 else 40 + 5 * k + y) for x in range(8) for c in range(3)) for y in range(8))
    open(f"p{k}.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
open("list.txt", "w").writelines(f"{k % 3} p{k}.png\n" for k in range(12))'
expect "weights to begin with" 0 "$RNC" -o first.safetensors --random-weights tuned.rn
expect "a trainer" 0 "$RNC" --train -D classes=3 -o tuned.c tuned.rn
expect "train" 0 $CC -std=c11 $WARN -DNET=tuned -I. -I"$INCLUDE" -o tune "$APPS/train.c" tuned.c $LIBS -lz
expect "train runs" 0 ./tune first.safetensors list.txt 100 mine.safetensors
prints "train runs" "step 99: loss 0."
prints "train runs" "0 of 8 wrong"
expect "train: frozen layers" 0 "$PYTHON" -c '
import json, struct
def tensors(name):
    b = open(name, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    return {k: b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in json.loads(b[8:8 + n]).items() if k != "__metadata__"}
a, b = tensors("first.safetensors"), tensors("mine.safetensors")
same = {k for k in b if not k.startswith("fc.") and a[k] == b[k]}
assert {k for k in b if k.startswith(("conv1.", "bn1."))} <= same and "conv2.weight" not in same, same
assert len(b["fc.bias"]) == 12'
expect "train: deployed" 0 "$RNC" -D classes=3 --weights mine.safetensors -o deployed tuned.rn
expect "train: no weights" 1 ./tune nowhere.safetensors list.txt 1 none.safetensors
says "train: no weights" nowhere.safetensors
echo "0 one.png" > "$WORK/list.txt"
expect "train: another size" 1 ./tune first.safetensors list.txt 1 none.safetensors
says "train: another size" "one.png: 40x30 instead of 8x8"
absent "train" none.safetensors
finish
