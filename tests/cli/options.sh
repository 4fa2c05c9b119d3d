#!/bin/bash
# The command line: help, version, and every mistake named, with status 2 and nothing written.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/net.rn"

expect help 0 "$RNC" --help
for option in -o --name --output -D --train --batch --target -mtune= --print-machine --weights --random-weights --store --embed -O --weights-limit -f --passes --summary --verify \
    --tolerance --dump --dump-after --format --threads -v --version "-h, --help"; do
    prints help "  $option"
done
expect "-h" 0 "$RNC" -h
expect version 0 "$RNC" --version
prints version "rnc $(sed -n 's/^.define RN_VERSION "\(.*\)"/\1/p' "$ROOT/runtime/rn.h")"
expect passes 0 "$RNC" --passes
prints passes fuse-add

# the machine that plans are made for: generic where the target is named, and whatever is named; every plan names it
expect "--print-machine" 0 "$RNC" --print-machine --target x86-64-v4
prints "--print-machine" "-mtune=generic for x86-64-v4, of the table"
prints "--print-machine" "    .l3_size = "
prints "--print-machine" "machines with code for x86-64-v4: native, generic, znver4, sapphirerapids, emeraldrapids"
expect "--print-machine of two" 0 "$RNC" --print-machine --target x86-64-v3,x86-64-v4 -mtune=znver4,l3=30
prints "--print-machine of two" "-mtune=znver4,l3=30 for x86-64-v4, changed, of the table"
prints "--print-machine of two" "-mtune=znver4 for x86-64-v3, of the table"
expect "--print-machine --json" 0 "$RNC" --print-machine --json --target x86-64-v3 -mtune=emeraldrapids,l2_size=1M,fetching=kernel
"$PYTHON" - "$WORK/.out" <<'P' && ok || bad "--print-machine --json" "$(< "$WORK/.out")"
import json, sys
(m,) = json.load(open(sys.argv[1]))["machines"]
assert m["tune"] == "emeraldrapids,l2_size=1M,fetching=kernel" and m["target"] == "x86-64-v3", m
assert m["l2_size"] == 1 << 20 and m["fetching"] == "kernel" and m["dram"] == 16.5 and 0 <= m["exposed"] <= 1, m
P
named() { # named TUNE OPTIONS...: plan, report and C say -mtune=TUNE
    local tune=$1
    shift
    expect "plan of $*" 0 "$RNC" "$@" --dump=plan net.rn
    head -1 "$WORK/.out" | grep -qF -- " -mtune=$tune, batch 1" && ok || bad "plan of $*" "$(head -1 "$WORK/.out")"
    expect "report of $*" 0 "$RNC" "$@" --report net.rn
    head -1 "$WORK/.out" | grep -qF -- " -mtune=$tune, batch 1" && ok || bad "report of $*" "$(head -1 "$WORK/.out")"
    expect "C of $*" 0 "$RNC" "$@" --dump=c net.rn
    grep -q -- "the same with --target [^ ]* -mtune=$tune\$" "$WORK/.out" && ok || bad "C of $*" "$(head -4 "$WORK/.out")"
}
named generic --target x86-64-v4
named generic --kernels=c
named generic --target x86-64-v3 -mtune=generic,l3=60
named emeraldrapids,l3=31 --target x86-64-v4 -mtune=emeraldrapids,l3=31,dram=16.5
named znver3 --target x86-64-v3 --tune znver3

wrong() { # wrong MESSAGE ARGUMENTS...: refused with status 2 and this message
    local message=$1
    shift
    expect "rnc $*" 2 "$RNC" "$@"
    says "rnc $*" "$message"
    absent "rnc $*" out.c out.h out.rnw out
}
wrong "no input file"
wrong "--train does not go with --input" --train --verify --input x.npy net.rn
wrong "--train does not go with --weights" --train --dump=ir --random-weights net.rn
wrong "--train does not go with --output" --train --dump=ir --output conv1 net.rn
wrong "--train does not go with --dump=ast" --train --dump=ast net.rn
wrong "--train does not go with --store bf16" --train --dump=ir --store bf16 net.rn
wrong "-ffuse-add: this pass does not run on graphs of training" --train --dump=ir -ffuse-add net.rn
wrong "--train does not go with rnc bench" bench --train net.rn
expect "--train without a recipe" 1 "$RNC" --train -o out.c net.rn
says "--train without a recipe" "'net.rn' has no train section"
absent "--train without a recipe" out.c out.h
printf 'network last {\n    input 3x8x8 nhwc\n    fc 2\n}\ntrain {\n    batch 1\n    sgd lr 0.1\n    stop at 1\n}\n' > "$WORK/last.rn"
expect "--train of an input nhwc" 1 "$RNC" --train -o out.c last.rn
says "--train of an input nhwc" "'last.rn' takes images as H x W x C (nhwc), and trainers take C x H x W"
absent "--train of an input nhwc" out.c out.h
wrong "nothing to do" net.rn
wrong "unknown option '--bacth'; did you mean '--batch'?" --bacth 4 net.rn
wrong "unknown option '-q'" -q net.rn
wrong "two input files" a.rn b.rn --summary
wrong "ends in neither .rn nor .onnx" net.txt --summary
wrong "cannot write a '.cc' file" -o out.cc net.rn
wrong "-o needs a value" net.rn -o
wrong "is an ending without a name" net.rn -o .c
wrong "'..' is not a file" net.rn -o ..
wrong "a quote or control character" net.rn -o 'a"b.o'
wrong "--batch: '0' is not a number from 1" --batch 0 net.rn -o out.c
wrong "--batch: '4x' is not" --batch=4x net.rn -o out.c
wrong "--batch: '99999999999' is not" --batch 99999999999 net.rn -o out.c
wrong "--threads: '-1' is not" --threads -1 net.rn -o out.c
wrong "the levels are -O0 to -O3, and -Os" -O7 net.rn -o out.c
wrong "did you mean '-ffuse-add'?" -ffuse-ad net.rn -o out.c
wrong "did you mean '-fno-fuse-add'?" -fno-fuse-ad net.rn -o out.c
wrong "this pass always runs" -fno-lower net.rn -o out.c
wrong "is not ast, ir, dot, plan or c" --dump=tree net.rn
wrong "did you mean 'plan'?" --dump=pln net.rn
wrong "--dump-after: no pass is called 'nonsense'" --dump-after nonsense net.rn
wrong "is not native, x86-64-v3, x86-64-v4 or generic" --target arm net.rn -o out.c
wrong "did you mean 'x86-64-v3'?" --target x86-64-v2 net.rn -o out.c
wrong "-mtune=znver5: no machine with code for x86-64-v4 is called 'znver5', but native, generic, znver4, " \
    --target x86-64-v4 -mtune=znver5 net.rn -o out.c
wrong "did you mean 'emeraldrapids'?" --target x86-64-v4 --tune emeraldrapid net.rn -o out.c
wrong "no machine with code for x86-64-v4 is called 'znver3'" --target x86-64-v4 -mtune=znver3 net.rn -o out.c
wrong "a machine has no number 'l3_sise'; did you mean 'l3_size'?" -mtune=generic,l3_sise=3M net.rn -o out.c
wrong "a machine has no number 'threads'; --print-machine lists them" -mtune=native,threads=3 net.rn -o out.c
wrong "l3 is a positive number, not '-3'" -mtune=generic,l3=-3 net.rn -o out.c
wrong "l3 is a positive number, not 'nan'" -mtune=generic,l3=nan net.rn -o out.c
wrong "l2_size is a number of bytes (768K, 12M), not '768X'" -mtune=generic,l2_size=768X net.rn -o out.c
wrong "exposed is a number from 0 to 1, not '1.1'" -mtune=generic,exposed=1.1 net.rn -o out.c
wrong "fetching is kernel, pieces or woven, not ''" -mtune=generic,fetching= net.rn -o out.c
wrong "'l3' is not NUMBER=VALUE" -mtune=generic,l3 net.rn -o out.c
wrong "'' is not NUMBER=VALUE" -mtune=generic, net.rn -o out.c
wrong "-mtune= needs a value: -mtune=CPU" -mtune= net.rn -o out.c
wrong "unknown option '-mtune'; did you mean '-mtune='?" -mtune net.rn -o out.c
wrong "--store: 'fp16' is not fp32 or bf16" --store fp16 net.rn -o out.c
wrong "--store: 'bf61' is not fp32 or bf16; did you mean 'bf16'?" --store bf61 net.rn -o out.c
wrong "--store: '' is not fp32 or bf16" --store= net.rn -o out.c
wrong "--store needs a value" --random-weights net.rn -o out.c --store
wrong "exclude each other" --weights w.safetensors --random-weights net.rn -o out.c
wrong "--embed needs" --embed net.rn -o out.c
wrong "--embed needs -o" --embed --random-weights --verify net.rn
wrong "needs --weights FILE or --random-weights" -o out.safetensors net.rn
wrong "-o FILE.onnx needs --weights FILE or --random-weights" -o out.onnx net.rn
wrong "--embed needs -o" --embed --random-weights -o out.onnx net.rn
wrong "the seed 'x' is not" --random-weights=x net.rn -o out.c
wrong "is not NAME=VALUE" -D classes net.rn -o out.c
wrong "is not NAME=VALUE" -D =3 net.rn -o out.c
wrong "cannot begin a C function's name" --name 3net net.rn -o out.c
wrong "--tolerance: '0' is not a positive number" --tolerance 0 --verify net.rn
wrong "is not a positive number" --tolerance nan --verify net.rn
wrong "--summary takes no value" --summary=1 net.rn
wrong "--seconds is an option of rnc bench" --seconds 1 net.rn -o out.c
wrong "-o does not go with --dump" -o out.c --dump=ir net.rn
wrong "-o does not go with rnc bench" bench net.rn -o out.c
wrong "--dump=ast, --format and -D need a .rn file" --dump=ast net.ir
# several mistakes, several messages
expect several 2 "$RNC" --bacth --thread net.rn
says several "'--batch'"
says several "'--threads'"
finish
