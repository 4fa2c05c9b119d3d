#!/bin/bash
# The Python package: its wheel is built and installed; networks from .onnx and .rn give the numbers of emitted programs to
# the bit; arguments, errors, threads, memory and the cache.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
if [ -n "$SANITIZED" ]; then finish && exit; fi # Python loads an unsanitized object only
"$PYTHON" -c 'import numpy' 2> /dev/null || { echo "skipped: Python has no numpy" && finish && exit; }
export RNC CC OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=$WORK/home # of this test alone, but for the machine:
mkdir -p "$WORK/home/rnc" && cp "$OUT/tests/cache/rnc/machine" "$WORK/home/rnc/" 2> /dev/null
export PLAIN_CC="$CC -O0"
emitted_quick -O0
PACKAGE=$ROOT/tests/cli/python/package.py

# ---- the wheel: by any Python that can build one; for any ----
builder=
for python in "$PYTHON" python3 /usr/bin/python3; do
    "$python" -c '
import importlib.util, setuptools
assert importlib.util.find_spec("pip")
if int(setuptools.__version__.split(".")[0]) < 71: import wheel' 2> /dev/null && builder=$python && break
done
if [ -n "$builder" ]; then
    cp -r "$ROOT/python" "$WORK/package"
    pip() { "$builder" -m pip --no-input --disable-pip-version-check "$@"; }
    expect wheel 0 pip wheel -q --no-index --no-build-isolation --no-deps -w wheels ./package
    expect install 0 pip install -q --no-index --no-deps --no-compile --root-user-action=ignore --target site "$WORK"/wheels/rnc_compiler-*-py3-none-any.whl
    export PYTHONPATH=$WORK/site
    [ -e "$WORK/site/rnc/py.typed" ] && ok || bad install "py.typed is missing"
    cd "$WORK" && expect "where it is" 0 "$PYTHON" -c 'import rnc; print(rnc.__file__, rnc.__version__)'
    prints "where it is" "$WORK/site/rnc/__init__.py $("$RNC" --version | sed -n '1s/^rnc \([0-9.]*\).*/\1/p')"
else
    echo "skipped: the wheel: no Python here has pip, setuptools and wheel"
    export PYTHONPATH=$ROOT/python
fi
"$PYTHON" "$PACKAGE" layout > "$WORK/layout.c" # what ctypes reads is what rn.h says
expect layout 0 $CC -std=c11 -I"$OUT/include/rn" -fsyntax-only layout.c

# ---- networks, and programs of them ----
tiny | sed 's/stage 2/stage 1/' > "$WORK/tiny.rn"
cat > "$WORK/several.rn" <<'N'
network several {
    input 3x8x8
    conv 4, 3x3 as a.b; relu as A_b
    output
    output a.b
    conv 6, 3x3 /2 as c
    avgpool global; fc 5; softmax
}
N
sed 's/several/last/; s/3x8x8/& nhwc/; s/output$/output, nhwc/' "$WORK/several.rn" > "$WORK/last.rn"
printf 'network broken {\n    input 3x8x8; cnov 4, 3x3\n}\n' > "$WORK/broken.rn"
picture "$WORK/picture.png" 40 30
expect onnx 0 "$RNC" --random-weights -o tiny.onnx tiny.rn
head -c 3000 "$WORK/tiny.onnx" > "$WORK/broken.onnx"
expect weights 0 "$RNC" --random-weights -o tiny.safetensors tiny.rn
expect weights 0 "$RNC" --random-weights -o several.safetensors several.rn
expect program 0 "$RNC" -o tiny tiny.onnx
expect program 0 "$RNC" -o source --batch 2 --weights tiny.safetensors tiny.rn
expect program 0 "$RNC" -o several --batch 3 --threads 2 --weights several.safetensors several.rn
for part in numbers load arguments pictures errors memory threads cache; do
    expect "$part" 0 "$PYTHON" -W error "$PACKAGE" $part
done
finish
