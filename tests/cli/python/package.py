"""package.py NAME: one part of cli/python, in its folder of networks. What is wrong is an exception."""
import contextlib
import ctypes
import glob
import json
import os
import subprocess
import sys
import tempfile
import threading

import numpy as np

import rnc
import rnc._cache
import rnc._object

RNC = os.environ["RNC"]


@contextlib.contextmanager
def raises(kind, *texts):
    try:
        yield
    except kind as e:
        assert type(e) is kind and all(text in str(e) for text in texts), f"{type(e).__name__}: {e}"
        return
    raise AssertionError(f"no {kind.__name__} was raised: {texts}")


def images(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def same(a, b):
    return a.dtype == b.dtype == np.float32 and a.shape == b.shape and a.tobytes() == b.tobytes()


def program(path, x, count):
    """The outputs of an emitted program."""
    np.save("x.npy", x)
    names = [f"{i}.npy" for i in range(count)]
    subprocess.run([path, "run", "x.npy", *names], check=True)
    return [np.load(name) for name in names]


def maps(path):
    with open("/proc/self/maps") as file:
        return sum(path in line for line in file)


def numbers():
    net = rnc.compile("tiny.onnx")
    x = images(5, 3, 16, 16)
    y = net(x)
    assert same(y, program("./tiny", x, 1)[0]) and np.allclose(y.sum(1), 1, atol=1e-5)
    assert same(net.run(None, {"input": x})[0], y) and same(net.run(["softmax"], {"x": x})[0], y)
    assert (net.name, net.batch, net.threads) == ("tiny", 1, 1) and net.arena_size > 0 and net.macs > 0
    assert "packed weights" in net.messages, net.messages
    assert net.get_inputs()[0] == net.inputs[0] == ("input", ("N", 3, 16, 16), "tensor(float)")
    assert net(x[:0]).shape == (0, 10)
    # several outputs, in pieces of 3; each contiguous
    net = rnc.compile("several.rn", weights="several.safetensors", batch=3, threads=2)
    assert [(t.name, t.shape) for t in net.get_outputs()] == [("A_b", ("N", 4, 8, 8)), ("a.b", ("N", 4, 8, 8)), ("softmax", ("N", 5))]
    for n in (1, 2, 3, 7):
        x = images(n, 3, 8, 8, seed=n)
        want = program("./several", x, 3)
        for y in (net(x), net.run(None, {"input": x})):
            assert len(y) == 3 and all(same(a, b) and a.flags.c_contiguous for a, b in zip(y, want))
    y = net.run(["softmax", "A_b"], {"input": x})
    assert len(y) == 2 and same(y[0], want[2]) and same(y[1], want[0])
    # channels last: the same numbers in other places, of pictures too
    last = rnc.compile("last.rn", weights="several.safetensors")
    assert last.inputs[0].shape == ("N", 8, 8, 3) and [t.shape for t in last.outputs] == [("N", 8, 8, 4), ("N", 4, 8, 8), ("N", 5)]
    y = last(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    assert same(np.ascontiguousarray(y[0].transpose(0, 3, 1, 2)), want[0]) and same(y[1], want[1]) and same(y[2], want[2])
    assert same(last.run_rgb("picture.png")[2], net.run_rgb("picture.png")[2])
    with raises(ValueError, "last takes N x 8 x 8 x 3"):
        last(x)
    # one of its layers alone; a parameter; sources of another name for the network
    net = rnc.compile("several.rn", weights="several.safetensors", output="c", name="other", level=0, target="x86-64-v3")
    assert net.name == "other" and net(x).shape == (7, 6, 4, 4) and "other Nx" not in repr(net) and "c Nx6x4x4" in repr(net)
    assert rnc.compile("tiny.rn", defines={"classes": 3}, options=["--random-weights"])(images(1, 3, 16, 16)).shape == (1, 3)


def load():
    net = rnc.compile("tiny.onnx", save="saved.so", batch=2)
    x = images(3, 3, 16, 16)
    y = net(x)
    assert all(os.path.exists(f"saved.{end}") for end in ("so", "rnw", "h")) and net.path == os.path.realpath("saved.so")
    assert same(rnc.load("saved.so")(x), y) and same(rnc.load("saved.so", name="tiny", weights="saved.rnw", threads=2)(x), y)
    os.rename("saved.so", "renamed.so")
    assert same(rnc.load("renamed.so")(x), y)
    os.environ["CC"] = os.environ["PLAIN_CC"]
    rnc.compile("tiny.onnx", options=["--embed", "--standalone"], save="alone.so")
    alone = rnc.load("alone.so")
    assert same(alone(x[:1]), program("./tiny", x[:1], 1)[0])
    with raises(rnc.Error, "reads no picture files"):
        alone.classify("picture.png")
    os.rename("saved.rnw", "away.rnw")
    with raises(rnc.Error, "saved.rnw"):
        rnc.load("renamed.so")
    # a file that is replaced while it is loaded is read again
    net = rnc.load("renamed.so", weights="away.rnw")
    other = rnc.compile("several.rn", weights="several.safetensors", save="renamed.so")
    assert len(other.outputs) == 3 and same(net(x), y) and len(rnc.load("renamed.so").outputs) == 3


def arguments():
    net = rnc.compile("tiny.onnx")
    x = images(2, 3, 16, 16)
    for wrong, texts in (
            (x[0], ("(3, 16, 16)", "N x 3 x 16 x 16")), (images(1, 3, 16, 15), ("(1, 3, 16, 15)",)), (images(2, 16, 16, 3), ("N x 3",)),
            (x.astype(float), ("float64", "astype")), (x.astype(np.uint8), ("uint8",)), (x.astype(">f4"), (">f4",)),
            (x[:, :, :, ::-1], ("x.copy()",)), (images(2, 16, 16, 3).transpose(0, 3, 1, 2), ("x.copy()",)),
            (np.ndarray(x.shape, np.float32, bytearray(x.nbytes + 1), offset=1), ("x.copy()",))):
        with raises(ValueError, *texts):
            net(wrong)
        with raises(ValueError, *texts):
            net.run(None, {"input": wrong})
    for feed in ({}, {"a": x, "b": x}):
        with raises(ValueError, "takes one, 'input'"):
            net.run(None, feed)
    with raises(ValueError, "no output is called 'logits'; tiny has softmax"):
        net.run(["logits"], {"input": x})
    for wrong, text in ((x[0], "(3, 16, 16)"), (np.zeros((4, 4, 3)), "float64"), (np.zeros((0, 4, 3), np.uint8), "(0, 4, 3)"),
                        (np.zeros((4, 8, 3), np.uint8)[:, ::2], "not contiguous")):
        with raises(ValueError, text):
            net.run_rgb(wrong)
    with raises(ValueError, "9 labels, but tiny has 10 classes"):
        net.classify("picture.png", labels=["x"] * 9)
    with raises(ValueError, "has no classes: its last output is 6 x 4 x 4"):
        rnc.compile("several.rn", weights="several.safetensors", output="c").classify("picture.png")
    for threads in (0, 1025, True, 1.5, "2"):
        with raises(ValueError, "threads"):
            rnc.load(net.path, threads=threads)
    with raises(ValueError, "save="):
        rnc.compile("tiny.onnx", save="net.c")
    with raises(ValueError, "labels='abcdefghij': a list of names is wanted"):
        net.classify("picture.png", labels="abcdefghij")
    with raises(ValueError, "top=-1"):
        net.classify("picture.png", top=-1)
    for words in (["-o", "stray.c"], ["--dump=c"], ["--summary"]):
        with raises(ValueError, f"options: {words[0]} makes no network"):
            rnc.compile("tiny.onnx", options=words)
    with raises(ValueError, "options="):
        rnc.compile("tiny.onnx", options="--embed")


def pictures():
    net = rnc.compile("tiny.rn", weights="tiny.safetensors", batch=2)
    picture = net._shared.read_image("picture.png")
    assert picture.shape == (30, 40, 3) and picture.dtype == np.uint8 and picture[7, 5].tolist() == [25, 49, 35]
    y = net.run_rgb("picture.png")
    assert y.shape == (1, 10) and same(net.run_rgb(picture), y)
    assert np.allclose(net.run_rgb(["picture.png", picture, picture]), np.repeat(y, 3, 0), atol=1e-6)
    assert net.run_rgb([]).shape == (0, 10)
    done = subprocess.run(["./source", "classify", "--json", "--top", "3", "picture.png"], stdout=subprocess.PIPE, check=True)
    want = [(row["class"], row["probability"]) for row in json.loads(done.stdout)["pictures"][0]["top"]]
    got = net.classify("picture.png", top=3)
    assert [i for i, _ in got] == [i for i, _ in want] and all(abs(p - q) < 1e-6 for (_, p), (_, q) in zip(got, want)), (got, want)
    assert net.classify(picture, labels=list("abcdefghij"))[0] == ("abcdefghij"[got[0][0]], got[0][1])
    logits = rnc.compile("tiny.rn", weights="tiny.safetensors", output="fc").classify(picture, top=10)
    assert abs(sum(p for _, p in logits) - 1) < 1e-6 and all(abs(p - dict(logits)[i]) < 1e-5 for i, p in got)
    with raises(rnc.Error, "none.png"):
        net.classify("none.png")


def errors():
    with raises(rnc.CompileError, "rnc: error: none.onnx: cannot be opened: No such file or directory"):
        rnc.compile("none.onnx")
    with raises(rnc.CompileError, "broken.onnx: error: no ONNX model, or one that was cut short"):
        rnc.compile("broken.onnx")
    with raises(rnc.CompileError, "broken.rn:2:", "^"):
        rnc.compile("broken.rn")
    with raises(rnc.CompileError, "none.safetensors"):
        rnc.compile("tiny.rn", weights="none.safetensors")
    with raises(rnc.CompileError, "tiny.rn: no weights: say weights=FILE"):
        rnc.compile("tiny.rn")
    try:
        rnc.compile("tiny.onnx", batch=0)
    except rnc.CompileError as e:
        assert e.returncode == 2 and "--batch: '0'" in str(e) and isinstance(e, rnc.Error)
    with raises(ValueError, "options: --version"):
        rnc.compile("tiny.rn", options=["--version"])
    with raises(rnc.CompileError, "cannot write"):
        rnc.compile("tiny.onnx", save="nowhere/net.so")
    with raises(rnc.Error, "none.so", "No such file"):
        rnc.load("none.so")
    net = rnc.compile("tiny.onnx", save="whole.so")
    with open("whole.so", "rb") as file:
        whole = file.read()
    for name, content, text in (("text.so", b"text", "not a 64-bit ELF"), ("cut.so", whole[:len(whole) // 2], "truncated"),
                                ("head.so", whole[:64], "truncated")):
        with open(name, "wb") as file:
            file.write(content)
        with raises(rnc.Error, name, text):
            rnc.load(name)
    with raises(rnc.Error, "no network called 'other', but tiny"):
        rnc.load("whole.so", name="other")
    with raises(rnc.Error, "exports no network"):
        rnc.load(os.path.realpath(f"/proc/{os.getpid()}/exe"))
    with open("damaged.rnw", "wb") as file:
        file.write(open("whole.rnw", "rb").read()[:-64])
    try:
        rnc.load("whole.so", weights="damaged.rnw")
        raise AssertionError("damaged weights were taken")
    except rnc.Error as e:
        assert e.status == "FORMAT" and "damaged.rnw" in str(e), (e.status, e)
    rnc._object.ABI += 1
    with raises(rnc.Error, "compiled by another rnc"):
        rnc.load("whole.so")
    rnc._object.ABI -= 1
    net.close()
    net.close()
    with raises(ValueError, "was closed"):
        net(images(1, 3, 16, 16))
    # no rnc at all, and one that is none
    before = dict(os.environ)
    os.environ["RNC"] = "/nowhere/rnc"
    with raises(rnc.CompileError, "RNC=/nowhere/rnc: no such program"):
        rnc.compile("tiny.onnx")
    del os.environ["RNC"]
    os.environ["PATH"] = os.path.dirname(RNC)
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(rnc.__file__))), "build", "rnc")
    if os.path.exists(beside):
        assert rnc.find_rnc() == beside
    else:
        assert rnc.find_rnc() == RNC
        os.environ["PATH"] = "/nowhere"
        with raises(rnc.CompileError, "the rnc program was not found", "RNC", "PATH", "build"):
            rnc.find_rnc()
    os.environ.clear()
    os.environ.update(before)


def memory():
    # of --kernels=static a shared object goes when its network does; else its weights
    x = images(1, 3, 16, 16)
    net = rnc.compile("tiny.onnx", options=["--kernels=static"], save="static.so", threads=2)
    net(x)
    lent = net._instance()
    assert maps("static.so") and maps("static.rnw")
    net.close()
    assert maps("static.so") and maps("static.rnw")  # a call has it still
    del lent
    assert not maps("static.so") and not maps("static.rnw")
    for _ in range(3):
        with rnc.load("static.so") as net:
            net(x)
        net = rnc.load("static.so")
        assert maps("static.rnw") == 1
        del net
        assert not maps("static.so") and not maps("static.rnw")
    jit = rnc.compile("tiny.onnx", save="jit.so")
    jit(x)
    del jit
    assert not maps("jit.rnw")
    with raises(rnc.Error):
        rnc.load("static.so", weights="none.rnw")
    assert not maps("static.so")


def threads():
    net = rnc.compile("several.rn", weights="several.safetensors", batch=2)
    xs = [images(5, 3, 8, 8, seed=i) for i in range(4)]
    want = [net(x) for x in xs]
    wrong = []
    start = threading.Barrier(4)

    def work(i):
        start.wait()
        for k in range(50):
            if not all(same(a, b) for a, b in zip(net(xs[(i + k) % 4]), want[(i + k) % 4])):
                wrong.append((i, k))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong and 1 <= len(net._idle) <= 4, (wrong, len(net._idle))

    with net._instance() as one, net._instance() as two:
        assert one is not two
    # the interpreter's lock is released while the network runs: nothing else gives it away here (large copies would)
    small, x = rnc.compile("tiny.onnx"), images(1, 3, 16, 16)
    sys.setswitchinterval(1000)
    state = {"runs": 0, "stop": False}

    def run():
        while not state["stop"] and state["runs"] < 20000:
            small(x)
            state["runs"] += 1

    worker = threading.Thread(target=run)
    worker.start()
    seen, state["stop"] = state["runs"], True
    sys.setswitchinterval(0.005)
    worker.join()
    assert seen < 20000, "the lock was kept"
    child = os.fork()
    if child == 0:
        os._exit(0 if all(same(a, b) for a, b in zip(net(xs[0]), want[0])) else 1)
    assert os.waitpid(child, 0)[1] == 0


def cache():
    calls = os.path.abspath("calls")
    wrapper = os.path.abspath("counting-rnc")
    with open(wrapper, "w") as file:
        file.write(f"#!/bin/sh\necho >> {calls}\nexec {RNC} \"$@\"\n")
    os.chmod(wrapper, 0o755)
    os.environ.update(RNC=wrapper, XDG_CACHE_HOME=os.path.abspath("a cache"))
    folder = rnc._cache.default_folder()
    x = images(1, 3, 8, 8)

    def made(source="net.rn", **more):
        before = os.path.getsize(calls) if os.path.exists(calls) else 0
        y = rnc.compile(source, options=["--random-weights"], **more)(x)
        return (os.path.getsize(calls) if os.path.exists(calls) else 0) - before, y

    def write(path, text):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    block = "block part(w) { conv w, 3x3; bn; relu }"
    source = 'import "$ #\\ parts/part.rn"\nnetwork net { input 3x8x8; part(8); avgpool global; fc 4 }'
    write("net.rn", source)
    write("$ #\\ parts/part.rn", block)
    first, y = made()
    again, z = made()
    assert (first, again) == (1, 0) and same(y, z), (first, again)
    assert not [f for f in os.listdir(folder) if f.startswith("unfinished")] and len(os.listdir(folder)) == 1
    entry = os.path.join(folder, os.listdir(folder)[0])
    assert sorted(os.listdir(entry)) == ["entry.json", "net.h", "net.rnw", "net.so"]
    write("$ #\\ parts/part.rn", block.replace("3x3", "5x5"))
    assert made()[0] == 1 and made()[0] == 0
    write("$ #\\ parts/part.rn", block)
    assert made()[0] == 0  # what it was is there still
    write("copy/net.rn", source)
    write("copy/$ #\\ parts/part.rn", block)
    count, z = made("copy/net.rn")
    assert count == 0 and same(z, y)  # by content, not by place
    write("copy/$ #\\ parts/part.rn", block.replace("3x3", "7x7"))
    assert made("copy/net.rn")[0] == 1
    for more in ({"batch": 2}, {"level": 1}, {"threads": 2}, {"target": "x86-64-v3"}, {"name": "n"}, {"tolerance": 0.01}):
        assert made(**more)[0] == 1, more
    os.environ["CC"] += " -DX"
    assert made()[0] == 1
    os.environ["CC"] = os.environ["CC"][:-4]
    # damaged entries are made again
    for name in ("net.so", "net.rnw", "entry.json"):
        for path in glob.glob(os.path.join(glob.escape(folder), "*", name)):
            with open(path, "rb") as file:
                content = bytearray(file.read())
            os.unlink(path)  # it may be in memory
            with open(path, "wb") as file:
                content[len(content) // 2] ^= 255
                file.write(content if name == "net.so" else content[:100])
        count, z = made()
        assert count == 1 and same(z, y), name
        assert made()[0] == 0, name
    # two processes at once
    script = "import rnc; rnc.compile('net.rn', options=['--random-weights'], batch=5)"
    both = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [p.wait() for p in both] == [0, 0] and made(batch=5)[0] == 0
    assert not [f for f in os.listdir(folder) if f.startswith("unfinished")]
    # its size
    rnc._cache.LIMIT = 1
    assert made(batch=6)[0] == 1 and len(os.listdir(folder)) == 1 and made(batch=6)[0] == 0
    # none, another, one that cannot be made
    tempfile.tempdir = os.path.abspath("temporary")
    os.mkdir(tempfile.tempdir)
    assert made(cache=False)[0] == 1 and made(cache=False)[0] == 1 and not os.listdir(tempfile.tempdir)
    assert made(cache="other cache")[0] == 1 and made(cache="other cache")[0] == 0 and len(os.listdir("other cache")) == 1
    write("a file", "")
    os.environ["XDG_CACHE_HOME"] = os.path.abspath("a file")
    assert made()[0] == 1 and not os.listdir(tempfile.tempdir)
    with raises(rnc.Error, "a file"):
        made(cache="a file/cache")
    # a file that cannot be compiled leaves nothing
    write("net.rn", source + "?")
    with raises(rnc.CompileError, "net.rn:2:"):
        made(cache="third")
    assert os.listdir("third") == []


def layout():
    """rn.h's structs against the package's: prints C that checks them."""
    from rnc import _abi
    pairs = ((_abi.Shape, "rn_shape"), (_abi.Output, "rn_output"), (_abi.Preprocess, "rn_preprocess"), (_abi.Options, "rn_options"),
             (_abi.Image, "rn_image"), (_abi.Model, "rn_model"), (_abi.Weights, "struct rn_weights"))
    print('#include "rn.h"\n#include <assert.h>')
    for struct, name in pairs:
        for member, _ in struct._fields_:
            field = getattr(struct, member)
            print(f'static_assert(offsetof({name}, {member}) == {field.offset} && sizeof((({name} *)0)->{member}) == {field.size}, "{name}.{member}");')
        if struct is not _abi.Weights:
            print(f'static_assert(sizeof({name}) == {ctypes.sizeof(struct)}, "{name}");')
    print(f'static_assert(RN_ABI == {_abi.ABI} && RN_ERROR_SIZE == {_abi.ERROR_SIZE} && RN_MAX_THREADS == {_abi.MAX_THREADS}, "");')
    for i, word in enumerate(_abi.STATUS):
        print(f'static_assert({"RN_OK" if word == "OK" else "RN_ERROR_" + word} == {i}, "{word}");')


globals()[sys.argv[1]]()
