#!/bin/bash
# What -O2 chooses keeps the tolerance that it was asked for: random networks of every kind and head, predicted and measured.
# NETWORKS=240 SEED=7 tests/numeric/error_budget.sh runs more, and prints each.
. "$(dirname "$0")/../lib.sh"
emitted_unchecked
emitted_quick -O1
networks=${NETWORKS:-18} seed=${SEED:-1}
"$PYTHON" "$ROOT/tests/numeric/error_budget.py" "$RNC" --networks "$networks" --seed "$seed" ${NETWORKS:+--table} > "$WORK/log" 2>&1
status=$?
if [ -n "${NETWORKS:-}" ] || [ $status != 0 ]; then cat "$WORK/log"; fi
if [ $status = 0 ] && grep -q "^$networks networks" "$WORK/log"; then ok; else bad "seed $seed" "see above"; fi
# the cases that the mean-field model alone had wrong: a sigmoid's, and tiles' edges
for case in "sig -D k=64 -D n=12" "unet" "edges --tolerance 2e-5"; do
    set -- $case
    for s in 2 5 7; do expect "$1, seed $s" 0 "$RNC" --verify --random-weights=$s "${@:2}" "$ROOT/tests/numeric/budget/$1.rn"; done
done
finish
