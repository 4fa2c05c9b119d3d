#!/bin/bash
# make experiment-degradation: plain and residual networks of 20 and 56 layers (110 where they are named), trained on
# Fashion-MNIST by the recipe of He et al. 2016, section 4.2. It may be ended at any time and goes on where it was when it
# is called again; the log of what is trained is kept as docs/results/NETWORK-STEPS-seedN.csv, with a line in runs.csv, and
# that is not trained again. Then docs/results.md and its figures are written from these logs.
#
#   STEPS=4000      of each run; the schedule keeps its proportions
#   SEEDS="1 2 3"   all networks with the first one come first
#   NETWORKS="resnet20 plain20 resnet56 plain56"
#   THREADS=        a run's threads, all processors if not said; results do not depend on them
#   RNC_FLAGS=      of all trainers; with LABEL=NAME, which is then a part of the logs' names
#   RUNS=           checkpoints and programs, build/experiment if not said
#   DATA=           IDX files, build/data/fashion-mnist or Debian's if not said
#   REPORT=only     trains nothing; REPORT=no writes nothing but the logs
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
cd "$ROOT" || exit 1
OUT=$(cd "${OUT:-build}" && pwd) || exit 1
STEPS=${STEPS:-4000} SEEDS=${SEEDS:-1 2 3} NETWORKS=${NETWORKS:-resnet20 plain20 resnet56 plain56}
THREADS=${THREADS:-$(nproc)} LABEL=${LABEL:+-$LABEL} RUNS=${RUNS:-$ROOT/build/experiment} RESULTS=$ROOT/docs/results
for folder in "$DATA" build/data/fashion-mnist /usr/share/datasets/fashion-mnist; do
    if [ -d "$folder" ]; then DATA=$folder && break; fi
done

die() {
    echo "error: $*" >&2
    exit 1
}

commit() { git describe --always --dirty --exclude '*' 2> /dev/null || echo unknown; }
cpu() { sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1; }

build() { # build NETWORK PROGRAM: once for all seeds, so that a run goes on with the program that began it
    local flags
    [ -x "$2" ] && return
    read -ra flags <<< "$RNC_FLAGS"
    [ "$1" = resnet1202 ] && flags+=(--recompute=sums) # 6.3 GB instead of 9
    mkdir -p "$(dirname "$2")"
    commit > "$2.commit"
    "$OUT/rnc" --train "${flags[@]}" -D steps="$STEPS" -o "$2" "examples/fashion/$1.rn" || die "$1 cannot be built"
}

train() { # train NETWORK SEED
    local name=$1-$STEPS$LABEL program=$RUNS/bin/$STEPS$LABEL/$1
    local tests=()
    [ "$1" = resnet1202 ] && tests=(--test-every "$STEPS") # a test takes as long as some 25 steps
    local run=$RUNS/$name-seed$2 log=$RESULTS/$name-seed$2.csv
    grep -qs "^$1,$STEPS,${LABEL#-},$2," "$RESULTS/runs.csv" && return
    build "$1" "$program"
    echo "== $name, seed $2"
    "$program" train --data "idx:$DATA" --out "$run" --seed "$2" --threads "$THREADS" --log-every $(((STEPS + 199) / 200)) "${tests[@]}" --resume || exit
    mkdir -p "$RESULTS"
    cp "$run/log.csv" "$log" || exit
    [ -f "$RESULTS/runs.csv" ] || echo 'network,steps,label,seed,commit,date,cpu' > "$RESULTS/runs.csv"
    echo "$1,$STEPS,${LABEL#-},$2,$(cat "$program.commit"),$(date -u +%F),$(cpu)" >> "$RESULTS/runs.csv"
}

if [ "$REPORT" != only ]; then
    [ -n "$(ls "$DATA"/train-images-idx3-ubyte* 2> /dev/null)" ] || die "Fashion-MNIST is not there: make data"
    mkdir -p "$RUNS"
    exec 9> "$RUNS/.lock"
    flock -n 9 || die "$RUNS: another one of these experiments runs there"
    for seed in $SEEDS; do
        for network in $NETWORKS; do train "$network" "$seed"; done
    done
fi
[ "$REPORT" = no ] || exec python3 tests/experiment/report.py --rnc "$OUT/rnc" --results docs/results
