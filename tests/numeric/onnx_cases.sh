#!/bin/bash
# The cases of operators of the newest onnx, which has more than Debian's test data (unit/onnx_data): none that is read gives
# other numbers. In check-full, where Python has it:
#
#     PYTHON=VENV/bin/python make check-full T=numeric/onnx_cases      pip install onnx
. "$(dirname "$0")/../lib.sh"
if [ -z "$FULL" ] || ! "$PYTHON" -c 'import onnx, sys; sys.exit(onnx.defs.onnx_opset_version() < 28)' 2> /dev/null; then
    [ -z "$FULL" ] || echo "skipped: no Python with onnx of operator set 28"
    finish
    exit
fi
"$PYTHON" "$ROOT/tests/numeric/onnx_cases.py" "$WORK/cases" > "$WORK/count" 2> "$WORK/errors"
[ "$(cat "$WORK/count")" -gt 1500 ] && ok || bad "cases" "$(cat "$WORK/count") were written: $(tail -n 5 "$WORK/errors")"
ONNX_TESTDATA=$WORK/cases "$OUT/tests/unit" =unit/onnx_data > "$WORK/log" 2>&1
read -r passed failed < <(sed -n 's/^| node | \([0-9]*\) | \([0-9]*\) |.*/\1 \2/p' "$WORK/log")
[ "${passed:-0}" -ge 250 ] && [ "$failed" = 0 ] && ok || bad "$passed give ONNX's numbers, $failed others" "$(head -c 2000 "$WORK/log")"
finish
