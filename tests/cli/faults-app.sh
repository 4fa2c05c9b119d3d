#!/bin/bash
# As cli/faults, of applications (faults_app.c: linked with librn, a library, a standalone network; each failure is a status
# with a text, nothing is held, and a second attempt succeeds), of programs on sets of pictures, and of what measures:
# --verify, rnc compare, rnc bench.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
. "$(dirname "$0")/faults.bash"
cd "$WORK" || exit 1
[ -n "$FULL" ] || chosen=(-f 4 -s 67)
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lz -lgomp -lpthread -lrt -ldl -lm"

# ---- applications ----
mkdir app
sed 's/1x8x8/3x8x8 rgb/; s/other/net/' <(other) > net.rn
picture app/p.png 20 16
"$RNC" -o app/w.safetensors --random-weights net.rn
application() { # application NAME EMITTED "OPTIONS" [CC...]
    mkdir "$1"
    expect "emit $1" 0 "$RNC" --batch 2 -o "$1/$2" --random-weights $3 net.rn &&
        expect "build $1" 0 env -C "$1" $CC -std=c11 -g -Wall -Wextra -Werror -I. -I"$OUT/include/rn" "${@:4}" -o "../app/$1" \
            "$ROOT/tests/cli/faults_app.c" "$2" $LIBS
}
application linked net.c ""
application alone net.a --standalone -DALONE
application library net.so "" -DALONE -Wl,-rpath,'$ORIGIN'
application embedded net.c --embed
cp linked/net.rnw library/net.so app
files=app
leaks=1
faulty "application" "alloc alloc-on mmap read read-short" -- ./linked net.rnw 2 p.png
faulty "application, safetensors" "alloc mmap read" -x "$blames" -- ./linked w.safetensors 1 p.png
faulty "standalone" "alloc alloc-on mmap read" -- ./alone net.rnw 1
faulty "library" "alloc mmap" -- ./library net.rnw 2
faulty "embedded" "alloc" -- ./embedded - 1
leaks=0

# ---- programs on sets of pictures ----
mkdir set
"$RNC" --kernels=static --batch 2 -o set/prog --random-weights net.rn 2> /dev/null
for class in a b; do
    mkdir -p set/val/$class
    for i in 1 2 3; do picture set/val/$class/$i.png $((8 + i)) 9; done
done
printf 'a\nb\nc\nd\n' > set/labels.txt
printf 'val/a/1.png 0\nval/b/1.png 3\nval/b/2.png 1\n' > set/list.txt
files=set
faulty "eval of a folder" "alloc read read-short" -x "$blames" -- ./prog eval --data folder:val --labels labels.txt --json
faulty "eval of a list" "alloc read" -x "$blames" -- ./prog eval --data list:list.txt --threads 2 --json
faulty "eval --html" "alloc write write-full" -i '[.]html$' -x "$blames" -- ./prog eval --data folder:val --labels labels.txt --html page.html
faulty "bench" "alloc mmap" -o -- ./prog bench --seconds 0.01
faulty "profile" "alloc" -o -- ./prog profile --seconds 0.01

# ---- what measures: each time the same C, so that it is compiled once ----
cat > cc << 'S'
#!/bin/bash
# remembers what it made of the same arguments and files, but for the name of their temporary folder
args=("$@") out='' sources=()
for ((i = 0; i < $#; i++)); do
    [ "${args[i]}" != -o ] || out=${args[i + 1]}
    [ ! -f "${args[i]}" ] || [ "${args[i]}" = "$out" ] || sources+=("${args[i]}")
done
key=$MADE/$({ printf '%s\n' "${@//$(dirname "${out:-.}")/}" && cat "${sources[@]}"; } | md5sum | cut -c -32)
if [ -z "$out" ] || [ ! -e "$key" ]; then
    $REAL "$@" || exit
    [ -z "$out" ] || cp "$out" "$key"
else
    cp "$key" "$out"
fi
S
chmod +x cc
mkdir made measured
export REAL=$CC MADE=$WORK/made
cp net.rn measured
cp app/w.safetensors measured
(cd measured && "$RNC" -o m.onnx --weights w.safetensors net.rn && "$RNC" -o other.safetensors --random-weights=2 net.rn)
files=measured
old_cc=$CC
export CC=$WORK/cc
faulty "rnc --verify" "alloc mmap read write" -x "$blames" -o -- "$RNC" --verify --weights w.safetensors net.rn
faulty "rnc compare" "alloc read" -x "$blames" -o -- "$RNC" compare m.onnx net.rn --weights w.safetensors
faulty "rnc bench" "alloc" -o -- "$RNC" bench --seconds 0.001 net.rn
export CC=$old_cc

finish
