#!/bin/bash
# Runs libFuzzer on every target for FUZZ_SECONDS (60); what it finds interesting joins build/fuzz/corpus, what breaks a
# target is kept in build/fuzz and the status is 1.
cd "$(dirname "$0")/../.." || exit 1
OUT=${OUT:-build/fuzz}
status=0
for target in "$OUT"/tests/fuzz-*; do
    name=${target##*/fuzz-}
    [ -x "$target" ] || continue
    case fuzz/$name in *"${T:-}"*) ;; *) continue ;; esac
    mkdir -p "$OUT/corpus/$name"
    seeds=("tests/fuzz/corpus/$name")
    case $name in
    source) seeds+=(examples examples/cifar tests/golden/parse) ;;
    graph) seeds+=(tests/golden/ir) ;;
    image) seeds+=(examples/face) ;;
    esac
    existing=()
    for s in "${seeds[@]}"; do [ -d "$s" ] && existing+=("$s"); done
    echo "$name: ${FUZZ_SECONDS:-60} s"
    if ! "$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=3000 -print_final_stats=0 -verbosity=0 \
        -artifact_prefix="$OUT/$name-" "$OUT/corpus/$name" "${existing[@]}"; then
        status=1
    fi
done
exit $status
