# Small networks for the tests of the command line.
tiny() { # one of everything that fuses, 16 x 16 pixels
    cat <<'N'
# a stem, a block with identity, one with a projection, a classifier
block basic(width) {
    residual {
        conv width, 3x3 /stride; bn; relu
        conv width, 3x3; bn
    } shortcut project
    relu
}

network tiny(classes = 10, size = 16) {
    input 3 x size x size rgb, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225]
    conv 16, 3x3; bn; relu
    maxpool 3x3 /2 pad 1
    stage 1 basic(16)
    stage 2 basic(24) /2
    avgpool global
    fc classes
    softmax
}
N
}

other() { # another, to link with the first
    cat <<'N'
network other {
    input 1x8x8
    conv 8, 3x3; relu
    fc 4
}
N
}

# picture FILE WIDTH HEIGHT: a PNG of coloured gradients
picture() {
    "$PYTHON" - "$@" <<'P'
import struct, sys, zlib
name, w, h = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rows = b"".join(b"\0" + bytes(v for x in range(w) for v in ((x * 5) % 256, (y * 7) % 256, (x * y) % 256)) for y in range(h))
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                       chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
P
}

# A C compiler that miscompiles, $WORK/bad-cc: the first relu of the emitted file lets negative numbers through, or what
# FAULT says. It needs $REAL_CC.
bad_cc() {
    cat > "$WORK/bad-cc" <<'S'
#!/bin/bash
args=()
for a; do
    case $a in *.c) sed -i "${FAULT:-s/return max_(zero(), v);/return v;/}" "$a" ;; esac
    args+=("$a")
done
exec $REAL_CC "${args[@]}"
S
    chmod +x "$WORK/bad-cc"
}
