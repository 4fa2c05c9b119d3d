#!/bin/bash
# make install into a staging folder, and an application built outside the tree, with pkg-config and with CMake, against the
# shared and the static library; then uninstall leaves nothing.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/tiny.rn"
SAN=${SANITIZED:+1}
VERSION=$(sed -n 's/^.define RN_VERSION "\(.*\)"/\1/p' "$ROOT/runtime/rn.h")
BASE=$OUT
[ -z "$SAN" ] || BASE=$(dirname "$OUT")
make_in_tree() { env -u MAKEFLAGS -u MAKELEVEL CC="${CC%% *}" make -s -C "$ROOT" BUILD="$BASE" SAN="$SAN" "$@"; }

# root's install tells the dynamic linker of librn.so; a staged one leaves the machine as it is
mkdir "$WORK/bin"
printf '#!/bin/sh\ntouch "%s/told"\n' "$WORK" > "$WORK/bin/ldconfig"
chmod +x "$WORK/bin/ldconfig"
export PATH="$WORK/bin:$PATH"

# ---- staging: DESTDIR is no part of what the files say ----
expect staged 0 make_in_tree install DESTDIR="$WORK/stage" PREFIX=/opt/rn
for file in bin/rnc lib/librn.a lib/librn.so "lib/librn.so.$VERSION" include/rn/rn.h include/rn/rn_tools.h \
    include/rn/rn_emitted.h include/rn/rn_recipe.h include/rn/rn_recipe.def lib/pkgconfig/rn.pc \
    lib/cmake/rn/rn-config.cmake share/man/man1/rnc.1 share/man/man3/rn.3 share/man/man3/rn_train.3 share/man/man5/rn.5 share/doc/rn/language.md; do
    [ -e "$WORK/stage/opt/rn/$file" ] && ok || bad staged "$file is not installed"
done
[ ! -e "$OUT/librn_mpi.a" ] || [ -e "$WORK/stage/opt/rn/lib/librn_mpi.a" ] && ok || bad staged "librn_mpi.a is not installed"
if grep -rq "$WORK\|@[A-Z]*@" "$WORK/stage/opt/rn/lib/pkgconfig" "$WORK/stage/opt/rn/lib/cmake"; then
    bad staged "the staging folder or an unfilled place is in an installed file"
else
    ok
fi
expect unstaged 0 make_in_tree uninstall DESTDIR="$WORK/stage" PREFIX=/opt/rn
left=$(find "$WORK/stage" -type f -o -type l)
[ -z "$left" ] && ok || bad uninstall "left: $left"
absent "staged: ldconfig" told

# ---- installed files name the prefix: a relative one would be another folder for everyone who reads them ----
for variable in PREFIX=usr PREFIX='~/rn' PREFIX="$WORK/a b" LIBDIR=lib; do
    for goal in install uninstall; do
        expect "$goal $variable" 2 make_in_tree $goal DESTDIR="$WORK/stage" "$variable"
        says "$goal $variable" "it must be one path that begins with /"
    done
done
expect "an install into a relative staging folder" 0 make_in_tree install DESTDIR="$(realpath --relative-to="$ROOT" "$WORK/stage")" PREFIX=/opt/rn LIBDIR=/opt/rn/lib64
expect "rnc of a staged install" 0 "$WORK/stage/opt/rn/bin/rnc" -o staged --random-weights tiny.rn
expect "and away" 0 make_in_tree uninstall DESTDIR="$WORK/stage" PREFIX=/opt/rn LIBDIR=/opt/rn/lib64

# ---- a real prefix ----
PREFIX=$WORK/usr
expect install 0 make_in_tree install PREFIX="$PREFIX"
[ "$(id -u)" != 0 ] || [ -e "$WORK/told" ] && ok || bad install "ldconfig was not run"
RNC=$PREFIX/bin/rnc
export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
# ---- each header alone, in the languages that it is for ----
for header in rn.h rn_tools.h rn_train.h rn_train_mpi.h rn_emitted.h rn_recipe.h; do
    echo "#include \"$header\"" > "$WORK/header.c"
    case $header in rn.h | rn_tools.h | rn_train*.h) languages="c99 c11 c++11" ;; *) languages=c11 ;; esac
    for language in $languages; do
        compiler=$(case $language in c++*) echo "$CXX -x c++" ;; *) echo "$CC -x c" ;; esac)
        expect "$header alone, in $language" 0 $compiler -std=$language -Wall -Wextra -pedantic -Werror -fsyntax-only \
            -I"$PREFIX/include/rn" "$WORK/header.c"
    done
done

mkdir "$WORK/app"
cp "$WORK/tiny.rn" "$WORK/app/"
cat > "$WORK/app/app.c" <<'C'
#include <stdio.h>
#include "net.h"
int main(void) {
    static float image[TINY_INPUT_SIZE], output[TINY_OUTPUT_SIZE];
    char error[RN_ERROR_SIZE] = "";
    rn_options options = {0};
    tiny *net = NULL;
    double sum = 0;
    options.error = error;
    options.error_size = sizeof error;
    if (tiny_create(&net, NULL, 0, NULL, &options) || tiny_run(net, 1, image, output)) return puts(error), 1;
    for (int i = 0; i < TINY_OUTPUT_SIZE; i++) sum += output[i];
    tiny_destroy(net);
    printf("sum %.4f\n", sum);
    return !(sum > 0.999 && sum < 1.001);
}
C
expect "installed rnc" 0 "$RNC" -o app/net.c --random-weights --embed tiny.rn
expect "installed rnc builds a program" 0 "$RNC" -o app/prog --random-weights --embed tiny.rn
expect "the program runs" 0 app/prog info
expect "installed rnc verifies" 0 "$RNC" --verify tiny.rn

cd "$WORK/app" || exit 1
[ "$(pkg-config --modversion rn)" = "$VERSION" ] && ok || bad pkg-config "version $(pkg-config --modversion rn)"
expect "pkg-config, shared" 0 bash -c "cd app && $CC -o shared app.c net.c -I. \$(pkg-config --cflags --libs rn)"
expect "runs, shared" 0 env LD_LIBRARY_PATH="$PREFIX/lib" app/shared
prints "runs, shared" "sum 1.0000"
if ldd "$WORK/app/shared" 2> /dev/null | grep -q librn.so; then ok; else bad "pkg-config, shared" "librn.so is not used"; fi
expect "pkg-config, static" 0 bash -c "cd app && $CC -o static app.c net.c -I. \$(pkg-config --cflags rn) $PREFIX/lib/librn.a \$(pkg-config --static --libs-only-l rn | sed 's/-lrn//')"
expect "runs, static" 0 app/static
if ldd "$WORK/app/static" 2> /dev/null | grep -q librn.so; then bad "pkg-config, static" "librn.so is used"; else ok; fi

cat > "$WORK/app/CMakeLists.txt" <<'M'
cmake_minimum_required(VERSION 3.18)
project(app C)
find_package(rn 0.1 REQUIRED)
rn_add_network(net tiny.rn --random-weights --embed)
add_executable(shared_app app.c)
target_link_libraries(shared_app net)
add_executable(static_app app.c net.c)
target_include_directories(static_app PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(static_app rn::static)
M
expect "cmake configures" 0 env CC="${CC%% *}" CFLAGS="$(case $CC in *' '*) echo "${CC#* }" ;; esac)" cmake -S app -B app/build -DCMAKE_PREFIX_PATH="$PREFIX"
expect "cmake builds" 0 cmake --build app/build
expect "cmake, shared" 0 app/build/shared_app
prints "cmake, shared" "sum 1.0000"
expect "cmake, static" 0 app/build/static_app
expect "cmake refuses another version" 1 bash -c "printf 'cmake_minimum_required(VERSION 3.18)\nproject(x NONE)\nfind_package(rn 9 REQUIRED)\n' > app/x.cmake && mkdir -p x && mv app/x.cmake x/CMakeLists.txt && cmake -S x -B x/build -DCMAKE_PREFIX_PATH='$PREFIX'"
mkdir "$WORK/old"
printf 'cmake_minimum_required(VERSION 3.16)\nproject(x NONE)\nset(CMAKE_VERSION 3.18.4)\nfind_package(rn REQUIRED)\n' > "$WORK/old/CMakeLists.txt"
expect "cmake is too old" 1 cmake -S old -B old/build -DCMAKE_PREFIX_PATH="$PREFIX"
says "cmake is too old" "rn needs CMake 3.20 or later"

# ---- nothing stale: what rn_add_network made is made again where a file that went into it changes; relative weights ----
mkdir -p "$WORK/a place/blocks" && cd "$WORK/a place" || exit 1
echo 'block part(w) { conv w, 3x3; bn; relu }' > blocks/part.rn
echo 'import "blocks/part.rn"
network net { input 3x8x8; part(8); avgpool global; fc 4 }' > net.rn
cat > main.c <<'C'
#include <stdio.h>
#include "net.h"
int main(void) { return printf("%lld parameters\n", (long long)net_model()->parameters) < 0; }
C
cat > CMakeLists.txt <<'M'
cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(rn REQUIRED)
if(NOT CMAKE_MINIMUM_REQUIRED_VERSION STREQUAL 3.16)
    message(FATAL_ERROR "find_package changed the version that this project requires: ${CMAKE_MINIMUM_REQUIRED_VERSION}")
endif()
rn_add_network(net net.rn --weights w.safetensors)
rn_add_network(alone net.rn --weights=w.safetensors --name alone --standalone --embed)
rn_add_network(bare net.rn --weights-limit 10 --name bare) # no weights, so no bare.rnw
add_executable(app main.c)
target_link_libraries(app PRIVATE net)
M
weights() { "$RNC" -o w.safetensors --random-weights="$1" net.rn; }
again() { # again NAME COUNT: a build makes so many of the three networks
    expect "$1" 0 cmake --build "a place/build"
    local made
    made=$(grep -c "Compiling network" "$WORK/.out")
    [ "$made" = "$2" ] && ok || bad "$1" "$made networks compiled instead of $2"
}
for generator in "Unix Makefiles" Ninja; do
    rm -rf build && sed -i 's/5x5/3x3/' blocks/part.rn && weights 1
    expect "$generator: configures" 0 env CC="${CC%% *}" CFLAGS="$(case $CC in *' '*) echo "${CC#* }" ;; esac)" \
        cmake -G "$generator" -S "a place" -B "a place/build" -DCMAKE_PREFIX_PATH="$PREFIX"
    again "$generator: first" 3
    before=$(build/app) && cp build/net.rnw old.rnw
    again "$generator: nothing changed" 0
    sleep 0.05 && sed -i 's/3x3/5x5/' blocks/part.rn && weights 1
    again "$generator: an import changed" 3
    [ "$before" != "$(build/app)" ] && ok || bad "$generator: an import changed" "the program did not"
    weights 2
    again "$generator: weights changed" 2
    cmp -s old.rnw build/net.rnw && bad "$generator: weights changed" "net.rnw did not" || ok
    touch "$RNC"
    again "$generator: another rnc" 3
    again "$generator: nothing more" 0
done
cd "$WORK/app" || exit 1

# ---- the manual ----
for page in rn.3 rn_train.3 rn.5 rnc.1; do
    if man --warnings -l "$PREFIX/share/man/man${page#*.}/$page" 2> "$WORK/man.err" > "$WORK/man.txt" && ! [ -s "$WORK/man.err" ]; then ok; else bad "man $page" "$(head -3 "$WORK/man.err")"; fi
    case $page in # a heading, a table's row, code, and what follows the pages that docs/ made
    rn.5) set -- "^LAYERS" "^ *convolution *to *K *channels" "^ *maxpool 3x3 /2 pad 1" "rnc(1), rn(3)" ;;
    rn.3) set -- "^ERRORS" "^ *RN_ERROR_KERNEL" "^ *rn_status rn_image_read(rn_image \*image" "^ *int rn_main(const rn_model" "rnc(1), rn(5), rn_train(3)" ;;
    rn_train.3)
        set -- "rn_train - training of networks" "^MEMORY" "^ *best.safetensors" "^ *int rn_train_main(const rn_train_model" "rnc(1), rn(3)"
        for name in $(grep -oE '\brn_train_[a-z_]+\(' "$ROOT/runtime/rn_train.h" | tr -d '(' | sort -u); do
            grep -q "$name(" "$WORK/man.txt" && ok || bad "man $page" "no $name"
        done
        ;;
    rnc.1) set -- "rn(5), *the language" "rn_train(3), *training" ;;
    esac
    for line; do grep -q -- "$line" "$WORK/man.txt" && ok || bad "man $page" "no '$line'"; done
    grep -nE '(^|[ (])\*\*[A-Z]|\]\([a-z#.]|^ *\|.*\| *$' "$WORK/man.txt" | head -3 > "$WORK/marks"
    [ -s "$WORK/marks" ] && bad "man $page" "marks are left: $(cat "$WORK/marks")" || ok
done
"$RNC" --help | grep -oE '^  (--[-a-z]+|-M[A-Z]+|-[a-zDO])' | sort -u | while read -r option; do
    grep -qF -- "$(echo "$option" | sed 's/-/\\-/g')" "$PREFIX/share/man/man1/rnc.1" || echo "$option"
done > "$WORK/undocumented"
[ -s "$WORK/undocumented" ] && bad man "not documented: $(tr '\n' ' ' < "$WORK/undocumented")" || ok

cd "$WORK" || exit 1
expect uninstall 0 make_in_tree uninstall PREFIX="$PREFIX"
left=$(find "$PREFIX" -type f -o -type l)
[ -z "$left" ] && ok || bad uninstall "left: $left"
finish
