#!/bin/bash
# make bench: the figures of docs/performance.md. Ratios come from one run each, so that a slow machine or a busy neighbour
# changes both sides alike; nothing is compared with a stored time.
#   SECONDS_EACH=3   time per measurement
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
OUT=$(cd "${OUT:-$ROOT/build}" && pwd) || exit 1
RNC=$OUT/rnc
EACH=${SECONDS_EACH:-3}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1

title() { printf '\n== %s\n' "$*"; }

seconds() { # seconds COMMAND...: wall time, the least of three
    local best= t
    for _ in 1 2 3; do
        t=$({ TIMEFORMAT=%R; time "$@" > /dev/null 2>&1; } 2>&1)
        if [ -z "$best" ] || awk "BEGIN { exit !($t < $best) }"; then best=$t; fi
    done
    echo "$best"
}

title "machine"
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1
echo "$(nproc) processors"

title "the compiler (target: resnet152 0.2 s, with weights 2 s; resnet1202 2 s and 3 MB)"
echo "resnet152.rn -> C:               $(seconds "$RNC" -o a.c "$ROOT/examples/resnet152.rn") s"
"$RNC" -o w.safetensors --random-weights "$ROOT/examples/resnet152.rn"
echo "resnet152.rn and weights -> C:   $(seconds "$RNC" -o b.c --weights w.safetensors "$ROOT/examples/resnet152.rn") s"
echo "resnet1202.rn -> C:              $(seconds "$RNC" -o c.c "$ROOT/examples/cifar/resnet1202.rn") s, $(stat -c %s c.c) bytes"
"$RNC" -o start --weights w.safetensors "$ROOT/examples/resnet152.rn"
echo "start-up, packed weights (info): $(seconds ./start info) s (target 0.05 s)"
rm -f ./*.safetensors ./*.rnw

measure() { # measure NETWORK TITLE OPTIONS...
    local network=$1 title=$2
    shift 2
    title "$network, $title, batch 1: whole network and its layers against the FMA peak of the same run"
    "$RNC" "$@" -o "$network" --random-weights "$ROOT/examples/$network.rn"
    ./"$network" bench --seconds "$EACH"
    if [ "$(nproc)" -gt 1 ]; then
        echo "two threads:"
        ./"$network" bench --seconds "$EACH" --threads 2
    fi
    ./"$network" profile --seconds "$EACH" > "$network.profile"
    cat "$network.profile"
    rm -f "$network".rnw
}

for network in resnet50 resnet152; do
    measure "$network" "direct convolutions" -fno-winograd -fno-strassen
    measure "$network" "Winograd's method"
done

for network in resnet18 resnet50 resnet152; do
    title "fused against unfused: $network"
    "$RNC" bench --seconds "$EACH" "$ROOT/examples/$network.rn"
done
