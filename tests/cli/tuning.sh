#!/bin/bash
# -O3 with its cache of measurements, and --report; choices as one machine has them.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
emitted_unchecked
emitted_quick -O1
cd "$WORK" || exit 1
tiny > tiny.rn
# measured in a moment, for what does not depend on the network
printf 'network one { input 8x6x6; conv 8, 3x3; relu }\n' > one.rn

contains() { # contains NAME FILE PATTERN
    if grep -q -- "$3" "$2"; then ok; else bad "$1" "no '$3' in: $(head -c 600 "$2")"; fi
}
lacks() { # lacks NAME FILE PATTERN
    if grep -q -- "$3" "$2"; then bad "$1" "$(grep -m 1 -- "$3" "$2")"; else ok; fi
}

# measured, then from the cache: the same code, and nothing is measured again
expect "-O3 measures" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/tune --threads 1 -o a.c tiny.rn
contains "the cache holds the direct sum" cache/tune '16x8x8 3x3/1,1 pad 1,1 -> 16x8x8.*|direct '
contains "and tiles" cache/tune '|F('
cp cache/tune before
expect "-O3 from the cache" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/tune --threads 1 -o b.c tiny.rn
if cmp -s cache/tune before; then ok; else bad "the cache changed without a measurement"; fi
if cmp -s <(grep -v '^ \*\|command\|include' a.c) <(grep -v '^ \*\|command\|include' b.c); then ok; else bad "the same times, other code"; fi
if [ ! -e a.rnw ]; then ok; else bad "-O3 without weights wrote some"; fi

# a cache that lacks a shape: that one is measured, the others are as before; the next time nothing is
grep -v '|3x16x16\||16x8x8' before > cache/half
expect "half a cache" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/half --threads 1 --report tiny.rn
cp .out first
expect "the same again" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/half --threads 1 --report tiny.rn
if cmp -s first .out; then ok; else bad "half a cache" "$(diff first .out | head -4)"; fi
expect "no home for the user's cache" 0 env -u XDG_CACHE_HOME HOME=/proc/none "$RNC" -mtune=generic -O3 --threads 1 --report one.rn

# the fastest measured candidate is taken: a cache that says so
sed 's/|direct .*/|direct 1/; s/\(|F(.*\) [0-9.e+-]*$/\1 9/' before > cache/direct
expect "a cache for the direct sum" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/direct --threads 1 --report tiny.rn
contains "it is taken" .out 'layer1.0.conv1 .*direct .*measured'
sed 's/|direct .*/|direct 9/; s/\(|F(.*\) [0-9.e+-]*$/\1 9/; s/\(|F(2x4).*\) 9$/\1 1/' before > cache/tiles
expect "a cache for F(2x4)" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/tiles --threads 1 --report tiny.rn
contains "it is taken" .out 'layer1.0.conv1 .*F(2x4).*measured'

# tiles that the budget does not allow are not measured
expect "-O3 with a tight tolerance" 0 "$RNC" -mtune=generic -O3 --tolerance 1e-9 --tune-cache cache/tight --threads 1 --report tiny.rn
contains "the direct sum is measured" cache/tight '|direct '
lacks "large tiles are not" cache/tight '-> 16x8x8.*|F([4-7]x[4-7])'

# a file of something else is not written over, and said before anything is measured
echo "a note to myself" > "$WORK/notes.txt"
expect "a file that is no cache" 1 env CC=false "$RNC" -mtune=generic -O3 --tune-cache notes.txt --threads 1 -o n.c one.rn
says "a file that is no cache" "'notes.txt' is no cache of measurements, and stays as it is"
grep -q "a note to myself" "$WORK/notes.txt" && ok || bad "a file that is no cache" "it was written over"
absent "a file that is no cache" n.c n.h

# damaged lines cost a measurement, no more; a place that cannot be written is an error
printf 'nonsense\n|||\nx 1e\n\n' | cat - before > cache/damaged
expect "a damaged cache" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/damaged --threads 1 -o c.c tiny.rn
truncate -s 300M cache/much
expect "more than is read of a cache" 1 env CC=false "$RNC" -mtune=generic -O3 --tune-cache cache/much --threads 1 -o d.c one.rn
contains "it is named and stays" .err "cannot read the cache of measurements 'cache/much', which stays as it is"
[ "$(stat -c %s cache/much)" = 314572800 ] && ok || bad "more than is read of a cache" "was written over"
expect "no place for the cache" 1 "$RNC" -mtune=generic -O3 --tune-cache /proc/none/tune --threads 1 -o d.c one.rn
contains "it is named" .err "cannot write the cache of measurements '/proc/none/tune'"
if [ ! -e d.c ]; then ok; else bad "output in spite of the error"; fi

# networks that are measured are there a few at a time; where there is no room, it says so
cat > counting-cc <<'S'
#!/bin/bash
ls "$TMPDIR"/.rnc-*/v*.rnw | wc -l >> "$WORK/counts"
exec $REAL_CC "$@"
S
chmod +x counting-cc
mkdir tmp
export WORK
expect "-O3 in groups" 0 env TMPDIR="$WORK/tmp" REAL_CC="$CC" CC="$WORK/counting-cc" "$RNC" -mtune=generic -O3 --tune-cache cache/groups --threads 1 --report tiny.rn
[ "$(wc -l < counts)" -gt 4 ] && [ "$(sort -n counts | tail -1)" = 4 ] && ok || bad "-O3 in groups" "networks at a time: $(echo $(< counts))"
[ -z "$(ls -A tmp)" ] && ok || bad "-O3 in groups" "left behind: $(ls -A tmp)"
if unshare -rm mount -t tmpfs -o size=1m none tmp 2> /dev/null; then # a file system of a megabyte
    expect "-O3 without room" 1 unshare -rm bash -c "mount -t tmpfs -o size=1m none tmp && TMPDIR=tmp '$RNC' -mtune=generic -O3 --tune-cache cache/room --threads 1 --report tiny.rn"
    contains "it says what it needs" .err "temporary files, but 'tmp' has room for 0.00 GB; set TMPDIR"
else
    echo "skipped: -O3 without room: no file system can be mounted here"
fi

# with weights the output's error is measured, once; where no choice keeps the tolerance, it is said
expect "-O3 with weights" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/error --threads 1 --random-weights --report tiny.rn
contains "the error is measured" .out 'predicted error of the output [0-9.e-]*, measured [0-9.e-]* (tolerance'
[ ! -s .err ] && ok || bad "no warning" "$(< .err)"
cp .out first
expect "the same from the cache" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/error --threads 1 --random-weights --report tiny.rn
cmp -s first .out && ok || bad "the same from the cache" "$(diff first .out | head -4)"
for run in measured cached; do
    expect "-O3 beyond float, $run" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/error --threads 1 --random-weights --tolerance 1e-10 --report tiny.rn
    contains "it is said, $run" .err 'more than the tolerance of 1e-10, and no choice'
done
# a sum that cancels what it adds makes an error of it that no model foresees: smaller tiles after the measurement
if [ -z "${SANITIZED:-}" ]; then
    cat > cancel.rn <<'N'
network cancel {
    input 64x28x28
    residual { conv 64, 3x3 as body; leakyrelu slope 1 }
}
N
    "${PYTHON:-python3}" - <<'P'
import array, json
kernel = array.array("f", [0.0] * (64 * 64 * 9))
for k in range(64):
    kernel[(k * 64 + k) * 9 + 4] = -0.99
head = json.dumps({"body.weight": {"dtype": "F32", "shape": [64, 64, 3, 3], "data_offsets": [0, 4 * len(kernel)]}}).encode()
open("cancel.safetensors", "wb").write(len(head).to_bytes(8, "little") + head + kernel.tobytes())
P
    expect "beyond the model" 1 "$RNC" -mtune=generic --verify --weights cancel.safetensors cancel.rn
    expect "-O3 finds it" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/cancel --threads 1 --weights cancel.safetensors --report --verify cancel.rn
    contains "in smaller tiles" .out '^body .*would spend more of the error budget'
    [ ! -s .err ] && ok || bad "within the tolerance" "$(< .err)"
fi
# larger predictions after a measurement: a cache that says so
sed 's/\(tolerance 0.0001|scale\) .*/\1 1000/' cache/error > cache/scaled
expect "a scale from the cache" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/scaled --threads 1 --random-weights --report tiny.rn
contains "layers take less error" .out 'would spend more of the error budget'

expect "-O3 --verify" 0 "$RNC" -mtune=generic -O3 --tune-cache cache/tune --threads 1 --verify --random-weights tiny.rn

# --report
expect "--report" 0 "$RNC" -mtune=generic --report tiny.rn
contains "a layer" .out '^layer1.0.conv1 .*3x3 16->16 @8x8 '
contains "the error" .out 'predicted error of the output [0-9.e-]* (tolerance 1.0e-04)'
expect "--report=FILE.html" 0 "$RNC" -mtune=generic --report=page.html tiny.rn
contains "a page" page.html '<td class="l" title="tiny.rn:4:9">layer1.0.conv1</td>'
expect "--report to another ending" 2 "$RNC" -mtune=generic --report=page.txt tiny.rn
expect "--report where nothing can be written" 1 "$RNC" -mtune=generic --report=none/page.html tiny.rn
expect "a tight tolerance" 0 "$RNC" -mtune=generic --report --tolerance 1e-9 tiny.rn
contains "takes small tiles" .out 'layer1.0.conv1 .*@8x8  *F([12]x[12])'
expect "a tight tolerance for a large network" 0 "$RNC" -mtune=generic --report --tolerance 2e-6 "$ROOT/examples/resnet18.rn"
contains "says why" .out 'layer1.0.conv1 .*@56x56  *F(.*would spend more of the error budget'
expect "-fno-winograd" 0 "$RNC" -mtune=generic --report -fno-winograd tiny.rn
lacks "has no tiles" .out 'F('
expect "large 1x1 convolutions" 0 "$RNC" --target x86-64-v4 --report "$ROOT/examples/resnet50.rn"
contains "by Strassen's multiplication" .out '^layer3.1.conv3 .*1x1 256->1024 @14x14 *strassen, tiles of .* pointwise .*; the fastest'
expect "on two threads, where one pair of tiles is left" 0 "$RNC" --target x86-64-v4 --report --threads 2 "$ROOT/examples/resnet50.rn"
contains "its panels are shared" .out '^layer4.1.conv1 .*1x1 2048->512 @7x7 *strassen, '
expect "-fno-strassen" 0 "$RNC" -mtune=generic --report -fno-strassen "$ROOT/examples/resnet50.rn"
lacks "has none" .out strassen
finish
