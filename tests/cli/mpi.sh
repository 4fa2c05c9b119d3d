#!/bin/bash
# Training by several processes over MPI: as many as divide the batch, with the bits of one; what is said once; signals,
# killed and stopped ranks.
. "$(dirname "$0")/../lib.sh"
emitted_unchecked

# ---- without MPI ----
cat > "$WORK/net.rn" << 'N'
network net(classes = 4) {
    input 1x12x12 gray, std [0.5]
    conv 16, 3x3; bn; relu
    conv 16, 3x3; bn; relu
    conv 24, 3x3 /2; bn; relu
    dropout 0.1
    avgpool global
    fc classes
    softmax
}
train {
    batch 24
    sgd lr 0.05, momentum 0.9, decay 1e-4
    stop at 24
    init he
    augment pad 1, crop 12x12, mirror; mixup 0.2
    subtract pixel mean
    test every 10; save every 10
}
N
mkdir "$WORK/bare" && cp "$OUT/rnc" "$OUT/librn.a" "$WORK/bare" && cp -r "$OUT/include" "$WORK/bare" # and no librn_mpi.a
expect "no MPI" 1 bare/rnc --train --mpi net.rn -o none
says "no MPI" "install libopenmpi-dev and openmpi-bin"
[ "$(grep -c error: "$WORK/.err")" = 1 ] && ok || bad "no MPI" "not one error"
absent "no MPI" none
expect "no MPI: a module" 0 bare/rnc --train --mpi net.rn -o module.c
if [ ! -e "$OUT/librn_mpi.a" ] || ! command -v mpirun > /dev/null || [ -n "$SANITIZED" ]; then
    echo "skipped: several processes: ${SANITIZED:+under sanitizers; }Open MPI (libopenmpi-dev, openmpi-bin) is what it takes"
    finish
    exit
fi

# ---- programs and pictures ----
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none TMPDIR=$WORK
export OMPI_MCA_btl_vader_backing_directory=$WORK # killed ranks leave their segments
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1 # beside other work, and on one core
expect "pictures" 0 "$PYTHON" -c '
import os, numpy as np
r = np.random.default_rng(1)
pattern = r.integers(0, 160, (4, 12, 12))
os.mkdir("data")
for name, n in ("train", 120), ("test", 53):
    y = np.arange(n) % 4
    np.save(f"data/{name}_x.npy", (pattern[y] + r.integers(0, 96, (n, 12, 12))).astype(np.uint8))
    np.save(f"data/{name}_y.npy", y.astype(np.int64))'
expect "rnc --mpi" 0 "$RNC" --train --mpi net.rn -o net || finish || exit 1
expect "rnc" 0 "$RNC" --train net.rn -o one
nm "$WORK/one" | grep -q "MPI_\|rn_train_mpi" && bad "rnc" "has MPI" || ok
nm "$WORK/net" | grep -q "U MPI_Isend" && ok || bad "rnc --mpi" "has no MPI"
# run RANKS PROGRAM ARGUMENTS...: under mpirun, with the status of the ranks. mpirun's own is no measure: a rank that ends
# waits 2 s for mpirun to take note (PMIx's client), and where that had no processor for so long it calls the rank's end
# improper.
cat > "$WORK/rank" << 'R'
#!/bin/sh
"$@"
status=$?
echo $status > "$STATUSES/$OMPI_COMM_WORLD_RANK"
exit $status
R
chmod +x "$WORK/rank"
run() {
    local status
    export STATUSES=$WORK/.statuses
    rm -rf "$STATUSES" && mkdir "$STATUSES"
    timeout $HANGS mpirun -np "$1" "$WORK/rank" "${@:2}"
    status=$?
    [ "$(ls "$STATUSES" | wc -l)" = "$1" ] && [ $status = 1 ] && status=$(cat "$STATUSES"/* | sort -n | tail -1)
    return $status
}
HANGS=300 # seconds: nothing takes so long on any machine
several() { # several RANKS ARGUMENTS...
    run "$1" ./net "${@:2}"
}
ENDLESS="--steps 1000k --save-every 1000k --test-every 1000k"
train() { # train RANKS RUN ARGUMENTS...
    several "$1" train --data npy:data --log-every 5 --out "${@:2}"
}
columns() { cut -d, -f1-6 "$1/log.csv"; } # without images/s
same() { # same NAME RUN
    (cd "$WORK" && diff <(columns run1) <(columns "$2") && cmp run1/best.safetensors "$2/best.safetensors" &&
        cmp run1/step-20.safetensors "$2/step-20.safetensors" && cmp run1/step-24.safetensors "$2/step-24.safetensors") \
        > "$WORK/.same" 2>&1 && ok || bad "$1" "$(head -c 300 "$WORK/.same")"
}

# ---- the bits of one, in every file of the run ----
expect "alone" 0 ./net train --data npy:data --log-every 5 --out run1 --threads 2
for n in 1 2 4; do
    expect "$n ranks" 0 train $n ranks$n --threads $((3 - n / 2 > 0 ? 3 - n / 2 : 1))
    same "$n ranks" ranks$n
done
says "4 ranks" "4 processes of 6 images each"
[ "$(grep -c 'step 24: test error' "$WORK/.err")" = 1 ] && ok || bad "4 ranks" "not one says so: $(cat "$WORK/.err")"
expect "3 ranks" 0 train 3 ranks3
says "3 ranks" "3 processes of 8 images each; they equal one to rounding (powers of two up to 4 to the bit)"
cmp -s "$WORK/run1/step-24.safetensors" "$WORK/ranks3/step-24.safetensors" && bad "3 ranks" "the bits of one" || ok
expect "3 ranks: near" 0 "$PYTHON" -c '
a, b = ([l.split(",") for l in open(r + "/log.csv").read().splitlines()[1:]] for r in ("run1", "ranks3"))
assert len(a) == len(b) == 5 and [x[:3] for x in a] == [x[:3] for x in b]
assert all(abs(float(x[3]) - float(y[3])) < 1e-3 for x, y in zip(a, b)), (a, b)'

# ---- going on with another number of ranks ----
expect "part by 2" 0 train 2 part --steps 7
expect "part by 4" 0 train 4 part --steps 13 --resume
says "part by 4" "going on from part/step-7.safetensors"
expect "the rest alone" 0 ./net train --data npy:data --log-every 5 --out part --resume
same "part by part" part

# ---- a build for no more than a rank's images ----
expect "--batch" 0 "$RNC" --train --mpi --batch 6 net.rn -o small
expect "--batch 6" 0 run 4 ./small train --data npy:data --log-every 5 --out small4
expect "--batch 6: the same parameters" 0 "$PYTHON" -c '
import json, struct
def tensors(name):
    b = open(name, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    return {k: b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in json.loads(b[8:8 + n]).items() if k != "__metadata__"}
assert tensors("run1/step-24.safetensors") == tensors("small4/step-24.safetensors")'
expect "--batch 6 by 2" 1 run 2 ./small train --data npy:data --out none
says "--batch 6 by 2" "12 images of the source's batch of 24 for each of 2 processes; this build takes at most 6"

# ---- errors: once, and nothing is left to wait ----
once() { # once NAME STATUS TEXT COMMAND...
    expect "$1" "$2" "${@:4}"
    says "$1" "$3"
    [ "$(grep -c 'error: ' "$WORK/.err")" = 1 ] && ok || bad "$1" "not one error: $(cat "$WORK/.err")"
}
once "5 ranks" 1 "5 processes cannot have equal shares of a batch of 24 images" train 5 none
once "usage" 2 "did you mean 'train'?" several 3 trian
once "no data" 1 "nowhere" several 2 train --data npy:nowhere --out none
once "a run is there" 1 "--resume goes on" train 2 run1
once "no MPI in it" 1 "another process is training" timeout $HANGS mpirun -np 2 ./one train --data npy:data --out two $ENDLESS
RN_MPI_TIMEOUT=soon once "RN_MPI_TIMEOUT" 1 "RN_MPI_TIMEOUT: 'soon' is not a number of seconds" train 1 none
expect "info" 0 several 2 info
prints "info" "up to 4 processes (1, 2, 4) have the bits of one"
once "the loss" 1 "the loss is" train 4 broken --lr 1e9
says "the loss" "the last checkpoint is broken/step-0.safetensors"
absent "errors" none
expect "eval" 0 several 2 eval --data npy:data --weights run1
[ "$(grep -c 'top-1 error' "$WORK/.out")" = 1 ] && ok || bad "eval" "not once: $(cat "$WORK/.out")"
expect "bench" 0 several 2 bench --seconds 0.1 --json
cp "$WORK/.out" "$WORK/bench.json"
expect "bench: its figures" 0 "$PYTHON" -c '
import json
b = json.load(open("bench.json"))
# weights, halved and put together again: 2 (N - 1) / N of 4 bytes; sums of batch norms come on top
weights = 4 * (144 + 2304 + 3456 + 96)
assert b["ranks"] == 2 and b["batch"] == 24 and weights <= b["sent_bytes"] <= 2 * weights, b
assert 0 <= b["waited_for_gradients_ms"] and 0 < b["gradients_ms"] and 0 < b["waited_for_sums_ms"], b'

# ---- an application with a loop of its own ----
cp "$ROOT/tests/cli/mpi_app.c" "$WORK"
expect "a module" 0 "$RNC" --train --mpi --name net net.rn -o net.c
expect "an application" 0 $CC -std=c11 -Wall -Wextra -Werror -I. -I"$OUT/include/rn" -o app mpi_app.c net.c "$OUT/librn_mpi.a" \
    "$OUT/librn.a" -lmpi -lpng -ljpeg -lcjson -lxxhash -lz -lgomp -lpthread -lrt -ldl -lm
expect "an application: one" 0 run 1 ./app
cp "$WORK/.out" "$WORK/app1"
expect "an application: four" 0 run 4 ./app
cmp -s "$WORK/.out" "$WORK/app1" && [ -s "$WORK/app1" ] && ok || bad "an application" "other bits: $(cat "$WORK/app1" "$WORK/.out")"

# ---- signals and faults, each of a run without an end ----
begin() { # begin RANKS RUN: $pid is mpirun's, $ranks are those of its ranks
    (cd "$WORK" && exec mpirun -np "$1" ./net train --data npy:data --log-every 1 $ENDLESS --out "$2") \
        2> "$WORK/.err-$2" > /dev/null &
    pid=$!
    until [ "$(wc -l 2> /dev/null < "$WORK/$2/log.csv")" -gt 5 ] 2> /dev/null; do kill -0 $pid || break; sleep 0.02; done
    ranks=($(pgrep -P $pid | sort -n))
}
waits() { # waits COMMAND...: until it holds; no
    local tries=0
    until "$@"; do [ $((tries += 1)) -lt $((10 * HANGS)) ] && sleep 0.1 || return 1; done
}
is_gone() { # those that nobody has asked after since they ended are zombies
    ! grep -q 'State:.[^Z]' "/proc/$1/status" 2> /dev/null
}
ended() { # ended NAME RUN: mpirun ends with an error, and all ranks with it
    local rank
    waits is_gone $pid && ok || bad "$1" "it goes on"
    kill -KILL $pid 2> /dev/null
    wait $pid 2> /dev/null && bad "$1" "status 0" || ok
    for rank in "${ranks[@]}"; do waits is_gone "$rank" && ok || bad "$1" "a rank is left"; done
    cp "$WORK/.err-$2" "$WORK/.err"
}
saved() { # saved NAME RUN: one checkpoint, of the step that it was ended after
    local step
    step=$(sed -n 's/^saved at step \([0-9]*\);.*/\1/p' "$WORK/.err")
    [ -n "$step" ] && [ -e "$WORK/$2/step-$step.safetensors" ] && ok || bad "$1" "no checkpoint of step '$step': $(cat "$WORK/.err")"
    expect "$1: goes on" 0 ./net train --data npy:data --out "$2" --resume --steps $((step + 1))
    says "$1: goes on" "going on from $2/step-$step.safetensors"
}
export RN_MPI_TIMEOUT=10
begin 4 stopped # it goes on beside the others
unset RN_MPI_TIMEOUT
stopped_pid=$pid stopped_ranks=("${ranks[@]}")
kill -STOP "${ranks[3]}"
begin 3 onerank
kill -TERM "${ranks[2]}"
ended "SIGTERM to one rank" onerank
saved "SIGTERM to one rank" onerank
begin 2 allranks
kill -INT "${ranks[@]}"
ended "SIGINT to all ranks" allranks
saved "SIGINT to all ranks" allranks
for signal in TERM INT; do # mpirun kills who has not ended a second later: then the last checkpoint is an older one
    begin 2 run$signal
    kill -s $signal $pid
    ended "SIG$signal" run$signal
    if grep -q "^saved at step" "$WORK/.err"; then saved "SIG$signal" run$signal; else
        expect "SIG$signal: goes on" 0 ./net train --data npy:data --out run$signal --resume --steps 1
        says "SIG$signal: goes on" "going on from run$signal/"
    fi
done
begin 2 usr1
kill -USR1 "${ranks[1]}"
has_checkpoints() { [ "$(ls "$WORK/$1" | grep -c '^step-[0-9]*\.safetensors$')" -gt 1 ]; }
waits has_checkpoints usr1 && ok || bad SIGUSR1 "no checkpoint was written"
kill -KILL "${ranks[1]}"
ended "a killed rank" usr1
expect "after a killed rank" 0 train 2 usr1 --resume --steps 1
says "after a killed rank" "going on from usr1/" # the newest: a step, or the best
pid=$stopped_pid ranks=("${stopped_ranks[@]}")
ended "a stopped rank" stopped
grep -q "rank [0-2]: error: step [0-9]*: nothing of rank [0-3] for [0-9]* s; waited for: " "$WORK/.err" && ok ||
    bad "a stopped rank" "$(cat "$WORK/.err")"
expect "after a stopped rank" 0 train 4 stopped --resume --steps 1
says "after a stopped rank" "going on from stopped/"
finish
