#!/bin/bash
# Sizes, depths and counts beyond their limits (docs/runtime.md): each file is refused in one error with its place, within
# bounds on memory and seconds.
. "$(dirname "$0")/../lib.sh"
cd "$WORK" || exit 1

# refused TEXT FILE [ARGUMENTS]: by rnc, of a source or model, with TEXT in its only error
refused() {
    local limit="ulimit -v 2000000 -t 20;"
    [ -z "$SANITIZED" ] || limit=
    expect "$2" 1 bash -c "$limit exec \"\$@\"" rnc "$RNC" "${@:3}" "$2" && says "$2" "$1"
    [ "$(grep -c 'error: ' .err)" = 1 ] && ok || bad "$2" "not one error: $(head -c 400 .err)"
    absent "$2" x.c x.h x.rnw
}
network() { printf 'network n {\n input 3x8x8\n%s\n}\n' "$1"; }
weights() { refused "$1" n.rn -o x.c --weights "$2"; }

# ---- sources ----
network ' repeat 1000000000 { relu }' > turns.rn
refused "turns.rn:3:9: error: the number of turns must be from 0 to 100000, not 1000000000" turns.rn --summary
network ' repeat 100000 { repeat 100000 { relu } }' > layers.rn
refused "the network expands to more than 100000 layers" layers.rn --summary
network ' repeat 100000 { repeat 100000 { } }' > statements.rn
refused "the network expands to more than 1000000 statements" statements.rn --summary
{ printf 'block a { b }\nblock b { a }\n' && network ' a'; } > blocks.rn
refused "blocks are used within blocks more than 64 levels deep" blocks.rn --summary
network " $(printf 'residual {%.0s' {1..5000})" > nested.rn
refused "brackets are nested more than 200 levels deep" nested.rn --summary
network " conv $(printf '1+%.0s' {1..5000})8, 1x1" > sum.rn
refused "this expression is nested more than 500 levels deep" sum.rn --summary
network " relu as $(printf 'long%.0s' {1..250000})" > name.rn
refused "this name is longer than 200 characters" name.rn --summary
for i in {0..39}; do echo "import \"i$((i + 1)).rn\"" > i$i.rn; done
{ echo 'import "i0.rn"' && network ' relu'; } > imports.rn
refused "imports are nested more than 32 levels deep" imports.rn --summary
truncate -s 1T sparse.rn
refused "cannot read 'sparse.rn': it is larger than 16 MB" sparse.rn --summary
printf 'network n {\n input 3x65536x65536\n}\n' > image.rn
refused "image.rn:2:2: error: input: the input has more than 2^31 numbers" image.rn --summary
network ' conv 4611686018427387904*4, 1x1' > product.rn
refused "product.rn:3:7: error: the result of '*' is too large" product.rn --summary
network " concat {$(printf '{ conv 4, 1x1 }\n%.0s' {1..1000})}" > thousand.rn
expect "a sum of a thousand" 0 "$RNC" --dump=plan thousand.rn

# ---- weights and models ----
printf 'network n {\n    input 1x8x8\n    conv 8, 3x3\n    fc 4\n}\n' > n.rn
expect "weights" 0 "$RNC" -o w.safetensors --random-weights n.rn
mkdir m
expect "hostile files" 0 "$PYTHON" - <<'P'
import json, struct, zipfile

data = open("w.safetensors", "rb").read()
size, = struct.unpack("<Q", data[:8])
begin = json.loads(data[8:8 + size])["conv1.weight"]["data_offsets"][0] + 8 + size
for name, value in ("nan", float("nan")), ("inf", float("inf")):
    open(name + ".safetensors", "wb").write(data[:begin + 8] + struct.pack("<f", value) + data[begin + 12:])

def tensors(name, entries):
    header = json.dumps(entries).encode()
    open(name, "wb").write(struct.pack("<Q", len(header)) + header)

open("header.safetensors", "wb").write(struct.pack("<Q", 1 << 60) + b"{}")
open("nested.safetensors", "wb").write(struct.pack("<Q", 200005) + b'{"a":' + b"[" * 200000)
tensors("dims.safetensors", {"t": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}})
tensors("many.safetensors", {"t%d" % i: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100000)})

def checkpoint(name, pickle, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(name, "w", how) as archive: archive.writestr("a/data.pkl", pickle)
checkpoint("itself.pth", b"\x80\x02]q\x00h\x00a.")
checkpoint("deep.pth", b"\x80\x02" + b"(" * 100000 + b"t" * 100000 + b".")
checkpoint("zip.pth", bytes(100000000), zipfile.ZIP_DEFLATED)

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])
field = lambda n, content: varint(n << 3 | 2) + varint(len(content)) + content
dims = lambda *sizes: field(2, field(1, b"\x08\x01" + field(2, b"".join(field(1, b"\x08" + varint(d)) for d in sizes))))
def model(name, nodes, shape=(1, 3, 8, 8)):
    graph = nodes + field(11, field(1, b"x") + dims(*shape)) + field(12, field(1, b"y"))
    open(name + ".onnx", "wb").write(field(7, graph) + field(8, b"\x10\x11"))
node = lambda x, y, name: field(1, field(1, x) + field(2, y) + field(3, name) + field(4, b"Relu"))
model("cycle", node(b"y", b"a", b"one") + node(b"a", b"y", b"two"))
model("itself", node(b"y", b"y", b"one"))
conv = field(1, field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Conv"))
model("nan", conv + field(5, b"\x08\x01\x08\x03\x08\x01\x08\x01\x10\x01" + field(8, b"w") + field(9, struct.pack("<3f", 1, float("nan"), 2))))
model("nodes", b"\x0a\x00" * 8000000)
model("tensors", b"\x2a\x00" * 8000000)
external = lambda where: field(5, field(1, b"\x03") + b"\x10\x01" + field(8, b"w") + field(13, field(1, b"location") + field(2, where)) + b"\x70\x01")
for name, where in ("above", b"../w.bin"), ("absolute", b"/dev/zero"), ("link", b"l.bin"):
    model("m/" + name, node(b"x", b"y", b"one") + external(where))
model("terabytes", node(b"x", b"y", b"one"), (1, 1 << 20, 1 << 20, 1))
model("overflow", node(b"x", b"y", b"one"), (1 << 62, 1 << 62, 4, 4))
P
weights "nan.safetensors: error: conv1.weight: element 2 is nan" nan.safetensors
weights "inf.safetensors: error: conv1.weight: element 2 is inf" inf.safetensors
weights "its header would be 1152921504606846976 bytes long" header.safetensors
weights "its header is not JSON" nested.safetensors
weights "tensor t: its size overflows" dims.safetensors
weights "100000 of the file's 100000 tensors are surplus" many.safetensors
weights "it holds no dict of tensors" itself.pth
weights "it holds no dict of tensors" deep.pth
weights "data.pkl is compressed or encrypted" zip.pth
mkfifo pipe.safetensors
weights "pipe.safetensors: is a device or pipe, not a file" pipe.safetensors
mkdir folder.safetensors
weights "folder.safetensors: is a directory, not a file" folder.safetensors
refused "nan.onnx: error: w: element 1 is nan" nan.onnx -o x.c
refused "node 0 'one' (Relu) reads 'y', which nothing before it makes: node 1 does" cycle.onnx -o x.c
refused "node 0 'one' (Relu) reads 'y', which nothing before it makes: node 0 does" itself.onnx -o x.c
for file in nodes tensors; do refused "it has more than 4194304 nodes, attributes, names and tensors" $file.onnx -o x.c; done
refused "the input 'x' has more than 2^31 numbers: dimension 2 is 1048576" terabytes.onnx -o x.c
refused "the input 'x' has more than 2^31 numbers: dimension 0 is 4611686018427387904" overflow.onnx -o x.c

# weights beside a model: nowhere but below its folder, unless the model itself is a link to where they are
head -c 12 /dev/zero > w.bin
ln -s ../w.bin m/l.bin
refused "m/above.onnx: error: initializer 'w': its data are in '../w.bin', which is not below the model's folder" m/above.onnx -o x.c
refused "its data are in '/dev/zero', which is not below the model's folder" m/absolute.onnx -o x.c
refused "its data are in 'l.bin', a link to '$(realpath .)/w.bin', which is not below the model's folder" m/link.onnx -o x.c
cp m/link.onnx blob && ln -s ../blob m/cached.onnx
expect "a cache of links" 0 "$RNC" --dump=ir m/cached.onnx

# ---- pictures, arrays and lists ----
printf 'network p {\n    input 3x8x8 rgb\n    avgpool global\n    softmax\n}\n' > p.rn
expect "a program" 0 "$RNC" -o p p.rn
expect "hostile pictures" 0 "$PYTHON" - <<'P'
import struct, zlib

def png(name, width, height, parts, interlaced=0):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced))
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(b"IDAT", part) for part in parts) + chunk(b"IEND", b""))
png("sides.png", 2**31 - 1, 2**31 - 1, [b"x"])
png("area.png", 65535, 65535, [b"x"])
png("byte.png", 65535, 2048, [b"x"])
deflate = zlib.compressobj(9)
bomb = b"".join(deflate.compress(bytes(1 << 20)) for i in range(300)) + deflate.flush()
png("bomb.png", 8, 8, [bomb])
png("parts.png", 8, 8, [bomb[i:i + 8192] for i in range(0, len(bomb), 8192)], 1)
open("sides.jpg", "wb").write(bytes.fromhex("ffd8ffc0001108ffffffff03011100021100031100ffd9"))

def array(name, shape):
    header = ("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape).encode()
    open(name, "wb").write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(768))
array("terabytes.npy", "(1000000000, 3, 8, 8)")
array("dims.npy", "(4611686018427387904, 4611686018427387904)")
array("ranks.npy", "(%s)" % ("1, " * 100))
open("line.txt", "wb").write(b"x" * 20000000)
open("zero.txt", "wb").write(b"a.png 0\0\nb.png 1\n")
P
mkfifo pipe.png
program() { # program TEXT COMMAND...: with TEXT in its only error
    local limit="ulimit -v 500000 -t 5;"
    [ -z "$SANITIZED" ] || limit=
    expect "$2 $3" 1 bash -c "$limit exec ./p \"\$@\"" p "${@:2}" && says "$2 $3" "$1"
    [ "$(grep -c 'error: ' .err)" = 1 ] && ok || bad "$2 $3" "not one error: $(head -c 400 .err)"
}
program "sides.png: damaged PNG: " classify sides.png
program "area.png: 65535 x 65535 pixels; at most" classify area.png
program "byte.png: damaged PNG: " classify byte.png
for file in bomb parts; do program "$file.png: damaged PNG: image data of more than its rows" classify $file.png; done
program "sides.jpg: damaged JPEG: " classify sides.jpg
program "/dev/zero: neither a PNG nor a JPEG picture" classify /dev/zero
program "nested.safetensors: not a .npy file" run nested.safetensors out.npy
program "/dev/zero: not a .npy file" run /dev/zero out.npy
program "terabytes.npy: truncated: 768 bytes of data where its shape needs 768000000000" run terabytes.npy out.npy
program "dims.npy: its shape is not made of numbers" run dims.npy out.npy
program "ranks.npy: it has more than 8 dimensions" run ranks.npy out.npy
program "line.txt: line 1: 'xxx" eval --data list:line.txt
program "zero.txt: byte 7: a zero in a file of text" eval --data list:zero.txt
program "/dev/zero: byte 0: a zero in a file of text" eval --data list:/dev/zero
echo "pipe.png 0" > pipe.txt
program "pipe.txt: line 1: pipe.png: is no regular file" eval --data list:pipe.txt
absent "arrays" out.npy

# ---- data: little gzip of much ----
cat > t.rn << 'N'
network t(classes = 4) {
    input 1x8x8 gray
    conv 8, 3x3; relu
    avgpool global
    fc classes
    softmax
}
train {
    batch 8
    sgd lr 0.05
    stop at 2
}
N
expect "a trainer" 0 "$RNC" --train -o t t.rn
expect "gzip" 0 "$PYTHON" - <<'P'
import gzip, os, struct
for folder, magic in ("counts", 0x803), ("kind", 0x1234):
    os.mkdir(folder)
    with gzip.open(f"{folder}/train-images-idx3-ubyte.gz", "wb", 1) as file:
        file.write(struct.pack(">IIII", magic, 10, 8, 8))
        for i in range(300): file.write(bytes(1 << 20))
P
data() { # data FOLDER TEXT
    local limit="ulimit -v 200000;"
    [ -z "$SANITIZED" ] || limit=
    expect "gzip: $1" 1 bash -c "$limit exec ./t train --data idx:$1 --out run" && says "gzip: $1" "$2"
}
data counts "train-images-idx3-ubyte.gz: more than the 656 bytes that its header counts"
data kind "train-images-idx3-ubyte.gz: byte 0: magic number 0x00001234"

finish
