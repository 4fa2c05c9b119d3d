#!/bin/bash
# ONNX in: a network that rnc wrote as ONNX is, read again, the same graph after the passes; names, batches and sizes; each
# kind of bad file in one error, with nothing written.
. "$(dirname "$0")/../lib.sh"

# passed NAME FILE [OPTIONS]: the graph after the last pass, but for the network's name and how pictures become its input
passed() {
    "$RNC" "${@:3}" --dump-after=in-place "$2" 2> /dev/null | grep -v '^#\|^network\|^preprocess\|^mean @\|input\.mean$' |
        sed 's/^@[0-9]*/@/; s/@[0-9]*/@/g' > "$WORK/$1"
}

# ---- the same graph as from the source ----
cd "$ROOT/examples" || exit 1
for file in resnet18_a.rn mobilenet_v3_large.rn densenet121.rn convnext_tiny.rn unet.rn repvgg_a0.rn se_resnet50.rn \
    cifar/resnet20.rn face/face.rn; do
    name=$(basename "$file" .rn) small=
    grep -q 'size *=' "$file" && small="-D size=64"
    # shellcheck disable=SC2086  # words
    expect "$name: onnx" 0 "$RNC" $small --random-weights -o "$name.onnx" "$ROOT/examples/$file"
    # shellcheck disable=SC2086
    passed "$name.source" "$file" $small
    passed "$name.model" "$WORK/$name.onnx"
    [ "$(wc -l < "$WORK/$name.source")" -gt 50 ] && cmp -s "$WORK/$name.source" "$WORK/$name.model" && ok ||
        bad "$name: another graph" "$(diff "$WORK/$name.source" "$WORK/$name.model" | head -10)"
    [ "$name" = resnet20 ] || rm -f "$WORK/$name.onnx"
done
cd "$WORK" || exit 1

# ---- its weights are those in the file, by their names ----
expect "weights" 0 "$RNC" -o again.safetensors resnet20.onnx
expect "weights from the source" 0 "$RNC" --random-weights -o first.safetensors "$ROOT/examples/cifar/resnet20.rn"
expect "the same weights" 0 "$PYTHON" -c '
import json, struct
def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    index = json.loads(data[8:8 + size])
    return {k: data[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]] for k, v in index.items() if k != "__metadata__"}
a, b = read("first.safetensors"), read("again.safetensors")
assert set(a) - set(b) <= {"input.mean"} and all(a[k] == b[k] for k in b), sorted(set(a) ^ set(b))'
expect "again as ONNX" 0 "$RNC" -o again.onnx resnet20.onnx
passed once resnet20.onnx
passed twice again.onnx
cmp -s once twice && ok || bad "ONNX again is another graph"

# ---- a program from a model: the numbers of the one from the source ----
"$PYTHON" -c "
import numpy as np
np.save('in.npy', np.random.default_rng(5).standard_normal((2, 3, 32, 32)).astype('<f4'))"
expect "program of the model" 0 "$RNC" --batch 2 -o model resnet20.onnx
expect "program of the source" 0 "$RNC" --batch 2 --weights first.safetensors -o source "$ROOT/examples/cifar/resnet20.rn"
expect "run the model" 0 ./model run in.npy a.npy && expect "run the source" 0 ./source run in.npy b.npy && cmp -s a.npy b.npy &&
    ok || bad "the model's program has other numbers"
cp resnet20.onnx model.onnx # a name that C code has already
expect "model.onnx" 0 "$RNC" -o net.c model.onnx && grep -q 'model_net_run' net.h && ok || bad "model.onnx: its functions' names"
expect "a fixed batch" 0 "$RNC" --batch 3 -o three.onnx resnet20.onnx && expect "info" 0 "$RNC" -o three three.onnx &&
    expect "info" 0 ./three info && grep -q 'batch.*3' .out && ok || bad "a batch of 3 in the file" "$(cat .out)"

# ---- errors: exit code 1, one error, nothing written ----
# wrong NAME TEXT ARGUMENTS: TEXT is in the one error
wrong() {
    local name=$1 text=$2
    shift 2
    rm -f out.c out.h out.rnw
    expect "$name" 1 "$RNC" -o out.c "$@"
    grep -qF -- "$text" .err && ok || bad "$name: its error" "$(cat .err)"
    [ "$(grep -c 'error:' .err)" = 1 ] && ok || bad "$name: several errors" "$(cat .err)"
    [ ! -e out.c ] && [ ! -e out.h ] && [ ! -e out.rnw ] && ok || bad "$name: something was written"
}
head -c 5000 resnet20.onnx > cut.onnx
: > empty.onnx
echo 'network n { input 3x8x8; relu }' > text.onnx
wrong "cut short" "cut.onnx: error: no ONNX model, or one that was cut short" cut.onnx
wrong "empty" "empty.onnx: error: no ONNX model" empty.onnx
wrong "text" "text.onnx: error: no ONNX model" text.onnx
wrong "not there" "nothere.onnx: cannot be opened" nothere.onnx
wrong "no such dimension" "resnet20.onnx: error: -D H=3: the input" -D H=3 resnet20.onnx
expect "--format" 2 "$RNC" --format resnet20.onnx
expect "no picture of it" 2 "$RNC" --dump=ast resnet20.onnx

# messages by hand: field NUMBER TEXT is length-delimited; small numbers only
field() { printf "\\$(printf %o $(($1 * 8 + 2)))\\$(printf %o ${#2})%s" "$2"; }
byte() { printf "\\$(printf %o "$1")"; }
number() { byte $(($1 * 8)) && byte "$2"; }
build() { # build FILE: from nodes, initializers (files) and the input's dims
    cat nodes inits > graph
    { field 1 x; } > info
    bytes 2 type >> info
    bytes 11 info >> graph
    { field 1 y; } > out.info
    bytes 12 out.info >> graph
    { number 1 8 && bytes 7 graph; } > "$1"
    number 2 13 > set
    bytes 8 set >> "$1"
}
bytes() { # bytes NUMBER FILE: a message
    byte $(($1 * 8 + 2))
    local size
    size=$(wc -c < "$2")
    [ "$size" -lt 128 ] && byte "$size" || { byte $((size % 128 + 128)) && byte $((size / 128)); }
    cat "$2"
}
node() { # node TYPE INPUT OUTPUT NAME
    { field 1 "$2" && field 2 "$3" && field 3 "$4" && field 4 "$1"; } > one
    bytes 1 one
}
number 1 1 > dim1 && number 1 3 > dim3 && number 1 8 > dim8 && field 2 side > dims
{ bytes 1 dim1 && bytes 1 dim3 && bytes 1 dim8 && bytes 1 dims; } > shape
{ number 1 1 && bytes 2 shape; } > tensor
bytes 1 tensor > type
: > inits
node Relu x y first > nodes
build sided.onnx
wrong "a size without a number" "has a dimension of no fixed size: say -D side=SIZE" sided.onnx
wrong "no size" "-D side: '0' is no size" -D side=0 sided.onnx
wrong "too large" "2^31" -D side=2000000000 sided.onnx
expect "-D side=8" 0 "$RNC" -D side=8 --dump=ir sided.onnx && grep -q 'input %0 3x8x8' .out && ok || bad "-D side=8" "$(cat .out)"
cp shape named-shape && cp type named-type
: > nameless
{ bytes 1 dim1 && bytes 1 dim3 && bytes 1 dim8 && bytes 1 nameless; } > shape
{ number 1 1 && bytes 2 shape; } > tensor
bytes 1 tensor > type
build nameless.onnx
wrong "a size without a name" "say -D x.3=SIZE" nameless.onnx
expect "-D x.3=9" 0 "$RNC" -D x.3=9 --dump=ir nameless.onnx && grep -q 'input %0 3x8x9' .out && ok || bad "-D x.3=9" "$(cat .out)"
{ number 1 2 && bytes 2 named-shape; } > tensor
bytes 1 tensor > type
node Neg x y first > nodes
build bytes.onnx
wrong "sums of integers" "node 0 'first' (Neg): it computes with integers" -D side=8 bytes.onnx
cp named-shape shape && cp named-type type
{ field 1 d && field 1 c && field 2 y && field 4 Sum; } > sum
{ node Relu x a first && node NonMaxSuppression a b odd && node LSTM a c worse && node Sinc b d last && bytes 1 sum; } > nodes
build two.onnx
wrong "operators that are not known" "two.onnx: error: 3 of its 5 nodes cannot be compiled, and 1 depend on them" -D side=8 two.onnx
{ grep -qF "note: node 1 'odd' (NonMaxSuppression): the operator is not known" .err && grep -qF "note: node 2 'worse' (LSTM)" .err &&
    grep -qF "note: node 3 'last' (Sinc): the operator is not known" .err &&
    grep -qF "layer 'first'" .err; } && ok || bad "every node is named" "$(cat .err)"
node Relu z y first > nodes
build loose.onnx
wrong "an input that nothing makes" "node 0 'first' (Relu) reads 'z', which nothing before it makes" -D side=8 loose.onnx
{ node Relu x y first && node Relu y y second; } > nodes
build twice.onnx
wrong "a tensor made twice" "two tensors are called 'y'" -D side=8 twice.onnx
# an initializer in another file, outside the folder; and one that is not there
for place in ../w.bin w.bin; do
    { field 1 location && field 2 $place; } > entry
    { number 1 3 && number 2 1 && field 8 w && bytes 13 entry && number 14 1; } > init
    bytes 5 init > inits
    node Relu x y first > nodes
    build external.onnx
    case $place in
    w.bin) wrong "no data file" "initializer 'w': its data: " -D side=8 external.onnx ;;
    *) wrong "data outside" "which is not below the model's folder" -D side=8 external.onnx ;;
    esac
done
printf 'abcdefgh' > w.bin
wrong "data too short" "it is of 12 bytes; its data are to be 12 bytes of 'w.bin', from byte 0 on, which has 8" -D side=8 external.onnx
printf 'abcdefghijkl' > w.bin
expect "data at hand" 0 "$RNC" -MD -MF deps -D side=8 -o out.c external.onnx && grep -q 'w.bin' deps && ok || bad "the data file is no dependency"
wrong "over its own data" "would overwrite the input" -D side=8 -MD -MF w.bin external.onnx
: > inits
finish
