"""rnc.compile: runs the rnc program and loads what it wrote."""
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
import time
import warnings
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ._abi import Error, NoWeights
from ._cache import Cache, default_folder, hash_file, hash_values
from ._network import Network, Path, load


class CompileError(Error):
    """rnc refused: the text is its own. returncode: its exit status, 1 where the input is wrong, 2 where an option is;
    None where it could not be run."""

    def __init__(self, text: str, returncode: Optional[int] = None):
        super().__init__(text)
        self.returncode = returncode


class CompileWarning(UserWarning):
    """What rnc warned of when it compiled a network."""


# what says where output goes, which is rnc.compile's, or prints something in its place
_NOT_HERE = ("-o", "--summary", "--report", "--dump", "--format", "--help", "--version", "--train", "--bench")


def find_rnc() -> str:
    """The rnc program: $RNC; else beside this package (the programs of the Python that it is installed in; the source
    tree's build folder); else the one on the PATH. CompileError where there is none."""
    named = os.environ.get("RNC")
    if named:
        found = shutil.which(named)
        if not found:
            raise CompileError(f"RNC={named}: no such program")
        return found
    package = os.path.dirname(os.path.abspath(__file__))
    beside = [os.path.join(sysconfig.get_path("scripts"), "rnc"),
              os.path.join(os.path.dirname(os.path.dirname(package)), "build", "rnc")]
    for path in beside:
        if shutil.which(path):
            return path
    found = shutil.which("rnc")
    if not found:
        raise CompileError(f"the rnc program was not found: RNC does not name it, it is not on the PATH, and there is no "
                           f"{' or '.join(beside)}; build it with make, and install it with make install")
    return found


def compile(source: Path, *, weights: Optional[Path] = None, batch: Optional[int] = None,
            level: Union[int, str, None] = None, target: Union[str, Sequence[str], None] = None,
            defines: Optional[Mapping[str, Any]] = None, output: Union[str, Sequence[str], None] = None,
            tolerance: Optional[float] = None, threads: int = 1, name: Optional[str] = None,
            options: Sequence[str] = (), save: Optional[Path] = None, cache: Union[bool, Path] = True) -> Network:
    """Compiles a network and loads it.

        net = rnc.compile("model.onnx", batch=8, threads=2)
        net = rnc.compile("resnet50.rn", weights="resnet50.safetensors", defines={"classes": 10})

    source: an ONNX model (.onnx), a source in rnc's language (.rn) or a graph (.ir).
    weights: a safetensors file or PyTorch checkpoint; an ONNX model has its own.
    batch: images of one run, 1 by default, or what a model fixes (more are run in pieces).
    level: 0 to 3, or "s": -O. target: "native" (default), "x86-64-v3", "x86-64-v4", or several.
    defines: parameters of the source, sizes that a model leaves open: -D. output: layers whose results come out.
    tolerance: the largest relative error of the output. threads: of each call, and what the plan is made for.
    name: the network's. options: further options of rnc, as on its command line ("--store", "bf16").
    save: a file NAME.so to write, with its weights NAME.rnw and header NAME.h beside it, for rnc.load and others.
    cache: True keeps what was compiled in $XDG_CACHE_HOME/rnc/python or ~/.cache/rnc/python (where that can be written),
    by the content of all files that went into it, and takes it from there; a path names another folder; False compiles
    each time. With `save` nothing is kept.

    CompileError: what rnc refuses, in its words; no rnc program. Error: what the machine refuses (see load). ValueError:
    an argument that is none. What rnc warns of is a CompileWarning; what else it remarks is in the network's `messages`.
    Any number of threads and processes may compile at once; rnc runs as a process of its own, with the C compiler that CC
    names.
    """
    source, weights = os.fspath(source), None if weights is None else os.fspath(weights)
    words = _words(weights, batch, level, target, defines, output, tolerance, threads, name, options)
    save = save if save is None else os.fspath(save)
    if save is not None and not save.endswith(".so"):
        raise ValueError(f"save={save!r}: a name that ends in .so is wanted")
    try:
        if save is None:
            net, messages = _from_cache(source, weights, words, threads, cache)
        else:
            messages = _run_rnc(source, words, save)
            net = load(save, threads=threads)
    except NoWeights:
        raise CompileError(f"{source}: no weights: say weights=FILE") from None
    net.messages = messages
    if "warning: " in messages:
        warnings.warn(messages, CompileWarning, stacklevel=2)
    return net


def _from_cache(source: str, weights: Optional[str], words: List[str], threads: int,
                cache: Union[bool, Path]) -> Tuple[Network, str]:
    store = _cache(cache, source, weights, words)
    found = store and store.find()
    if found:
        try:
            return load(os.path.join(found["folder"], "net.so"), threads=threads), found["messages"]
        except Error:  # removed since it was looked for, or damaged: it is made again, which says what is wrong
            shutil.rmtree(found["folder"], ignore_errors=True)
    folder = store.begin() if store else tempfile.mkdtemp(prefix="rnc-")
    try:
        began = time.time()
        messages = _run_rnc(source, words + ["-MD"], os.path.join(folder, "net.so"))
        where = store.keep(folder, began, messages) if store else folder
        return load(os.path.join(where, "net.so"), threads=threads), messages
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what is loaded stays in memory without its files


def _words(weights, batch, level, target, defines, output, tolerance, threads, name, options) -> List[str]:
    """The options of rnc."""
    if isinstance(options, str):
        raise ValueError(f"options={options!r}: a list of words is wanted")
    words = [os.fspath(word) for word in options]
    for word in words:
        if word.startswith(_NOT_HERE):
            raise ValueError(f"options: {word} makes no network to load; it is for rnc on the command line")
    for option, value in (("--weights", weights), ("--batch", batch), ("--tolerance", tolerance), ("--name", name),
                          ("--threads", threads)):
        if value is not None:
            words.append(f"{option}={value}")
    if level is not None:
        words.append(f"-O{level}")
    if target is not None:
        words.append("--target=" + (target if isinstance(target, str) else ",".join(target)))
    for key, value in (defines or {}).items():
        words += ["-D", f"{key}={value}"]
    for layer in [output] if isinstance(output, str) else output or []:
        words.append(f"--output={layer}")
    return words


def _run_rnc(source: str, words: List[str], output: str) -> str:
    """Writes `output` or raises; -> what rnc remarked."""
    # a source may be called like an option
    command = [find_rnc(), *words, "-o", output, os.path.join(".", source) if source.startswith("-") else source]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as e:
        raise CompileError(f"{command[0]}: {e.strerror}") from None
    messages = done.stderr.decode(errors="replace").strip()
    if done.returncode < 0:
        raise CompileError(f"{messages}\n{command[0]}: ended by signal {-done.returncode}".strip(), done.returncode)
    if done.returncode:
        raise CompileError(messages, done.returncode)
    if not os.path.exists(output):
        raise CompileError(f"rnc made no network with the options {' '.join(words)}", done.returncode)
    return messages


def _cache(cache: Union[bool, Path], source: str, weights: Optional[str], words: List[str]) -> Optional[Cache]:
    """None where nothing is to be kept, or a file is missing, which rnc says better."""
    if cache is False:
        return None
    try:
        key = _key(source, weights, words)
    except OSError:
        return None
    base = os.path.dirname(os.path.realpath(source))
    if cache is not True:
        try:
            return Cache(os.fspath(cache), key, base)
        except OSError as e:
            raise Error(f"cache={os.fspath(cache)!r}: {e}") from None
    try:
        return Cache(default_folder(), key, base)
    except OSError:
        return None  # the user's own cannot be written


def _key(source: str, weights: Optional[str], words: List[str]) -> str:
    """All that decides what rnc writes, but for the files that it alone finds; names, since its output has them."""
    content: Dict[str, Any] = {"words": [w for w in words if w != f"--weights={weights}"], "cpu": _processor(),
                               "rnc": hash_file(find_rnc()), "source": [os.path.basename(source), hash_file(source)]}
    if weights is not None:
        content["weights"] = [os.path.basename(weights), hash_file(weights)]
    cc = (os.environ.get("CC") or "cc").split()
    compiler = shutil.which(cc[0]) if cc else None
    info = os.stat(compiler) if compiler else None
    content["cc"] = [cc, info and [info.st_size, info.st_mtime_ns]]
    return hash_values(content)


def _processor() -> List[str]:
    """The processor that `native` means: its name and what it can do."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
        return [value.strip() for key, value in sorted(lines.items()) if key.strip() in ("model name", "flags", "Features")]
    except OSError:
        return [platform.processor()]
