#!/bin/bash
# What rnc says of a network: --summary, --report and --verify as text, as a page and as JSON; sizes are those of the files
# and of the program.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"

# python NAME CODE: with `out`, the JSON document that the last command printed, and `json`, `np` at hand
python() {
    if (cd "$WORK" && "$PYTHON" -c "
import json, os, struct, sys
out = json.load(open('.out')) if os.path.getsize('.out') and open('.out').read(1) == '{' else None
def near(a, b): assert abs(a - b) <= 1e-9 * abs(b), (a, b)
$2") 2> "$WORK/.why"; then ok; else bad "$1" "$(tail -1 "$WORK/.why")"; fi
}

# ---- sizes: of the summary, the note, the files, the program ----
expect program 0 "$RNC" -o prog --random-weights tiny.rn
says program "rnc: note: prog.rnw: packed weights "
expect source 0 "$RNC" -o w.safetensors --random-weights tiny.rn
expect "no note without weights" 0 "$RNC" -o bare.c tiny.rn
[ ! -s "$WORK/.err" ] && ok || bad "no note without weights" "$(cat "$WORK/.err")"
expect "a note of what is embedded" 0 "$RNC" -o in.o --embed --random-weights tiny.rn
says "a note of what is embedded" "rnc: note: in.o: packed weights "
expect info 0 ./prog info --json
cp "$WORK/.out" "$WORK/info.json"
expect "summary as text" 0 "$RNC" --summary tiny.rn
prints "summary as text" "output         softmax 10x1x1"
prints "summary as text" " in float32, "
prints "summary as text" " an instance (batch 1, 1 thread)"
expect "summary as JSON" 0 "$RNC" --summary --json tiny.rn
python "sizes" '
s, info = out["summary"], json.load(open("info.json"))
header = open("w.safetensors", "rb").read()
tensors = json.loads(header[8:8 + struct.unpack("<Q", header[:8])[0]])
counts = [int(t["data_offsets"][1]) - int(t["data_offsets"][0]) for n, t in tensors.items() if n != "__metadata__"]
assert s["weights_bytes"] == info["weights_bytes"] == sum(counts), (s["weights_bytes"], info["weights_bytes"], sum(counts))
assert s["arena_bytes"] == info["arena_bytes"], (s["arena_bytes"], info["arena_bytes"])
packed = os.path.getsize("prog.rnw")
assert s["packed_weights_bytes"] == info["packed_weights_bytes"] and 0 < packed - s["packed_weights_bytes"] <= 4096, packed
assert s["outputs"] == info["outputs"] == [{"name": "softmax", "shape": [10, 1, 1], "layout": "nchw"}]
assert s["parameters"] == sum(l["parameters"] for l in s["layers"]) == info["parameters"]
assert s["multiply_adds"] == sum(l["multiply_adds"] for l in s["layers"]) == info["multiply_adds"]
assert [l["shape"] for l in s["layers"] if l["name"] == "layer1.0.add"] == [[16, 8, 8]]
assert out["network"] == "tiny" and out["machine"] and out["command"] == "rnc tiny.rn"'
expect info 0 ./prog info
prints info "packed weights  $(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["packed_weights_bytes"])' "$WORK/info.json") bytes"
for options in "--batch 4" "--target x86-64-v3,x86-64-v4 --kernels=static" "--kernels=c -O0"; do
    expect "sizes: $options" 0 "$RNC" -o other $options tiny.rn
    expect "sizes: $options" 0 ./other info --json
    cp "$WORK/.out" "$WORK/info.json"
    expect "sizes: $options" 0 "$RNC" --summary --json $options tiny.rn
    python "sizes: $options" 'assert out["summary"]["arena_bytes"] == json.load(open("info.json"))["arena_bytes"], out["summary"]["arena_bytes"]'
done
expect "sizes on two threads" 0 "$RNC" -o two.c --batch 4 --threads 2 tiny.rn
printf '#include <stdio.h>\n#include "two.h"\nint main(void) { printf("%%zu\\n", tiny_arena_size(4, 2)); return 0; }\n' > "$WORK/app.c"
expect "sizes on two threads" 0 $CC -I. -I"$OUT/include/rn" -o app app.c two.c "$OUT/librn.a" -lcjson -lxxhash -lgomp \
    -lpthread -lrt -ldl -lm
expect "sizes on two threads" 0 ./app
cp "$WORK/.out" "$WORK/arena.txt"
expect "sizes on two threads" 0 "$RNC" --summary --json --batch 4 --threads 2 tiny.rn
python "sizes on two threads" 'assert out["summary"]["arena_bytes"] == int(open("arena.txt").read())'
expect "a summary at -O3 measures nothing" 0 env HOME=/proc/none "$RNC" --summary -O3 tiny.rn

# ---- the report: every layer, its shares one in all ----
expect "report as JSON" 0 "$RNC" --report --json "$ROOT/examples/resnet50.rn"
python "report" '
r = out["report"]
layers = r["layers"]
names = [l["name"] for l in layers]
assert names[0] == "input" and names[-1] == "softmax" and "fc" in names and len(names) == 53, names # 50, softmax, input, output; fused rest
near(sum(l["us"] for l in layers), r["us"])
assert abs(sum(l["share"] for l in layers) - 1) < 1e-9
for total in "multiply_adds", "multiplications", "weights_bytes", "packed_weights_bytes", "activation_bytes":
    assert r[total] == sum(l[total] for l in layers), total
assert r["multiply_adds"] == 4089184256 and r["weights_bytes"] == 4 * 25557032 + 4 * 2 * 26560
assert all(l["reason"] and l["algorithm"] and l["us"] >= 0 for l in layers)
conv = [l for l in layers if l["name"] == "layer1.0.conv2"][0]
assert conv["direct_us"] > 0 and conv["error"] > 0 and len(conv["others"]) == 3 and conv["place"].startswith("bottleneck.rn:")
assert layers[0]["direct_us"] is None'
expect "report as text" 0 "$RNC" --report tiny.rn
for word in "maxpool" "fc " "softmax" "input " "weights" "packed"; do prints "report as text" "$word"; done

# ---- verify ----
expect "verify as JSON" 0 "$RNC" --verify --json --batch 2 tiny.rn
python "verify" '
v = out["verify"]
assert v["agrees"] and v["tolerance"] == 1e-4 and 0 < v["output_error"] <= v["layer_error"] and v["images"] == 2 and v["compared"] > 9 and v["layer"]'
bad_cc
expect "verify as JSON: it does not agree" 1 env REAL_CC="$CC" CC="$WORK/bad-cc" "$RNC" --verify --json tiny.rn
says "verify as JSON: it does not agree" "differs from the interpreter"
python "verify: a difference" '
d = out["verify"]["difference"]
assert not out["verify"]["agrees"] and d["error"] > d["limit"] and d["layer"] and d["place"].startswith("tiny.rn:") and d["value"] != d["expected"]'

# ---- one document, whatever is asked for, and beside it what is written ----
expect "all at once" 0 "$RNC" --summary --report=page.html --verify --json --random-weights -o both.c tiny.rn
python "all at once" 'assert set(out) == {"rnc", "network", "command", "machine", "date", "summary", "report", "verify"}, set(out)'
if [ -s "$WORK/page.html" ] && [ -s "$WORK/both.c" ]; then ok; else bad "all at once" "no page or no C"; fi
expect "with weights for others" 0 "$RNC" --summary --json --random-weights -o o.onnx tiny.rn
python "with weights for others" 'assert "summary" in out'
expect "an error prints no document" 1 "$RNC" --summary --verify --json --input nowhere.npy tiny.rn
[ ! -s "$WORK/.out" ] && ok || bad "an error prints no document" "$(head -3 "$WORK/.out")"
no_document() { # no_document NAME STATUS ARGUMENTS...: the run fails, and prints nothing
    local name="an error prints no document: $1" status=$2
    shift 2
    expect "$name" "$status" "$RNC" "$@"
    [ ! -s "$WORK/.out" ] && ok || bad "$name" "$(head -3 "$WORK/.out")"
}
mkdir "$WORK/taken.html"
no_document "the C" 1 --summary --report --verify --json -o nowhere/x.c tiny.rn
no_document "ONNX" 1 --summary --json --random-weights -o nowhere/x.onnx tiny.rn
no_document "the page" 1 --summary --json --report=taken.html tiny.rn
no_document "the bench page" 1 bench --json --seconds 0.01 --html taken.html tiny.rn
expect "the date that is given" 0 env SOURCE_DATE_EPOCH=86400 "$RNC" --summary --json tiny.rn
prints "the date that is given" '"1970-01-02T00:00:00Z"'
expect "--json alone" 2 "$RNC" --json tiny.rn
says "--json alone" "--json needs --summary, --report or --verify"
expect "--json and a dump" 2 "$RNC" --json --summary --dump=ir tiny.rn
expect "--json and dumps" 2 "$RNC" --json --summary --dump-after all tiny.rn

# ---- the page: whole in itself, well formed, a row per layer, where and when it was made ----
cat > "$WORK/page.py" <<'P'
import re, sys
from html.parser import HTMLParser
text = open(sys.argv[1], encoding="utf-8").read()
void = {"meta", "br", "path", "line", "polyline", "rect", "circle"}
class Page(HTMLParser):
    stack, rows, cells, ids, links = [], 0, set(), set(), []
    def handle_starttag(self, tag, attrs):
        if tag not in void: self.stack.append(tag)
        if tag == "tr": self.rows, self.width = self.rows + 1, 0
        if tag in ("td", "th"): self.width += int(dict(attrs).get("colspan", 1))
        for k, v in attrs:
            assert k != "src" and not (k == "href" and not v.startswith("#")), (k, v)
            if k == "id":
                assert v not in self.ids, v
                self.ids.add(v)
            if k == "href": self.links.append(v[1:])
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag):
        if tag in void: return
        assert self.stack.pop() == tag, tag
        if tag == "tr": self.cells.add(self.width)
page = Page()
page.feed(text)
page.close()
assert not page.stack, page.stack
assert "@import" not in text and "url(" not in text
assert len(page.cells) == 1, page.cells # every row has every column
assert set(page.links) <= page.ids, set(page.links) - page.ids
assert re.search(r"rnc \d+\.\d+\.\d+ on .+, <time>\d{4}-\d\d-\d\dT", text)
assert "prefers-color-scheme:dark" in text
print(page.rows)
P
for network in resnet18 googlenet densenet121; do
    expect "page: $network" 0 "$RNC" --report="$WORK/$network.html" "$ROOT/examples/$network.rn"
    expect "rows: $network" 0 "$RNC" --report --json "$ROOT/examples/$network.rn"
    rows=$(python3 -c 'import json, sys; print(2 + len(json.load(open(sys.argv[1]))["report"]["layers"]))' "$WORK/.out")
    expect "page: $network" 0 "$PYTHON" page.py "$network.html"
    [ "$(cat "$WORK/.out")" = "$rows" ] && ok || bad "page: $network" "$(cat "$WORK/.out") rows instead of $rows"
done

# the graph on it: a fold per stage and block, and edges
[ "$(grep -o '<details class="g">' "$WORK/resnet18.html" | wc -l)" = 12 ] && ok || bad "graph: folds" "$(grep -c '<details' "$WORK/resnet18.html")"
if grep -qF '<b>layer3</b> <code>stage 2 basic(256) /2</code>' "$WORK/resnet18.html" && grep -qF '<svg class="e"' "$WORK/resnet18.html"; then
    ok
else
    bad "graph" "no stage or no edges"
fi

# ---- --dump=dot: the nodes and edges of the graph after the passes, in clusters ----
for options in "-O0" "-O2" "-O2 --output relu2 --output add" "--train"; do
    cat > "$WORK/branches.rn" <<'N'
block b(k) {
    residual { conv k, 3x3; bn; relu } shortcut project
}
network branches {
    input 3x16x16
    stage 2 b(8)
    concat { { conv 4, 1x1 } { conv 4, 3x3 as other } }
    relu as relu2
    add layer1.0.relu as add
    output other
    from add
    avgpool global
    fc 3
}
N
    expect "dot $options" 0 "$RNC" --dump-after=in-place $options branches.rn
    cp "$WORK/.out" "$WORK/graph.ir"
    expect "dot $options" 0 "$RNC" --dump=dot $options branches.rn
    cp "$WORK/.out" "$WORK/graph.dot"
    python "dot $options" '
import re
ir, dot = open("graph.ir").read(), open("graph.dot").read()
made, reads, outputs = {}, [], []
for line in ir.splitlines():
    m = re.match(r"%(\d+) (\d+x\d+x\d+) (?:all )?(\"[^\"]*\"|\S+)(?: in \S+)? = (.*)", line)
    if re.match(r"(input|labels) %(\d+)", line): made[line.split()[1][1:]] = line.split()[0]
    elif m:
        made[m[1]] = (re.search(r" layer (\S+)", line) or [0, m[3]])[1].strip("\"")
        reads += [(v, m[1]) for v in re.findall(r"%(\d+)", m[4])]
    elif line.startswith("output "): outputs.append(line.split()[1][1:])
names = {i: label.split("\\n")[0] for i, label in re.findall(r"^ *(\w+) \[label=\"([^\"]*)\"\];$", dot, re.M)}
edges = sorted((names[a], names[b]) for a, b in re.findall(r"^  (\w+) -> (n\d+|output\d+)", dot, re.M) if b[0] == "n")
ends = [names[a] for a, b in re.findall(r"^  (\w+) -> (output\d+)", dot, re.M)]
assert edges == sorted((made[a], made[b]) for a, b in reads), (edges, sorted((made[a], made[b]) for a, b in reads))
assert ends == [made[v] for v in outputs], (ends, outputs)
assert dot.count("{") == dot.count("}") and dot.count("subgraph cluster") == 3 and "layer1  stage 2 b(8)" in dot'
    if command -v dot > /dev/null; then expect "dot $options: Graphviz" 0 dot -Tsvg -o graph.svg graph.dot; fi
done
expect "dot of a graph file" 0 "$RNC" --dump=dot graph.ir

# ---- a name that is not in UTF-8 ----
latin=$(printf 'caf\351 \303\251 \355\240\200 \360\237\230\200 \300\257 \364\220\200\200.rn') # Latin-1, a surrogate, overlong ...
cp "$WORK/tiny.rn" "$WORK/$latin"
expect "Latin-1 name" 0 "$RNC" --summary --report=latin.html --verify --json --random-weights -o latin.c "$latin"
decoded='name = b"caf\351 \303\251 \355\240\200 \360\237\230\200 \300\257 \364\220\200\200.rn".decode("utf-8", "replace")'
python "Latin-1 name: JSON" "$decoded"'
out = json.loads(open(".out", "rb").read().decode("utf-8", "strict"))
assert name in out["command"], out["command"]
assert out["summary"]["layers"][0]["place"].startswith(name + ":"), out["summary"]["layers"][0]
assert any(l["place"].startswith(name + ":") for l in out["report"]["layers"]), out["report"]["layers"][0]'
python "Latin-1 name: page" "$decoded"'
assert name in open("latin.html", "rb").read().decode("utf-8", "strict")'
finish
