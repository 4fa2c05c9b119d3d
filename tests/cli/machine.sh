#!/bin/bash
# The machine that rnc runs on, -mtune=native: measured once and kept in a cache, whose row names the same plan anywhere.
# What numbers round to is tested in unit/machine; no number that is measured here is asserted.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
cd "$WORK" || exit 1
tiny > net.rn
export XDG_CACHE_HOME=$WORK/cache
rows=cache/rnc/machine

first() { head -1 .out; }
starts() { # starts NAME TEXT: the last output begins so
    case $(first) in "$2"*) ok ;; *) bad "$1" "begins with '$(first)' instead of '$2'" ;; esac
}

# nothing is measured where a row is named, or no plan is made
for words in "-mtune=generic --report" "--target x86-64-v3 --dump=plan" "--kernels=c --dump=plan" "--dump=ir" \
    "-o net.onnx --random-weights" "-mtune=generic --print-machine"; do
    # shellcheck disable=SC2086
    expect "$words" 0 "$RNC" $words net.rn
done
absent "without native" cache

expect "the first time" 0 "$RNC" --print-machine
tune=$(first) tune=${tune%% *}
starts "the first time" "$tune for x86-64-v"
first | grep -q ', measured: flops [0-9.]*, l2 [0-9.]*, l3 ' && ok || bad "the first time" "$(first)"
[ "$(grep -c "^rnc row 1, .*|${tune#-mtune=}\$" $rows)" = 1 ] && ok || bad "the row is kept" "$(cat $rows)"
target=$(first | sed 's/.* for \(x86-64-v[34]\), .*/\1/')
cp $rows kept
expect "the second time" 0 "$RNC" --print-machine
starts "the second time" "$tune for $target, measured before"
prints "the second time" "what is measured is kept in $WORK/$rows"
expect "as JSON" 0 "$RNC" --print-machine --json
prints "as JSON" "\"cache\":	\"$WORK/$rows\""
cmp -s $rows kept && ok || bad "the second time" "the cache changed: $(diff kept $rows)"

# the default where the target is the machine itself; and by name the same plan
expect "native by default" 0 "$RNC" --dump=plan net.rn
cp .out plan
starts "native by default" "plan tiny: $target $tune, batch 1"
for words in "--target native" "-mtune=native" "--target $target -mtune=native" "--target $target $tune"; do
    # shellcheck disable=SC2086
    expect "$words" 0 "$RNC" $words --dump=plan net.rn
    cmp -s .out plan && ok || bad "$words" "another plan: $(diff plan .out | head -3)"
done
cmp -s $rows kept && ok || bad "native by default" "the cache changed: $(diff kept $rows)"

# measured NAME FILE: the last command measured, and FILE has what it found, below the lines of `other`
measured() {
    local row
    first | grep -q "^-mtune=[^ ]* for $target, measured: " && ok || bad "$1" "begins with '$(first)'"
    row=$(first) row=${row#-mtune=}
    cmp -s <(cat other && sed "s/|.*/|${row%% *}/" kept) "$2" && ok || bad "$1" "keeps $(cat "$2")"
}

# what the file says counts: rows of other machines stay, damage costs a measurement
echo "rnc row 1, another CPU, x86-64-v4|znver4,l3=20" > other
{ cat other; echo nonsense; sed 's/|.*/|generic,l3=21/' kept; } > $rows
expect "another row" 0 "$RNC" --dump=plan net.rn
starts "another row" "plan tiny: $target -mtune=generic,l3=21, batch 1"
expect "changes come after" 0 "$RNC" --print-machine -mtune=native,dram=7
starts "changes come after" "-mtune=generic,l3=21,dram=7 for $target, changed, measured before"
for damaged in "|generic,l3=" "|pentium" "|" "| " "|generic,l3=21,l3"; do
    { cat other; sed "s/|.*/$damaged/" kept; } > $rows
    expect "damaged: $damaged" 0 "$RNC" --print-machine
    measured "damaged: $damaged" $rows
done

# no place to keep it, or another's file there: measured, and silent
unkept() { # unkept NAME COMMAND...
    expect "$1" 0 "${@:2}"
    first | grep -q "^-mtune=[^ ]* for $target, measured: " && ok || bad "$1" "begins with '$(first)'"
    [ ! -s .err ] && ok || bad "$1" "$(< .err)"
    ! grep -q "is kept in" .out && ok || bad "$1" "$(tail -1 .out)"
}
echo "a note to myself" > $rows
unkept "another's file" "$RNC" --print-machine
[ "$(< $rows)" = "a note to myself" ] && ok || bad "another's file" "was written over: $(cat $rows)"
unkept "no folder can be made" env XDG_CACHE_HOME=/proc/none "$RNC" --print-machine
unkept "no whole path" env -u HOME XDG_CACHE_HOME=relative "$RNC" --print-machine
absent "no whole path" relative
truncate -s 300M $rows
unkept "more than is read" "$RNC" --print-machine
[ "$(stat -c %s $rows)" = 314572800 ] && ok || bad "more than is read" "was written over: $(head -c 200 $rows | tr -d '\0')"
rm $rows && mkfifo $rows
unkept "a pipe is not waited for" timeout 60 "$RNC" --print-machine
rm $rows
unkept "no home" env -u XDG_CACHE_HOME -u HOME "$RNC" --print-machine
: > other
expect "a home without a cache" 0 env -u XDG_CACHE_HOME HOME="$WORK/home" "$RNC" --print-machine
measured "a home without a cache" home/.cache/rnc/machine

# -O3 measures again for another row: its code may be another
expect "-O3" 0 "$RNC" -O3 --tune-cache tune --threads 1 --target "$target" --report net.rn
expect "-O3 for another row" 0 "$RNC" -O3 --tune-cache tune --threads 1 --target "$target" -mtune=generic,l3=21 --report net.rn
for row in generic generic,l3=21; do
    grep -q " $target -mtune=$row by .*|direct " tune && ok || bad "-O3 for $row" "$(cut -c 1-120 tune | sort -u | head -3)"
done
finish
