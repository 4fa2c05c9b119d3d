#!/bin/bash
# What -o writes, by its ending; the C is the same in any folder, without warnings as C11, with its header in C and C++; and
# several networks, or a fused and an unfused build of one, link into one program.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
other > "$WORK/other.rn"
INCLUDE=$OUT/include/rn
WARN="-Wall -Wextra -Werror -pedantic"
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"

exists() { # exists NAME FILE...
    local name=$1 file
    shift
    for file; do if [ -s "$WORK/$file" ]; then ok; else bad "$name" "$file is not there"; fi; done
}
same() { if cmp -s "$WORK/$2" "$WORK/$3"; then ok; else bad "$1" "$2 and $3 differ"; fi; }
differ() { if cmp -s "$WORK/$2" "$WORK/$3"; then bad "$1" "$2 and $3 are the same"; else ok; fi; }

# ---- endings ----
mkdir "$WORK/o" && expect c 0 "$RNC" -o o/net.c tiny.rn && exists c o/net.c o/net.h && absent c o/net.rnw
expect "c with weights" 0 "$RNC" -o o/w.c --random-weights tiny.rn && exists "c with weights" o/w.c o/w.h o/w.rnw
expect object 0 "$RNC" -o o/a.o --random-weights tiny.rn && exists object o/a.o o/a.h o/a.rnw && absent object o/a.c
expect archive 0 "$RNC" -o o/b.a --random-weights --embed tiny.rn && exists archive o/b.a o/b.h && absent archive o/b.rnw o/b.o
expect shared 0 "$RNC" -o o/c.so tiny.rn && exists shared o/c.so o/c.h && absent shared o/c.c o/c.rnw
expect program 0 "$RNC" -o o/prog --random-weights tiny.rn && exists program o/prog o/prog.rnw && absent program o/prog.h o/prog.c
expect "program runs" 0 o/prog info && prints "program runs" tiny
expect safetensors 0 "$RNC" -o o/t.safetensors --random-weights=7 tiny.rn && exists safetensors o/t.safetensors
expect onnx 0 "$RNC" -o o/n.onnx --weights o/t.safetensors tiny.rn && exists onnx o/n.onnx && absent onnx o/n.h o/n.rnw
expect "onnx is repeatable" 0 "$RNC" -o o/n2.onnx --random-weights=7 --name tiny tiny.rn && same "onnx is repeatable" o/n.onnx o/n2.onnx
expect "onnx: any name" 0 "$RNC" -o o/n3.onnx --name model --random-weights tiny.rn
expect "random is repeatable" 0 "$RNC" -o o/t2.safetensors --random-weights=7 tiny.rn && same "random is repeatable" o/t.safetensors o/t2.safetensors
expect "another seed" 0 "$RNC" -o o/t3.safetensors --random-weights=8 tiny.rn && differ "another seed" o/t.safetensors o/t3.safetensors
expect "weights read back" 0 "$RNC" -o o/r.c --weights o/t.safetensors tiny.rn
expect "weights drawn" 0 "$RNC" -o o/d.c --random-weights=7 tiny.rn && same "weights read back" o/r.rnw o/d.rnw
if ls -d "$WORK"/o/.rnc-* > /dev/null 2>&1; then bad clean "a temporary folder was left behind"; else ok; fi

# ---- the size of packed weights ----
size() { stat -c %s "$WORK/$1"; }
expect "fastest" 0 "$RNC" -o o/fast.c --target x86-64-v3 --random-weights tiny.rn
expect "-Os" 0 "$RNC" -o o/small.c -Os --target x86-64-v3 --random-weights tiny.rn
if [ "$(size o/small.rnw)" -lt "$(size o/fast.rnw)" ]; then ok; else bad "-Os" "$(size o/small.rnw) bytes"; fi
expect "-Os, then -O2" 0 "$RNC" -Os -O2 -o o/last.c --target x86-64-v3 --random-weights tiny.rn && same "the last -O counts" o/last.rnw o/fast.rnw
expect "no such limit" 1 "$RNC" -o o/limit.c --weights-limit 0.001 --target x86-64-v3 --random-weights tiny.rn
says "no such limit" "--weights-limit: tiny's packed weights take at least 0."
absent "no such limit" o/limit.c o/limit.h o/limit.rnw
limit=$(sed 's/.*take at least \([0-9.]*\) MB.*/\1/' "$WORK/.err")
expect "the least" 0 "$RNC" -o o/limit.c --weights-limit "$limit" --target x86-64-v3 --random-weights tiny.rn
if [ "$(size o/limit.rnw)" -le "$(echo "$limit" | awk '{print $1 * 1000000 + 4096}')" ]; then ok; else bad "the least" "$(size o/limit.rnw) bytes"; fi

# ---- a network called as a parameter or variable of the emitted code ----
for name in net status options made image batch k; do
    expect "called $name" 0 "$RNC" -o "o/called_$name.o" --name "$name" --random-weights tiny.rn
done
for name in g part parts arg n; do
    expect "called $name, a batch" 0 "$RNC" -o "o/called_$name.o" --name "$name" --batch 3 --random-weights tiny.rn
done
for name in cli time_now net_open; do # as the commands of a program
    expect "called $name, a program" 0 "$RNC" -o "o/called_$name" --name "$name" --random-weights tiny.rn
    expect "called $name, a program, runs" 0 "o/called_$name" info
done
for name in model step V rn_tensor size_t I complex linux bool errno stdin NULL main class stat jpeg; do
    expect "called $name" 1 "$RNC" -o "o/called_$name.o" --name "$name" --random-weights tiny.rn
    says "called $name" "'$name' cannot name the emitted type and functions"
done

# ---- the same bytes in any folder ----
mkdir -p "$WORK/p/q" && cp "$WORK/tiny.rn" "$WORK/p/q/"
expect "here" 0 "$RNC" -o net.c --random-weights --batch 2 tiny.rn
expect "elsewhere" 0 "$RNC" -o "$WORK/p/net.c" --random-weights --batch 2 "$WORK/p/q/tiny.rn"
same "any folder" net.c p/net.c
same "any folder" net.h p/net.h
same "any folder" net.rnw p/net.rnw
if grep -q "$WORK" "$WORK/p/net.c"; then bad "any folder" "a path is in the emitted C"; else ok; fi
expect "one thread" 0 "$RNC" -o p/one.c --threads 1 --random-weights --batch 2 tiny.rn && same "any thread count" net.rnw p/one.rnw

# ---- warnings ----
for level in -O0 -O2; do
    for target in x86-64-v3 x86-64-v4; do
        expect "$level $target" 0 "$RNC" -o o/warn.c --random-weights --embed $level --target $target tiny.rn
        for compiler in gcc clang; do
            expect "$compiler $level $target" 0 $compiler -std=c11 $WARN -O1 -I"$INCLUDE" -Io -c -o o/warn.o o/warn.c
        done
    done
done
echo '#include "net.h"' > "$WORK/header.c"
cp "$WORK/header.c" "$WORK/header.cc"
expect "header as C99" 0 gcc -std=c99 $WARN -I"$INCLUDE" -I. -fsyntax-only header.c
expect "header as C++" 0 g++ -std=c++11 $WARN -I"$INCLUDE" -I. -fsyntax-only header.cc

# ---- a page wide ----
narrow() { # narrow NAME OPTIONS...: no line of net.c and net.h is longer than 120 columns
    local name=$1 wide
    shift
    expect "$name" 0 "$RNC" -o wide.c --name net "$@"
    wide=$(awk 'length > 120' "$WORK/wide.c" "$WORK/wide.h" | head -3)
    [ -z "$wide" ] && ok || bad "$name is within 120 columns" "$wide"
}
for network in resnet50 googlenet densenet121 se_resnet50 efficientnet_lite0 prelu_net_a resnet50_fpn cifar/preact_resnet110; do
    narrow "$network" "$ROOT/examples/$network.rn"
done
narrow "two targets" --target x86-64-v3,x86-64-v4 --store bf16 "$ROOT/examples/resnet18.rn"
narrow "a batch" --batch 8 --threads 2 --kernels=static "$ROOT/examples/resnet18.rn"
narrow "standalone" --standalone --kernels=c "$ROOT/examples/resnet18.rn"
narrow "unfused" -O0 "$ROOT/examples/resnet50.rn"

# ---- several in one program ----
cat > "$WORK/app.c" <<'C'
#include "fast.h"
#include "plain.h"
#include "second.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(x) do { if (!(x)) { printf("line %d: %s %s\n", __LINE__, #x, error); return 1; } } while (0)

int main(void) {
    static float image[4 * 3 * 16 * 16], small[64], a[4 * 10], b[4 * 10], c[4 * 10], d[4];
    char error[RN_ERROR_SIZE] = "";
    rn_options options = {0};
    options.error = error;
    options.error_size = sizeof error;
    for (int i = 0; i < 4 * 3 * 16 * 16; i++) image[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < 64; i++) small[i] = (float)i / 64;
    rn_weights *shared = NULL;
    fast *f = NULL, *g = NULL;
    plain *p = NULL;
    second *s = NULL;
    CHECK(!rn_weights_open(&shared, fast_model(), "fast.rnw", error, sizeof error));
    CHECK(!fast_create(&f, NULL, 0, shared, &options));
    size_t size = fast_arena_size(4, 1);
    void *arena = aligned_alloc(64, (size + 63) / 64 * 64);
    CHECK(arena && !fast_create(&g, arena, size, shared, &options));      /* two instances share the weights */
    CHECK(fast_create(&g, arena, size / 2, shared, &options) == RN_ERROR_ARGUMENT && *error);
    CHECK(!fast_create(&g, arena, size, shared, &options));
    CHECK(!plain_create(&p, NULL, 0, NULL, &options));                    /* its weights are embedded */
    CHECK(!second_create(&s, NULL, 0, NULL, &options));
    CHECK(!fast_run(f, 4, image, a) && !fast_run(g, 4, image, b) && !plain_run(p, 4, image, c) && !second_run(s, 1, small, d));
    CHECK(fast_run(f, 5, image, a) == RN_ERROR_ARGUMENT && *fast_message(f));
    for (int i = 0; i < 40; i++) CHECK(a[i] == b[i]);
    for (int i = 0; i < 40; i++) CHECK(fabsf(a[i] - c[i]) <= 1e-5f);
    for (int n = 0; n < 4; n++) {                                         /* each image alone gives the same */
        float one[10];
        double sum = 0;
        CHECK(!fast_run(f, 1, image + n * 3 * 256, one));
        for (int i = 0; i < 10; i++) CHECK(fabsf(one[i] - a[10 * n + i]) <= 1e-6f);
        for (int i = 0; i < 10; i++) sum += (double)one[i];
        CHECK(fabs(sum - 1) <= 1e-5);
    }
    fast_destroy(f);
    fast_destroy(g);
    plain_destroy(p);
    second_destroy(s);
    rn_weights_close(shared);
    free(arena);
    puts("all agree");
    return 0;
}
C
expect fused 0 "$RNC" -o fast.c --name fast --batch 4 --random-weights tiny.rn
expect unfused 0 "$RNC" -o plain.c --name plain -O0 --batch 4 --random-weights --embed tiny.rn
expect second 0 "$RNC" -o second.o --name second --random-weights --embed other.rn
expect "one program" 0 $CC -std=c11 -D_GNU_SOURCE -O1 -I"$INCLUDE" -I. -o app app.c fast.c plain.c second.o $LIBS
expect "one program" 0 ./app && prints "one program" "all agree"

# ---- features: another layer's result ----
expect summary 0 "$RNC" --summary tiny.rn
layer=$("$RNC" --dump=ir "$WORK/tiny.rn" | grep -o 'layer1\.0\.conv2' | head -1)
[ "$layer" = layer1.0.conv2 ] && ok || bad output "layer1.0.conv2 is not in the graph"
expect output 0 "$RNC" -o middle.c --random-weights --output layer1.0.conv2 tiny.rn
expect "output verified" 0 "$RNC" --verify --output layer1.0.conv2 --output fc tiny.rn
expect "no such layer" 1 "$RNC" -o no.c --output layer1.0.conv3 tiny.rn
says "no such layer" "did you mean 'layer1.0.conv"
absent "no such layer" no.c no.h
finish
