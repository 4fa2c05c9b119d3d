#!/bin/bash
# make bench-peers: rnc beside other inference engines, on the same networks with the same weights; --help says more.
# The engines come from PyPI, into a virtual environment in build/peers; one that cannot be had is named, and left out.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
OUT=$(cd "${OUT:-$ROOT/build}" && pwd) || exit 1
DIR=$OUT/peers
for argument; do # measures nothing, and needs no engine
    [ "$argument" = --stale ] && exec python3 "$ROOT/tests/peers/publish.py" --stale
done
. "$ROOT/tests/peers/venv.sh"

for package in numpy onnx; do # onnx: its checker
    install "$package" || exit 1
done
install onnxruntime
install openvino
install ncnn --no-deps # they serve its model zoo
install pnnx --no-deps # PyTorch, for its Python part; the converter is a program of its own

exec "$PYTHON" "$ROOT/tests/peers/bench.py" --rnc "$OUT/rnc" --dir "$DIR" "$@"
