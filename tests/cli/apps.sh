#!/bin/bash
# The applications of examples/apps, as a user builds and runs them: C, C++ and Python give the same classes, and the face
# network tells the same person from another.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
picture "$WORK/one.png" 40 30
picture "$WORK/two.png" 17 50
seq -f 'label %g' 10 > "$WORK/labels.txt"
APPS=$ROOT/examples/apps
INCLUDE=$OUT/include/rn
LIBS="$OUT/librn.a -lpng -ljpeg -lcjson -lxxhash -lgomp -lpthread -lrt -ldl -lm"
WARN="-Wall -Wextra -Werror"

expect compile 0 "$RNC" -o tiny.c --random-weights tiny.rn
expect C 0 $CC -std=c11 $WARN -DNET=tiny -I. -I"$INCLUDE" -o classify_c "$APPS/classify.c" tiny.c $LIBS
expect "C runs" 0 ./classify_c tiny.rnw labels.txt one.png two.png
prints "C runs" "label "
cp "$WORK/.out" "$WORK/c.txt"
expect "C: numbers only" 0 ./classify_c tiny.rnw - one.png
expect "C: no picture" 1 ./classify_c tiny.rnw - nowhere.png
says "C: no picture" nowhere.png
expect "C: no weights" 1 ./classify_c nowhere.rnw - one.png
says "C: no weights" nowhere.rnw

expect "C++ object" 0 "$RNC" -o tiny.o tiny.rn
expect C++ 0 $CXX -std=c++17 $WARN -DNET=tiny -I. -I"$INCLUDE" -o classify_cpp "$APPS/classify.cpp" tiny.o $LIBS
expect "C++ runs" 0 ./classify_cpp tiny.rnw labels.txt one.png two.png
if grep -o 'label [0-9]*' "$WORK/.out" | diff - <(grep -o 'label [0-9]*' "$WORK/c.txt") > /dev/null; then ok; else bad C++ "other classes than C"; fi
expect "C++: no picture" 1 ./classify_cpp tiny.rnw - nowhere.png
says "C++: no picture" nowhere.png

# Python loads an unsanitized object only: the sanitizer must be there first
if [ -z "$SANITIZED" ]; then
    expect "shared object" 0 "$RNC" -o tiny.so --random-weights tiny.rn
    expect Python 0 "$PYTHON" "$APPS/classify.py" ./tiny.so tiny.rnw one.png
    first=$(sed -n 's/.*%  *\([0-9]*\) .*/\1/p' "$WORK/c.txt" | head -1)
    grep -qw -- "$first" "$WORK/.out" && ok || bad Python "class $first, C's first, is not there: $(head -5 "$WORK/.out")"
    cp "$WORK/tiny.so" "$WORK/renamed.so"
    expect "Python: another library name" 1 "$PYTHON" "$APPS/classify.py" ./renamed.so tiny.rnw one.png
    says "Python: another library name" "--name"
    expect "Python: --name" 0 "$PYTHON" "$APPS/classify.py" --name tiny ./renamed.so tiny.rnw one.png
    expect "Python: no weights" 1 "$PYTHON" "$APPS/classify.py" ./tiny.so nowhere.rnw one.png
    says "Python: no weights" nowhere.rnw
fi

cp "$ROOT"/examples/face/face.rn "$ROOT"/examples/face/face.safetensors "$ROOT"/examples/face/*.png "$WORK"
expect face 0 "$RNC" -o face.c --weights face.safetensors face.rn
expect "face app" 0 $CC -std=c11 $WARN -I. -I"$INCLUDE" -o faces "$APPS/face.c" face.c $LIBS
expect "faces" 0 ./faces face.rnw face_obama.png face_obama2.png face_biden.png
cp "$WORK/.out" "$WORK/faces.txt"
prints faces "same"
finish
