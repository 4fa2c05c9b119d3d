#!/bin/bash
# A training program from end to end: its commands, a run ended by signals, kills and a full disk and gone on with, its
# files, its errors.
. "$(dirname "$0")/../lib.sh"

cat > "$WORK/net.rn" << 'N'
network net(classes = 4) {
    input 1x8x8 gray, std [0.5]
    conv 8, 3x3; bn; relu
    conv 8, 3x3 /2; bn; relu
    avgpool global
    fc classes
    softmax
}
train {
    batch 16
    sgd lr 0.05, momentum 0.9, decay 1e-4
    warmup lr 0.01 for 20; divide lr by 10 at 80; stop at 120
    init he
    augment pad 1, crop 8x8
    subtract pixel mean
    test every 30; save every 40
}
N
expect "pictures" 0 "$PYTHON" -c '
import os, numpy as np
r = np.random.default_rng(1)
pattern = r.integers(0, 160, (4, 8, 8))
os.mkdir("data")
for name, n in ("train", 200), ("test", 40):
    y = np.arange(n) % 4
    np.save(f"data/{name}_x.npy", (pattern[y] + r.integers(0, 96, (n, 8, 8))).astype(np.uint8))
    np.save(f"data/{name}_y.npy", y.astype(np.int64))'
expect "build" 0 "$RNC" --train net.rn -o net || finish || exit 1

# ---- the command line ----
expect "--help" 0 ./net --help
for command in train eval export curves info bench; do prints "--help" "  $command"; done
expect "train --help" 0 ./net train --help
prints "train --help" "--resume"
expect "info" 0 ./net info --threads 2
prints "info" "batch 16"
prints "info" "divided at steps 80 by 10; stops at step 120"
expect "info --json" 0 ./net info --json
expect "bench" 0 ./net bench --seconds 0.1 --json
prints "bench" images_per_second
usage() { # usage NAME TEXT ARGUMENTS...
    expect "$1" 2 ./net "${@:3}"
    says "$1" "$2"
}
usage "no command" "a command is missing"
usage "misspelt command" "did you mean 'train'?" trian
usage "misspelt option" "did you mean '--resume'?" train --resum
usage "no --out" "--out RUN" train --data npy:data
usage "no --data" "--data KIND:FOLDER" train --out none
usage "--steps" "is not a number of steps" train --steps 1m
usage "--seed" "is not a number" train --seed -1
usage "--lr" "above 0" train --lr 0
usage "--lr below 0" "'-0.1' is not a number above 0" train --lr -0.1
usage "a batch of one's own" "'train' takes no --batch" train --batch 8
usage "a file" "'train' takes no files; 'npy:data' given" train npy:data --out none
usage "eval takes no --lr" "'eval' takes no --lr" eval --lr 1
usage "eval without weights" "--weights FILE" eval --data npy:data
usage "eval: crops" "--crops: '5' is neither 1 nor 10" eval --data npy:data --weights x --crops 5
usage "eval: scales" "no list of sizes" eval --data npy:data --weights x --scales 8,x
usage "export without -o" "-o FILE" export --from run
usage "export of another kind" "-o net.onnx: what is exported is a .safetensors file" export --from run -o net.onnx
says "an error of a command" "try './net export --help'"
fails() { # fails NAME TEXT ARGUMENTS...
    expect "$1" 1 ./net "${@:3}"
    says "$1" "$2"
}
fails "no such data" "nowhere" train --data npy:nowhere --out none
fails "no such kind" "photos" train --data photos:data --out none
fails "a folder alone" "a data set is cifar10:DIR, cifar100:DIR, idx:DIR, folder:DIR or npy:DIR" train --data data --out none
fails "another kind" "data/train-images-idx3-ubyte: cannot be opened" train --data idx:data --out none
fails "a file as --out" "net.rn: cannot open: Not a directory" train --data npy:data --out net.rn
fails "no such weights" "none.safetensors" eval --data npy:data --weights none.safetensors
fails "no folder above" "nowhere/run" train --data npy:data --out nowhere/run
absent "errors" none

# ---- a run, and others that must equal it ----
train() { ./net train --data npy:data --log-every 10 "$@"; }
columns() { cut -d, -f1-6 "$1/log.csv"; } # without images/s
same() { # same NAME RUN
    (cd "$WORK" && diff <(columns run) <(columns "$2") && cmp run/best.safetensors "$2/best.safetensors" &&
        for step in 80 120; do cmp run/step-$step.safetensors "$2/step-$step.safetensors"; done &&
        [ "$(ls run)" = "$(ls "$2")" ]) > "$WORK/.same" 2>&1 && ok || bad "$1" "$(head -c 300 "$WORK/.same")"
}
expect "train" 0 train --out run
says "train" "step 120: test error"
expect "train: its log" 0 "$PYTHON" -c '
lines = [l.split(",") for l in open("run/log.csv").read().splitlines()]
assert lines[0] == ["step", "epoch", "lr", "loss", "train error", "test error", "images/s"], lines[0]
assert [int(l[0]) for l in lines[1:]] == list(range(10, 121, 10)), lines
assert [l[2] for l in lines[1:]] == ["0.01"] * 2 + ["0.05"] * 6 + ["0.005"] * 4, lines
assert [bool(l[5]) for l in lines[1:]] == [int(l[0]) % 30 == 0 for l in lines[1:]]
assert abs(float(lines[3][1]) - 30 / 12) < 1e-3 and float(lines[-1][3]) < 0.5 * float(lines[1][3])
assert float(lines[-1][5]) < 0.5, lines[-1] # by chance 0.75'
expect "train, three threads" 0 train --out run3 --threads 3
same "train, three threads" run3
expect "train again" 1 train --out run
says "train again" "--resume goes on"
expect "train, nothing left" 0 train --out run --resume
same "train, nothing left" run

expect "part" 0 train --out part --steps 37
expect "the rest" 0 train --out part --resume --threads 2
says "the rest" "going on from part/step-37.safetensors"
same "part and rest" part

# ---- signals, each to a run without an end whose log has some lines ----
signalled() { # signalled NAME SIGNAL STATUS
    rm -rf "$WORK/signalled"
    (cd "$WORK" && exec ./net train --data npy:data --log-every 1 --steps 1000k --out signalled) 2> "$WORK/.err" &
    local pid=$! status
    until [ "$(wc -l 2> /dev/null < "$WORK/signalled/log.csv")" -gt 5 ] 2> /dev/null; do kill -0 $pid || break; done
    kill -s "$2" $pid
    wait $pid 2> /dev/null
    status=$?
    if [ $status = "$3" ]; then ok; else bad "$1" "status $status"; fi
}
signalled SIGINT INT 130
says SIGINT "saved at step"
signalled SIGTERM TERM 143
step=$(sed -n 's/^saved at step \([0-9]*\);.*/\1/p' "$WORK/.err")
[ -e "$WORK/signalled/step-$step.safetensors" ] && ok || bad SIGTERM "no checkpoint of step '$step'"
signalled SIGKILL KILL 137
expect "after SIGKILL" 0 train --out signalled --resume --steps 1
says "after SIGKILL" "going on from signalled/"

(cd "$WORK" && exec ./net train --data npy:data --log-every 1 --save-every 1000k --steps 1000k --out usr1) 2> /dev/null &
pid=$!
until [ "$(wc -l 2> /dev/null < "$WORK/usr1/log.csv")" -gt 5 ] 2> /dev/null; do kill -0 $pid || break; done
kill -s USR1 $pid
tries=0
until [ "$(ls "$WORK/usr1" | grep -c step)" -gt 1 ] || [ $tries = 1000 ]; do sleep 0.01 && tries=$((tries + 1)); done
[ $tries -lt 1000 ] && ok || bad SIGUSR1 "no checkpoint was written"
expect "a second process" 1 train --out usr1 --resume
says "a second process" "another process is training"
kill -KILL $pid
wait $pid 2> /dev/null

# ---- a disk that takes no more than 8 KB a file ----
expect "full disk" 1 bash -c 'trap "" XFSZ; ulimit -f 8; ./net train --data npy:data --log-every 1 --steps 2k --save-every 10 --out full'
says "full disk" "full/"
says "full disk" "cannot write: File too large"
[ "$(ls -A "$WORK/full" | grep -vc '^step-[0-9]*.safetensors$\|^log.csv$\|^best.safetensors$')" = 0 ] && ok || bad "full disk" "$(ls -A "$WORK/full")"

# ---- what a run is for ----
expect "eval" 0 ./net eval --data npy:data --weights run/step-120.safetensors --json
cp "$WORK/.out" "$WORK/eval.json"
expect "eval: as the log has it" 0 "$PYTHON" -c '
import json
last = open("run/log.csv").read().splitlines()[-1].split(",")
assert abs(json.load(open("eval.json"))["top1_error"] - float(last[5])) < 1e-6'
expect "eval of a run" 0 ./net eval --data npy:data --weights run --threads 2
expect "eval: an ensemble of crops" 0 ./net eval --data npy:data --crops 10 --scales 8,9 --ensemble run/best.safetensors part
prints "eval: an ensemble of crops" "40 pictures: top-1 error"
expect "export" 0 ./net export --from run -o net.safetensors
expect "export is best" 0 "$PYTHON" -c '
import json, struct
def tensors(name):
    b = open(name, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    return {k: b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in json.loads(b[8:8 + n]).items() if k != "__metadata__"}
a, b = tensors("net.safetensors"), tensors("run/best.safetensors")
assert a == {k: v for k, v in b.items() if not k.startswith("momentum.")} and len(b) > len(a)
assert {"conv1.weight", "bn1.running_var", "fc.bias", "input.mean"} <= set(a), sorted(a)'
expect "deployed" 0 "$RNC" net.rn --weights net.safetensors --embed -o deployed
expect "a checkpoint deployed" 0 "$RNC" net.rn --weights run/step-120.safetensors --embed -o deployed
expect "fine-tuned" 0 train --out tuned --weights net.safetensors --steps 10 --lr 0.001
expect "curves" 0 ./net curves run part -o curves.svg
grep -q "<svg" "$WORK/curves.svg" && ok || bad curves "no SVG"

# ---- a disk that is full for what a run is for; and what is printed ----
on_full_disk() { # on_full_disk NAME FILE COMMAND...: FILE stays what it was
    cp "$WORK/$2" "$WORK/before" 2> /dev/null || rm -f "$WORK/before"
    expect "$1 on a full disk" 1 bash -c 'trap "" XFSZ; ulimit -f 1; "$@"' full "${@:3}"
    says "$1 on a full disk" "$2"
    if [ -e "$WORK/before" ]; then cmp -s "$WORK/before" "$WORK/$2" && ok || bad "$1 on a full disk" "$2 has changed"; else absent "$1 on a full disk" "$2"; fi
    [ "$(ls -A "$WORK" | grep -c "^\.\?$2\.")" = 0 ] && ok || bad "$1 on a full disk" "left behind: $(ls -A "$WORK" | grep "$2\.")"
}
on_full_disk export cut.safetensors ./net export --from run -o cut.safetensors
on_full_disk "export over a file" net.safetensors ./net export --from run -o net.safetensors
on_full_disk curves cut.svg ./net curves run part -o cut.svg
on_full_disk "curves over a page" curves.svg ./net curves run part -o curves.svg
for command in info "info --json" "bench --seconds 0.01" "eval --data npy:data --weights run"; do
    expect "$command, into a full device" 1 bash -c "./net $command > /dev/full"
    says "$command, into a full device" "No space left on device"
done
expect "after a full disk" 0 train --out full --resume
same "after a full disk" full

# ---- foreign checkpoints ----
sed 's/lr 0.05/lr 0.06/' "$WORK/net.rn" > "$WORK/other.rn"
expect "another source" 0 "$RNC" --train other.rn -o other
expect "resume of another source" 1 ./other train --data npy:data --out part --resume
says "resume of another source" "another source"
sed 's/stop at 120/stop at (steps)/; s/network \([a-z]*\)(/network \1(steps = 120, /' "$WORK/net.rn" > "$WORK/steps.rn"
for steps in 120 121; do expect "a recipe of $steps steps" 0 "$RNC" --train -D steps=$steps steps.rn -o steps$steps; done
expect "its checkpoint" 0 ./steps120 train --data npy:data --out steps --steps 1
expect "resume of another recipe" 1 ./steps121 train --data npy:data --out steps --resume
says "resume of another recipe" "another build"
same "part is untouched" part
finish
