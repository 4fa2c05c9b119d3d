"""What it is measured on, and with: CPU, its peak, the row of numbers that plans are made for, commit, versions."""
import ctypes
import importlib.metadata
import json
import os
import platform
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENDORS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}
ISAS = {"AVX-512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, "AVX2": {"avx2", "fma"}}  # as rnc's targets need them
SOURCES = "compiler", "runtime", "examples", ":!*.md"  # that a measurement depends on


def cpu():
    """-> its name with family and model, and its kind: what the tables of different machines are told apart by"""
    found = {}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    flags = set(found.get("flags", "").split())
    isa = next((isa for isa, needed in ISAS.items() if needed <= flags), "no AVX2")
    vendor = found.get("vendor_id", "unknown")
    name = f"{found.get('model name', 'unknown')}, family {found.get('cpu family', '?')} model {found.get('model', '?')}"
    return name, f"{VENDORS.get(vendor, vendor)}, {isa}"


class Peak:
    """GFLOP/s of FMAs on one core, sustained for some time, by librn; None where the CPU has no vectors for them."""
    V3, V4 = 3, 4  # rn_isa of rn.h

    def __init__(self, library):
        self.measure = ctypes.CDLL(library).rn_peak_gflops
        self.measure.restype, self.measure.argtypes = ctypes.c_double, (ctypes.c_int, ctypes.c_double)

    def __call__(self, seconds):
        peak = self.measure(self.V4, seconds) or self.measure(self.V3, seconds)
        return round(peak, 2) or None


def spent(processes):
    """-> processor seconds of this process, of those that it waited for, and of `processes`, by id"""
    total = sum(os.times()[:4])
    for process in processes:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        total += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return total


def busy(processes):
    """-> processor seconds of all processes since the system started, and what spent() has"""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system = map(int, file.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK"), spent(processes)


def others(work, processes=()):
    """-> what `work` returns, and how many processors others took meanwhile: others than this process, its children that have
    ended, and `processes`"""
    begin, (everyone, own) = time.monotonic(), busy(processes)
    result = work()
    everyone_then, own_then = busy(processes)
    return result, max(0, (everyone_then - everyone) - (own_then - own)) / (time.monotonic() - begin)


def git(*command, root=ROOT):
    """-> what it prints; None where it fails, as outside of a clone"""
    try:
        result = subprocess.run(["git", "-C", root, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                check=False)
    except FileNotFoundError:
        return None
    return None if result.returncode else result.stdout.strip()


def commit():
    """Of what rnc is made from; changes beside it are told."""
    changed = git("status", "--porcelain", "--", *SOURCES)
    return (git("rev-parse", "--short=7", "HEAD") or "unknown") + (" with changes" if changed else "")


def output(command, text=None):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def versions(rnc, packages):
    compiler = os.environ.get("CC", "cc").split()
    libxsmm = output([*compiler, "-E", "-P", "-x", "c", "-"], "#include <libxsmm_version.h>\nLIBXSMM_CONFIG_VERSION\n")
    found = {"rnc": output([rnc, "--version"]).splitlines()[0],
             "C compiler": output([*compiler, "--version"]).splitlines()[0],
             "libxsmm": libxsmm.splitlines()[-1].strip('"'), "Python": platform.python_version()}
    return found | {package: importlib.metadata.version(package) for package in packages}


def row(rnc):
    """The row of numbers that plans are made for, as rnc --print-machine tells it."""
    return json.loads(output([rnc, "--print-machine", "--json"]))["machines"][0]


def describe(rnc):
    """The head of a report: all that is known before anything is measured."""
    name, kind = cpu()
    return {"cpu": name, "kind": kind, "processors": len(os.sched_getaffinity(0)), "commit": commit(),
            "machine": row(rnc), "system": platform.freedesktop_os_release()["PRETTY_NAME"]}
