"""Makes a data set in MNIST's format of a table: a row of numbers for each picture, its pixels and then its class.

    python3 tools/csv-to-idx.py FILE.csv.gz SIDE WHITE FOLDER

Pixels are 0..WHITE and become 0..255. The fifth, tenth, ... picture of each class is for the test, the others are for
training, in the table's order. Needs Python alone.
"""

import gzip
import os
import struct
import sys


def read(path, side, white):
    """Returns (pixels, class) of each row."""
    pictures = []
    with gzip.open(path, "rt", encoding="ascii") as table:
        for number, line in enumerate(table, 1):
            row = [float(field) for field in line.split(",")]
            if len(row) != side * side + 1:
                sys.exit(f"error: {path}:{number}: {len(row)} numbers where {side * side + 1} belong")
            *pixels, kind = row
            if min(pixels) < 0 or max(pixels) > white or kind not in range(256):
                sys.exit(f"error: {path}:{number}: a pixel or the class is out of its range")
            pictures.append((bytes(int(255 * v / white + 0.5) for v in pixels), int(kind)))
    return pictures


def split(pictures):
    train, test, seen = [], [], {}
    for picture in pictures:
        seen[picture[1]] = seen.get(picture[1], 0) + 1
        (train if seen[picture[1]] % 5 else test).append(picture)
    return {"train": train, "t10k": test}


def main():
    path, side, white, folder = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    for name, part in split(read(path, side, white)).items():
        with open(os.path.join(folder, f"{name}-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, len(part), side, side))
            file.writelines(pixels for pixels, _ in part)
        with open(os.path.join(folder, f"{name}-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, len(part)))
            file.write(bytes(kind for _, kind in part))


main()
