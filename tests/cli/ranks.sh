#!/bin/bash
# Several ranks that share a batch have the bits of one: trainers of --mpi with a team of the application's own, threads
# over shared memory (ranks.c). No MPI is needed.
. "$(dirname "$0")/../lib.sh"
INCLUDE=$OUT/include/rn
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lz -lgomp -lpthread -lrt -ldl -lm"
cp "$ROOT/tests/cli/ranks.c" "$WORK"
train='sgd lr 0.02, momentum 0.9, decay 1e-4; stop at 100; init he'

# network NAME BATCH R LAYERS [OPTIONS...]: builds it as ./NAME
network() {
    printf 'network net(classes = 4) {\n input 1x16x16 gray, std [0.5]\n %s\n}\ntrain {\n batch %d\n %s\n}\n' \
        "$4" "$2" "${train//; /$'\n'}" > "$WORK/$1.rn"
    expect "$1: rnc" 0 "$RNC" --train "--mpi=$3" --name net -o net.c "$1.rn" "${@:5}" || return
    expect "$1: compiled" 0 ${LINKING_CC:-$CC} -std=c11 -O2 -Wall -Wextra -Werror -I. -I"$INCLUDE" -c -o net.o net.c # without checks of its own
    expect "$1: built" 0 $CC -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -I. -I"$INCLUDE" -DALL_IMAGES="$2" -o "$1" ranks.c net.o $LIBS
}
# ranks NAME N THREADS: what it prints, as NAME.N
ranks() {
    expect "$1: $2 ranks" 0 "./$1" "$2" "$3"
    cp "$WORK/.out" "$WORK/$1.$2"
}
same() { # same NAME N...: the bits of one rank
    local n
    for n in "${@:2}"; do
        cmp -s "$WORK/$1.1" "$WORK/$1.$n" && ok || bad "$1" "1 rank: $(cat "$WORK/$1.1") $n ranks: $(cat "$WORK/$1.$n")"
    done
}
near() { # near NAME N: the losses to rounding
    [ "$(cut -d' ' -f4 "$WORK/$1.1")" != "$(cut -d' ' -f4 "$WORK/$1.$2")" ] && ok || bad "$1" "$2 ranks: the bits of one"
    paste -d' ' "$WORK/$1.1" "$WORK/$1.$2" | awk '{ exit !(($1 - $5) ^ 2 < 1e-10 && ($2 - $6) ^ 2 < 1e-4 && $2 < $1) }' && ok ||
        bad "$1" "1 rank: $(cat "$WORK/$1.1") $2 ranks: $(cat "$WORK/$1.$2")"
}

# direct sums, Winograd's method with several images a block, dropout, prelu, biases; ranks of 6 images, in slabs of 3 and 1.5
network layers 24 4 'conv 16, 3x3, bias; prelu; maxpool 2x2; conv 20, 3x3; bn; relu; dropout 0.2; conv 24, 3x3 /2; bn; relu; conv 24, 3x3, groups 3; bn; relu; conv 40, 1x1; bn; avgpool global; fc classes; softmax'
ranks layers 1 2
ranks layers 2 1
ranks layers 4 1
same layers 2 4
ranks layers 3 1
near layers 3
ranks layers 8 1
near layers 8

# weights of many channels, which all tiles share, on images of 4 and 1 tiles
network shared 16 4 'conv 16, 3x3 /2; bn; relu; conv 128, 3x3; bn; relu; conv 128, 3x3; bn; relu; maxpool 2x2; conv 320, 3x3; bn; relu; conv 320, 3x3; bn; relu; avgpool global; fc classes; softmax'
ranks shared 1 2
ranks shared 2 1
ranks shared 4 1
same shared 2 4

# as many ranks as slabs, of one image each
network many 16 16 'conv 16, 3x3; bn; relu; conv 16, 3x3 /2; bn; relu; fc 32; relu; fc classes; softmax' --kernels=static -O1
ranks many 1 1
ranks many 2 1
ranks many 16 1
same many 2 16

# ---- a build for one ----
expect "one" 0 "$RNC" --train --name net -o net.c layers.rn
grep -q "rn_train_sum(\|rn_train_start(\|->groups" "$WORK/net.c" && bad "one" "has code for several" || ok
expect "one: built" 0 $CC -std=c11 -D_GNU_SOURCE -I. -I"$INCLUDE" -DALL_IMAGES=24 -o one ranks.c net.c $LIBS
expect "one: one rank" 0 ./one 1 1
expect "one: two ranks" 1 ./one 2 1
says "one: two ranks" "this build trains in one (rnc --train --mpi is for several)"

# ---- errors ----
expect "--mpi=3" 2 "$RNC" --train --mpi=3 -o none.c layers.rn
says "--mpi=3" "'3' is not 1, 2, 4"
expect "--mpi without --train" 2 "$RNC" --mpi -o none.c layers.rn
says "--mpi without --train" "say --train too"
expect "--mpi=16" 1 "$RNC" --train --mpi=16 -o none.c layers.rn
says "--mpi=16" "batch of 24 images is no multiple of 16; the largest number of ranks that has the bits of one is then 8"
absent "errors" none.c none.h
finish
