#!/bin/bash
# rnc -: a source on standard input, with its places in <stdin> and its imports from the working folder.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"

from() { # from FILE ARGUMENTS...: rnc with the file on standard input
    local file=$1
    shift
    "$RNC" "$@" < "$file"
}
expect "the file's graph" 0 "$RNC" --dump=ir -D classes=7 tiny.rn
cp "$WORK/.out" "$WORK/file.ir"
expect "the same from standard input" 0 from tiny.rn --dump=ir -D classes=7 -
cmp -s "$WORK/.out" "$WORK/file.ir" && ok || bad "the same from standard input" "another graph"
expect "from a pipe" 0 bash -c "cat tiny.rn | '$RNC' - --format"
cmp -s "$WORK/.out" <("$RNC" --format "$WORK/tiny.rn") && ok || bad "from a pipe" "another text"
expect "a module" 0 from tiny.rn -o net.c -
if grep -qF 'tiny_create(' "$WORK/net.h" && grep -qF '"<stdin>:12:5"' "$WORK/net.c"; then ok; else bad "a module" "$(grep -m3 stdin "$WORK/net.c")"; fi
expect "read to the end, and the compiler built the rest" 0 from tiny.rn --verify --random-weights -

printf 'network n {\n    input 3x8x8\n    cnov 8, 3x3\n}\n' > "$WORK/bad.rn"
expect "an error" 1 from bad.rn -o out.c -
says "an error" "<stdin>:3:5: error:"
says "an error" "cnov 8, 3x3"
expect "nothing there" 1 from /dev/null -o out.c -
says "nothing there" "<stdin>: error: it holds no network"
expect "a closed one" 1 bash -c "'$RNC' --summary - <&-"
says "a closed one" "cannot read '<stdin>'"
expect "no end" 1 bash -c "yes | '$RNC' --summary -"
says "no end" "larger than 16 MB"
if truncate -s 1T "$WORK/big.rn" 2> /dev/null; then # more than there is memory for, of which 16 MB are read
    expect "too large a file" 1 from big.rn --summary -
    says "too large a file" "larger than 16 MB"
    ln -s big.rn "$WORK/big.ir"
    expect "too large a graph" 1 "$RNC" --dump=ir big.ir
    says "too large a graph" "larger than 16 MB"
    mkfifo "$WORK/pipe.rn"
    expect "a pipe without an end" 1 bash -c "yes > pipe.rn & '$RNC' --summary pipe.rn; status=\$?; kill \$!; exit \$status"
    says "a pipe without an end" "larger than 16 MB"
fi
absent errors out.c out.h

mkdir "$WORK/blocks"
printf 'block b(k) { conv k, 3x3; relu }\n' > "$WORK/blocks/b.rn"
printf 'import "blocks/b.rn"\nnetwork n { input 3x8x8\n b(8)\n}\n' > "$WORK/importing.rn"
expect "an import" 0 from importing.rn --summary -
printf 'import "-"\nnetwork n { input 3x8x8\n fc 8\n}\n' > "$WORK/self.rn"
expect "an import of -" 1 from self.rn --summary -
says "an import of -" "cannot read '-'"
cp "$WORK/tiny.rn" "$WORK/out.html"
expect "over the source" 1 from out.html --report=out.html -
says "over the source" "would overwrite the input '-'"
cmp -s "$WORK/tiny.rn" "$WORK/out.html" && ok || bad "over the source" "the source is gone"
finish
