# What the shell tests share. A test file sources this and calls ok, bad or expect; the file's last line is `finish`.
#   $RNC  the compiler    $OUT  its build folder    $PYTHON  with numpy    $WORK  a folder of this file's own, removed at the end
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OUT=$(cd "${OUT:-$ROOT/build}" && pwd) || exit 1
RNC=$OUT/rnc
CC=${CC:-cc}
CXX=${CXX:-c++}
PYTHON=${PYTHON:-$("$ROOT/tools/find-python.sh" || echo python3)} # whose errors say what is missing
export PYTHON
export XDG_CACHE_HOME=$OUT/tests/cache # what rnc measures of this machine, once for each build
PART=${PART:-$(basename "$(dirname "$0")")/$(basename "$0" .sh)}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
tests=0 failed=0

# For tests of rnc and librn that build many programs: under sanitizers, emitted C is compiled without checks of its own,
# which cli/kernels, cli/standalone, numeric/networks and numeric/training have, and linked with the libraries that librn's need.
emitted_unchecked() { CC=${LINKING_CC:-$CC}; }

# For tests that have rnc build many programs: $CC compiles at this level, whatever it is asked for, and <immintrin.h>, which
# takes longer than most networks, once. (gcc does not tell the levels of precompiled headers apart, and crashes.)
emitted_quick() { # emitted_quick LEVEL
    local headers=$WORK/.headers code
    mkdir -p "$headers/vectors.h.gch" && echo '#include <immintrin.h>' > "$headers/vectors.h"
    for code in -fPIC -fPIE; do $CC $1 -std=c11 $code -c -x c-header -o "$headers/vectors.h.gch/$code" "$headers/vectors.h"; done
    printf '#!/bin/sh\nexec %s "$@" %s -include %s\n' "$CC" "$1" "$headers/vectors.h" > "$headers/cc"
    chmod +x "$headers/cc"
    export CC=$headers/cc
}

ok() { tests=$((tests + 1)); }

bad() { # bad NAME WHY...: counts and prints a failure
    tests=$((tests + 1)) failed=$((failed + 1))
    echo "FAIL $PART: $1: ${*:2}"
}

# expect NAME STATUS COMMAND...: runs it in $WORK; its output goes to $WORK/.out and $WORK/.err
expect() {
    local name=$1 status=$2 got
    shift 2
    (cd "$WORK" && "$@") > "$WORK/.out" 2> "$WORK/.err"
    got=$?
    if [ $got = "$status" ]; then ok; return 0; fi
    bad "$name" "status $got instead of $status: $(head -c 600 "$WORK/.err") $(tail -c 300 "$WORK/.out")"
    return 1
}

# says NAME TEXT: the last command's error output contains TEXT;  prints: its output does
says() {
    if grep -qF -- "$2" "$WORK/.err"; then ok; else bad "$1" "does not say '$2' but: $(head -c 600 "$WORK/.err")"; fi
}
prints() {
    if grep -qF -- "$2" "$WORK/.out"; then ok; else bad "$1" "does not print '$2' but: $(head -c 600 "$WORK/.out")"; fi
}

# absent NAME FILE...: none of these files of $WORK exists
absent() {
    local name=$1 file
    shift
    for file; do
        if [ -e "$WORK/$file" ]; then bad "$name" "$file was left behind"; else ok; fi
    done
}

# clean NAME: no temporary folder of rnc was left in $WORK
clean() {
    if ls -d "$WORK"/.rnc-* > /dev/null 2>&1; then bad "$1" "a temporary folder was left behind"; else ok; fi
}

finish() {
    echo "$tests tests, $failed failed"
    [ $failed = 0 ]
}
