#!/bin/bash
# Runs the tests and counts them: unit, golden, cli and numeric on the ordinary build, then unit, golden, cli, a third of
# the numeric suites' cases and the fuzz targets' corpora under sanitizers. Every program and script run here prints
# "FAIL ..." lines and ends in "N tests, M failed"; a part that does not end so (a crash) counts as a failure. Parts run
# beside each other, one a core, up to 8; after each its seconds, by the clock and of processors.
#
#   BUILD=build T=passes JOBS=1 tests/run.sh       T: only what contains this in its name; JOBS: parts at a time
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
T=${T:-}
FULL=${FULL:-}
JOBS=${JOBS:-$([ -n "$FULL" ] && echo 1 || nproc)} # full size needs the memory
[ "$JOBS" -le 8 ] || JOBS=8
counts=$(mktemp) failures=$(mktemp) started=0
trap 'rm -f "$counts" "$failures"' EXIT
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export FULL
export OMP_WAIT_POLICY=passive # a thread that waits leaves its core to another part
export PYTHON=${PYTHON:-$(tools/find-python.sh || echo python3)} # with numpy, for programs too

run_part() { # run_part TITLE COMMAND...
    local title=$1 log start=$SECONDS count bad status cpu
    shift
    log=$(mktemp)
    "$@" > "$log" 2>&1
    status=$?
    read -r count bad < <(sed -n 's/^\([0-9]*\) tests, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -1)
    if [ -z "$count" ] || { [ $status != 0 ] && [ "$bad" = 0 ]; }; then
        printf '%s\n' "FAIL $title: ended with status $status; the end of its output:
$(tail -n 25 "$log" | sed 's/^/    /')" >> "$failures"
        count=$((${count:-0} + 1)) bad=$((${bad:-0} + 1))
    fi
    grep '^FAIL' "$log" | sed "s|^FAIL|FAIL ($title)|" >> "$failures"
    grep '^skipped' "$log" | sed "s|^|  $title: |"
    times > "$log" # not of a subshell
    cpu=$(awk -F '[ms ]+' 'NR == 2 {print int(60 * ($1 + $3) + $2 + $4 + 0.5)}' "$log")
    rm -f "$log"
    echo "$count $bad" >> "$counts"
    [ "$count" = 0 ] || printf '  %-28s %5d tests, %d failed (%d s, %d of a processor)\n' "$title" "$count" "$bad" $((SECONDS - start)) "$cpu"
}

# Each part is a process group, so that an interrupt ends all that it started.
set -m
stop() {
    local group
    trap '' INT TERM
    for group in $(jobs -p); do kill -- "-$group" 2> /dev/null; done
    exit 130
}
trap stop INT TERM

part() { # part TITLE COMMAND...: beside up to JOBS - 1 others
    while [ "$(jobs -pr | wc -l)" -ge "$JOBS" ]; do wait -n; done
    started=$((started + 1))
    run_part "$@" &
}

scripts() { # scripts TITLE FOLDER
    local script name
    for script in tests/"$2"/*.sh; do
        [ -e "$script" ] || continue
        name=$2/$(basename "$script" .sh)
        case $name in *"$T"*) part "$1$name" bash "$script" ;; esac
    done
}

suites() { # suites TITLE RUNNER: each in a process of its own, so that a crash ends no other
    local suite
    [ -x "$2" ] || return
    for suite in $("$2" --list); do
        case $suite in *"$T"*) part "$1$suite" "$2" "=$suite" ;; esac
    done
}

run_build() { # run_build OUT TITLE PARTS...
    local out=$1 title=$2 p
    shift 2
    export OUT=$out
    for p; do
        case $p in
        unit) suites "$title" "$out/tests/unit" ;;
        golden) part "${title}golden" bash tests/golden/run.sh ;;
        cli) scripts "$title" cli ;;
        suites) suites "$title" "$out/tests/numeric" ;;
        numeric)
            suites "$title" "$out/tests/numeric"
            scripts "$title" numeric
            ;;
        fuzz)
            for target in "$out"/tests/fuzz-*; do
                name=${target##*/fuzz-}
                [ -x "$target" ] || continue
                case $name in
                source) more=(examples/resnet18.rn examples/cifar/resnet20.rn $(ls -d tests/golden/parse 2> /dev/null)) ;;
                graph) more=($(ls -d tests/golden/ir tests/golden/train/*.ir 2> /dev/null)) ;;
                *) more=() ;;
                esac
                case fuzz/$name in *"$T"*) part "${title}fuzz/$name" "$target" "tests/fuzz/corpus/$name" "${more[@]}" ;; esac
            done
            ;;
        esac
    done
}

plain_cc=${CC:-cc} plain_cxx=${CXX:-c++}
run_build "$BUILD" "" unit golden cli numeric
# what a sanitized rnc builds links the sanitized librn
sanitize="-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined"
if ! $plain_cc --version | grep -q clang; then # gcc compiles calls of checks faster than checks in line
    sanitize+=" --param asan-instrumentation-with-call-threshold=0"
    export LINKING_CC="$plain_cc -O1 -Wl,--no-as-needed -lasan -lubsan" # see lib.sh
fi
export CC="$plain_cc $sanitize" CXX="$plain_cxx $sanitize" SANITIZED=1
run_build "$BUILD/san" "san: " suites cli golden unit fuzz # the longest first, so that both cores have work until the end
wait

echo
cat "$failures"
read -r ended total total_failed < <(awk '{total += $1; failed += $2} END {print NR, total + 0, failed + 0}' "$counts")
if [ "$ended" != $started ]; then # killed, for want of memory perhaps
    echo "FAIL $((started - ended)) of $started parts never ended"
    total_failed=$((total_failed + started - ended))
fi
echo "$total tests, $total_failed failed"
if [ $total = 0 ]; then echo "no test is called like '$T'"; exit 1; fi
[ $total_failed = 0 ]
