#!/bin/bash
# The commands of an emitted program, their errors, and its refusal of damaged weights.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
picture "$WORK/picture.png" 40 30
expect build 0 "$RNC" -o prog --batch 2 --random-weights tiny.rn || finish || exit 1

json() { # json NAME KEY...: the last output is JSON, and has these keys somewhere
    local name=$1
    shift
    if "$PYTHON" -c '
import json, sys
text = json.load(open(sys.argv[1]))
def keys(x):
    if isinstance(x, dict):
        for k, v in x.items():
            yield k
            yield from keys(v)
    elif isinstance(x, list):
        for v in x: yield from keys(v)
missing = set(sys.argv[2:]) - set(keys(text))
sys.exit(f"no {sorted(missing)}" if missing else 0)' "$WORK/.out" "$@" 2> "$WORK/.json"; then ok; else bad "$name" "$(tail -1 "$WORK/.json")"; fi
}

expect help 0 ./prog --help
for command in run classify info bench profile; do prints help "$command"; done
prints help "  -h, --help"
expect "-h" 0 ./prog -h
prints "-h" "usage: ./prog COMMAND"
expect version 0 ./prog --version
version=$(sed -n 's/^.define RN_VERSION "\(.*\)"/\1/p' "$ROOT/runtime/rn.h")
prints version "tiny, compiled by rnc $version; librn $version"
expect "misspelt version" 2 ./prog --verison
says "misspelt version" "did you mean '--version'?"
expect "run --help" 0 ./prog run --help
expect info 0 ./prog info
prints info tiny
expect "info --json" 0 ./prog info --json
json "info --json"

"$PYTHON" -c '
import numpy as np
x = np.random.default_rng(1).standard_normal((2, 3, 16, 16)).astype("<f4")
np.save("'"$WORK"'/in.npy", x)
np.save("'"$WORK"'/double.npy", x.astype("<f8"))
np.save("'"$WORK"'/shape.npy", x[:, :2])'
expect run 0 ./prog run in.npy out.npy
expect "run: sums to 1" 0 "$PYTHON" -c '
import numpy as np
y = np.load("out.npy")
assert y.dtype == np.float32 and y.shape[0] == 2 and y.size == 20, (y.dtype, y.shape)
assert np.allclose(y.reshape(2, 10).sum(1), 1, atol=1e-5), y.sum(1)'
expect "run: wrong shape" 1 ./prog run shape.npy no.npy
expect "run: no file" 1 ./prog run nowhere.npy no.npy
says "run: no file" nowhere.npy
head -c 200 "$WORK/in.npy" > "$WORK/cut.npy"
expect "run: truncated" 1 ./prog run cut.npy no.npy
absent "run: errors" no.npy
cp "$WORK/in.npy" "$WORK/kept.npy"
expect "run: over its input" 1 ./prog run in.npy ./in.npy
says "run: over its input" "would overwrite the input"
cmp -s "$WORK/in.npy" "$WORK/kept.npy" && ok || bad "run: over its input" "the input was overwritten"
cp "$WORK/prog.rnw" "$WORK/kept.rnw"
expect "run: over its weights" 1 ./prog run in.npy prog.rnw
says "run: over its weights" "prog.rnw would overwrite the weights"
cmp -s "$WORK/prog.rnw" "$WORK/kept.rnw" && ok || bad "run: over its weights" "they were overwritten"
expect "run: over itself" 1 ./prog run in.npy prog
says "run: over itself" "prog would overwrite this program"
expect "run: to a device" 0 ./prog run in.npy /dev/stdout
# through a symbolic link, which stays one; /dev/stdout, which is one, leads to a file here
ln -s real.npy "$WORK/link.npy" && : > "$WORK/real.npy"
expect "run: through a link" 0 ./prog run in.npy link.npy
if [ -L "$WORK/link.npy" ] && [ -s "$WORK/real.npy" ]; then ok; else bad "run: through a link" "it was replaced"; fi
(cd "$WORK" && ./prog run in.npy /dev/stdout > stdout.npy)
if [ ! -L /dev/stdout ]; then # as an earlier version may have left it: a file
    echo "skipped: /dev/stdout is no link on this machine"
elif cmp -s "$WORK/stdout.npy" "$WORK/real.npy"; then ok; else bad "run: /dev/stdout to a file" "$(stat -c %s "$WORK/stdout.npy") bytes"; fi

expect classify 0 ./prog classify picture.png
expect "classify --json" 0 ./prog classify --json picture.png
json "classify --json"
seq -f 'label %g' 10 > "$WORK/labels.txt"
expect "classify --labels" 0 ./prog classify --labels labels.txt picture.png
prints "classify --labels" "label "
sed '1s/^/\xef\xbb\xbf/' "$WORK/labels.txt" > "$WORK/mark.txt" # a byte order mark is no part of the first name
expect "classify: a byte order mark" 0 ./prog classify --top 10 --labels mark.txt picture.png
prints "classify: a byte order mark" "  label 1"
if grep -q "$(printf '\357\273\277')" "$WORK/.out"; then bad "classify: a byte order mark" "it is printed"; else ok; fi
printf '\377\376l\0' > "$WORK/wide.txt"
expect "classify: UTF-16" 1 ./prog classify --labels wide.txt picture.png
says "classify: UTF-16" "wide.txt: it is UTF-16; save it as UTF-8"
head -c 60 "$WORK/picture.png" > "$WORK/cut.png"
expect "classify: truncated picture" 1 ./prog classify cut.png
says "classify: truncated picture" cut.png
expect "classify: not a picture" 1 ./prog classify labels.txt

expect bench 0 ./prog bench --seconds 0.05 --batch 2 --json
json bench min_ms median_ms p99_ms gflops peak_gflops limit_ms roofline_ms memory_gbytes_per_second
prints "bench: weights that stay in the cache" '"memory_gbytes_per_second":	null'
expect profile 0 ./prog profile --seconds 0.05
prints profile "tiny.rn:"
prints "profile: each layer's limit" "limit us"
prints "profile: all layers' limit" "limits: multiplications at the FMA peak: "
expect "profile --json" 0 ./prog profile --seconds 0.05 --json
json "profile --json"

expect "unknown command" 2 ./prog clasify picture.png
says "unknown command" "'classify'"
expect "unknown option" 2 ./prog bench --secnds 1
says "unknown option" "--seconds"
expect "too large a batch" 1 ./prog bench --batch 3 --seconds 0.05 || true

# ---- weights beside the program: damaged, of another network, absent ----
cp "$WORK/prog.rnw" "$WORK/good.rnw"
size=$(stat -c %s "$WORK/good.rnw")
head -c $((size - 4)) "$WORK/good.rnw" > "$WORK/prog.rnw"
expect "truncated weights" 1 ./prog run in.npy no.npy
says "truncated weights" prog.rnw
cp "$WORK/good.rnw" "$WORK/prog.rnw"
printf 'X' | dd of="$WORK/prog.rnw" bs=1 seek=$((size / 2)) conv=notrunc 2> /dev/null
expect "altered weights" 1 ./prog run in.npy no.npy
says "altered weights" prog.rnw
expect "weights of another network" 0 "$RNC" -o wider --random-weights -D classes=11 tiny.rn
expect "weights of another network" 1 ./prog run --weights wider.rnw in.npy no.npy
rm "$WORK/prog.rnw"
expect "no weights" 1 ./prog run in.npy no.npy
says "no weights" prog.rnw
absent "weights" no.npy

# ---- without packed weights: safetensors at start-up, and the same numbers ----
expect safetensors 0 "$RNC" -o w.safetensors --random-weights tiny.rn
expect bare 0 "$RNC" -o bare --batch 2 tiny.rn
expect "bare runs" 0 ./bare run --weights w.safetensors in.npy bare.npy
if cmp -s "$WORK/out.npy" "$WORK/bare.npy"; then ok; else bad "one recipe, two places" "packed and safetensors give different results"; fi
expect "embedded" 0 "$RNC" -o inside --batch 2 --random-weights --embed tiny.rn
absent embedded inside.rnw
expect "embedded runs" 0 ./inside run in.npy inside.npy
if cmp -s "$WORK/out.npy" "$WORK/inside.npy"; then ok; else bad embedded "embedded weights give different results"; fi
finish
