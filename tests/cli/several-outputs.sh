#!/bin/bash
# Several outputs: in the source's order everywhere, the network's result last, with a macro for each one's place.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
picture "$WORK/picture.png" 12 9
cat > "$WORK/several.rn" <<'N'
network several {
    input 3x8x8
    conv 4, 3x3 as a.b; relu as A_b
    output
    output a.b
    conv 6, 3x3 /2 as c
    output A_b
    avgpool global; fc 5; softmax
}
N
# names, sizes: as the statements stand; A_b is said twice, and is one output
order='A_b a.b softmax'
expect ir 0 "$RNC" --dump=ir several.rn
[ "$(tail -3 "$WORK/.out" | tr '\n' ' ')" = "output %2 output %1 output %6 " ] && ok || bad ir "$(tail -4 "$WORK/.out")"
expect build 0 "$RNC" -o several --random-weights several.rn
expect info 0 ./several info --json
[ "$("$PYTHON" -c 'import json, sys; print(*(o["name"] for o in json.load(sys.stdin)["outputs"]))' < "$WORK/.out")" = "$order" ] && ok ||
    bad info "$(grep name "$WORK/.out")"
expect "info says which are probabilities" 0 ./several info
prints "info says which are probabilities" "softmax: 5 x 1 x 1, probabilities"
expect input 0 "$PYTHON" -c 'import numpy as np; np.save("in.npy", np.random.default_rng(2).standard_normal((2, 3, 8, 8)).astype("<f4"))'
expect run 0 ./several run in.npy 1.npy 2.npy 3.npy
expect "run: what the files hold" 0 "$PYTHON" -c '
import numpy as np
relu, conv, last = (np.load(f"{i}.npy") for i in (1, 2, 3))
assert relu.shape == conv.shape == (2, 4, 8, 8) and last.shape == (2, 5)
assert conv.min() < 0 and np.array_equal(relu, np.maximum(conv, 0))
assert np.allclose(last.sum(1), 1, atol=1e-6)'
expect classify 0 ./several classify --json picture.png
cp "$WORK/.out" "$WORK/classes.json"
expect "classify: of the last" 0 "$PYTHON" -c '
import json
top = json.load(open("classes.json"))["pictures"][0]["top"]
assert len(top) == 5 and abs(sum(t["probability"] for t in top) - 1) < 1e-6, top'
expect "too few files" 2 ./several run in.npy 1.npy
expect "--output" 0 "$RNC" --dump=ir --output c --output a.b several.rn
[ "$(tail -2 "$WORK/.out" | tr '\n' ' ')" = "output %3 output %1 " ] && ok || bad "--output" "$(tail -4 "$WORK/.out")"

# the header's macros, in C and C++: every output once, from the first float to the last; unique where names are alike
expect module 0 "$RNC" -o several.c --random-weights several.rn
cat > "$WORK/app.c" <<'N'
#include <stdio.h>
#include "several.h"
int main(void) {
    printf("%d %d %d %d %d %d %d\n", SEVERAL_OUTPUT_A_B_OFFSET, SEVERAL_OUTPUT_A_B_SIZE, SEVERAL_OUTPUT_A_B_2_OFFSET, SEVERAL_OUTPUT_A_B_2_SIZE,
           SEVERAL_OUTPUT_SOFTMAX_OFFSET, SEVERAL_OUTPUT_SOFTMAX_SIZE, SEVERAL_OUTPUT_SIZE);
    return 0;
}
N
for compiler in "$CC -std=c11 -pedantic" "$CXX -x c++"; do
    expect "macros: $compiler" 0 $compiler -Wall -Wextra -Werror -I. -I"$OUT/include/rn" -o app app.c
    expect "macros: $compiler" 0 ./app
    prints "macros: $compiler" "0 256 256 256 512 5 517"
done
finish
