#!/bin/bash
# The nth allocation, mapping, read and write of rnc, of a program and of a trainer fails, n rising until a run is through:
# each ends with the right files and output, or with status 1, one error, and files as they were (faults.c). check takes
# some of the n, check-full all.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
. "$(dirname "$0")/faults.bash"
cd "$WORK" || exit 1

# ---- the compiler ----
mkdir compiler
other > compiler/n.rn
echo old | tee compiler/n.c compiler/n.h compiler/o.rn > compiler/n
(cd compiler && "$RNC" -o w.safetensors --random-weights n.rn && "$RNC" -o m.onnx --weights w.safetensors n.rn)
"$PYTHON" - compiler <<'P'
# m.onnx with its initializers' bytes in m.bin; w.pth, of the same tensors, by stand-ins for torch's classes
import json, os, pickle, struct, sys, types, zipfile
folder = sys.argv[1]

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at

def number(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])

def fields(data):
    at = 0
    while at < len(data):
        begin = at
        tag, at = varint(data, at)
        if tag & 7 == 2:
            size, at = varint(data, at)
            yield tag >> 3, data[at:at + size], data[begin:at + size]
            at += size
        else:
            at = varint(data, at)[1] if tag & 7 == 0 else at + 4
            yield tag >> 3, None, data[begin:at]

def field(n, data):
    return number(n << 3 | 2) + number(len(data)) + data

outside = b""
def tensor(data):
    global outside
    out = b""
    for n, inner, whole in fields(data):
        if n == 9:
            entries = ("location", "m.bin"), ("offset", str(len(outside))), ("length", str(len(inner)))
            out += b"".join(field(13, field(1, k.encode()) + field(2, v.encode())) for k, v in entries) + number(14 << 3) + b"\x01"
            outside += inner
        else:
            out += whole
    return out

model = open(f"{folder}/m.onnx", "rb").read()
graph = lambda data: b"".join(field(5, tensor(inner)) if n == 5 else whole for n, inner, whole in fields(data))
model = b"".join(field(7, graph(inner)) if n == 7 else whole for n, inner, whole in fields(model))
open(f"{folder}/m.onnx", "wb").write(model)
open(f"{folder}/m.bin", "wb").write(outside)

for name in "torch", "torch._utils":
    sys.modules[name] = types.ModuleType(name)
class FloatStorage: pass
FloatStorage.__module__ = "torch"
sys.modules["torch"].FloatStorage = FloatStorage
def _rebuild_tensor_v2(*arguments): pass
_rebuild_tensor_v2.__module__ = "torch._utils"
sys.modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2
class Storage:
    def __init__(self, key, count): self.id = ("storage", FloatStorage, key, "cpu", count)
class Tensor:
    def __init__(self, *arguments): self.arguments = arguments
    def __reduce__(self): return _rebuild_tensor_v2, self.arguments
class Pickler(pickle._Pickler):
    def persistent_id(self, x): return x.id if isinstance(x, Storage) else None

data = open(f"{folder}/w.safetensors", "rb").read()
size, = struct.unpack("<Q", data[:8])
with zipfile.ZipFile(f"{folder}/w.pth", "w") as archive:
    tensors = {}
    for i, (name, entry) in enumerate(item for item in json.loads(data[8:8 + size]).items() if item[0] != "__metadata__"):
        begin, end = entry["data_offsets"]
        shape, stride = tuple(entry["shape"]), []
        for d in reversed(shape): stride.insert(0, stride[0] * last if stride else 1); last = d
        tensors[name] = Tensor(Storage(str(i), (end - begin) // 4), 0, shape, tuple(stride), False, None)
        archive.writestr(f"w/data/{i}", data[8 + size + begin:8 + size + end])
    with archive.open("w/data.pkl", "w") as file:
        Pickler(file, 2).dump(tensors)
    archive.writestr("w/byteorder", "little")
P
# the C compiler, which is not what is tried here
printf '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && { echo made > "$2"; exit 0; }; shift; done\n' > cc
chmod +x cc
files=compiler
old_cc=$CC
export CC=$WORK/cc
# A cache of this machine's row and another's that cannot be read: it is measured again, and the file stays as it was. Plans
# are by a row of the table here, since what is measured beside other work may be another.
XDG_CACHE_HOME=$WORK/compiler/cache "$RNC" --print-machine > /dev/null
echo "rnc row 1, another machine|znver4" >> compiler/cache/rnc/machine
XDG_CACHE_HOME=$WORK/run/cache faulty "rnc --print-machine" "read read-short read-again write" -o -- "$RNC" --print-machine
rm -r compiler/cache
faulty "rnc -o net.c" "alloc alloc-on mmap $reads $writes" -x "$blames" -- "$RNC" -mtune=generic -MD -o n.c --weights w.safetensors n.rn
faulty "rnc of a .pth" "alloc read" -x "$blames" -- "$RNC" -o n.safetensors --weights w.pth n.rn
faulty "rnc of a model" "alloc mmap read" -x "$blames" -- "$RNC" -mtune=generic -o n.c m.onnx
faulty "rnc -o net" "alloc write" -- "$RNC" -mtune=generic -o n --weights w.safetensors n.rn
faulty "rnc -o net.rn" "alloc write write-full" -- "$RNC" -o o.rn --weights w.safetensors n.rn
faulty "rnc -o net.onnx" "alloc write write-full" -- "$RNC" -o n.onnx --weights w.safetensors n.rn
faulty "rnc --json" alloc -o -- "$RNC" -mtune=generic --summary --report --json n.rn
faulty "rnc --report=page" "alloc write" -i '[.]html$' -- "$RNC" -mtune=generic --report=r.html n.rn
faulty "rnc --dump" "alloc write write-short write-again" -- "$RNC" -mtune=generic --dump=plan n.rn
export CC=$old_cc

# ---- a program ----
mkdir program
other > program/n.rn
picture program/picture.png 20 16
sed 's/1x8x8/3x8x8 rgb/' program/n.rn > program/p.rn
(cd program && "$RNC" --kernels=static -o prog --random-weights p.rn 2> /dev/null && "$RNC" -o jit --random-weights p.rn 2> /dev/null)
printf 'a\nb\nc\nd\n' > program/labels.txt
(cd program && "$PYTHON" -c 'import numpy; numpy.save("in.npy", numpy.arange(384, dtype="<f4").reshape(2, 3, 8, 8))')
echo old > program/out.npy
files=program
faulty "run" "alloc alloc-on mmap $reads $writes" -x "$blames" -- ./prog run in.npy out.npy
faulty "run, kernels made as it starts" "alloc mmap" -- ./jit run in.npy out.npy
faulty "classify" "alloc read read-short write" -x "$blames" -- ./prog classify --labels labels.txt picture.png
faulty "classify --json" alloc -x "$blames" -- ./prog classify --json picture.png
faulty "info --json" alloc -- ./prog info --json

# ---- a trainer: what a failure leaves is gone on with, to the files of a run without ----
mkdir trainer
cat > trainer/net.rn << 'N'
network net(classes = 4) {
    input 1x8x8 gray, std [0.5]
    conv 8, 3x3; bn; relu
    avgpool global
    fc classes
    softmax
}
train {
    batch 8
    sgd lr 0.05, momentum 0.9
    stop at 2
    init he
    augment pad 1, crop 8x8
    subtract pixel mean
    test every 1; save every 1
}
N
(cd trainer && "$RNC" --train -o net net.rn 2> /dev/null && "$PYTHON" - <<'P'
import gzip, os, struct
def idx(path, dims, data):
    with gzip.GzipFile(path, "wb", mtime=0) as file: file.write(struct.pack(">HBB%dI" % len(dims), 0, 8, len(dims), *dims) + data)
pixels = lambda i: bytes((i * 37 + k * (i % 4 + 1) * 5) % 256 for k in range(64))
os.mkdir("idx")
for name, n in ("train", 16), ("t10k", 8):
    idx(f"idx/{name}-images-idx3-ubyte.gz", (n, 8, 8), b"".join(map(pixels, range(n))))
    idx(f"idx/{name}-labels-idx1-ubyte.gz", (n,), bytes(i % 4 for i in range(n)))
P
)
files=trainer
[ -n "$FULL" ] || chosen=(-f 6 -s 113)
again='test -d run || mkdir run; ./net train --data idx:idx --out run --resume || { rm -rf run; ./net train --data idx:idx --out run; }'
faulty "train" alloc -i 'log[.]csv' -t "$again" -- ./net train --data idx:idx --out run
[ -n "$FULL" ] || chosen=(-f 6 -s 11)
faulty "train" "read write write-full" -i 'log[.]csv' -t "$again" -- ./net train --data idx:idx --out run
(cd trainer && ./net train --data idx:idx --out run --steps 1 2> /dev/null)
again='./net train --data idx:idx --out run --resume'
[ -n "$FULL" ] || chosen=(-f 4 -s 29)
faulty "train --resume" "alloc read write" -i 'log[.]csv' -t "$again" -- $again
rm -r trainer/run
for i in {0..7}; do mkdir -p trainer/set/{train,val}/$((i % 4)) && picture trainer/set/train/$((i % 4))/$i.png 8 $((8 + i)); done
for i in {0..3}; do cp trainer/set/train/$i/$i.png trainer/set/val/$i; done
[ -n "$FULL" ] || chosen=(-f 4 -s 97)
faulty "train of a folder" "alloc read" -i 'log[.]csv' -t "${again//idx:idx/folder:set} || ${again//idx:idx/folder:set}" -- ${again//idx:idx/folder:set}
rm -r trainer/set
(cd trainer && ./net train --data idx:idx --out run 2> /dev/null)
[ -n "$FULL" ] || chosen=(-f 6 -s 37)
faulty "eval" "alloc read" -x "$blames" -- ./net eval --data idx:idx --weights run --json
faulty "export" "alloc read write write-full" -x "$blames" -- ./net export --from run -o out.safetensors
faulty "curves" "alloc read write" -x "$blames" -- ./net curves run -o out.svg

finish
