#!/bin/bash
# Steps of emitted trainers beside PyTorch's, by Winograd's method and by direct sums: pytorch/steps.py says what is compared. Of
# PyTorch its numbers are recorded; where Python has torch (PYTHON= says which), it is asked as well.
. "$(dirname "$0")/../lib.sh"
FOLDER=$ROOT/tests/numeric/pytorch
DATA=${DATA:-/usr/share/datasets/fashion-mnist}
cp "$FOLDER/resnet8.rn" "$ROOT/examples/blocks/basic.rn" "$WORK"
sed -i 's|import ".*/|import "|' "$WORK/resnet8.rn"
mkdir "$WORK/swish"
for file in resnet8 basic; do sed 's/relu/swish/' "$WORK/$file.rn" > "$WORK/swish/$file.rn"; done
expect "relu" 0 "$RNC" --train -o relu.so resnet8.rn
expect "relu, direct" 0 "$RNC" --train -fno-winograd -o relu-direct.so resnet8.rn
expect "swish" 0 "$RNC" --train -o swish.so swish/resnet8.rn
expect "swish, direct" 0 "$RNC" --train -fno-winograd -o swish-direct.so swish/resnet8.rn
[ ! -f "$DATA/t10k-images-idx3-ubyte.gz" ] || pictures=(--pictures "$DATA")
expect "steps" 0 "$PYTHON" "$FOLDER/steps.py" "${pictures[@]}" relu=relu.so relu=relu-direct.so swish=swish.so swish=swish-direct.so
[ -z "$VERBOSE" ] || cat "$WORK/.out"
finish
