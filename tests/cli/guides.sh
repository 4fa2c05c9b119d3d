#!/bin/bash
# The guides: every block of docs/guides.md is run in order, in a folder that has examples/, by an installed rnc. A fence's line
# says the language, then the file that it is, or what it needs; where that is missing it is left out, and made-up weights
# stand for those of PyTorch.
. "$(dirname "$0")/../lib.sh"
if [ -n "$SANITIZED" ]; then finish && exit; fi # Python loads an unsanitized object only
expect install 0 env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" BUILD="$OUT" PREFIX="$WORK/usr" install
export PATH=$WORK/bin:$WORK/usr/bin:$PATH RNC=$WORK/usr/bin/rnc PYTHONPATH=$ROOT/python LD_LIBRARY_PATH=$WORK/usr/lib
export PKG_CONFIG_PATH=$WORK/usr/lib/pkgconfig CMAKE_PREFIX_PATH=$WORK/usr OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE=1
export CC="$CC -O0" # what rnc compiles
mkdir -p "$WORK/bin" "$WORK/run/build/data" "$WORK/home/rnc"
cp "$XDG_CACHE_HOME/rnc/machine" "$WORK/home/rnc/" 2> /dev/null
export XDG_CACHE_HOME=$WORK/home
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v "$PYTHON")" > "$WORK/bin/python3"
chmod +x "$WORK/bin/python3"
ln -s "$ROOT/examples" "$WORK/run/examples"
DIGITS=${DIGITS:-$ROOT/build/data/digits}
[ ! -d "$DIGITS" ] || ln -s "$DIGITS" "$WORK/run/build/data/digits"

# NUMBER.block and, in `list`, NUMBER LANGUAGE REST of each
awk -v folder="$WORK" '
    /^```./ {on = 1; file = sprintf("%s/%d.block", folder, ++n); sub(/^```/, ""); print n, $0 > (folder "/list"); printf "" > file; next}
    /^```/ {on = 0; close(file); next}
    on {print > file}' "$ROOT/docs/guides.md"
[ "$(wc -l < "$WORK/list")" -gt 20 ] && ok || bad "the page" "has $(wc -l < "$WORK/list") blocks"

has() { # has WHAT: what a block needs is there
    case $1 in
    digits) [ -d "$WORK/run/build/data/digits" ] ;;
    *) "$PYTHON" -c "import $1" 2> /dev/null ;;
    esac
}

left_out=
while read -r number language rest; do
    block=$WORK/$number.block
    name="block $number ($(grep -v '^import\|^$' "$block" | head -n 1))"
    case $rest in
    needs-*)
        if ! has "${rest#needs-}"; then
            left_out+=" ${rest#needs-}"
            case $(grep -o '[a-z0-9]*\.pth' "$block" | head -n 1) in
            resnet18.pth) expect "$name: weights" 0 "$RNC" -o run/resnet18.safetensors --random-weights "$ROOT/examples/resnet18.rn" ;;
            mine.pth) made_up=mine ;;
            esac
            continue
        fi
        ;;
    ?*)
        cp "$block" "$WORK/run/$rest"
        [ "$rest" != mine.rn ] || [ -z "$made_up" ] || expect "$name: weights" 0 "$RNC" -o run/mine.safetensors --random-weights run/mine.rn
        continue
        ;;
    esac
    for file in $(grep -o '[a-z0-9]*\.pth' "$block"); do [ -e "$WORK/run/$file" ] || sed -i "s/\\<$file\\>/${file%.pth}.safetensors/" "$block"; done
    case $language in
    sh) expect "$name" 0 env -C run bash -e -o pipefail "$block" ;;
    python) expect "$name" 0 env -C run "$PYTHON" "$block" ;;
    *) bad "$name" "a block of '$language' is neither run nor a file" ;;
    esac
done < "$WORK/list"
[ -z "$left_out" ] || echo "skipped: blocks that need$(printf '%s\n' $left_out | sort -u | tr '\n' ' ' | sed 's/^/ /; s/ $//')"
finish
