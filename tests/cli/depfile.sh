#!/bin/bash
# -MD: make builds again what has changed, whatever the files are called; the rule's target, place and phony rules as gcc's.
. "$(dirname "$0")/../lib.sh"
cd "$WORK" || exit 1
mkdir blocks
echo 'import "deep.rn"
block part(w) { inner(w) }' > blocks/part.rn
echo 'block inner(w) { conv w, 3x3; bn; relu }' > blocks/deep.rn
echo 'import "blocks/part.rn"
network net { input 3x8x8; part(8); avgpool global; fc 4 }' > net.rn

rule() { # rule NAME FILE LINES: the depfile says exactly this
    if [ "$(cat "$2")" = "$3" ]; then ok; else bad "$1" "the rule is: $(cat "$2")"; fi
}
FILES='net.rn \
 blocks/part.rn \
 blocks/deep.rn'

expect weights 0 "$RNC" -o w.safetensors --random-weights net.rn
expect -MD 0 "$RNC" -MD -o net.c --weights w.safetensors net.rn
rule -MD net.d "net.c: $FILES \\
 w.safetensors \\
 $RNC"
grep -q -e -MD net.c && bad -MD "it is recorded in the output" || ok
expect -MMD 0 "$RNC" -MMD -o net.o net.rn
rule -MMD net.d "net.o: $FILES"
expect -MF 0 "$RNC" -MMD -MFother.dep -o net.c net.rn
rule -MF other.dep "net.c: $FILES"
expect "-MF -" 0 "$RNC" -MMD -MF - -o net.c net.rn
rule "-MF -" .out "net.c: $FILES"
expect "-MF /dev/stderr" 0 bash -c "'$RNC' -MMD -MF /dev/stderr -o net.c net.rn 2>&1 | cat"
rule "-MF /dev/stderr" .out "net.c: $FILES"
mkdir other
for depfile in other/net.c net.d.c net; do # other files than -o's
    expect "-MF $depfile" 0 "$RNC" -MMD -MF $depfile -o net.c --random-weights net.rn
    rule "-MF $depfile" $depfile "net.c: $FILES"
done
expect "-MT, -MQ" 0 "$RNC" -MMD -MT 'a $(b)' -MQ 'c $d' -o net.c net.rn
rule "-MT, -MQ" net.d "a \$(b) c\\ \$\$d: $FILES"
expect -MP 0 "$RNC" -MMD -MP -o net.c net.rn
rule -MP net.d "net.c: $FILES
blocks/part.rn:
blocks/deep.rn:"
expect "standard input" 0 bash -c "'$RNC' -MMD -o net.c - < net.rn"
rule "standard input" net.d "net.c: blocks/part.rn \\
 blocks/deep.rn"
expect "a program" 0 "$RNC" -MD -o prog net.rn
grep -q "librn.a$" prog.d && ok || bad "a program" "librn.a is not among: $(cat prog.d)"

# ---- refused, with nothing written ----
rm -f net net.* plain.* prog* ./*.d
echo 'import "blocks/part.rn"
network net { input 3x8x8; part(8); avgpool global; fc 4 }' > net.rn
refused() { # refused MESSAGE STATUS ARGUMENTS...
    local message=$1 status=$2
    shift 2
    expect "$*" "$status" "$RNC" "$@"
    says "$*" "$message"
    absent "$*" net.c net.h net.d
}
refused "-MD and -MMD need -o" 2 -MD --summary net.rn
refused "go with -MD or -MMD" 2 -MF x.d -o net.c net.rn
refused "-MF needs a value" 2 -o net.c net.rn -MMD -MF
refused "unknown option '-MX'" 2 -MX -o net.c net.rn
refused "-MF: 'net.c' is a file that -o writes" 1 -MMD -MF net.c -o net.c net.rn
for depfile in ./net.c net.h blocks/../net.h "$WORK/net.c" here/net.h net.rnw; do # by whatever path
    ln -sfn . here
    refused "-MF: '$depfile' is a file that -o writes" 1 -MMD -MF "$depfile" -o net.c --random-weights net.rn
    absent "-MF $depfile" net.rnw
done
refused "-MF: './net.h' is a file that -o writes" 1 -MMD -MF ./net.h -o here/net.so net.rn
refused "--report: 'here/net.html' is a file that -MF writes" 1 -MMD -MF net.html --report=here/net.html -o net.c net.rn
absent "a page and a depfile" net.html
refused "--tune-cache: './net.c' is a file that -o writes" 1 -O3 --tune-cache ./net.c -o net.c net.rn
refused "cannot write 'blocks': it is there, and a folder" 1 -MMD -MF blocks -o net.c net.rn
ln net.rn page.html
refused "'page.html' would overwrite the input 'net.rn'" 1 --report=page.html -o net.c net.rn
refused "would overwrite the input 'blocks/deep.rn'" 1 -MMD -MF blocks/deep.rn -o net.c net.rn
refused "cannot write 'no/x.d'" 1 -MMD -MF no/x.d -o net.c net.rn
# the last file fails: the others are as they were
refused "cannot write '/dev/full'" 1 -MMD -MF /dev/full -o net.c --random-weights net.rn
absent "no room for the rule" net.rnw
echo old > old.c && echo old > old.h
expect "no room for the rule" 1 "$RNC" -MMD -MF /dev/full -o old.c --random-weights net.rn
[ "$(cat old.c old.h)" = "old
old" ] && ok || bad "no room for the rule" "the files that were there are not"
absent "no room for the rule" old.rnw
clean "no room for the rule"

# ---- make reads it ----
dir='odd $ na#me \ and:co\#lon'
mkdir "$dir" && cp -r net.rn blocks "$dir/" && cd "$dir" || exit 1
mv blocks/deep.rn 'blocks/de ep$#.rn' && sed -i 's/deep.rn/de ep$#.rn/' blocks/part.rn
cat > Makefile <<M
net.c net.h &: net.rn
	@echo compiling
	@'$RNC' -MD -MP -o net.c net.rn
-include net.d
M
make_says() { # make_says NAME TEXT
    expect "$1" 0 make -C "$WORK/$dir" --no-print-directory
    prints "$1" "$2"
}
make_says "make: first" compiling
make_says "make: nothing changed" "up to date"
sleep 0.05 && touch 'blocks/de ep$#.rn'
make_says "make: an import changed" compiling
make_says "make: nothing more" "up to date"
sed -i 's/import.*//; s/inner/part/; s/inner(w)/conv w, 3x3/' blocks/part.rn
echo 'block part(w) { conv w, 3x3 }' > blocks/part.rn && rm 'blocks/de ep$#.rn'
make_says "make: an import is gone" compiling
expect "make: whole paths" 0 "$RNC" -MMD -o net.c "$PWD/net.rn"
sleep 0.05 && touch blocks/part.rn
make_says "make: whole paths" compiling

# ---- an imported train section: a dependence, and part of the source's hash ----
cd "$WORK" || exit 1
printf 'import "recipe.rn"\nnetwork t { input 3x6x6; fc 4 }\n' > trained.rn
for batch in 4 5; do
    echo "train { batch $batch }" > recipe.rn
    expect "an imported train section" 0 "$RNC" -MD -o trained.c trained.rn
    grep -o 'source hash [0-9a-f]*' trained.c > hash$batch
done
if [ -s hash4 ] && ! cmp -s hash4 hash5; then ok; else bad "an imported train section" "$(cat hash4 hash5)"; fi
grep -q recipe.rn trained.d && ok || bad "an imported train section" "$(cat trained.d)"
finish
