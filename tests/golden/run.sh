#!/bin/bash
# Golden tests: what rnc prints for a small input, against the file beside it.
#
#   parse/X.rn           X.ast: --dump=ast;   X.err: the diagnostics of --dump=ir, which must fail
#   parse/X.txt          many small sources, each followed by its errors
#   ir/X.ir              --dump=ir prints it back, byte for byte;   X.err where it is refused
#   passes/NAME/X.ir     X.out: the graph after pass NAME alone
#   train/X.rn           X.ir: --train --dump=ir, which reads back;   X.after: the same after the passes
#   write/X.ir           X.rn: the source that -o X.rn writes, with the options of a first line `# rnc: OPTIONS`
#   c/X.rn               X.c: the emitted C, with the options of a first line `# rnc: OPTIONS`
#
# UPDATE=1 rewrites the expected files instead (make update-golden).
. "$(dirname "$0")/../lib.sh"
T=${T:-}
GOLDEN=$ROOT/tests/golden

# check NAME EXPECTED_FILE ACTUAL_FILE
check() {
    if [ -n "${UPDATE:-}" ]; then
        cmp -s "$2" "$3" || { cp "$3" "$2" && echo "updated $2"; }
        return
    fi
    if diff -u "$2" "$3" > "$WORK/diff"; then ok; else bad "$1" "differs" && sed 's/^/    /' "$WORK/diff" | head -40; fi
}

wanted() { case golden/$1 in *"$T"*) return 0 ;; esac; return 1; }

# files FOLDER ENDING: the inputs, with names relative to tests/golden
files() { (cd "$GOLDEN" && find "$1" -name "*.$2" 2> /dev/null | LC_ALL=C sort); }

# run NAME STATUS FOLDER ARGS...: rnc inside the input's folder, so that places hold bare names
run() {
    local name=$1 status=$2 folder=$3 got
    shift 3
    (cd "$GOLDEN/$folder" && "$RNC" "$@") > "$WORK/out" 2> "$WORK/err"
    got=$?
    [ $got = "$status" ] && return 0
    bad "$name" "status $got instead of $status: $(head -c 400 "$WORK/err")"
    return 1
}

for file in $(files parse rn); do
    wanted "$file" || continue
    stem=${file%.rn} folder=$(dirname "$file") base=$(basename "$file")
    if [ -e "$GOLDEN/$stem.ast" ]; then
        run "$file" 0 "$folder" --dump=ast "$base" && check "$file" "$GOLDEN/$stem.ast" "$WORK/out"
    fi
    if [ -e "$GOLDEN/$stem.err" ]; then
        run "$file" 1 "$folder" --dump=ir "$base" && check "$file" "$GOLDEN/$stem.err" "$WORK/err"
    fi
done

# broken FILE: its sources again, each with the errors that it has
broken() {
    local line source="" lines=() started=""
    put() {
        [ ${#lines[@]} = 0 ] && return
        source=$(printf '%s\n' "${lines[@]}")
        printf '%s\n%s\n' ---- "$source"
        case $source in ' '*) source=$(printf 'network n(classes = 10) { input 3x32x32\n%s\n}\n' "$source") ;; esac
        printf '%s\n' "$source" | "$RNC" --dump=ir - 2>&1 > /dev/null | sed -n 's/^<stdin>:/=> /p; s/^rnc: /=> rnc: /p'
        [ "${PIPESTATUS[1]}" = 1 ] || echo "=> status ${PIPESTATUS[1]}"
        lines=()
    }
    while IFS= read -r line; do
        case $line in
        ----) started=yes && put ;;
        '=> '*) ;;
        *) if [ "$started" ]; then lines+=("$line"); else echo "$line"; fi ;;
        esac
    done < "$1"
    put
}

for file in $(files parse txt); do
    wanted "$file" || continue
    broken "$GOLDEN/$file" > "$WORK/out"
    check "$file" "$GOLDEN/$file" "$WORK/out"
done

for file in $(files ir ir); do
    wanted "$file" || continue
    stem=${file%.ir} folder=$(dirname "$file") base=$(basename "$file")
    if [ -e "$GOLDEN/$stem.err" ]; then
        run "$file" 1 "$folder" --dump=ir "$base" && check "$file" "$GOLDEN/$stem.err" "$WORK/err"
    else
        run "$file" 0 "$folder" --dump=ir "$base" && check "$file" "$GOLDEN/$file" "$WORK/out"
    fi
done

for file in $(files passes ir); do
    wanted "$file" || continue
    folder=$(dirname "$file")
    run "$file" 0 "$folder" --run-pass="$(basename "$folder")" "$(basename "$file")" &&
        check "$file" "$GOLDEN/${file%.ir}.out" "$WORK/out"
done

# every pass has a golden test
for pass in $("$RNC" --passes | grep -v '(in the plan)' | awk '{print $1}'); do
    wanted "passes/$pass" || continue
    if ls "$GOLDEN/passes/$pass"/*.ir > /dev/null 2>&1; then ok; else bad "passes/$pass" "no test in tests/golden/passes/$pass"; fi
done

for file in $(files train rn); do
    wanted "$file" || continue
    stem=${file%.rn} base=$(basename "$file")
    run "$file" 0 train --train --dump=ir "$base" && check "$file" "$GOLDEN/$stem.ir" "$WORK/out"
    run "$file" 0 train --dump=ir "$(basename "$stem").ir" && check "$file, read back" "$GOLDEN/$stem.ir" "$WORK/out"
    run "$file" 0 train --train --dump-after=cse "$base" && check "$file, after passes" "$GOLDEN/$stem.after" "$WORK/out"
done

for file in $(files write ir); do
    wanted "$file" || continue
    base=$(basename "$file" .ir)
    options=$(sed -n '1s/^# rnc: //p' "$GOLDEN/$file")
    # shellcheck disable=SC2086  # the options are words
    run "$file" 0 write $options -o "$WORK/$base.rn" "$base.ir" && check "$file" "$GOLDEN/write/$base.rn" "$WORK/$base.rn"
done

for file in $(files c rn); do
    wanted "$file" || continue
    stem=${file%.rn} base=$(basename "$file" .rn)
    options=$(sed -n '1s/^# rnc: //p' "$GOLDEN/$file")
    # shellcheck disable=SC2086  # the options are words
    run "$file" 0 c $options -o "$WORK/$base.c" "$base.rn" && check "$file" "$GOLDEN/$stem.c" "$WORK/$base.c"
done

finish
