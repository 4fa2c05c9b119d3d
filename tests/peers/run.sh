#!/bin/bash
# make bench-peers: rnc beside other inference engines, on the same networks with the same weights; --help says more.
# The engines come from PyPI, into a virtual environment in build/peers; one that cannot be had is named, and left out.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
OUT=$(cd "${OUT:-$ROOT/build}" && pwd) || exit 1
DIR=$OUT/peers
for argument; do # measures nothing, and needs no engine
    [ "$argument" = --stale ] && exec python3 "$ROOT/tests/peers/publish.py" --stale
done
PYTHON=$DIR/venv/bin/python
mkdir -p "$DIR" || exit 1

if ! [ -x "$PYTHON" ] || ! "$PYTHON" -m pip --version > /dev/null 2>&1; then
    rm -rf "$DIR/venv"
    if ! python3 -m venv "$DIR/venv" > "$DIR/pip.log" 2>&1; then
        rm -rf "$DIR/venv"
        echo "error: python3 makes no virtual environment: apt-get install python3-venv" >&2
        exit 1
    fi
fi

install() { # install PACKAGE [pip's options]: unless it is there; wheels only, nothing is built here
    "$PYTHON" -m pip show -q "$1" > /dev/null 2>&1 && return
    echo "installing $1" >&2
    "$PYTHON" -m pip install -q --disable-pip-version-check --only-binary :all: "$@" > "$DIR/pip.log" 2>&1 && return
    echo "$1 cannot be had: $(grep -v '^ *$' "$DIR/pip.log" | tail -n 1)" >&2
    return 1
}

for package in numpy onnx; do # onnx: its checker
    install "$package" || exit 1
done
install onnxruntime
install openvino
install ncnn --no-deps # they serve its model zoo
install pnnx --no-deps # PyTorch, for its Python part; the converter is a program of its own

exec "$PYTHON" "$ROOT/tests/peers/bench.py" --rnc "$OUT/rnc" --dir "$DIR" "$@"
