#!/bin/bash
# make bench-train: training by rnc beside PyTorch, on the same networks; --help says more. PyTorch comes from PyPI, into the
# virtual environment of bench-peers.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
OUT=$(cd "${OUT:-$ROOT/build}" && pwd) || exit 1
DIR=$OUT/peers
. "$ROOT/tests/peers/venv.sh"

for package in numpy torch torchvision; do
    install "$package" || exit 1
done

exec "$PYTHON" "$ROOT/tests/peers/bench_train.py" --rnc "$OUT/rnc" --dir "$DIR" "$@"
