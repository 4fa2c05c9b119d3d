#!/bin/bash
# The command line: help, version, and every mistake named, with status 2 and nothing written.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
tiny > "$WORK/net.rn"

expect help 0 "$RNC" --help
for option in -o --name --output -D --batch --target --weights --random-weights --store --embed -O --weights-limit -f --passes --summary --verify \
    --tolerance --dump --dump-after --format --threads -v --version "-h, --help"; do
    prints help "  $option"
done
expect "-h" 0 "$RNC" -h
expect version 0 "$RNC" --version
prints version "rnc $(sed -n 's/^.define RN_VERSION "\(.*\)"/\1/p' "$ROOT/runtime/rn.h")"
expect passes 0 "$RNC" --passes
prints passes fuse-add

wrong() { # wrong MESSAGE ARGUMENTS...: refused with status 2 and this message
    local message=$1
    shift
    expect "rnc $*" 2 "$RNC" "$@"
    says "rnc $*" "$message"
    absent "rnc $*" out.c out.h out.rnw out
}
wrong "no input file"
wrong "nothing to do" net.rn
wrong "unknown option '--bacth'; did you mean '--batch'?" --bacth 4 net.rn
wrong "unknown option '-q'" -q net.rn
wrong "two input files" a.rn b.rn --summary
wrong "does not end in .rn" net.txt --summary
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
wrong "is not a positive number" --tolerance 0 --verify net.rn
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
