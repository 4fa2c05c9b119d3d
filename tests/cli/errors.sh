#!/bin/bash
# Bad input: an error that says what and where, status 1, and no file left behind.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/net.rn"

refused() { # refused NAME MESSAGE ARGUMENTS...
    local name=$1 message=$2
    shift 2
    expect "$name" 1 "$RNC" "$@"
    says "$name" "$message"
    absent "$name" out.c out.h out.rnw out.o out out.so
    clean "$name"
}

# ---- sources ----
refused "no file" "nowhere.rn" -o out.c nowhere.rn
printf 'network n {\n    input 3x8x8\n    cnov 8, 3x3\n    conv 8, 9x9 pad 0\n}\n' > "$WORK/bad.rn"
refused "misspelt layer" "bad.rn:3:5: error:" -o out.c bad.rn
says "caret" "^"
says "suggestion" "'conv'"
printf 'network n {\n    input 3x8x8\n    conv 8, 3x3\n    fc 10 bias 7 7\n' > "$WORK/open.rn"
refused "unclosed" "open.rn:" -o out.c open.rn
: > "$WORK/empty.rn"
refused "empty" "empty.rn" -o out.c empty.rn
head -c 4096 /dev/urandom > "$WORK/noise.rn"
refused "noise" "noise.rn" -o out.c noise.rn
printf '\357\273\277block b {\n    relu\n}\n' > "$WORK/mark_b.rn" # as Windows' editors begin a text
printf '\357\273\277import "mark_b.rn"\nnetwork n {\n    input 3x8x8\n    b\n}\n' > "$WORK/mark.rn"
expect "a byte order mark" 0 "$RNC" --format mark.rn && prints "a byte order mark" 'import "mark_b.rn"'
expect "a byte order mark" 0 "$RNC" --dump=ir mark.rn
(cd "$WORK" && "$RNC" --dump=ir mark.rn > plain.ir && printf '\357\273\277' | cat - plain.ir > mark.ir)
expect "a byte order mark" 0 "$RNC" --dump=ir mark.ir
sed 's/    b$/    c/' "$WORK/mark.rn" > "$WORK/mark_c.rn"
sed 's/import/IMPORT/' "$WORK/mark.rn" > "$WORK/mark_i.rn"
refused "a byte order mark" "mark_i.rn:1:1: error: unknown declaration 'IMPORT'" -o out.c mark_i.rn
refused "a byte order mark" "mark_c.rn:4:5: error: unknown layer" -o out.c mark_c.rn
for mark in '\377\376n\0' '\376\377\0n'; do
    printf "$mark" | tee "$WORK/wide.rn" > "$WORK/wide.ir"
    refused "UTF-16" "wide.rn': it is UTF-16; save it as UTF-8" -o out.c wide.rn
    refused "UTF-16" "wide.ir': it is UTF-16; save it as UTF-8" -o out.c wide.ir
done
# kernels count a value's floats in ints
printf 'network large(n = 3700) {\n    input 3 x n x n\n    conv 64, 3x3\n    fc 2\n}\n' > "$WORK/large.rn"
printf 'network large {\n    input 3x16400x16400\n    maxpool 9x9 /9\n}\n' > "$WORK/large_input.rn"
refused "a value too large" "large.rn:3:5: error: the layer's result with its padding, 64x3700x3700, would take 4.39 GB; emitted code can address 4.29" \
    --random-weights -o out.c large.rn
expect "its summary" 0 "$RNC" --summary large.rn
refused "an input too large" "large_input.rn: error: the input with its padding, 3x16400x16400, would take 4.3 GB" --dump=plan large_input.rn
printf 'network large {\n    input 3x6000x6000\n    fc 1\n}\n' > "$WORK/large_fc.rn"
refused "weights too large" "large_fc.rn:3:5: error: the layer's weights for 16 outputs, 3x6000x6000, would take 6.91 GB" --dump=plan large_fc.rn
refused "more than 2^31" "large.rn:3:5: error: conv: the result, 64x16000x16000, exceeds" -D n=16000 --summary large.rn
refused "more than 2^31" "large.rn:2:5: error: input: the input has more than 2^31 numbers" -D n=65536 --summary large.rn
refused "a huge parameter" "height must be from 1 to 65536, not 9223372036854775807" -D n=9223372036854775807 --summary large.rn
refused "a huge parameter" "-D n=99999999999999999999: a number" -D n=99999999999999999999 --summary large.rn
printf 'network large {\n    input 64x1000x1000\n    conv 64, 1x1\n}\n' > "$WORK/memory.rn"
if [ -z "$SANITIZED" ]; then # whose shadow memory needs more than any limit
    expect "out of memory" 1 bash -c "ulimit -v 600000; exec '$RNC' --threads 1 --random-weights -o out.c memory.rn"
    says "out of memory" "rnc: out of memory"
    absent "out of memory" out.c out.h out.rnw
fi
refused "unknown parameter" "clases" -o out.c -D clases=3 net.rn
refused "a folder" "folder.rn" -o out.c folder.rn
mkdir "$WORK/folder.rn"
refused "a folder" "folder.rn" -o out.c folder.rn
printf 'network double {\n    input 3x8x8\n    fc 2\n}\n' > "$WORK/keyword.rn"
refused "a C keyword" "--name" -o out.c keyword.rn
for name in main printf index pthread isnan FILE decltype _net; do # pthread_create would be ours
    printf 'network %s {\n    input 3x8x8\n    fc 2\n}\n' $name > "$WORK/name.rn"
    refused "the network $name" "'$name' cannot name the emitted type and functions; say --name OTHER" -o out.c name.rn
done
refused "--name" "'strlen' cannot name" -o out.c --name strlen net.rn
refused "a stage as an output" "the last one below it is 'layer1." -o out.c --output layer1 net.rn
expect "renamed" 0 "$RNC" -o fine.c --name twofold keyword.rn

# ---- weights ----
expect weights 0 "$RNC" -o good.safetensors --random-weights net.rn
refused "no weights file" "nowhere.safetensors" -o out.c --weights nowhere.safetensors net.rn
head -c 1000 "$WORK/good.safetensors" > "$WORK/cut.safetensors"
refused "truncated weights" "cut.safetensors" -o out.c --weights cut.safetensors net.rn
: > "$WORK/zero.safetensors"
printf 'PK\3\4%01000d' 0 > "$WORK/torch.pth"
refused "a torch.save archive" "torch.pth: error: the archive is damaged or truncated" -o out.c --weights torch.pth net.rn
refused "empty weights" "zero.safetensors" -o out.c --weights zero.safetensors net.rn
refused "weights of other classes" "fc.weight" -o out.c -D classes=7 --weights good.safetensors net.rn
says "weights of other classes" "fc.bias" # every fault, not the first alone
sed 's/stage 2 basic(24)/stage 3 basic(24)/' "$WORK/net.rn" > "$WORK/deeper.rn"
refused "missing tensors" "layer2.2.conv1.weight" -o out.c --weights good.safetensors deeper.rn
says "missing tensors" "layer2.2.conv2.weight"
sed 's/stage 2 basic(24)/stage 1 basic(24)/' "$WORK/net.rn" > "$WORK/shallower.rn"
refused "surplus tensors" "layer2.1.conv1.weight" -o out.c --weights good.safetensors shallower.rn

# ---- outputs ----
expect "no such folder" 1 "$RNC" -o nowhere/out.c net.rn
says "no such folder" "nowhere"
mkdir "$WORK/taken.c"
expect "a folder has the name" 1 "$RNC" -o taken.c net.rn
says "a folder has the name" "taken.c"
absent "a folder has the name" taken.h
clean "a folder has the name"
mkfifo "$WORK/pipe" "$WORK/pipe.h" # as little to be renamed over as a device, which root could
expect "no ordinary file" 1 "$RNC" -o pipe net.rn
says "no ordinary file" "pipe"
expect "no ordinary header" 1 "$RNC" -o pipe.c net.rn
says "no ordinary header" "pipe.h"
absent "no ordinary header" pipe.c
[ -p "$WORK/pipe" ] && [ -p "$WORK/pipe.h" ] && ok || bad "no ordinary file" "a pipe was replaced"
cp "$WORK/good.safetensors" "$WORK/same.safetensors"
ln "$WORK/same.safetensors" "$WORK/link.safetensors"
for file in same link; do
    expect "over the weights" 1 "$RNC" -o $file.safetensors --weights same.safetensors net.rn
    says "over the weights" "would overwrite the input 'same.safetensors'"
done
cp "$WORK/net.rn" "$WORK/kept.rn"
expect "a page over the source" 1 "$RNC" bench --html net.rn net.rn
says "a page over the source" "would overwrite the input"
cmp -s "$WORK/net.rn" "$WORK/kept.rn" && ok || bad "a page over the source" "the source was overwritten"
for file in big.c big.o big.safetensors big.onnx; do # as on a full disk: a file cannot grow beyond 8 KiB
    expect "no room: $file" 1 bash -c "trap '' XFSZ; ulimit -f 8; '$RNC' -o $file --random-weights net.rn"
    says "no room: $file" "cannot write 'big."
    absent "no room: $file" big.c big.o big.h big.rnw big.safetensors big.onnx
    clean "no room: $file"
done
echo 'network huge { input 3x224x224; fc 4000 }' > "$WORK/huge.rn"
expect "too much for ONNX" 1 "$RNC" -o huge.onnx --random-weights huge.rn
says "too much for ONNX" "'huge.onnx' would have 2.41 GB"
absent "too much for ONNX" huge.onnx
printf 'network dilated\ninput %%0 2x9x9 input\n\n%%1 2x5x5 avgpool = avgpool(%%0) 3x3 dilate 2\noutput %%1\n' > "$WORK/dilated.ir"
expect "no ONNX form" 1 "$RNC" -o dilated.onnx --random-weights dilated.ir
says "no ONNX form" "dilated.ir:4:1: error: avgpool: ONNX's operator set 13 has none that is dilated"
absent "no ONNX form" dilated.onnx
expect "disk full" 1 bash -c "'$RNC' --dump=ir net.rn > /dev/full"
says "disk full" "standard output"

# ---- the C compiler ----
refused_cc() { # refused_cc NAME MESSAGE CC OUTPUT
    expect "$1" 1 env CC="$3" "$RNC" -o "$4" net.rn
    says "$1" "$2"
    absent "$1" "$4" out.h
    clean "$1"
}
refused_cc "no C compiler" "no C compiler" "no-such-compiler" out.o
expect "no archiver" 1 env AR=no-such-archiver "$RNC" -o out.a net.rn
says "no archiver" "no archiver: 'no-such-archiver'"
absent "no archiver" out.a out.h
refused_cc "a failing C compiler" "failed with status" false out.so
refused_cc "a failing C compiler" "failed with status" false out
expect "verbose" 0 env -u CC "$RNC" -v -o fine.o net.rn
says "verbose" "-std=c11 -O2 -fPIC"
expect "many options in CC" 0 env CC="cc -O1 $(printf -- '-DX%d ' {1..100})" "$RNC" -v -o fine.o net.rn
says "a level in CC" "-DX100 -std=c11 -fPIC"

# names of other headers
for name in rn rn_recipe rn_emitted math; do
    expect "-o $name.c" 1 "$RNC" -o $name.c net.rn
    says "-o $name.c" "error: -o: '$name.h' would hide"
    absent "-o $name.c" $name.c $name.h
done
for name in rn_recipe stdint; do # of a program there is no header
    expect "-o $name" 0 "$RNC" -o $name --random-weights net.rn && expect "$name runs" 0 ./$name info
done
expect "-o time.onnx" 0 "$RNC" -o time.onnx --random-weights net.rn

# the last of three outputs finds its place taken, by what came while the C compiler ran: the others are as before
printf '#!/bin/bash\nmkdir -p "$WORK/placed.so/full"\nexec %s "$@"\n' "$CC" > "$WORK/slow-cc"
chmod +x "$WORK/slow-cc"
export WORK
place_taken() { # place_taken NAME
    rm -rf "$WORK/placed.so"
    expect "$1" 1 env CC="$WORK/slow-cc" "$RNC" -o placed.so --random-weights net.rn
    says "$1" "cannot write './placed.so'"
    clean "$1"
}
place_taken "a place taken meanwhile"
absent "a place taken meanwhile" placed.h placed.rnw
echo "old header" > "$WORK/placed.h"
echo "old weights" > "$WORK/placed.rnw"
place_taken "older outputs"
[ "$(cat "$WORK/placed.h" "$WORK/placed.rnw")" = $'old header\nold weights' ] && ok || bad "older outputs" "they were touched"

# an old output stays as it was where the new one fails
echo "old" > "$WORK/kept.c"
expect "kept" 1 "$RNC" -o kept.c bad.rn
[ "$(cat "$WORK/kept.c")" = old ] && ok || bad kept "an old output was touched"
# a parameter that nothing reads: a misspelled `width` would be the image's, silently
cat > "$WORK/unused.rn" <<'N'
block b(widht, used = 3) {
    conv width, used x used; bn; relu
}
network n(classes = 10, clases = 5) {
    input 3x8x8
    b(16)
    fc classes
}
N
expect "unused parameters" 0 "$RNC" --summary unused.rn
says "unused parameters" "unused.rn:1:9: warning: block 'b' does not use its parameter 'widht'"
says "unused parameters" "unused.rn:4:25: warning: network 'n' does not use its parameter 'clases'"
if [ "$(grep -c warning "$WORK/.err")" = 2 ]; then ok; else bad "unused parameters" "$(cat "$WORK/.err")"; fi

finish
