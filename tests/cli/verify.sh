#!/bin/bash
# --verify: agrees on sound code at every level, target, batch and thread count; says so where it does not.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
other > "$WORK/other.rn"

for level in -O0 -O1 -O2; do
    expect "$level" 0 "$RNC" --verify $level tiny.rn
    prints "$level" "agree with the interpreter"
done
expect "AVX2" 0 "$RNC" --verify --target x86-64-v3 tiny.rn
# what each pass changes in this network; tests/numeric has them on random networks
for pass in fold-affine fuse-add fold-shortcut fuse-act fuse-pool in-place; do
    [ -n "$SANITIZED" ] || expect "-fno-$pass" 0 "$RNC" --verify "-fno-$pass" tiny.rn
done
expect "batch and threads" 0 "$RNC" --verify --batch 5 --threads 3 tiny.rn
expect "another network" 0 "$RNC" --verify --random-weights=3 other.rn
expect "odd size" 0 "$RNC" --verify -D size=19 -D classes=13 tiny.rn

# it must be able to fail: the tolerance that no float arithmetic meets, and code that is wrong
expect "too strict" 1 "$RNC" --verify --tolerance 1e-12 tiny.rn
says "too strict" "differs from the interpreter"
says "too strict" "tiny.rn:"
cat > "$WORK/bad-cc" <<'S'
#!/bin/bash
# a C compiler that miscompiles: the first relu of the emitted file lets negative numbers through
args=()
for a; do
    case $a in *.c) sed -i 's/return max_(zero(), v);/return v;/' "$a" ;; esac
    args+=("$a")
done
exec $REAL_CC "${args[@]}"
S
chmod +x "$WORK/bad-cc"
expect "wrong code" 1 env REAL_CC="$CC" CC="$WORK/bad-cc" "$RNC" --verify tiny.rn
says "wrong code" "differs from the interpreter"
finish
