#!/bin/bash
# Weights as they come: PyTorch's checkpoints of both forms, and damaged and hostile ones; names with a prefix, tensors to
# ignore, doubles, files of other formats.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/net.rn"

refused() { # refused NAME MESSAGE FILE OPTIONS...: one error that begins with the file's name, and no output
    local name=$1 message=$2 file=$3
    shift 3
    expect "$name" 1 "$RNC" -o out.c --weights "$file" "$@" net.rn
    says "$name" "$file: error: $message"
    [ "$(grep -c error: "$WORK/.err")" = 1 ] && ok || bad "$name" "more than one error: $(cat "$WORK/.err")"
    absent "$name" out.c out.h out.rnw
    clean "$name"
}

gives() { # gives NAME FILE TO OPTIONS...: the weights of FILE are those of TO
    local name=$1 file=$2 to=$3
    shift 3
    expect "$name" 0 "$RNC" -o got.safetensors --weights "$file" "$@" net.rn &&
        if cmp -s "$WORK/got.safetensors" "$WORK/$to"; then ok; else bad "$name" "other weights than in $to"; fi
}

clean_bytes() { # clean_bytes NAME: what it said has no control bytes but the ends of its lines
    if tr -d '\n' < "$WORK/.err" | LC_ALL=C grep -q '[[:cntrl:]]'; then bad "$1" "says $(cat -v "$WORK/.err")"; else ok; fi
}

expect weights 0 "$RNC" -o net.safetensors --random-weights net.rn
expect checkpoints 0 "${PYTHON:-python3}" "$ROOT/tests/cli/checkpoints.py" "$WORK" || { finish; exit 1; }

# ---- checkpoints ----
for file in zip{2,3,4,5}.pth old{2,3,4,5}.pth top.pt unsummed.pth big.pth big-old.pth views.pth views-old.pth parameters.pth \
    old-parameters.pth typed.pth training.pth training-old.pth two.pth; do
    gives $file $file net.safetensors
    [ $file = two.pth ] || { [ ! -s "$WORK/.err" ] && ok || bad $file "says $(cat "$WORK/.err")"; }
done
gives "several" two.pth net.safetensors
says "several" "two.pth: note: weights are its 'state_dict'; it also holds 'ema', which --weights-prefix can take"
refused "none of several" "PyTorch checkpoint: it holds several dicts of tensors: 'generator', 'critic'; --weights-prefix" gan.pth
gives "under the empty key" empty-key.pth net.safetensors
says "under the empty key" "note: weights are its 'model'; it also holds '', which --weights-prefix can take"
gives "a terminal's escape in a key" hostile.pth net.safetensors
says "a terminal's escape in a key" "note: weights are its 'model'; it also holds '?[31mEVIL?x: error: forged?', which"
clean_bytes "a terminal's escape in a key"
refused "a terminal's escape in a name" "?[31mEVIL is surplus" hostile-name.pth
clean_bytes "a terminal's escape in a name"
refused "a terminal's escape in a safetensors name" "?[31mEVIL is surplus" hostile.safetensors
clean_bytes "a terminal's escape in a safetensors name"
gives double double.pth net.safetensors
expect "half precision" 0 "$RNC" -o half.safetensors --weights half.pth net.rn

refused "truncated" "the archive is damaged or truncated" cut.pth
refused "truncated, old" "truncated: storage 49 has 2 of its 8 bytes" cut-old.pth
refused "nothing but its beginning" "PyTorch checkpoint of the older form, byte 21: opcode 0x00 (unknown)" stub-old.pth
refused "longer" "1 bytes at its end belong to no storage" more-old.pth
refused "another count" "storage 2 has 17 elements, its tensors are views of 16" count-old.pth
refused "a flipped bit" "damaged: data/0: CRC error" flipped.pth
refused "a flipped bit of all tensors" "damaged: data/0: CRC error" flipped-views.pth
refused "entries in one place" "damaged: its storages would together be larger than the file" overlap.pth
refused "compressed" "byteorder is compressed" deflated.pth
refused "a storage missing" "storage data/0 is missing" missing.pth
refused "byte order" "its byteorder is neither little nor big" order.pth
refused "an entry twice" "the archive has two entries called archive/data/0" twice.pth
refused "two pickles" "the archive has two data.pkl: in archive/ and b/" two-pickles.pth
refused "a short storage" "data/0 has 1724 bytes, its tensors are views of 1728" short.pth
refused "beyond its storage" "tensor odd: its elements lie beyond the 8 of storage" beyond.pth
refused "a negative offset" "tensor odd: it has no storage or offset" negative.pth
refused "huge strides" "tensor odd: its elements lie beyond the 8 of storage" stride.pth
refused "a size that overflows" "tensor odd: its size overflows" overflow.pth
refused "many dimensions" "tensor odd: more than 8 dimensions" dims.pth

pickle="PyTorch checkpoint: data.pkl, byte"
refused "a system call" "$pickle 2: refers to os.system, which no plain state dict does (nothing was run)" system.pth
absent "a system call" "pwned!"
refused "by STACK_GLOBAL" "$pickle 23: refers to posix.system" stack-global.pth
refused "eval" "$pickle 9: refers to __builtin__.eval" eval.pth
refused "INST" "$pickle 3: opcode 0x53 (STRING) is none that a state dict needs" inst.pth
refused "a persistent id" "a persistent id that is no storage" persistent.pth
refused "an extension" "$pickle 2: opcode 0x82 (EXT1)" extension.pth
refused "no tensors" "PyTorch checkpoint: it holds no dict of tensors" empty.pth
refused "an empty stack" "$pickle 2: an opcode finds nothing on the stack" underflow.pth
refused "no mark" "$pickle 2: an opcode finds no mark on the stack" no-mark.pth
refused "an unset memo" "$pickle 2: memo 7 is used and was never set" memo.pth
refused "a far memo" "$pickle 3: memo index 2147483647 after 8 bytes" memo-far.pth
refused "an endless string" "$pickle 2: the pickle is cut short" endless.pth
refused "a terminal's escape" "$pickle 2: refers to os?[31m.system" escape.pth
refused "a dict in itself" "PyTorch checkpoint: it holds no dict of tensors" itself.pth
refused "deep nesting" "PyTorch checkpoint: it holds no dict of tensors" deep.pth
refused "dicts without end" "$pickle 12" dicts.pth
says "dicts without end" "its dicts hold more than its bytes can"
refused "no end" "$pickle 3: the pickle is cut short" stop.pth
refused "an unknown protocol" "$pickle 0: protocol 9 is not known" protocol.pth

# ---- names ----
gives "a prefix" module.pth net.safetensors
says "a prefix" "module.pth: note: all names begin with 'module.', which is left out"
gives "a nested prefix" module.safetensors net.safetensors
says "a nested prefix" "note: all names begin with 'module.model.', which is left out"
gives "a prefix that is given" module.safetensors net.safetensors --weights-prefix module.model
[ ! -s "$WORK/.err" ] && ok || bad "a prefix that is given" "says $(cat "$WORK/.err")"
refused "no prefix where there is one" "hardly anything fits" module.safetensors --weights-prefix ''
gives "no prefix" net.safetensors net.safetensors --weights-prefix=
gives "no prefix: the top" top-too.pth net.safetensors --weights-prefix ''
[ ! -s "$WORK/.err" ] && ok || bad "no prefix: the top" "says $(cat "$WORK/.err")"
refused "a wrong prefix" "no tensor's name begins with 'backbone.'" module.safetensors --weights-prefix backbone.
gives "the way to a state dict" two.pth net.safetensors --weights-prefix ema
gives "the way, and a prefix" ema.pth net.safetensors --weights-prefix model_ema.shadow._orig_mod
gives "the way, and a prefix that is found" ema.pth net.safetensors --weights-prefix model_ema.shadow.
says "the way, and a prefix that is found" "all names begin with '_orig_mod.'"
expect surplus 1 "$RNC" -o out.c --weights aux.pth net.rn
says surplus "aux.pth: error: aux1.conv.bias is surplus: the network has no such parameter (a single number)"
says surplus "note: these are not the weights of tiny: 0 of the network's"
absent surplus out.c out.h out.rnw
refused "one surplus" "head.bias is surplus" aux.pth --ignore 'aux*'
gives "ignored" aux.pth net.safetensors --ignore 'aux*' --ignore=head.bias
[ ! -s "$WORK/.err" ] && ok || bad ignored "says $(cat "$WORK/.err")"
gives "ignored for nothing" net.safetensors net.safetensors --ignore 'aux*' --ignore 'fc.*'
says "ignored for nothing" "net.safetensors: warning: --ignore 'aux*' matches no tensor"
says "ignored for nothing" "net.safetensors: warning: --ignore 'fc.*' matches only tensors that the network takes"
expect "no file to ignore of" 2 "$RNC" -o out.c --random-weights --ignore 'aux*' net.rn
says "no file to ignore of" "--ignore needs --weights FILE"
printf 'network resnet { input 3x64x64\n conv 64, 7x7 /2; bn; relu\n repeat 12 { residual { conv 64, 3x3; bn } }\n fc 10 }\n' > "$WORK/far.rn"
expect "another network's" 1 "$RNC" -o out.c --weights net.safetensors far.rn
says "another network's" "net.safetensors: error: hardly anything fits: "
[ "$(grep -c error: "$WORK/.err")" = 1 ] && [ "$(wc -l < "$WORK/.err")" -lt 20 ] && ok || bad "another network's" "$(cat "$WORK/.err")"

# ---- values ----
gives "doubles" double.safetensors net.safetensors
refused "beyond fp32" "fc.bias: element 3 is 1e+300, beyond the range of fp32" huge.safetensors

# ---- other formats ----
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n' > "$WORK/lfs"
refused "Git LFS" "a Git LFS pointer, not the file itself: git lfs pull fetches it" lfs
printf '<!DOCTYPE html><html><body>Not found</body></html>' > "$WORK/page.pth"
refused "a page" "an HTML page, not weights" page.pth
expect onnx 0 "$RNC" -o net.onnx --weights net.safetensors net.rn
refused "ONNX" "an ONNX model, whose weights lie in its graph" net.onnx
gzip -k "$WORK/net.safetensors"
refused "gzip" "gzip, compressed: unpack it first" net.safetensors.gz

# ---- at start-up: the same names, values and formats, but PyTorch's ----
expect "a program without weights" 0 "$RNC" -o bare net.rn
"$PYTHON" -c 'import sys; sys.stdout.buffer.write(b"\x93NUMPY\1\0F\0" + b"%-69s\n" % b"{\x27descr\x27: \x27<f4\x27, \x27fortran_order\x27: False, \x27shape\x27: (1,3,16,16)}" + bytes(3072))' > "$WORK/in.npy"
expect "start-up" 0 ./bare run --weights net.safetensors in.npy want.npy
for file in module double; do
    expect "start-up: $file" 0 ./bare run --weights $file.safetensors in.npy out.npy
    cmp -s "$WORK/want.npy" "$WORK/out.npy" && ok || bad "start-up: $file" "another result"
done
unopened() { # unopened NAME MESSAGE FILE
    expect "start-up: $1" 1 ./bare run --weights "$3" in.npy none.npy
    says "start-up: $1" "$3: $2"
    absent "start-up: $1" none.npy
}
unopened "a checkpoint" "a PyTorch checkpoint, which is read at compile time alone: rnc -o NEW.safetensors" old2.pth
unopened "a checkpoint" "a PyTorch checkpoint, which is read at compile time alone: rnc -o NEW.safetensors" zip2.pth
unopened "a terminal's escape" "these are not the weights of" hostile.safetensors
says "a terminal's escape" "?[31mEVIL is surplus"
clean_bytes "a terminal's escape"
unopened "Git LFS" "a Git LFS pointer" lfs
unopened "beyond fp32" "fc.bias: element 3 is 1e+300, beyond the range of fp32" huge.safetensors
finish
