#!/bin/sh
# Installs what rnc needs to be built (`build`), tested (`check`) and fuzzed (`fuzz`) on Debian 12, and to download the
# demo's packages (`demo`) and data sets (`data`): only what is missing. As root it uses apt-get; otherwise it goes on where everything is there,
# and names what is missing where it is not. For `check` there are also packages that it does without (Open MPI, ONNX's test data and helper, what builds
# a wheel), which only root's apt-get brings.
what=${1:-build}
cc=${CC:-cc}
cc=${cc%% *}
missing=

command_in() { # command_in PROGRAM PACKAGE
    command -v "$1" > /dev/null 2>&1 || missing="$missing $2"
}

header_in() { # header_in HEADER PACKAGE
    echo "#include <stdio.h>
#include <$1>" | $cc -E -x c - > /dev/null 2>&1 || missing="$missing $2"
}

wheel_builder() { # a Python that builds the package in python/
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import setuptools, wheel' > /dev/null 2>&1 && "$python" -m pip --version > /dev/null 2>&1 && return 0
    done
    return 1
}

find_missing() {
    missing= optional=
    if [ "$what" = demo ] || [ "$what" = data ]; then
        python3 -m pip --version > /dev/null 2>&1 || missing=" python3-pip"
        [ "$what" = demo ] || [ -d "${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}" ] || missing="$missing dataset-fashion-mnist"
        return
    fi
    command_in "$cc" gcc
    echo '#include <stdio.h>' | $cc -E -x c - > /dev/null 2>&1 || missing="$missing libc6-dev"
    command_in make make
    command_in ar binutils
    command_in flex flex
    command_in bison bison
    command_in protoc-c protobuf-c-compiler
    header_in protobuf-c/protobuf-c.h libprotobuf-c-dev
    header_in libxsmm.h libxsmm-dev
    header_in xxhash.h libxxhash-dev
    header_in cjson/cJSON.h libcjson-dev
    header_in png.h libpng-dev
    header_in jpeglib.h libjpeg-dev
    header_in zip.h libzip-dev
    header_in zlib.h zlib1g-dev
    if [ "$what" = fuzz ]; then
        command_in clang clang
        [ -n "$(find /usr/lib -name 'libomp.so*' 2> /dev/null | head -n 1)" ] || missing="$missing libomp-dev"
    fi
    if [ "$what" = check ]; then
        command_in g++ g++
        command_in clang clang
        command_in pkg-config pkg-config
        command_in cmake cmake
        command_in ninja ninja-build
        command_in python3 python3
        "$(dirname "$0")/find-python.sh" > /dev/null || missing="$missing python3-numpy"
        command_in man man-db
        header_in CUnit/CUnit.h libcunit1-dev
        command -v mpicc > /dev/null 2>&1 || optional="$optional libopenmpi-dev"
        command -v mpirun > /dev/null 2>&1 || optional="$optional openmpi-bin"
        [ -d /usr/share/libonnx-testdata ] || optional="$optional libonnx-testdata"
        wheel_builder || optional="$optional python3-pip python3-setuptools python3-wheel"
        /usr/bin/python3 -c 'import onnx' > /dev/null 2>&1 || optional="$optional python3-onnx"
    fi
}

find_missing
if [ -n "$optional" ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1; then
    echo "installing:$optional (optional)"
    { DEBIAN_FRONTEND=noninteractive apt-get update &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $optional; } > /dev/null 2>&1 ||
        echo "going on without:$optional"
fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1; then
    echo "installing:$missing"
    log=$(mktemp)
    if ! { DEBIAN_FRONTEND=noninteractive apt-get update &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } > "$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "error: apt-get could not install:$missing" >&2
        exit 1
    fi
    rm -f "$log"
    find_missing
    [ -n "$missing" ] || exit 0
fi
echo "error: these packages are missing:$missing" >&2
echo "       install them: apt-get install$missing" >&2
exit 1
