#!/usr/bin/env python3
"""rnc beside ONNX Runtime, OpenVINO and ncnn: the same network, the same weights, fp32.

rnc draws random weights and writes the network with them as ONNX, which the peers read (ncnn through pnnx); rnc itself compiles
it at each of its levels. Each contender lives in a process of its own, so that no two thread pools meet. They take turns in
rounds, in an order that rotates and is turned round from one to the next; whoever has no turn is stopped (SIGSTOP), so that no
idle thread spins at another's cost. A turn is one run to wake up, which does not count, and some timed ones, as many for each
contender. Beside each round the FMA peak is measured, which shows at what clock it ran. Nothing is timed before all outputs
agree: a ratio between different computations says nothing. What the numbers come to is in pairs.py.

Run by run.sh, which installs the packages.
"""
import argparse
import ctypes
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from chart import chart
from contenders import LEVELS, PACKAGES, RNC, ROOT, SET_UP, compile_batch, prepare, present, say, source_of
from machine import Peak, describe, others, versions
from publish import FORMAT, load, missing, publish, read, stale
from tables import SHORT, machine, parts, summary

NETWORKS = ("resnet18 resnet34 resnet50 resnet101 resnet152 vgg16 googlenet bn_inception prelu_net_a resnet56 "
            "resnet110")
WARM_UP = 3  # runs after setting up, before the first turn
TURN = 0.1  # seconds that a turn's timed runs should take, of the first contender's time
MOST_RUNS = 20  # in a turn
LEAST_ROUNDS = 3  # however long they take
BURST, LONG_BURST = 0.02, 0.5  # seconds of FMAs: beside a round, before and after all
QUIET = 0.15  # processors that others may take before it is said
TOLERANCE = 1e-3  # of the largest output
SEED = 1  # of the images
# seconds of a network and a number of threads, beside its rounds: to set all up; to tune -O3. For the estimate alone.
SET_UP_SECONDS, TUNING_SECONDS = 10, 37

HELP = f"""environment:
  NETWORKS   names of examples, ONNX models (NAME.onnx), or all (default: resnet18 resnet50); all is {NETWORKS}
  THREADS    numbers of threads (default: 1 2)
  BATCHES    numbers of images in a run (default: 1); 8 is what all networks are compared at as well
  LEVELS     of rnc (default: -O2 -O3), the first of which the best peer is compared with; -O3 is tuned before
  ROUNDS     each engine's turns for each of these combinations (default: 40)
  SECONDS    but no new round after so many seconds of a combination (default: 30), from {LEAST_ROUNDS} rounds on

NETWORKS=all takes about half an hour, the default 5 minutes, with packages that are there already; the estimate is said first.
Results are written after each combination: DIR/table.md, chart.svg and result.json have what was measured so far, and
--continue measures what a bench that was interrupted has not. With --write the tables of docs/performance.md and README.md that
are about this kind of CPU, these networks and these numbers of images are replaced when all is measured;
`tests/peers/publish.py DIR/result.json` does the same later. --stale measures nothing: it says which tables of this kind of CPU
are older than the kernels, and ends with status 1 where one is.
"""


# ---- taking turns ----
def work(pipe, setup, arguments):
    """A contender's process: sends its output and a run's seconds, then the times of each turn that it is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the bench, which ends this one
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
    """`setup` is called with the arguments in a process of its own -> a function that runs once, and one that gives the output."""
    def __init__(self, name, setup, arguments):
        self.name = name
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, setup, arguments), daemon=True)
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
        """-> the seconds of each run"""
        os.kill(self.process.pid, signal.SIGCONT)
        self.pipe.send(runs)
        times = self.receive()
        os.kill(self.process.pid, signal.SIGSTOP)
        return times

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
            contender = Contender(name, SET_UP.get(name), arguments)
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


def take_turns(contenders, peak, per_run, rounds, seconds, turn=TURN, least=1):
    """-> a result's rounds, as pairs.py has them. `per_run`: images of a run. `least`: runs of a turn."""
    runs = max(least, min(MOST_RUNS, round(turn / contenders[0].seconds)))
    begin, found = time.monotonic(), []
    for r in range(rounds):
        if r >= LEAST_ROUNDS and time.monotonic() - begin > seconds:
            break
        shift = r // 2 % len(contenders)
        order = (contenders[shift:] + contenders[:shift])[::1 if r % 2 else -1]
        found.append({"peak": peak(BURST), "ms": {c.name: [round(1e3 * s / per_run, 4) for s in c.turn(runs)] for c in order}})
    return found


def measure(folder, network, names, shape, threads, peak, limits):
    """-> a result, after making sure that all compute the same"""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # inherited by the contenders
    image = np.random.default_rng(SEED).standard_normal(shape, np.float32)
    contenders = []
    try:
        left_out = set_up(network, names, (folder, image, threads), contenders)
        rounds = take_turns(contenders, peak, len(image), *limits)
    finally:
        for contender in contenders:
            contender.close()
    return {"network": network, "threads": threads, "batch": len(image), "left_out": left_out,
            "differences": {c.name: c.difference for c in contenders}, "rounds": rounds}


# ---- the whole ----
class Bench:
    """A report, and where it is kept."""

    def __init__(self, arguments, planned, limits, names):
        self.rnc, self.folder, self.limits, self.names = arguments.rnc, arguments.dir, limits, names
        self.cache = os.path.join(self.folder, "tune")
        self.peak = Peak(os.path.join(os.path.dirname(self.rnc), "librn.so"))
        networks = planned["networks"]
        packages = [package for name in names for package in PACKAGES.get(name, [])]
        self.report = describe(self.rnc) | {
            "format": FORMAT, "networks": "all networks" if set(networks) == set(NETWORKS.split()) else ", ".join(networks),
            "planned": planned, "levels": LEVELS, "versions": versions(self.rnc, packages), "peaks": [], "results": []}
        if arguments.go_on:
            self.go_on()
        elif os.path.exists(self.cache):
            os.remove(self.cache)  # times of other kernels, or of another day
        self.before, disturbing = others(lambda: self.peak(LONG_BURST))
        if disturbing > QUIET:
            say(f"other work takes {disturbing:.1f} processors here: what is measured beside it is disturbed")

    def path(self, name):
        return os.path.join(self.folder, name)

    def go_on(self):
        """Takes up what an interrupted bench has measured: of the same machine, sources and plan, or it is an error."""
        earlier = load(self.path("result.json"))
        for key, value in self.report.items():
            before = earlier.get(key)
            if key == "machine":  # measured then, and read from its cache since
                before, value = before | {"origin": ""}, value | {"origin": ""}
            if key not in ("peaks", "results") and before != value:
                sys.exit(f"error: --continue: {key} was {before}, and is {value}")
        self.report |= {"peaks": earlier["peaks"], "results": earlier["results"]}

    def save(self):
        report = self.report | {"date": time.strftime("%Y-%m-%d", time.gmtime()),
                                "peaks": [*self.report["peaks"], [self.before, self.peak(LONG_BURST)]]}
        texts = [text for name, text in parts(report).items() if not name.endswith(SHORT)]
        for name, text in (("table.md", "\n".join(texts)), ("chart.svg", chart(report)), ("result.json", json.dumps(report))):
            with open(self.path(name + ".new"), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(self.path(name + ".new"), self.path(name))
        return report

    def network(self, network, todo):
        """Measures these numbers of threads and images -> the report"""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            say(f"compiling {network}")
            names = prepare(self.rnc, folder, network, self.names)
            for batch in dict.fromkeys(batch for _, batch in todo):
                threads = [t for t, b in todo if b == batch]
                shape = compile_batch(self.rnc, folder, network, batch, threads, self.cache)
                for t in threads:
                    say(f"measuring {network}, threads: {t}, batch: {batch}")
                    self.report["results"].append(measure(folder, network, names, shape, t, self.peak, self.limits))
                    report = self.save()
                    say(summary(report["results"][-1]))
        return report

    def run(self):
        todo = missing(self.report)
        tuning = TUNING_SECONDS * len({(n, t) for n, t, _ in todo}) if "-O3" in LEVELS else 0
        begin, estimate = time.monotonic(), tuning + len(todo) * (SET_UP_SECONDS + self.limits[1])
        say(f"{self.report['cpu']} ({self.report['kind']}), planned with {machine(self.report)}; at {self.report['commit']}; "
            f"FMA peak of a core {self.before} GFLOP/s")
        for network in dict.fromkeys(network for network, _, _ in todo):
            left = len(missing(self.report))
            say(f"{left} of {len(todo)} to measure; about {round(estimate * left / len(todo) / 60) or 1} min")
            report = self.network(network, [(t, b) for n, t, b in todo if n == network])
            done = len(todo) - len(missing(report))
            estimate = (time.monotonic() - begin) / done * len(todo)
        return report


def numbers(name, otherwise):
    text = os.environ.get(name, otherwise)
    try:
        found = [int(word) for word in text.split()]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        sys.exit(f"error: {name}: '{text}' is not numbers from 1")
    return found


def threads_here(processors, otherwise="1 2"):
    wanted = numbers("THREADS", otherwise)
    possible = [t for t in wanted if t <= processors]
    if possible != wanted:
        say(f"left out: more threads than the {processors} processors here")
    if not possible:
        sys.exit("error: THREADS: nothing is left to measure")
    return possible


def main():
    parser = argparse.ArgumentParser(description="rnc beside ONNX Runtime, OpenVINO and ncnn", epilog=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rnc", required=True, help="the compiler, beside librn.so")
    parser.add_argument("--dir", required=True, help="where to work, and to write table.md, chart.svg and result.json")
    parser.add_argument("--continue", action="store_true", dest="go_on", help="with what was interrupted")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/performance.md and README.md")
    arguments = parser.parse_args()
    networks = os.environ.get("NETWORKS", "resnet18 resnet50").split()
    networks = NETWORKS.split() if networks == ["all"] else list(dict.fromkeys(networks))
    for network in networks:
        source_of(network)
    limits = numbers("ROUNDS", "40")[0], numbers("SECONDS", "30")[0]
    planned = {"networks": networks, "threads": threads_here(len(os.sched_getaffinity(0))), "batches": numbers("BATCHES", "1")}
    if arguments.write:
        read(ROOT)  # an error now, and not after half an hour

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up on the way out
    bench = Bench(arguments, planned, limits, present())
    try:
        report = bench.run()
    except (RuntimeError, subprocess.CalledProcessError) as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(f"interrupted; {bench.path('result.json')} has what was measured, and ARGS=--continue goes on")
    with open(bench.path("table.md"), encoding="utf-8") as file:
        print(file.read())
    say(f"{arguments.dir}/table.md, chart.svg and result.json have all of it")
    if arguments.write:
        for path in publish(report):
            say(f"written: {path}")
    for line in stale(report["kind"]):
        say(line)


if __name__ == "__main__":
    main()
