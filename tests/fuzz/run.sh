#!/bin/bash
# Runs libFuzzer on every target for FUZZ_SECONDS (60); what it finds interesting joins build/fuzz/corpus, what breaks a
# target is kept in build/fuzz and the status is 1.
cd "$(dirname "$0")/../.." || exit 1
shopt -s nullglob
OUT=${OUT:-build/fuzz}
status=0
for target in "$OUT"/tests/fuzz-*; do
    name=${target##*/fuzz-}
    [ -x "$target" ] || continue
    case fuzz/$name in *"${T:-}"*) ;; *) continue ;; esac
    mkdir -p "$OUT/corpus/$name"
    case $name in
    source) more=(examples/*.rn examples/*/*.rn tests/golden/parse/*.rn) ;;
    graph) more=(tests/golden/ir/*.ir tests/golden/train/*.ir tests/golden/passes/*/*.ir) ;;
    image) more=(examples/face/*.png) ;;
    onnx) # ONNX's own cases, and what exporters write
        rm -rf "$OUT/idioms"
        python3 tests/numeric/onnx_idioms.py "$OUT/idioms" > /dev/null 2>&1 || echo "$name: without idioms, python3 has no onnx"
        mapfile -t more < <(find /usr/share/libonnx-testdata/data "$OUT/idioms" -name model.onnx -size -4k 2> /dev/null)
        ;;
    *) more=() ;;
    esac
    rm -rf "$OUT/seeds/$name"
    mkdir -p "$OUT/seeds/$name"
    seeds=("${more[@]}")
    # an input decides over thousands of counters here, which the entropic schedule takes too long to weigh
    case $name in source | graph) flags=(-entropic=0 -max_len=4096) ;; network) flags=(-entropic=0 -max_len=600) ;; *) flags=() ;; esac
    [ ! -d "tests/fuzz/corpus/$name" ] || seeds+=("tests/fuzz/corpus/$name"/*)
    cp --backup=numbered "${seeds[@]}" "$OUT/seeds/$name"
    echo "$name: ${FUZZ_SECONDS:-60} s"
    if ! "$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 -verbosity=0 "${flags[@]}" \
        -artifact_prefix="$OUT/$name-" "$OUT/corpus/$name" "$OUT/seeds/$name" > "$OUT/$name.log" 2>&1; then
        status=1
        tail -n 60 "$OUT/$name.log"
    fi
    grep -h number_of_executed "$OUT/$name.log"
done
exit $status
