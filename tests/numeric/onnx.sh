#!/bin/bash
# rnc -o X.onnx: the file, run in NumPy by the specification (onnx_run.py), gives what the compiled network gives. Networks
# of every op with odd shapes; examples; graphs after the passes, whose epilogues and weight expressions are written out.
. "$(dirname "$0")/../lib.sh"
EVALUATOR=$ROOT/tests/numeric/onnx_run.py

tolerance=1e-4

# agree NAME FILE [OPTIONS...]: two images through both, all outputs; the file is for any number of images
agree() {
    local name=$1 file=$2 shape outputs
    shift 2
    expect "$name: onnx" 0 "$RNC" "$@" -o net.onnx "$file" || return
    expect "$name: program" 0 "$RNC" "$@" --batch 2 -o net "$file" || return
    shape=$("$PYTHON" "$EVALUATOR" shape "$WORK/net.onnx" | tr ' ' ,)
    outputs=$(cd "$WORK" && ./net info --json | "$PYTHON" -c '
import json, sys
print(*(f"out{i}.npy" for i in range(len(json.load(sys.stdin)["outputs"]))))')
    (cd "$WORK" && "$PYTHON" -c "
import numpy as np
np.save('in.npy', np.random.default_rng(5).standard_normal(($shape)).astype('<f4'))")
    # shellcheck disable=SC2086  # several outputs
    expect "$name: run" 0 ./net run in.npy $outputs && expect "$name: agrees" 0 "$PYTHON" "$EVALUATOR" "$tolerance" net.onnx in.npy $outputs
}

# agree_fused NAME FILE [OPTIONS...]: as written, and after the last pass
agree_fused() {
    local name=$1 file=$2
    shift 2
    expect "$name: weights" 0 "$RNC" "$@" --random-weights=4 -o net.safetensors "$file"
    agree "$name" "$file" "$@" --weights net.safetensors
    expect "$name: fused" 0 "$RNC" "$@" --dump-after=in-place "$file" && sed '/^#/d' "$WORK/.out" > "$WORK/fused.ir"
    agree "$name, fused" fused.ir --weights net.safetensors
}

# ---- every op, at odd shapes ----
cat > "$WORK/odd.rn" <<'N'
network odd {
    input 4x19x17
    conv 12, 3x5 /2x1 pad [0, 1, 2, 3] groups 2 dilate 1x2 bias; scale; prelu
    lrn size 4 alpha 0.1 beta 0.75 k 2
    lrn size 5
    residual { conv 12, 3x3; bn; swish } shortcut identity
    relu6; clip -2, 5; clip low 0.5; clip high 4
    residual { conv 20, 3x3 /2; bn eps 1e-3 } shortcut pad
    leakyrelu 0.2
    gelu; conv 20, 1x1; gelu approximate
    layernorm eps 1e-6; responsenorm
    conv 20, 1x1; elu 0.4; conv 20, 1x1; selu; hardswish; conv 20, 1x1; mish; softplus; conv 20, 1x1; hardsigmoid
    groupnorm 5; resize 7x6 bilinear; resize 5x9 align_corners; resize 5x7 bilinear asymmetric; resize 10x7
    concat {
        { maxpool 3x3 pad 1 }
        { avgpool 3x3 pad 1 count_include_pad }
        { avgpool 3x2 pad [1, 0, 1, 1] }
        { conv 3, 1x1; tanh }
    }
    gate { avgpool global; fc 10; relu; fc 63; sigmoid }
    gate { conv 1, 3x3; sigmoid }; gate { conv 1, 1x1; avgpool global; sigmoid }; shuffle 7
    identity as kept; maxpool global as one; from kept; add one; slice channel 1 channels 62; slice 9x6 top 1 left 1
    conv 16, 1x1; pixelshuffle 2; slice 18x12; pixelunshuffle 2; depthtospace 2; spacetodepth 2; reshape 8x18x6; conv 63, 1x1
    upsample 3
    convtranspose 63, 3x4 /2x1 pad [1, 2, 0, 1] output_pad 1x0 groups 21 bias
    maxpool 3x3 /2 ceil
    avgpool 3x3 /2 pad 1 ceil count_include_pad
    pad top 1 left 2 right 1 channels 2
    conv 65, 3x3 groups 65
    avgpool 2x2 /2 ceil
    dropout 0.3
    spp [4, 3, 2, 1]
    fc 24; bn; prelu; scale; dropout
    softmax
}
N
cat > "$WORK/forms.rn" <<'N'
# images and vectors meet: N x C x 1 x 1 and N x C
network forms {
    input 6x5x5
    relu as start
    concat { { flatten; fc 7 } { maxpool global; conv 5, 1x1 bias } { maxpool 5x5 pad 2 /3 ceil; avgpool global } }
    relu as both
    concat { { fc 4 } { fc 5 no bias; tanh } }
    flatten
    residual { fc 9; bn; layernorm } shortcut identity
    upsample 2
    maxpool 2x1 /2x1
    softmax
    output both
    output start
}
N
# ---- pools: windows that rounding up adds, that it drops since they would begin in the padding, that fit; padding that no
# window reads, that a window reads in part, and none ----
{
    echo "network pools {
    input 3x9x11
    identity as x"
    for kind in maxpool avgpool "avgpool count_include_pad"; do
        for window in "4x4 /4 pad 2" "3x3 /2" "2x2 /2" "2x3 /2x3 pad 1" "3x2 /3x2 pad [1, 0, 2, 1]" "5x4 /3 pad [0, 2, 1, 3]" \
            "3x3 pad 1" "1x2 /4x3 pad [0, 1, 3, 0]" "9x11 /2 pad 4" "3x3 /5 pad [2, 1, 0, 2]"; do
            for ceil in "" ceil; do echo "    from x; ${kind%% *} $window $ceil ${kind#"${kind%% *}"}; output"; done
        done
    done
    echo "    from x; relu
}"
} > "$WORK/pools.rn"
agree pools pools.rn --random-weights
# what a graph file may say beyond that: a maximum of pixels far apart, padded by the kernel's size and more
cat > "$WORK/dilated.ir" <<'N'
network dilated
input %0 2x9x7 image
%1 2x5x5 a = maxpool(%0) 3x3 /2 pad 3,4,1,5 dilate 2x3
%2 2x12x7 b = maxpool(%0) 2x2 pad 3,1,3,1 dilate 3x2 ceil
output %1
output %2
N
agree dilated dilated.ir --random-weights
# a pool's own padding where windows need no more: converters take the padding of one side for both
for window in "3x3 /2 pad 1:1 1 1 1" "4x4 /2 pad 1 ceil:1 1 1 1" "3x3 /2 pad 1 ceil:1 1 2 2" "3x3 /2 ceil:0 0 1 1" \
    "2x2 /2 pad [0, 1, 0, 1]:0 1 0 1" "3x3 /4 pad [1, 1, 3, 4]:1 1 2 2"; do
    echo "network pool { input 4x12x12; maxpool ${window%:*} }" > "$WORK/pool.rn"
    expect "a pool's padding" 0 "$RNC" --random-weights -o net.onnx pool.rn
    pads=$("$PYTHON" "$EVALUATOR" pads "$WORK/net.onnx")
    [ "$pads" = "${window#*:}" ] && ok || bad "a pool's padding" "$window, but $pads"
done
agree_fused odd odd.rn
agree_fused forms forms.rn
agree_fused "ops.ir" "$ROOT/tests/golden/ir/ops.ir"

# ---- the batch ----
expect "batch" 0 "$RNC" --random-weights --batch 3 -o three.onnx odd.rn
[ "$("$PYTHON" "$EVALUATOR" shape "$WORK/three.onnx" 2>&1 | tail -1)" = "AssertionError: input is for 3 images" ] && ok || bad batch "is not 3"

# ---- examples ----
cd "$ROOT/examples" || exit 1
for file in *.rn cifar/*.rn face/*.rn; do
    small=
    case $file in
    resnet18.rn | resnet18_a.rn | resnext50.rn | se_resnet50.rn | repvgg_a0.rn | googlenet.rn | bn_inception.rn | \
        mobilenet_v3_large.rn) small="-D size=64" ;;
    unet.rn) small="-D size=32" ;;
    cifar/resnet20.rn | face/face.rn) ;;
    *) [ -n "$FULL" ] || continue ;;
    esac
    [ -z "$FULL" ] || small=
    # rounding grows in these, as numeric/examples.sh says
    case $file in
    plain34.rn | resnet101* | resnet152* | cifar/plain110.rn) tolerance=1e-3 ;;
    *) tolerance=1e-4 ;;
    esac
    # without the softmax at the end: where one class takes all it hides what is wrong
    last=$("$RNC" --summary "$file" | awk '$2 == "softmax" { print before; exit } { before = $1 }')
    [ -z "$last" ] || small="$small --output $last"
    weights=--random-weights
    [ "$file" != face/face.rn ] || weights="--weights $ROOT/examples/face/face.safetensors"
    # shellcheck disable=SC2086  # words
    agree "$file" "$ROOT/examples/$file" $small $weights
done
finish
