#!/bin/bash
# -o net.rn: a source, with weights its safetensors beside it, which compute what the network does; what it cannot say.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"

same() { if cmp -s "$WORK/$2" "$WORK/$3"; then ok; else bad "$1" "$2 and $3 differ: $(diff "$WORK/$2" "$WORK/$3" | head -20)"; fi; }

# ---- files ----
mkdir "$WORK/o"
expect "without weights" 0 "$RNC" -o o/plain.rn tiny.rn && absent "without weights" o/plain.safetensors
grep -q 'stage 1 basic' "$WORK/o/plain.rn" && ok || bad "without weights" "$(cat "$WORK/o/plain.rn")"
expect "with weights" 0 "$RNC" -o o/net.rn --random-weights=3 tiny.rn
[ -s "$WORK/o/net.safetensors" ] && ok || bad "with weights" "there are none beside it"
same "names are kept" o/plain.rn o/net.rn
expect "formatted" 0 "$RNC" --format o/net.rn && same formatted .out o/net.rn
expect again 0 "$RNC" -o o/again.rn --weights o/net.safetensors o/net.rn && same again o/again.rn o/net.rn
same "weights again" o/again.safetensors o/net.safetensors
expect "its own input" 1 "$RNC" -o o/net.rn o/net.rn && says "its own input" "would overwrite the input"
expect "its weights" 1 "$RNC" -o o/net.rn --weights o/net.safetensors tiny.rn && says "its weights" "would overwrite the input"
if ls -d "$WORK"/o/.rnc-* > /dev/null 2>&1; then bad clean "a temporary folder was left behind"; else ok; fi

# ---- the same network: the graph after the passes, and the packed weights ----
expect "graph" 0 "$RNC" --dump-after=all tiny.rn && cp "$WORK/.out" "$WORK/a.txt"
expect "graph again" 0 "$RNC" --dump-after=all o/net.rn && same "graph" .out a.txt
expect "weights" 0 "$RNC" -o o/a.c --name tiny --random-weights=3 tiny.rn
expect "weights of the source" 0 "$RNC" -o o/b.c --name tiny --weights o/net.safetensors o/net.rn
same "packed weights" o/a.rnw o/b.rnw

# ---- names that say nothing: others, and the weights by them ----
"$RNC" --dump=ir "$WORK/tiny.rn" | sed -E 's/name ([a-z0-9.]+)\.([a-z_]+)$/name "w:\1_\2"/; s/^(%[0-9]+ [0-9x]+) [a-z0-9.]+ =/\1 "\/\1" =/' > "$WORK/anonymous.ir"
expect anonymous 0 "$RNC" -o o/anonymous.rn --random-weights=3 anonymous.ir
grep -v '^#' "$WORK/o/anonymous.rn" > "$WORK/a.txt" && grep -q 'basic(24) /2' "$WORK/a.txt" && ok || bad anonymous "$(cat "$WORK/a.txt")"
says anonymous "anonymous.rn: 17 layers have other names than in 'anonymous.ir', and anonymous.safetensors their weights under these"
expect "its weights as they were" 0 "$RNC" -o o/c.safetensors --random-weights=3 anonymous.ir
numbers() { "$PYTHON" -c 'import sys; b = open(sys.argv[1], "rb").read(); sys.stdout.buffer.write(b[8 + int.from_bytes(b[:8], "little"):])' "$1"; }
numbers "$WORK/o/c.safetensors" > "$WORK/c.bin" && numbers "$WORK/o/anonymous.safetensors" > "$WORK/d.bin"
[ -s "$WORK/c.bin" ] && same "the same numbers" c.bin d.bin
expect "they fit" 0 "$RNC" -o o/d.safetensors --weights o/anonymous.safetensors o/anonymous.rn && same "they fit" o/d.safetensors o/anonymous.safetensors
expect "no weights for names" 1 "$RNC" -o o/none.rn anonymous.ir && absent "no weights for names" o/none.rn
says "no weights for names" "cannot keep its name in a source: its parameters have names that no layer of a source could give them"

# ---- an ONNX model ----
expect "model" 0 "$RNC" -o o/model.onnx --weights o/net.safetensors o/net.rn
expect "of a model" 0 "$RNC" -o o/model.rn o/model.onnx && [ -s "$WORK/o/model.safetensors" ] && ok || bad "of a model" "no weights"
expect "of a model, again" 0 "$RNC" --verify --weights o/model.safetensors o/model.rn

# ---- parts of networks ----
expect "an output" 0 "$RNC" -o o/part.rn --output layer1.0.add tiny.rn
says "an output" "part.rn: 20 layers that no output needs are left out"
grep -q fc "$WORK/o/part.rn" && bad "an output" "$(cat "$WORK/o/part.rn")" || ok
{ cat "$WORK/tiny.rn" && printf 'train {\n batch 32\n sgd lr 0.05\n freeze conv1, bn1\n}\n'; } > "$WORK/train.rn"
expect train 0 "$RNC" -o o/train.rn train.rn && grep -q 'freeze conv1, bn1' "$WORK/o/train.rn" && ok || bad train "$(cat "$WORK/o/train.rn")"

# ---- what cannot be said ----
"$RNC" --dump-after=fuse-act "$WORK/tiny.rn" > "$WORK/fused.ir"
expect fused 1 "$RNC" -o o/fused.rn --random-weights fused.ir && says fused "cannot be said in a source" && absent fused o/fused.rn
printf 'network p\ninput %%0 1x9x9 image\n%%1 1x5x5 pool = maxpool(%%0) 3x3 dilate 2\noutput %%1\n' > "$WORK/dilated.ir"
expect dilated 1 "$RNC" -o o/dilated.rn dilated.ir
says dilated "dilated.ir:3:" && says dilated "'pool' (maxpool) cannot be said in a source: the language has no dilated pools"
expect "no training" 2 "$RNC" --train -o o/t.rn train.rn && says "no training" "--train does not go with -o FILE.rn"
expect "no embedding" 2 "$RNC" --embed --random-weights -o o/t.rn tiny.rn && says "no embedding" "--embed needs -o"
finish
