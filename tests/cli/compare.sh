#!/bin/bash
# rnc compare: equal networks agree, a changed weight's layer is named, counts and differences are NumPy's own; what cannot be compared is refused.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
emitted_unchecked
emitted_quick -O1
tiny > "$WORK/tiny.rn"
tiny | sed 's/softmax//' > "$WORK/logits.rn"
mkdir "$WORK/tmp"
export TMPDIR=$WORK/tmp
expect weights 0 "$RNC" -o tiny.safetensors --random-weights tiny.rn
expect model 0 "$RNC" -o tiny.onnx --weights tiny.safetensors tiny.rn

# a copy with one weight of layer2.0.conv1 changed, and one with other fc.weight; a folder of pictures with labels
"$PYTHON" - "$WORK" <<'P'
import json, os, struct, sys
import numpy as np
work = sys.argv[1]
raw = open(work + "/tiny.safetensors", "rb").read()
(size,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8:8 + size])
def changed(name, file, change):
    data = bytearray(raw)
    begin, end = (8 + size + x for x in header[name]["data_offsets"])
    numbers = np.frombuffer(raw[begin:end], "<f4").copy()
    change(numbers)
    data[begin:end] = numbers.tobytes()
    open(work + "/" + file, "wb").write(data)
def one(x): x[7] += 0.5
random = np.random.default_rng(5)
def noise(x): x += random.normal(0, x.std(), x.shape).astype("f4")
changed("layer2.0.conv1.weight", "one.safetensors", one)
changed("fc.weight", "fc.safetensors", noise)
np.save(work + "/x.npy", (random.normal(0, 1, (40, 3, 16, 16)) + random.normal(0, 3, (40, 3, 1, 1))).astype("<f4"))
set = work + "/set"
os.mkdir(set)
for split, count in ("train", 10), ("test", 60):
    np.save(f"{set}/{split}_x.npy", random.integers(0, 256, (count, 3, 16, 16)).astype("u1"))
    np.save(f"{set}/{split}_y.npy", np.arange(count) % 10)
pixels = np.load(set + "/test_x.npy").astype("f4") / 255
mean, std = (np.array(v, "f4").reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
np.save(work + "/set.npy", ((pixels - mean) / std).astype("<f4"))
P

# json NAME CODE: the last document, as d, stands the assertions
json() {
    if "$PYTHON" - "$WORK" "$WORK/.out" "$2" <<'P' 2> "$WORK/.why"; then ok; else bad "$1" "$(tail -1 "$WORK/.why")"; fi
import json, sys
import numpy as np
work = sys.argv[1] + "/"
document = json.load(open(sys.argv[2]))
d = document["compare"]
names = [x["name"]["first"] for x in d["layers"]]
exec(sys.argv[3])
P
}

# ---- equal ----
expect equal 0 "$RNC" compare --json tiny.onnx tiny.rn --weights tiny.safetensors
json equal '
assert d["agrees"] and d["images"] == 2 and d["data"] == "noise" and d["part"] is None, d
assert d["top1_agree"] == d["top5_agree"] == 2 and d["classes"] == 10 and "top1_right" not in d
assert d["networks"] == {"first": "tiny.onnx", "second": "tiny.rn --weights tiny.safetensors"}
assert len(names) == 9 and all(x["relative"] == 0 and x["name"]["first"] == x["name"]["second"] for x in d["layers"]), names
assert document["command"] == "rnc compare tiny.onnx tiny.rn --weights tiny.safetensors" and document["rnc"]'
expect "made-up weights" 0 "$RNC" compare tiny.rn -O0 tiny.rn -n 1
prints "made-up weights" "tiny.rn -O0 and tiny.rn agree"
prints "made-up weights" "1 image of noise"
sed 's/conv 16, 3x3; bn/conv 16, 3x3 as stem; bn as norm/; s/fc classes/fc classes as head/' "$WORK/tiny.rn" > "$WORK/names.rn"
expect "other names" 1 "$RNC" compare --reference --json tiny.onnx names.rn --random-weights
json "other names" '
pairs = [tuple(x["name"].values()) for x in d["layers"]]
other = {"conv1": "stem", "bn1": "norm", "fc": "head"}
assert len(pairs) == 30 and all(b == other.get(a, a) for a, b in pairs), pairs
assert d["without_counterpart"] == {"first": 0, "second": 0}, d["without_counterpart"]'

# ---- the same network compiled and interpreted; with code that is wrong ----
expect "one network" 0 "$RNC" compare tiny.onnx
prints "one network" "tiny.onnx --reference and tiny.onnx agree"
bad_cc
expect "wrong code" 1 env REAL_CC="$CC" CC="$WORK/bad-cc" "$RNC" compare tiny.onnx
prints "wrong code" "they part at layer"

# ---- a weight changed: its layer, and none before ----
for level in -O0 -O2; do
    layer=$([ $level = -O0 ] && echo layer2.0.conv1 || echo layer2.0.relu)
    expect "one weight, $level" 1 "$RNC" compare $level --json tiny.onnx tiny.rn --weights one.safetensors
    json "one weight, $level" '
assert d["part"] == {"first": "'$layer'", "second": "'$layer'"} and not d["agrees"], d["part"]
at = names.index("'$layer'")
assert [x["beyond"] for x in d["layers"]].index(True) == at and at > 2
assert all(x["relative"] == 0 for x in d["layers"][:at]), "a difference before it"'
done
expect "a threshold" 0 "$RNC" compare --threshold 10 tiny.onnx --reference tiny.rn --weights one.safetensors --reference
prints "a threshold" "agree: the largest relative difference"

# ---- counts and numbers beside NumPy's, of what programs say ----
expect program 0 "$RNC" -o first --weights tiny.safetensors tiny.rn
expect program 0 "$RNC" -o second --weights fc.safetensors tiny.rn
expect numbers 1 "$RNC" compare --json --data x.npy tiny.onnx tiny.rn --weights fc.safetensors --batch 3
cp "$WORK/.out" "$WORK/numbers.json"
for net in first second; do
    expect "$net" 0 "./$net" run x.npy $net.npy
    expect "$net" 0 "./$net" run set.npy $net-set.npy
done
cp "$WORK/numbers.json" "$WORK/.out"
json numbers '
a, b = (np.load(work + n + ".npy").reshape(40, 10).astype(float) for n in ("first", "second"))
five = lambda x: [set(np.argsort(-row, kind="stable")[:5]) for row in x]
top1 = int((a.argmax(1) == b.argmax(1)).sum())
assert 0 < top1 < 40 and d["top1_agree"] == top1, (d["top1_agree"], top1)
top5 = sum(x == y for x, y in zip(five(a), five(b)))
assert d["top5_agree"] == top5, (d["top5_agree"], top5)
relative = abs(a - b).max(1) / abs(a).max(1)
(o,) = d["outputs"]
assert np.isclose(o["largest"], abs(a - b).max(), 1e-4) and np.isclose(o["relative"], relative.max(), 1e-4), o
assert np.isclose(o["rms"], np.sqrt(((a - b) ** 2).mean()), 1e-4), o
assert np.isclose(o["relative_rms"], np.sqrt(((a - b) ** 2).sum() / (a ** 2).sum()), 1e-4), o
worst = np.argsort(-relative)[:10]
assert [x["image"] for x in d["worst_images"]] == [int(i) + 1 for i in worst] and o["worst_image"] == worst[0] + 1
assert [list(x["top1"].values()) for x in d["worst_images"]] == [[int(a[i].argmax()), int(b[i].argmax())] for i in worst]
assert d["worst_images"][0]["name"] == f"{worst[0] + 1} of x.npy" and d["part"]["first"] == "fc", d["part"]'
expect labels 1 "$RNC" compare --json --data npy:set -n 50 tiny.rn --weights tiny.safetensors tiny.rn --weights fc.safetensors
json labels '
label = np.arange(50) % 10
for net in "first", "second":
    p = np.load(work + net + "-set.npy").reshape(60, 10)[:50]
    right = int((p.argmax(1) == label).sum())
    five = sum(int(l) in np.argsort(-row, kind="stable")[:5] for l, row in zip(label, p))
    assert d["top1_right"][net] == right and d["top5_right"][net] == five, (d["top1_right"], right, d["top5_right"], five)
assert d["images"] == 50 and all(x["label"] == (x["image"] - 1) % 10 for x in d["worst_images"]), d["worst_images"]'

# pictures are made ready as the network says that knows it: an ONNX model does not
expect "who makes pictures ready" 1 "$RNC" compare --json --data npy:set -n 50 tiny.onnx tiny.rn --weights fc.safetensors
cp "$WORK/.out" "$WORK/model.json"
json "who makes pictures ready" 'assert d["top1_right"]["first"] == int((np.load(work + "first-set.npy").reshape(60, 10)[:50].argmax(1) == np.arange(50) % 10).sum())'
sed 's/0.485/0.5/' "$WORK/tiny.rn" > "$WORK/mean.rn"
expect "pictures made ready differently" 0 "$RNC" compare --reference --data npy:set -n 1 --weights tiny.safetensors tiny.rn mean.rn
says "pictures made ready differently" "warning: compare: the input lines of 'tiny.rn --reference' and 'mean.rn --reference' make pictures ready differently"

# ---- layouts: the same numbers, however the application has them ----
cat > "$WORK/planar.rn" <<'N'
network planar {
    input 3x8x6
    conv 5, 3x3 bias; relu
    conv 4, 3x3 bias as last
}
N
sed 's/input 3x8x6/input 3x8x6 nhwc/; s/as last/as last\n    output, nhwc/' "$WORK/planar.rn" > "$WORK/last.rn"
expect layouts 0 "$RNC" compare planar.rn last.rn --json
json layouts 'assert all(x["relative"] == 0 for x in d["outputs"] + d["layers"]) and d["classes"] == 0 and d["top1_agree"] is None, d'
expect layouts 0 "$RNC" compare last.rn
prints layouts "last.rn --reference and last.rn agree"

# ---- a softmax that one of them lacks ----
expect softmax 1 "$RNC" compare --reference tiny.onnx logits.rn --weights tiny.safetensors
prints softmax "hint: tiny.onnx --reference ends in a softmax, logits.rn --weights tiny.safetensors --reference does not: --output fc behind it"
expect "as the hint says" 0 "$RNC" compare --reference tiny.onnx --output fc logits.rn --weights tiny.safetensors

# ---- the page ----
expect page 1 "$RNC" compare --reference --html page.html --data npy:set -n 3 tiny.onnx tiny.rn --weights one.safetensors
if "$PYTHON" - "$WORK/page.html" <<'P' 2> "$WORK/.why"; then ok; else bad page "$(tail -1 "$WORK/.why")"; fi
import sys
from html.parser import HTMLParser
text = open(sys.argv[1], encoding="utf-8").read()
class P(HTMLParser):
    stack, rows = [], []
    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"): self.stack.append(tag)
        if tag == "table": self.rows.append([])
        if tag == "tr": self.rows[-1].append(0)
        if tag in ("td", "th"): self.rows[-1][-1] += 1
        for k, v in attrs: assert k not in ("src", "href"), (k, v)
    def handle_endtag(self, tag): assert self.stack.pop() == tag, tag
p = P(); p.feed(text); p.close()
assert not p.stack and len(p.rows) == 3 and all(len(set(r)) == 1 for r in p.rows), p.rows
assert text.count("they part here") == 1 and "<i style=" in text and "prefers-color-scheme:dark" in text
P

# ---- refused ----
refuses() { # refuses STATUS TEXT ARGUMENTS...
    expect "rnc compare ${*:3}" "$1" "$RNC" compare "${@:3}"
    says "rnc compare ${*:3}" "$2"
    if [ -s "$WORK/.out" ]; then bad "rnc compare ${*:3}" "prints $(head -1 "$WORK/.out")"; else ok; fi
}
refuses 1 "'tiny.onnx' is 3 x 16 x 16 to 10 x 1 x 1, 'tiny.rn -D classes=7 --random-weights' is 3 x 16 x 16 to 7 x 1 x 1" \
    tiny.onnx tiny.rn -D classes=7 --random-weights
refuses 1 "'tiny.onnx' is 3 x 16 x 16 to 10 x 1 x 1, 'planar.rn --random-weights' is 3 x 8 x 6 to 4 x 8 x 6" tiny.onnx planar.rn --random-weights
refuses 1 "'tiny.rn --output layer1.0.relu2 --output fc' is 3 x 16 x 16 to 16 x 8 x 8, 10 x 1 x 1" tiny.onnx tiny.rn --output layer1.0.relu2 --output fc
refuses 1 "'tiny.onnx' has weights and 'tiny.rn' has none" tiny.onnx tiny.rn
refuses 1 "nowhere.rn" tiny.onnx nowhere.rn
refuses 2 "three networks, the last two 'tiny.rn' and 'planar.rn'" tiny.onnx tiny.rn planar.rn
refuses 2 "no input file" --json
refuses 2 "reads files, not standard input" -
refuses 2 "what is 'tiny.rn' to be compared with?" tiny.rn --reference
refuses 2 "-o does not go with rnc compare" tiny.rn -o net.c
refuses 2 "-n: '0' is not a number" tiny.rn -n 0
refuses 2 "--threshold: 'none' is not a positive number" tiny.rn --threshold none
expect "--data" 2 "$RNC" --verify --data npy:set tiny.rn
says "--data" "--data is an option of rnc compare"
expect "--html" 2 "$RNC" --summary --html page.html tiny.rn
says "--html" "--html is an option of rnc bench and rnc compare"
refuses 1 "cannot write 'nowhere/page.html'" --html nowhere/page.html tiny.rn
refuses 1 "would overwrite the input" --html tiny.onnx tiny.onnx
refuses 1 "cannot write 'set': it is there, and a folder" --html set tiny.rn
[ "$(grep -c error: "$WORK/.err")" = 1 ] && ok || bad "one error" "$(cat "$WORK/.err")"
head -c 300 "$WORK/x.npy" > "$WORK/cut.npy"
refuses 1 cut.npy --data cut.npy --reference tiny.rn tiny.rn
refuses 1 "neither a .npy array nor a PNG or JPEG picture" --data tiny.rn --reference tiny.rn tiny.rn
refuses 1 "nowhere" --data npy:nowhere --reference tiny.rn tiny.rn
mkdir -p "$WORK"/pictures/{train,test}/{a,b}
picture "$WORK/pictures/train/a/1.png" 20 20
for place in train/b/1 test/a/1 test/b/1; do cp "$WORK/pictures/train/a/1.png" "$WORK/pictures/$place.png"; done
expect "pictures of two classes" 0 "$RNC" compare --data folder:pictures --reference tiny.rn tiny.rn
prints "pictures of two classes" "labels are not counted: the data has 2 classes, the networks have 10"
head -c 90 "$WORK/pictures/train/a/1.png" > "$WORK/pictures/test/b/1.png"
refuses 1 "pictures/test/b/1.png" --data folder:pictures --reference tiny.rn tiny.rn
if [ -z "$(ls -A "$WORK/tmp")" ]; then ok; else bad "temporary folders" "$(ls -A "$WORK/tmp")"; fi
finish
