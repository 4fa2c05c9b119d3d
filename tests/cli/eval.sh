#!/bin/bash
# eval of programs and trainers: Fashion-MNIST's test pictures against PyTorch's number; outcomes, intervals and classes against
# NumPy's count of the probabilities; protocols against Pillow's and PyTorch's resampling, where they are there; folders, lists
# and class names; ensembles; the page; the same for any threads; what is wrong, and that it leaves no files.
. "$(dirname "$0")/../lib.sh"
keep() { cp "$WORK/.out" "$WORK/out.json"; } # JSON for Python, whose output goes to .out
emitted_unchecked
emitted_quick -O1
DATA=${DATA:-/usr/share/datasets/fashion-mnist}
if [ -z "$SANITIZED" ] && [ -f "$DATA/t10k-images-idx3-ubyte.gz" ]; then # 9276 of PyTorch, as in cli/fashion
    expect "fashion: build" 0 "$RNC" -o fashion --batch 10 --weights "$ROOT/examples/fashion/resnet20.safetensors" "$ROOT/examples/fashion/resnet20.rn"
    expect "fashion" 0 ./fashion eval --data "idx:$DATA" --threads 2 --labels "$ROOT/examples/fashion/classes.txt" --json
    keep
    expect "fashion: as PyTorch" 0 "$PYTHON" -c '
import json
j = json.load(open("out.json"))
right = round(10000 * (1 - j["top1_error"]))
assert abs(right - 9276) <= 2 and j["pictures"] == 10000, j["top1_error"]
low, high = j["top1_error_interval"]
assert abs(low - 0.0675) < 1e-3 and abs(high - 0.0776) < 1e-3, (low, high)
assert j["classes"][6]["label"] == "Shirt" and {j["confusions"][0]["label"], j["confusions"][0]["predicted_label"]} == {"Shirt", "T-shirt/top"}
assert sum(c["right"] for c in j["classes"]) == right and sum(c["predicted"] for c in j["classes"]) == 10000'
fi

# ---- a network whose input is seen in its output: a class for each of 3 x 4 x 5 numbers ----
cat > "$WORK/seen.rn" <<'R'
network seen {
    input 3x4x5 rgb, mean [0.4, 0.5, 0.6], std [0.02, 0.03, 0.025], resize 6
    reshape 60x1x1
    softmax
}
R
"$PYTHON" - "$WORK" <<'P' || bad "pictures" "cannot be made"
import os, struct, sys, zlib
import numpy as np
os.chdir(sys.argv[1])
def png(path, rgb):
    h, w, _ = rgb.shape
    raw = b"".join(b"\0" + row.tobytes() for row in rgb)
    chunk = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
random = np.random.default_rng(5)
names = open("list.txt", "w"), open("labels.txt", "w"), open("words.txt", "w")
for i, (h, w) in enumerate([(13, 17), (9, 8), (7, 21), (3, 4), (30, 19), (11, 12), (6, 9), (8, 8)] * 2):
    y, x = np.mgrid[:h, :w]
    smooth = np.stack([128 + 50 * np.sin(x / 3 + c + i) + 40 * np.cos(y / 2 - c) for c in range(3)], -1)
    rgb = np.clip(smooth + random.normal(0, 8, smooth.shape), 30, 225).astype("u1")
    np.save(f"picture{i}.npy", rgb)
    png(f"set/{'dog cat emu'.split()[i % 3]}/{i}.png", rgb)
    names[0].write(f"set/{'dog cat emu'.split()[i % 3]}/{i}.png {[7, 0, 59][i % 3]}\n")
    names[2].write(f"set/{'dog cat emu'.split()[i % 3]}/{i}.png\tthe {'dog cat emu'.split()[i % 3]}\n")
for k in range(60): names[1].write({7: "dog", 0: "cat", 59: "emu"}.get(k, f"class {k}") + "\n")
P
expect "build" 0 "$RNC" -o seen seen.rn

# count.py FILE.npy... [sorted]: NumPy counts what out.json says, by the files' mean and list.txt's labels
cat > "$WORK/count.py" <<'P'
import json, sys
import numpy as np
files = [name for name in sys.argv[1:] if name != "sorted"]
j, p = json.load(open("out.json")), sum(np.load(name).astype("f8") for name in files) / len(files)
labels = np.array([int(line.split()[-1]) for line in open("list.txt")])
if sys.argv[-1] == "sorted": labels = labels[np.argsort([line.split()[0] for line in open("list.txt")])]  # a folder's order
own = p[np.arange(len(labels)), labels]
rank = (p > own[:, None]).sum(1)
assert p.shape == (16, 60) and np.allclose(p.sum(1), 1, atol=1e-5)
assert j["pictures"] == 16 and j["top1_error"] == (rank > 0).mean() and j["top5_error"] == (rank >= 5).mean(), (rank, j)
assert abs(j["loss"] + np.log(np.maximum(own, 2.0 ** -149)).mean()) < 1e-4 * j["loss"], (j["loss"], -np.log(own).mean())
best = p.argmax(1)
assert [c["predicted"] for c in j["classes"]] == np.bincount(best, minlength=60).tolist()
wrong = {(c["class"], c["predicted"]): c["pictures"] for c in j["confusions"]}
for a, b in zip(labels, best):
    if a != b: wrong[a, b] -= 1
assert not any(wrong.values()), wrong
P
expect "list" 0 ./seen eval --data list:list.txt --json --probabilities p.npy
keep
expect "list: as NumPy counts" 0 "$PYTHON" count.py p.npy
for threads in 2 5; do
    expect "$threads threads" 0 ./seen eval --data list:list.txt --json --probabilities q.npy --threads $threads
    cmp -s "$WORK/.out" "$WORK/out.json" && cmp -s "$WORK/p.npy" "$WORK/q.npy" && ok || bad "$threads threads" "something else comes out"
done
expect "folder, by its names" 0 ./seen eval --data folder:set --labels labels.txt --json --probabilities f.npy
keep
expect "folder: as NumPy counts" 0 "$PYTHON" count.py f.npy sorted
expect "text" 0 ./seen eval --data folder:set --labels labels.txt --per-class
for words in "folder:set: 16 pictures: top-1 error " "% right (" "with 95 % confidence)" "shorter side to 6, centre crop 4 x 5, bilinear" "  emu"; do prints "text" "$words"; done
expect "text: colours" 0 ./seen eval --data list:list.txt --order bgr --range 255 --mean 104,117,123 --std 2
prints "text: colours" "centre crop 4 x 5, bilinear; bgr, 0 to 255, mean 104 117 123, std 2 2 2"

# ---- protocols: what the network saw, from the logarithms of its probabilities, less their mean ----
cat > "$WORK/protocol.py" <<'P'
"""protocol.py LIBRARY NAME RESIZE [--round]: p.npy is what LIBRARY makes of the pictures; exits 77 where it is not there"""
import sys
import numpy as np
library, filter, resize = sys.argv[1:4]
rounded = "--round" in sys.argv
try:
    if library == "pillow":
        from PIL import Image
    else:
        import torch
except ImportError:
    sys.exit(77)
for i, p in enumerate(np.load("p.npy").astype("f8")):
    rgb = np.load(f"picture{i}.npy")
    h, w, _ = rgb.shape
    if "x" in resize:
        size = tuple(int(n) for n in resize.split("x"))
    else:
        n, short = int(resize), min(h, w)
        size = n * h // short, n * w // short  # torchvision's
    if library == "pillow":
        # rows first; Pillow 13 does the direction first that is cheaper
        filters = {"resample": getattr(Image.Resampling, filter.upper())}
        x = np.array(Image.fromarray(rgb).resize((size[1], h), **filters).resize(size[::-1], **filters), "f8")
        off = 0.02 if rounded else 1.2  # Pillow's 8 bits
    else:
        t = torch.tensor(rgb.astype("f4")).permute(2, 0, 1)[None]
        x = torch.nn.functional.interpolate(t, size=size, mode=filter, antialias=False, align_corners=False)[0].permute(1, 2, 0).numpy().astype("f8")
        off = 0.02
    top, left = round((size[0] - 4) / 2), round((size[1] - 5) / 2)
    x = x[top:top + 4, left:left + 5]
    seen = ((x / 255 - [0.4, 0.5, 0.6]) / [0.02, 0.03, 0.025]).transpose(2, 0, 1).ravel()
    log = np.log(p)
    sure = p > 1e-30
    difference = np.abs((log - log[sure].mean()) - (seen - seen[sure].mean()))[sure]
    assert sure.sum() > 20 and difference.max() < off / 255 / 0.02 * 1.5, (library, filter, resize, i, difference.max())
P
protocol() { # protocol LIBRARY FILTER RESIZE [OPTIONS]
    local status
    expect "$*" 0 ./seen eval --data list:list.txt --resize "$3" --crop 4x5 --interpolation "$2" --probabilities p.npy "${@:4}" || return
    (cd "$WORK" && "$PYTHON" protocol.py "$@" 2> .err)
    status=$?
    case $status in 0) ok ;; 77) ;; *) bad "$*" "$(tail -1 "$WORK/.err")" ;; esac
}
for filter in bilinear bicubic; do
    for resize in 6 12 5x7; do
        protocol pillow $filter $resize --round
        protocol torch $filter $resize --no-antialias
    done
    protocol pillow $filter 6
done
expect "squash" 0 ./seen eval --data list:list.txt --resize squash --probabilities p.npy
expect "squash is the input's size" 0 ./seen eval --data list:list.txt --resize 4x5 --probabilities q.npy
cmp -s "$WORK/p.npy" "$WORK/q.npy" && ok || bad "squash" "is not --resize 4x5"
expect "mean and std" 0 ./seen eval --data list:list.txt --mean 102,127.5,153 --std 5.1,7.65,6.375 --range 255 --probabilities q.npy
expect "as the source says" 0 ./seen eval --data list:list.txt --probabilities p.npy
expect "the same of 0..255" 0 "$PYTHON" -c '
import numpy as np
a, b = np.load("p.npy"), np.load("q.npy")
assert np.allclose(np.log(a[a > 1e-30]), np.log(b[a > 1e-30]), atol=2e-3)'
expect "order" 0 ./seen eval --data list:list.txt --order bgr --mean 0.6,0.5,0.4 --std 0.025,0.03,0.02 --probabilities q.npy
expect "channels from behind" 0 "$PYTHON" -c '
import numpy as np
a, b = np.load("p.npy").reshape(16, 3, 20), np.load("q.npy").reshape(16, 3, 20)
assert np.allclose(a, b[:, ::-1], rtol=1e-4, atol=1e-12)'

sed 's/rgb,/rgb, nhwc,/; s/network seen/network last/' "$WORK/seen.rn" > "$WORK/last.rn"
expect "channels last: build" 0 "$RNC" -o last last.rn
expect "channels last" 0 ./last eval --data list:list.txt --probabilities q.npy
cmp -s "$WORK/p.npy" "$WORK/q.npy" && ok || bad "channels last" "the same network sees something else"

# ---- views and ensembles ----
expect "10 crops of 2 scales" 0 ./seen eval --data list:list.txt --crops 10 --scales 6,9 --probabilities views.npy --json
expect "scale 6" 0 ./seen eval --data list:list.txt --crops 10 --resize 6 --probabilities a.npy
expect "scale 9" 0 ./seen eval --data list:list.txt --crops 10 --resize 9 --probabilities b.npy
expect "an ensemble" 0 ./seen eval --data list:list.txt --ensemble a.npy b.npy --probabilities ab.npy --json
keep
expect "is the mean" 0 "$PYTHON" count.py a.npy b.npy
expect "as of both scales" 0 "$PYTHON" -c '
import numpy as np
a, b, ab, views = (np.load(f + ".npy") for f in ("a", "b", "ab", "views"))
assert np.allclose((a.astype("f8") + b) / 2, ab, atol=1e-7) and np.allclose(ab, views, atol=1e-6)'

# ---- a trainer and the program of what it trained say the same; the mean that training subtracts is of 0..range ----
cat > "$WORK/trained.rn" <<'R'
network trained {
    input 1x8x8 gray, range 255, std [64]
    conv 8, 3x3; bn; relu
    avgpool global
    fc 4
    softmax
}
train {
    batch 16
    sgd lr 0.05, momentum 0.9, decay 1e-4
    stop at 12
    init he
    subtract pixel mean
}
R
expect "trained: pictures" 0 "$PYTHON" -c '
import os, numpy as np
r = np.random.default_rng(1)
os.makedirs("npy")
for split, n in ("train", 64), ("test", 40):
    y = np.arange(n) % 4
    np.save(f"npy/{split}_x.npy", (r.integers(0, 60, (n, 8, 8)) + 45 * y[:, None, None]).astype("u1"))
    np.save(f"npy/{split}_y.npy", y)'
expect "trained: build" 0 "$RNC" --train -o trainer trained.rn
expect "trained" 0 ./trainer train --data npy:npy --out run
expect "trained: export" 0 ./trainer export --from run -o trained.safetensors
expect "trained: program" 0 "$RNC" -o trained --weights trained.safetensors trained.rn
expect "trainer's" 0 ./trainer eval --data npy:npy --weights trained.safetensors --json --probabilities t.npy
keep
expect "program's" 0 ./trained eval --data npy:npy --json --probabilities u.npy
cmp -s "$WORK/.out" "$WORK/out.json" && cmp -s "$WORK/t.npy" "$WORK/u.npy" && ok || bad "trained" "trainer and program say other things"
expect "trained: the mean" 0 "$PYTHON" -c '
import csv, json, struct, numpy as np
data = open("trained.safetensors", "rb").read()
size, = struct.unpack("<Q", data[:8])
begin, end = json.loads(data[8:8 + size])["input.mean"]["data_offsets"]
mean = np.frombuffer(data[8 + size + begin:8 + size + end], "<f4").reshape(8, 8)
assert np.allclose(mean, np.load("npy/train_x.npy").mean(0), atol=1e-3), mean[0]
last = [row for row in csv.DictReader(open("run/log.csv")) if row["test error"]][-1]
assert abs(json.load(open("out.json"))["top1_error"] - float(last["test error"])) < 1e-6'
expect "an ensemble of both" 0 ./trainer eval --data npy:npy --ensemble run t.npy u.npy --json

# ---- the page ----
expect "page" 0 ./seen eval --data list:list.txt --html page.html
expect "page: whole, with pictures that decode" 0 "$PYTHON" -c '
import base64, html.parser, re
text = open("page.html").read()
open_tags = []
class Parser(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br"): open_tags.append(tag)
    def handle_endtag(self, tag): assert open_tags.pop() == tag, tag
Parser().feed(text)
assert not open_tags and text.startswith("<!DOCTYPE html>") and "http" not in text
pictures = re.findall(r"src=\"data:image/jpeg;base64,([^\"]*)\"", text)
assert len(pictures) > 8 and all(base64.b64decode(p, validate=True)[:3] == b"\xff\xd8\xff" for p in pictures)
assert "Most often confused" in text and "set/dog/0.png" in text'

# ---- what is wrong ----
fails() { # fails NAME STATUS WORDS OPTIONS...
    expect "$1" "$2" ./seen eval --probabilities no.npy --html no.html "${@:4}"
    says "$1" "$3"
    [ "$(grep -c 'error:' "$WORK/.err")" = 1 ] && ok || bad "$1" "more errors than one: $(head -c 600 "$WORK/.err")"
    absent "$1" no.npy no.html
}
fails "no data" 2 "--data KIND:DIR is missing"
fails "no such kind" 1 "npy:DIR or list:FILE" --data zip:x
fails "no such list" 1 "none.txt" --data list:none.txt
fails "other classes" 1 "3 classes, seen has 60; which they are, --labels FILE says" --data folder:set
sed 's/^dog$/the dog/' "$WORK/labels.txt" > "$WORK/few.txt"
fails "a class that labels lack" 1 "few.txt has no class 'the cat'" --data list:words.txt --labels few.txt
fails "crop" 1 "this program's input is 4 x 5, which is fixed" --data list:list.txt --crop 8
fails "resize" 2 "'8y9' is none of" --data list:list.txt --resize 8y9
fails "interpolation" 2 "'nearest' is none of bilinear, bicubic" --data list:list.txt --interpolation nearest
fails "mean" 2 "one for each of 3 channels" --data list:list.txt --mean 1,2
fails "std" 2 "0 divides nothing" --data list:list.txt --std 0
fails "resize and scales" 2 "one of them" --data list:list.txt --resize 8 --scales 9,10
fails "scales" 2 "no list of sizes" --data list:list.txt --scales 9,
fails "crop-pct" 2 "square inputs" --data list:list.txt --crop-pct 0.9
fails "crops" 2 "--crops: '5' is neither 1 nor 10" --data list:list.txt --crops 5
fails "offset" 1 "60 classes; the network has 59 behind --class-offset" --data list:list.txt --class-offset 1
fails "offset of names" 2 "--class-offset: the classes of folder:set are those of their names in labels.txt" --data folder:set --labels labels.txt --class-offset 1
for file in nowhere/p.npy set; do # before anything is run
    expect "$file cannot be written" 1 ./seen eval --data list:list.txt --probabilities $file
    says "$file cannot be written" "$file: cannot "
    lacks "$file cannot be written" .out "top-1 error"
done
fails "one file twice" 2 "--html and --probabilities are one file" --data list:list.txt --html no.npy
expect "a file that cannot be written: what was found out is said" 1 ./seen eval --data list:list.txt --probabilities /dev/full --html page2.html
prints "a file that cannot be written" "top-1 error"
says "a file that cannot be written" "/dev/full: cannot write"
[ -s "$WORK/page2.html" ] && ok || bad "a file that cannot be written" "nor was the other"
fails "nothing to average" 2 "--ensemble goes with" --data list:list.txt --ensemble
fails "files without --ensemble" 2 "'eval' takes no files but --ensemble's: 'a.npy'" --data list:list.txt a.npy
"$PYTHON" -c "
import numpy as np
a = np.load('$WORK/a.npy'); np.save('$WORK/short.npy', a[:5]); np.save('$WORK/twice.npy', 2 * a)"
fails "probabilities of fewer pictures" 1 "its shape is not 16 x 60" --data list:list.txt --ensemble a.npy short.npy
fails "no probabilities" 1 "row 0: its numbers are no probabilities" --data list:list.txt --ensemble twice.npy
printf 'x' > "$WORK/set/dog/0.png"
fails "a broken picture" 1 "set/dog/0.png: neither a PNG nor a JPEG" --data list:list.txt
expect "left out" 0 ./seen eval --data list:list.txt --skip-broken --json --probabilities l.npy
says "left out" "set/dog/0.png"
keep
expect "left out: not counted" 0 "$PYTHON" -c '
import json, numpy as np
j, p = json.load(open("out.json")), np.load("l.npy")
assert j["pictures"] == 15 and j["left_out"] == 1 and np.isnan(p[0]).all() and not np.isnan(p[1:]).any()'
expect "left out of an ensemble" 0 ./seen eval --data list:list.txt --ensemble l.npy a.npy --json
prints "left out of an ensemble" '"pictures":	15'
printf 'set/dog/3.png 1\nset/none.png 2\n' > "$WORK/away.txt"
fails "a list's missing file" 1 "away.txt: line 2: set/none.png: cannot be opened" --data list:away.txt
sed 's/\bdog$/the dog/; s/\bcat$/the cat/; s/\bemu$/the emu/' "$WORK/labels.txt" > "$WORK/the.txt"
expect "names in a list" 0 ./seen eval --data list:words.txt --labels the.txt --skip-broken --json
prints "names in a list" '"the emu"'
finish
