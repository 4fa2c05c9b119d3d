#!/usr/bin/env python3
"""Training: programs of rnc --train beside PyTorch on the same CPU; images/s of whole steps: forward, backward, update.

Contenders take turns as in bench.py, and are compared within rounds (pairs.py). PyTorch has a process for each layout of its
tensors, of which the better one counts, and is stopped while others run; of rnc, a turn is a run of the program's `bench`. Before
anything is timed the multiply-adds of a step that rnc counts are held against PyTorch's own count: a ratio between different
computations says nothing.

Run by train.sh, which installs the packages.
"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile

import torch_step
from bench import LONG_BURST, QUIET, Contender, numbers, take_turns, threads_here
from contenders import say, source_of
from machine import Peak, describe, others, versions
from pairs import best_peer, is_rnc, milliseconds, names, paired, peaks
from tables import count, head, line, machine, spread, title, wrapped

BATCHES = {"resnet20": 128, "resnet56": 128, "resnet18": 16, "resnet50": 16}
TURN = 2  # seconds that a turn's timed steps should take
LEAST_STEPS = 3  # in a turn; rnc's bench makes 5 or more
COUNTS = 0.02  # by which the two counts of multiply-adds may differ

HELP = f"""environment:
  NETWORKS   of {' '.join(BATCHES)} (default: all of these)
  BATCH      images of a step (default: 128 of CIFAR's, 16 of the others)
  THREADS    numbers of threads (default: 2)
  LEVELS     of rnc (default: -O2), the first of which PyTorch is compared with; none: PyTorch alone
  ROUNDS     each contender's turns (default: 10)
  SECONDS    but no new round after so many seconds (default: 60), from 3 rounds on
  PEERS_PYTHON   a Python that has torch and torchvision; otherwise they are installed (5 GB) into DIR/venv

DIR/train.md and train.json have what was measured.
"""


class Program:
    """rnc's contender: a turn is a run of the program's bench, which warms up by itself."""

    def __init__(self, level, path, batch, threads):
        self.name, self.facts, self.batch = f"rnc {level}", [], batch
        self.command = [path, "bench", "--threads", str(threads), "--batch", str(batch), "--json"]
        self.seconds = self.turn(0)[0]

    def turn(self, runs):
        """-> the median seconds of a step, in a list"""
        seconds = str(max(0.1, runs and TURN))
        result = subprocess.run([*self.command, "--seconds", seconds], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False)
        if result.returncode:
            raise RuntimeError(f"{self.name} ends with status {result.returncode}: {result.stderr.strip()[-300:]}")
        try:
            self.facts.append(json.loads(result.stdout))
            return [self.batch / self.facts[-1]["images_per_second"]]
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            raise RuntimeError(f"{self.name}: not what its bench should print: {result.stdout[:300]}") from None

    def fact(self, name):
        """-> its median over the turns; None where it is not told"""
        found = [fact[name] for fact in self.facts if fact.get(name) is not None]
        return statistics.median(found) if found else None

    def close(self):
        pass


def source_with_recipe(network, folder):
    """-> a copy of the example's source; one without a train section gets the one that PyTorch's step has."""
    path = source_of(network)
    with open(path, encoding="utf-8") as file:
        source = file.read()
    source = re.sub(r'^import "', f'import "{os.path.dirname(path)}/', source, flags=re.MULTILINE)
    if not re.search(r"^train\b", source, re.MULTILINE):
        source += "\ntrain { loss crossentropy; batch 1; sgd lr 0.1, momentum 0.9, decay 1e-4; stop at 1k }\n"
    copy = os.path.join(folder, network + ".rn")
    with open(copy, "w", encoding="utf-8") as file:
        file.write(source)
    return copy


def compile_trainer(rnc, level, network, batch, folder):
    path = os.path.join(folder, network + level)
    result = subprocess.run([rnc, "--train", level, "--batch", str(batch), "-o", path, source_with_recipe(network, folder)],
                            stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{network}: rnc --train {level} ends with status {result.returncode}: {result.stderr.strip()}")
    return path


def check_counts(network, gflop, program):
    """gflop: of an image, by PyTorch"""
    gflops, rate = program.fact("gflops"), program.fact("images_per_second")
    if gflops is not None and not abs(gflops / rate / gflop - 1) <= COUNTS:
        raise RuntimeError(f"{network}: {program.name} counts {gflops / rate:.4f} GFLOP of an image's step, PyTorch {gflop:.4f}")


def measure(rnc, network, batch, threads, levels, peak, limits, folder):
    """-> a result as in pairs.py, with GFLOP of an image's step and what the programs told"""
    contenders = []
    gflop = torch_step.count(network)
    try:
        for level in levels:
            program = Program(level, compile_trainer(rnc, level, network, batch, folder), batch, threads)
            check_counts(network, gflop, program)
            contenders.append(program)
        for name, setup in torch_step.SET_UP.items():
            contenders.append(Contender(name, setup, (network, batch, threads)))
        programs = [c for c in contenders if is_rnc(c.name)]
        processes = [c.process.pid for c in contenders if not is_rnc(c.name)]
        rounds, disturbing = others(lambda: take_turns(contenders, peak, batch, *limits, TURN, LEAST_STEPS), processes)
    finally:
        for contender in contenders:
            contender.close()
    return {"network": network, "threads": threads, "batch": batch, "gflop": gflop, "rounds": rounds,
            "others": disturbing, "differences": {c.name: None for c in contenders},
            "limit": {program.name: program.fact("limit_fraction") for program in programs}}


# ---- the report ----
def rate(result, name):
    return 1e3 / milliseconds(result, name)[1]


def share(result, name):
    """Of the FMA peak, multiply-adds as in direct convolutions; Winograd's method does fewer."""
    found = peaks(result)
    return f"{100 * rate(result, name) * result['gflop'] / (found[1] * result['threads']):.0f} %" if found else "–"


def cell(result, name):
    if name not in names(result):
        return "–"
    text = f"{rate(result, name):.3g}" if rate(result, name) < 100 else f"{rate(result, name):.0f}"
    return f"**{text}** ({share(result, name)})" if is_rnc(name) else f"{text} ({share(result, name)})"


def summary(result):
    peer, own = best_peer(result, names(result)[0]), names(result)[0]
    text = "; ".join(f"{name} {cell(result, name)}" for name in names(result)).replace("*", "")
    ratio = f"; {own} / {peer} {spread(paired(result, peer, own))}" if is_rnc(own) else ""
    return (f"{title(result['network'])}, {count(result['threads'], 'thread')}, batch {result['batch']}: images/s {text}{ratio}; "
            f"{count(len(result['rounds']), 'round')}{disturbed(result)}")


def disturbed(result):
    return f"; disturbed: others took {result['others']:.1f} processors" if result["others"] > QUIET else ""


def table(results):
    """Of one number of threads."""
    all_names = list(dict.fromkeys(name for result in results for name in names(result)))
    own = [name for name in all_names if is_rnc(name)]
    lines = head([f"{count(results[0]['threads'], 'thread')}: batch", *all_names, *(f"{name} / best PyTorch" for name in own[:1]),
                  *(f"{own[0]} / {name}" for name in own[1:]), *(f"{name}: of the limit" for name in own[:1])])
    for result in results:
        cells = [title(result["network"]), str(result["batch"]), *(cell(result, name) for name in all_names)]
        if own:
            cells.append(spread(paired(result, best_peer(result, own[0]), own[0])))
            cells += [spread(paired(result, name, own[0])) for name in own[1:]]
            limit = result["limit"][own[0]]
            cells.append("–" if limit is None else f"{100 * limit:.0f} %")
        lines.append(line(cells))
    return "\n".join(lines)


def text(report):
    results = report["results"]
    tables = [table([r for r in results if r["threads"] == t]) for t in dict.fromkeys(r["threads"] for r in results)]
    found = [one for result in results for one in peaks(result) or ()]
    peak = f"FMA peak of a core: {min(found):.1f} to {max(found):.1f} GFLOP/s beside the rounds" if found else "no FMA peak is known"
    loud = "".join(f" {title(r['network'])}, {count(r['threads'], 'thread')}{disturbed(r)}." for r in results if disturbed(r))
    note = (f"{report['cpu']} ({report['kind']}), {count(report['processors'], 'processor')}, planned with {machine(report)}; at "
            f"{report['commit']}. {peak}. {', '.join(f'{name} {version}' for name, version in report['versions'].items())}.{loud}")
    told = ("Images/s of whole steps, the median of all turns; in brackets the share of the FMA peak, multiply-adds counted as those "
            "of direct convolutions. Ratios are medians of the rounds' own (quartiles). Of the limit: the time that the "
            "multiplications that are left would take at the FMA peak.")
    return "\n\n".join([*tables, wrapped(told), wrapped(note)]) + "\n"


def save(folder, report):
    for name, content in (("train.md", text(report)), ("train.json", json.dumps(report))):
        path = os.path.join(folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(path + ".new", path)


def run(arguments, networks, limits):
    levels = os.environ.get("LEVELS", "-O2").split()
    levels = [] if levels == ["none"] else levels
    report = describe(arguments.rnc) | {"versions": versions(arguments.rnc, ["torch", "torchvision"]), "results": []}
    peak = Peak(os.path.join(os.path.dirname(arguments.rnc), "librn.so"))
    before, disturbing = others(lambda: peak(LONG_BURST))
    say(f"{report['cpu']} ({report['kind']}); at {report['commit']}; FMA peak of a core {before} GFLOP/s")
    if disturbing > QUIET:
        say(f"other work takes {disturbing:.1f} processors here: what is measured beside it is disturbed")
    for threads in threads_here(len(os.sched_getaffinity(0)), "2"):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # inherited by the contenders
        for network in networks:
            batch = numbers("BATCH", str(BATCHES[network]))[0]
            say(f"measuring {network}, threads: {threads}, batch: {batch}")
            with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
                report["results"].append(measure(arguments.rnc, network, batch, threads, levels, peak, limits, folder))
            save(arguments.dir, report)
            say(summary(report["results"][-1]))
    return report


def main():
    parser = argparse.ArgumentParser(description="training: rnc beside PyTorch", epilog=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rnc", required=True, help="the compiler, beside librn.so")
    parser.add_argument("--dir", required=True, help="where to work, and to write train.md and train.json")
    arguments = parser.parse_args()
    networks = list(dict.fromkeys(os.environ.get("NETWORKS", " ".join(BATCHES)).split()))
    unknown = [network for network in networks if network not in BATCHES]
    if unknown or not networks:
        sys.exit(f"error: NETWORKS: '{' '.join(unknown)}' is not of {' '.join(BATCHES)}")
    limits = numbers("ROUNDS", "10")[0], numbers("SECONDS", "60")[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up on the way out
    try:
        report = run(arguments, networks, limits)
    except RuntimeError as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(f"interrupted; {arguments.dir}/train.md has what was measured")
    print(text(report))


if __name__ == "__main__":
    main()
