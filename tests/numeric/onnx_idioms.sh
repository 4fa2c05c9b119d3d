#!/bin/bash
# Small ONNX models of what exporters write (onnx_idioms.py, by onnx's helper): all are read, and the interpreter gives what
# NumPy does; what means something else is not read. Some of them as programs too.
. "$(dirname "$0")/../lib.sh"
for python in "$PYTHON" python3 /usr/bin/python3 ""; do
    [ -n "$python" ] && "$python" -c 'import numpy, onnx' 2> /dev/null && break
done
if [ -z "$python" ]; then
    echo "skipped: no Python with onnx (Debian's python3-onnx)"
    finish
    exit
fi
read -r cases others < <("$python" "$ROOT/tests/numeric/onnx_idioms.py" "$WORK/idioms")
[ "${cases:-0}" -gt 50 ] && ok || bad "cases" "$cases were written"
ONNX_TESTDATA=$WORK/idioms "$OUT/tests/unit" =unit/onnx_data > "$WORK/log" 2>&1
grep -q "^| node | $cases | 0 | 0 | 0 |$" "$WORK/log" && ok || bad "some are not read, or give other numbers" "$(head -c 2000 "$WORK/log")"
grep -q "^| simple | 0 | 0 | $others | 0 |$" "$WORK/log" && ok || bad "some are read that mean something else" "$(head -c 2000 "$WORK/log")"

# what is compiled gives these numbers too
cat > "$WORK/arrays.py" << 'E'
import sys
import numpy as np
import onnx
from onnx import numpy_helper
for what in ("input_0", "output_0"):
    with open(f"{sys.argv[1]}/test_data_set_0/{what}.pb", "rb") as f:
        np.save(what + ".npy", numpy_helper.to_array(onnx.TensorProto.FromString(f.read())))
E
for name in rmsnorm_timm rmsnorm_reciprocal quick_gelu star_relu squares_of_the_input hardsigmoid_steep celu se_gemm convnext_block pixel_shuffle channels_last_segment channels_last_output; do
    expect "$name: arrays" 0 "$python" arrays.py "$WORK/idioms/node/$name"
    expect "$name" 0 "$RNC" -o net "$WORK/idioms/node/$name/model.onnx" && expect "$name: run" 0 ./net run input_0.npy out.npy &&
        expect "$name: its numbers" 0 "$python" -c "
import numpy as np
np.testing.assert_allclose(np.load('out.npy'), np.load('output_0.npy'), 1e-4, 1e-5)"
done
finish
