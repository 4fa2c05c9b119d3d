#!/bin/sh
# c-names.sh HEADERS.def KEYWORDS.def: a line `"NAME\n"` for each name of the C library and of $CC that no network may have:
# macros, those that the compiler has from the start too, and what a header declares, be it a function, type, constant or struct.
# All of them, since nobody lists them: the compiler is asked of each word in the headers.
set -e
cc=${CC:-cc}
options="-std=gnu11 -D_GNU_SOURCE"
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
words() { sed -n 's/^[A-Z]*("\(.*\)")$/\1/p' "$1"; }

words "$1" | while read -r header; do
    printf '#if __has_include(<%s.h>)\n#include <%s.h>\n#endif\n' "$header" "$header"
done > "$work/ask.c"
lines=$(wc -l < "$work/ask.c")
$cc $options -E -dM "$work/ask.c" | sed -n 's/^#define \([A-Za-z][A-Za-z0-9_]*\).*/\1/p' | sort -u > "$work/macros"
words "$2" | sort -u - "$work/macros" > "$work/known"
$cc $options -E "$work/ask.c" | grep -v '^#' | tr -c 'A-Za-z0-9_' '\n' | grep '^[A-Za-z]' | sort -u | comm -23 - "$work/known" > "$work/words"

# one line for each: an error on it says that the word means something already
sed 's/.*/struct & { int member; }; typedef struct & &;/' "$work/words" >> "$work/ask.c"
case $($cc --version) in
*clang*) all=-ferror-limit=0 ;;
*) all=-fmax-errors=0 ;;
esac
$cc $options $all -fsyntax-only "$work/ask.c" 2> "$work/errors" && { echo "c-names.sh: $cc finds no name taken" >&2 && exit 1; }
sed -n 's/.*ask\.c:\([0-9]*\):.*error: .*/\1/p' "$work/errors" | sort -n |
    awk -v lines="$lines" 'NR == FNR { taken[$1 - lines] = 1; next } taken[FNR]' - "$work/words" > "$work/taken"
grep -qx printf "$work/taken" || { echo "c-names.sh: $cc does not know printf:" >&2 && head -5 "$work/errors" >&2 && exit 1; }
sort -u "$work/taken" "$work/macros" | sed 's/.*/"&\\n"/'
