#!/bin/bash
# The order of the folders: a file includes its own folder and those before it, never one behind; headers make no circle.
. "$(dirname "$0")/../lib.sh"

# a folder's name stands for its files; of the root, options and compilation come before those who read them
COMPILER="base graph language onnx write passes plan emit load view compilation save measure ."
RUNTIME=". core weights image data eval train cli mpi"

# includes FOLDER: each file beside what it includes of FOLDER, both without it
includes() {
    (cd "$ROOT/$1" && grep -rHE '^ *# *include "' --include='*.[chly]' --include='*.def' . | sed 's|^\./||') |
        while IFS=: read -r file line; do
            name=${line#*\"} name=${name%\"*}
            for found in "$(dirname "$file")/$name" "$name"; do
                [ -e "$ROOT/$1/$found" ] && echo "$file ${found#./}" && break
            done
        done
}

# order FOLDER "NAMES...": complains of every include of a later folder
order() {
    includes "$1" > "$WORK/$1.includes"
    [ "$(wc -l < "$WORK/$1.includes")" -gt 50 ] && ok || bad "$1: includes were not found"
    awk -v names="$2" '
        function place(file, parts, n) {
            n = split(file, parts, "/")
            if (n == 1) return (file ~ /^(options\.h|compilation\.[ch])$/) ? at["compilation"] : at["."]
            if (!(parts[1] in at)) print file ": its folder has no place in the order"
            return at[parts[1]]
        }
        BEGIN { n = split(names, order, " "); for (i = 1; i <= n; i++) at[order[i]] = i }
        place($1) < place($2) { print $1 " includes " $2 }' "$WORK/$1.includes" > "$WORK/$1.wrong"
    [ -s "$WORK/$1.wrong" ] && bad "$1: includes run back up" "$(cat "$WORK/$1.wrong")" || ok
    # tsort names the files of a circle
    tsort "$WORK/$1.includes" > /dev/null 2> "$WORK/$1.circles"
    [ -s "$WORK/$1.circles" ] && bad "$1: a circle of includes" "$(cat "$WORK/$1.circles")" || ok
}
order compiler "$COMPILER"
order runtime "$RUNTIME"

# the runtime knows nothing of the compiler
grep -rlE '^ *# *include "(.*/)?(compiler|graph|plan|emit|base)/' "$ROOT/runtime" > "$WORK/up"
[ -s "$WORK/up" ] && bad "the runtime includes the compiler" "$(cat "$WORK/up")" || ok
finish
