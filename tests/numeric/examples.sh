#!/bin/bash
# Every example: compiled, run, and each layer compared with the interpreter; fused and unfused, AVX-512 (where the machine
# has it) and AVX2. Large inputs are shrunk with -D size=; FULL=1 (make check-full) runs them whole.
. "$(dirname "$0")/../lib.sh"
cd "$ROOT/examples" || exit 1
emitted_quick "$([ -n "$FULL" ] && echo -O1 || echo -Og)" # half of the time is the C compiler's; cli/verify and numeric/onnx have -O2
v4=$(grep -c -m1 avx512vl /proc/cpuinfo)

verify() { # verify FILE OPTIONS...
    local file=$1
    shift
    if "$RNC" --verify "$@" "$file" > "$WORK/out" 2> "$WORK/err"; then
        ok
    else
        bad "rnc --verify $* $file" "$(head -c 700 "$WORK/err")"
    fi
}

for file in *.rn cifar/*.rn face/*.rn; do
    small=
    grep -q 'size *=' "$file" && small="-D size=64"
    case $file in
    cifar/resnet1202.rn) [ -n "$FULL" ] || continue ;;
    cifar/*) small= ;;
    # their pyramid's 7 x 7 level and their fc of 4096 make a small input no smaller a test
    prelu_net_[bc].rn) [ -n "$FULL" ] || continue ;;
    esac
    [ -z "$FULL" ] || small=
    weights=--random-weights
    case $file in face/*) weights="--weights face/face.safetensors" ;; esac
    # 110 layers without a shortcut make every rounding grow, unfused as well; the bound is float's, not the code's
    [ "$file" != cifar/plain110.rn ] || weights="$weights --tolerance 1e-2"
    [ "$FULL$file" != 1plain34.rn ] || weights="$weights --tolerance 3e-4" # likewise: the direct sum is 7e-5 off
    # shellcheck disable=SC2086  # words
    {
        verify "$file" $small $weights
        case $file in # densenet121, whose C takes longest to compile, once
        resnet18.rn | resnet50.rn | resnext50.rn | se_resnet50.rn | googlenet.rn | repvgg_a0.rn | mobilenet_v2.rn | cifar/resnet20.rn | face/*)
            verify "$file" $small $weights -O0
            [ "$v4" = 0 ] || verify "$file" $small $weights --target x86-64-v3 # else what it is for already
            verify "$file" $small $weights --batch 3 --threads 2
            ;;
        esac
    }
done
finish
