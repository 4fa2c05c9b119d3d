#!/usr/bin/env python3
"""The error budget: predicted against measured errors of random networks.

    error_budget.py RNC [--networks N] [--seed S] [--table]

Makes N small networks from a seed: single layers, plain and residual stacks, Inception's branches, U-Nets, separable ones, with
every kind of head, and a tolerance for each. --verify, which runs the emitted code beside the interpreter, says what was predicted
and what is so. Prints the networks whose error passes the tolerance, as they can be run again, and how the two compare. Status 0
where none does, no prediction is far below what is measured (errors below 1e-6 aside), most networks keep their tolerance by the model, and half of the
predictions are at most five times (of few networks: eight times) what is measured.
"""
import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile

HEADS = ["", "conv 1, 1x1 bias; sigmoid", "conv {k}, 1x1 bias; sigmoid", "conv 2, 1x1 bias; tanh", "conv 3, 3x3 bias; sigmoid",
         "conv 5, 1x1 bias; softmax", "avgpool global; fc {c}", "avgpool global; fc {c}; softmax", "maxpool global; fc {c}; sigmoid",
         "conv {k}, 1x1 bias", "conv 1, 1x1 bias", "fc {c}", "conv {k}, 3x3; bn; tanh"]
ACTS = ["relu", "relu", "relu", "relu6", "prelu", "swish", "leakyrelu 0.1", "tanh"]
SINGLE_ACTS = ["", "; bn", "; bn; relu", "; relu", " bias; sigmoid", "; bn; tanh", "; bn; sigmoid"]


def conv_bn(r, k, act, kernels=("3x3",), stride=""):
    return f"conv {k}, {r.choice(kernels)}{stride}; bn; {act}"


def single(r):
    c, k = r.choice([3, 16, 32, 64, 128, 256]), r.choice([1, 8, 32, 64, 96])
    size, kernel = r.choice([7, 14, 20, 28, 40]), r.choice(["3x3", "3x3", "3x3", "5x5", "1x3", "3x3 /2", "5x5 /2"])
    return f"input {c}x{size}x{size}", f"conv {k}, {kernel}{r.choice(SINGLE_ACTS)}", r.choice([1e-4, 5e-5, 2e-5, 1e-5])


def plain(r):
    k, n, size = r.choice([16, 32, 64]), r.choice([2, 4, 8, 12, 16]), r.choice([16, 28, 32, 48, 64])
    act = r.choice(ACTS)
    return f"input 3x{size}x{size}", f"repeat {n} {{ {conv_bn(r, k, act)} }}\n    {head(r, k)}", tolerance(r)


def residual(r):
    k, n, size = r.choice([16, 32, 64]), r.choice([2, 4, 8]), r.choice([16, 28, 32, 56])
    act = r.choice(ACTS)
    block = f"residual {{ conv {k}, 3x3; bn; {act}; conv {k}, 3x3; bn }}; {act}"
    return f"input 3x{size}x{size}", f"conv {k}, 3x3; bn; {act}\n    repeat {n} {{ {block} }}\n    {head(r, k)}", tolerance(r)


def inception(r):
    k, size = r.choice([8, 16, 32]), r.choice([16, 28, 32])
    act = r.choice(ACTS)
    branches = f"{{ conv {k}, 1x1; bn; {act} }} {{ conv {k}, 3x3; bn; {act} }} {{ conv {k}, 1x1; bn; {act}; conv {k}, 5x5; bn; {act} }}"
    pool = r.choice(["maxpool 2x2 /2", "maxpool 3x3 /2 pad 1", "avgpool 2x2 /2"])
    return (f"input 3x{size}x{size}",
            f"conv {k}, 5x5; bn; {act}\n    {pool}\n    repeat {r.choice([1, 2, 3])} {{ concat {{ {branches} }} }}\n    {head(r, k)}", tolerance(r))


def unet(r):
    k, size = r.choice([8, 16, 32]), r.choice([32, 64, 96])
    act = r.choice(["relu", "relu", "swish", "leakyrelu 0.1"])

    def double(width, name):
        return f"conv {width}, 3x3; bn; {act}; conv {width}, 3x3; bn; {act.split()[0] + act[len(act.split()[0]):]} as {name}"
    body = [double(k, "a"), "maxpool 2x2 /2", double(2 * k, "b"), "maxpool 2x2 /2", double(4 * k, "c"), "upsample 2",
            "concat { { identity } { from b } }", double(2 * k, "d"), "upsample 2", "concat { { identity } { from a } }", double(k, "e")]
    return f"input 3x{size}x{size}", "\n    ".join(body) + f"\n    {head(r, k, spatial=True)}", tolerance(r)


def separable(r):
    k, n, size = r.choice([16, 32, 64]), r.choice([2, 4, 6]), r.choice([28, 32, 56])
    act = r.choice(ACTS)
    block = f"conv {k}, 3x3 groups {k}; bn; {act}; conv {k}, 1x1; bn; {act}"
    return f"input 3x{size}x{size}", f"conv {k}, 3x3; bn; {act}\n    repeat {n} {{ {block} }}\n    {head(r, k)}", tolerance(r)


def head(r, k, spatial=False):
    heads = [h for h in HEADS if not (spatial and ("fc" in h or not h))]
    return r.choice(heads).format(k=r.choice([2, 8, k]), c=r.choice([2, 10, 100]))


def tolerance(r):
    return r.choice([1e-4, 1e-4, 1e-4, 3e-5, 1e-5])


KINDS = [single, plain, residual, inception, unet, separable]


def run(rnc, number, seed):
    r = random.Random(seed)
    kind = KINDS[number % len(KINDS)]
    shape, body, limit = kind(r)
    source = f"network {kind.__name__}_net {{\n    {shape}\n    {body}\n}}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".rn", delete=False) as file:
        file.write(source)
    command = [rnc, "--verify", f"--tolerance={limit:g}", f"--random-weights={seed}", file.name]
    result = subprocess.run(command, capture_output=True, text=True)
    report = subprocess.run([rnc, "--report", f"--tolerance={limit:g}", file.name], capture_output=True, text=True)
    os.unlink(file.name)
    predicted = re.search(r"predicted error of the output ([0-9.e+-]+)", report.stdout)
    error = re.search(r"relative error ([0-9.e+-]+|nan)", result.stdout + result.stderr)
    if not predicted or not error:
        sys.exit(f"error_budget: {source}{result.stderr}{report.stderr}")
    return dict(kind=kind.__name__, source=source, seed=seed, tolerance=limit, predicted=float(predicted[1]), error=float(error[1]),
                good=result.returncode == 0, stderr=result.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rnc")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print every network")
    args = parser.parse_args()
    runs, bad = [], 0
    for i in range(args.networks):
        x = run(args.rnc, i, args.seed * 1000000 + i)
        runs.append(x)
        if args.table:
            print(f"{x['kind']:10} {x['tolerance']:7.0e} predicted {x['predicted']:.1e} measured {x['error']:.1e} "
                  f"ratio {x['error'] / x['predicted']:.2f}  {x['source'].splitlines()[-2].strip()[-60:]}", flush=True)
        if not x["good"]:
            bad += 1
            print(f"error_budget: seed {x['seed']}, tolerance {x['tolerance']:g}:\n{x['source']}{x['stderr']}")
    kept = [x for x in runs if x["predicted"] <= x["tolerance"]]
    over = [x for x in kept if x["error"] > x["tolerance"]]
    ratios = sorted(x["error"] / x["predicted"] for x in runs)
    print(f"{len(runs)} networks, seed {args.seed}: {len(over)} pass the tolerance, {len(runs) - len(kept)} cannot keep it by the model; "
          f"measured / predicted: median {statistics.median(ratios):.2f}, largest {ratios[-1]:.2f}, smallest {ratios[0]:.3f}")
    median = statistics.median(ratios)
    low = [x for x in runs if x["error"] > max(1.5 * x["predicted"], 1e-6)]  # below, roundoffs are counted on one hand
    sound = not low and len(kept) >= 0.8 * len(runs) and median >= (0.2 if len(runs) >= 100 else 0.125)
    sys.exit(0 if sound and not over and not bad else 1)


if __name__ == "__main__":
    main()
