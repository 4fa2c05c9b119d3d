#!/usr/bin/env python3
"""rnc beside ONNX Runtime, OpenVINO and ncnn: the same network, the same weights, fp32.

rnc draws random weights and writes the network with them as ONNX, which the peers read (ncnn through pnnx); rnc itself compiles
it at each of its levels. Each contender lives in a process of its own, so that no two thread pools meet. They take turns, in
an order that rotates from round to round; whoever has no turn is stopped (SIGSTOP), so that no idle thread spins at another's
cost. A turn is one run to wake up, which does not count, and some timed ones, as many for each contender. Nothing is timed
before all outputs agree: a ratio between different computations says nothing.

Run by run.sh, which installs the packages.
"""
import argparse
import ctypes
import importlib.metadata
import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from contenders import PACKAGES, RNC, ROOT, SET_UP, compile_batch, prepare, present, say, source_of
from publish import fastest_peer, publish, read
from report import chart, markdown, table

NETWORKS = ("resnet18 resnet34 resnet50 resnet101 resnet152 vgg16 googlenet bn_inception prelu_net_a resnet56 "
            "resnet110")
WARM_UP = 3  # runs after setting up, before the first turn
TURN = 0.25  # seconds that a turn's timed runs should take, of the first contender's time
MOST_RUNS = 10  # in a turn
LEAST_ROUNDS = 3  # however long they take
TOLERANCE = 1e-3  # of the largest output
SEED = 1  # of the images

HELP = f"""environment:
  NETWORKS   names of examples, or all (default: resnet18 resnet50); all is {NETWORKS}
  THREADS    numbers of threads (default: 1 2)
  BATCHES    numbers of images in a run (default: 1); 1 8 is what all networks are compared at
  LEVELS     of rnc (default: -O2 -O0); -O3 is tuned before, which takes a minute or two a network
  ROUNDS     each engine's turns for each of these combinations (default: 20)
  SECONDS    but no new round after so many seconds of a combination (default: 60), from {LEAST_ROUNDS} rounds on

So the default takes about 5 minutes, with packages that are there already; NETWORKS=all BATCHES="1 8" takes about an
hour. Results are written after each combination: DIR/table.md, chart.svg and result.json have what was measured so far.
With --write the tables of docs/performance.md and README.md that are about this CPU, these networks and these numbers of
images are replaced when all is measured; `tests/peers/publish.py DIR/result.json` does the same later.
"""


# ---- taking turns ----
def work(pipe, setup, arguments):
    """A contender's process: sends its output and a run's seconds, then the times of each turn that it is given."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a stopped process must not outlive the bench
    try:
        run, output = setup(*arguments)

        def timed():
            start = time.perf_counter()
            run()
            return time.perf_counter() - start
        seconds = min(timed() for _ in range(WARM_UP))
        pipe.send((np.array(output(), np.float32).reshape(-1), seconds))
        while True:
            runs = pipe.recv()
            run()
            pipe.send([timed() for _ in range(runs)])
    except EOFError:
        pass
    except Exception as e:  # told to the bench, whatever it is
        pipe.send(f"{type(e).__name__}: {e}")


class Contender:
    def __init__(self, name, arguments):
        self.name, self.times = name, []
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, SET_UP[name], arguments), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self.output, self.seconds = self.receive()
        except RuntimeError:
            self.close()
            raise
        os.kill(self.process.pid, signal.SIGSTOP)

    def receive(self):
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            raise RuntimeError(f"{self.name} ended with status {self.process.exitcode}") from None
        if isinstance(message, str):
            raise RuntimeError(f"{self.name}: {message}")
        return message

    def turn(self, runs):
        os.kill(self.process.pid, signal.SIGCONT)
        self.pipe.send(runs)
        self.times += self.receive()
        os.kill(self.process.pid, signal.SIGSTOP)

    def close(self):
        self.process.kill()
        self.process.join()


def difference(output, reference):
    if output.shape != reference.shape:
        return float("nan")
    return float(np.abs(output - reference).max() / np.abs(reference).max())


def set_up(network, names, arguments, contenders):
    """Adds to `contenders`, the first of them the reference; -> why peers are not among them, by name. A peer that cannot take
    part or computes something else is left out; where rnc does, or where no peer agrees with it, nothing is timed."""
    left_out = {}
    for name in names:
        contender = None
        try:
            contender = Contender(name, arguments)
            contender.difference = difference(contender.output, (contenders or [contender])[0].output)
            if not contender.difference <= TOLERANCE:
                raise RuntimeError(f"{name} differs from {RNC[0]} by {contender.difference:.1e} of the largest output")
            contenders.append(contender)
        except RuntimeError as e:
            if contender:
                contender.close()
            if name not in PACKAGES:
                raise RuntimeError(f"{network}: {e}") from None
            say(f"{network}: left out: {e}")
            left_out[name] = str(e)
    if left_out and not any(contender.name in PACKAGES for contender in contenders):
        raise RuntimeError(f"{network}: no peer is left; nothing is timed")
    return left_out


def take_turns(contenders, rounds, seconds):
    """-> the number of rounds."""
    runs = max(1, min(MOST_RUNS, round(TURN / contenders[0].seconds)))
    begin = time.monotonic()
    for r in range(rounds):
        if r >= LEAST_ROUNDS and time.monotonic() - begin > seconds:
            return r
        shift = r % len(contenders)
        for contender in contenders[shift:] + contenders[:shift]:
            contender.turn(runs)
    return rounds


def measure(folder, network, names, shape, threads, limits):
    """-> a row per contender, after making sure that all compute the same."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # inherited by the contenders
    image = np.random.default_rng(SEED).standard_normal(shape, np.float32)
    contenders = []
    try:
        left_out = set_up(network, names, (folder, image, threads), contenders)
        rounds = take_turns(contenders, *limits)
    finally:
        for contender in contenders:
            contender.close()
    per_image = 1e3 / len(image)
    rows = [{"name": c.name, "difference": c.difference, "min_ms": per_image * min(c.times),
             "median_ms": per_image * float(np.median(c.times)), "runs": len(c.times)} for c in contenders]
    result = {"network": network, "threads": threads, "batch": len(image), "rounds": rounds, "left_out": left_out,
              "rows": rows}
    peer = fastest_peer(result)
    if peer:
        result |= {"best_peer": peer[0], "ratio": peer[1] / rows[0]["min_ms"]}
    return result


# ---- the whole ----
VENDORS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}
ISAS = {"AVX-512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, "AVX2": {"avx2", "fma"}}  # as rnc's targets need them


def cpu():
    """-> its name, and its kind: what the tables of different machines are told apart by"""
    found = {}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    flags = set(found.get("flags", "").split())
    isa = next((isa for isa, needed in ISAS.items() if needed <= flags), "no AVX2")
    vendor = found.get("vendor_id", "unknown")
    return found.get("model name", "unknown"), f"{VENDORS.get(vendor, vendor)}, {isa}"


def commit():
    """Of what rnc is made from; changes beside it are told."""
    def git(*command):
        result = subprocess.run(["git", "-C", ROOT, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                check=False)
        return result.stdout.strip()
    changed = git("status", "--porcelain", "--", "compiler", "runtime", "examples", ":!*.md")
    return (git("rev-parse", "--short=7", "HEAD") or "unknown") + (" with changes" if changed else "")


def first_line(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]


def versions(rnc, names):
    compiler = [*os.environ.get("CC", "cc").split(), "--version"]
    found = {"rnc": first_line([rnc, "--version"]), "C compiler": first_line(compiler)}
    for name in names:
        for package in PACKAGES.get(name, []):
            found[package] = importlib.metadata.version(package)
    return found


def numbers(name, otherwise):
    text = os.environ.get(name, otherwise)
    try:
        found = [int(word) for word in text.split()]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        sys.exit(f"error: {name}: '{text}' is not numbers from 1")
    return found


def threads_here(processors):
    wanted = numbers("THREADS", "1 2")
    possible = [t for t in wanted if t <= processors]
    if possible != wanted:
        say(f"left out: more threads than the {processors} processors here")
    if not possible:
        sys.exit("error: THREADS: nothing is left to measure")
    return possible


def save(report, folder):
    for name, text in (("table.md", markdown(report)), ("chart.svg", chart(report)),
                       ("result.json", json.dumps(report, indent=2))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def measure_network(network, arguments, names, settings, report):
    threads, batches, limits = settings
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        say(f"compiling {network}")
        names = prepare(arguments.rnc, folder, network, names)
        for batch in batches:
            shape = compile_batch(arguments.rnc, folder, network, batch, threads)
            for t in threads:
                say(f"measuring {network}, threads: {t}, batch: {batch}")
                report["results"].append(measure(folder, network, names, shape, t, limits))
                save(report, arguments.dir)
                if not arguments.json:
                    print(table(report["results"][-1:]), flush=True)


def main():
    parser = argparse.ArgumentParser(description="rnc beside ONNX Runtime, OpenVINO and ncnn", epilog=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rnc", required=True, help="the compiler")
    parser.add_argument("--dir", required=True, help="where to work, and to write table.md, chart.svg and result.json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/performance.md and README.md")
    arguments = parser.parse_args()
    networks = os.environ.get("NETWORKS", "resnet18 resnet50").split()
    networks = NETWORKS.split() if networks == ["all"] else list(dict.fromkeys(networks))
    for network in networks:
        source_of(network)
    processors = len(os.sched_getaffinity(0))
    limits = numbers("ROUNDS", "20")[0], numbers("SECONDS", "60")[0]
    settings = threads_here(processors), numbers("BATCHES", "1"), limits
    names = present()
    if arguments.write:
        read(ROOT)  # an error now, and not after an hour

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up on the way out
    name, kind = cpu()
    report = {"cpu": name, "kind": kind, "processors": processors, "date": time.strftime("%Y-%m-%d", time.gmtime()),
              "commit": commit(), "networks": "all networks" if set(networks) == set(NETWORKS.split()) else ", ".join(networks),
              "system": platform.freedesktop_os_release()["PRETTY_NAME"],
              "versions": versions(arguments.rnc, names), "results": []}
    try:
        for network in networks:
            measure_network(network, arguments, names, settings, report)
    except (RuntimeError, subprocess.CalledProcessError) as e:
        sys.exit(f"error: {e}")
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{arguments.dir}/table.md, chart.svg and result.json have all of it")
    if arguments.write:
        for path in publish(report):
            say(f"written: {path}")


if __name__ == "__main__":
    main()
