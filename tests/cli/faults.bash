# What the tests of failing allocations, mappings, reads and writes share (faults.c says of what each is right).
#   FAULTS=eval bash tests/cli/faults.sh    only those whose name has this in it
built() { # built OUT ARGUMENTS...: by the plain compiler, whatever $CC is
    expect "build $1" 0 "${REAL_CC[@]}" -std=gnu11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror "${@:2}" -o "$1"
}
read -ra REAL_CC <<< "${CC%% *}"
built faults "$ROOT/tests/cli/faults.c" && built faults_alloc.so -shared -fPIC "$ROOT/tests/cli/faults_alloc.c" -ldl || finish || exit 1
# What is preloaded comes before the sanitizer. LeakSanitizer, which ptrace excludes, is for what does not exit at once where
# memory ends (`leaks=1`); what dlopen holds is glibc's.
leaks=0
echo leak:dl_open_worker > "$WORK/leaks.txt"
export LSAN_OPTIONS=suppressions=$WORK/leaks.txt:print_suppressions=0
chosen=(-f 12 -s 41)
[ -z "$SANITIZED" ] || chosen=(-f 4 -s 97)
[ -z "$FULL" ] || chosen=()

# faulty NAME KINDS [OPTIONS] -- COMMAND...
faulty() {
    local name=$1 kinds=$2 kind options=() runs detected
    shift 2
    case $name in *"${FAULTS:-}"*) ;; *) return ;; esac
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    rm -rf before
    cp -a "$files" before
    for kind in $kinds; do
        [ "$SANITIZED$kind" != 1mmap ] || continue # the sanitizer's own fail then
        case $kind in alloc*) detected=$leaks ;; *) detected=0 ;; esac
        export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=$detected
        ./faults -l "$WORK/faults_alloc.so" "${chosen[@]}" "${options[@]}" "$kind" "$@" > report 2>&1 < /dev/null
        case $? in
        0) ok ;;
        3) echo "skipped: $name, $kind: a process may not be traced here" ;;
        *) bad "$name" "$(head -c 1500 report)" ;;
        esac
        runs=$(sed -n 's/^\([0-9]*\) runs.*/\1/p' report)
        tests=$((tests + ${runs:-1} - 1))
    done
}
reads="read read-short read-again" writes="write write-short write-again write-full"
blames='damaged|truncated|cut short|not JSON|protobuf|Not a zip'

