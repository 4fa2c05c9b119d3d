#!/bin/bash
# Networks of torchvision and timm by both of PyTorch's exporters, against ONNX Runtime; in check-full, where Python has them:
#
#     PYTHON=VENV/bin/python make check-full T=numeric/onnx_exports      pip install torch torchvision timm onnx onnxscript onnxruntime
. "$(dirname "$0")/../lib.sh"
if [ -z "$FULL" ] || ! "$PYTHON" -c 'import onnx, onnxruntime, onnxscript, timm, torch, torchvision' 2> /dev/null; then
    [ -z "$FULL" ] || echo "skipped: no Python with torch, torchvision, timm, onnx, onnxscript and onnxruntime"
    finish
    exit
fi
mkdir "$WORK/models"
"$PYTHON" "$ROOT/tests/numeric/onnx_exports.py" "$RNC" "$WORK/models" > "$WORK/log" 2> "$WORK/errors"
status=$?
grep -c 'exporter: [0-9.e-]*$' "$WORK/log" > "$WORK/count"
[ $status = 0 ] && [ "$(cat "$WORK/count")" -gt 30 ] && ok || bad "models of PyTorch" "$(cat "$WORK/log") $(tail -n 20 "$WORK/errors")"
finish
