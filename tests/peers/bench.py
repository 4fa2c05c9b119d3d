#!/usr/bin/env python3
"""rnc beside ONNX Runtime, OpenVINO and ncnn: the same network, the same weights, fp32, batch 1.

rnc writes random weights; a network with these very weights is built as ONNX from their torchvision names, converted
for ncnn by pnnx, and compiled by rnc -O2 and -O0. Each contender lives in a process of its own, so that no two thread
pools meet. They take turns, in an order that rotates from round to round; whoever has no turn is stopped (SIGSTOP), so
that no idle thread spins at another's cost. A turn is one run to wake up, which does not count, and RUNS timed ones.
Nothing is timed before all outputs agree: a ratio between different computations says nothing.

Run by run.sh, which installs the packages.
"""
import argparse
import ctypes
import functools
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNS = 3         # timed runs in a turn
WARM_UP = 3      # runs after setting up, before the first turn
TOLERANCE = 1e-3  # of the largest output
SEED = 1         # of the weights and of the image


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- safetensors -> ONNX ----
def read_safetensors(path):
    """8 bytes of header length, a JSON header, the data; rnc writes fp32."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", f"{path}: {name} is {entry['dtype']}"
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
    return tensors


class Graph:
    """Builds ONNX nodes; each method takes a value's name and returns that of its result."""

    def __init__(self, tensors):
        self.tensors, self.nodes, self.used = tensors, [], []

    def add(self, op, inputs, **attributes):
        import onnx
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, inputs, [name], name=name, **attributes))
        self.used += [i for i in inputs if i in self.tensors]
        return name

    def conv(self, x, name, stride=1):
        size = self.tensors[name + ".weight"].shape[2]
        parameters = [p for p in (name + ".weight", name + ".bias") if p in self.tensors]
        return self.add("Conv", [x, *parameters], kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4)

    def bn(self, x, name):
        parameters = [f"{name}.{p}" for p in ("weight", "bias", "running_mean", "running_var")]
        return self.add("BatchNormalization", [x, *parameters], epsilon=1e-5)

    def relu(self, x):
        return self.add("Relu", [x])

    def maxpool(self, x, size, pad=0):
        return self.add("MaxPool", [x], kernel_shape=[size] * 2, strides=[2] * 2, pads=[pad] * 4)

    def fc(self, x, name):
        return self.add("Gemm", [x, name + ".weight", name + ".bias"], transB=1)

    def model(self, x):
        import onnx
        float32 = onnx.TensorProto.FLOAT
        missed = set(self.tensors) - set(self.used)
        assert not missed, f"weights that the ONNX network does not use: {sorted(missed)}"
        graph = onnx.helper.make_graph(
            self.nodes, "network", [onnx.helper.make_tensor_value_info("image", float32, [1, 3, 224, 224])],
            [onnx.helper.make_tensor_value_info(x, float32, [1, 1000])],
            [onnx.numpy_helper.from_array(t, n) for n, t in self.tensors.items()])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def resnet(graph):
    """torchvision's ResNet; the number of blocks and their kind are read off the weights' names."""
    has = graph.tensors.__contains__
    x = graph.maxpool(graph.relu(graph.bn(graph.conv("image", "conv1", 2), "bn1")), 3, 1)
    for stage in range(1, 5):
        block = 0
        while has(f"layer{stage}.{block}.conv1.weight"):
            name, shortcut = f"layer{stage}.{block}", x
            stride = 2 if stage > 1 and block == 0 else 1
            convolutions = 3 if has(f"{name}.conv3.weight") else 2
            strided = 2 if convolutions == 3 else 1  # a bottleneck's stride is on its 3x3
            for i in range(1, convolutions + 1):
                x = graph.bn(graph.conv(x, f"{name}.conv{i}", stride if i == strided else 1), f"{name}.bn{i}")
                x = graph.relu(x) if i < convolutions else x
            if has(f"{name}.downsample.0.weight"):
                shortcut = graph.bn(graph.conv(shortcut, f"{name}.downsample.0", stride), f"{name}.downsample.1")
            x = graph.relu(graph.add("Add", [x, shortcut]))
            block += 1
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])])
    return graph.add("Softmax", [graph.fc(x, "fc")], axis=1)


def vgg(graph):
    """torchvision's VGG; a convolution and its ReLU take two numbers of `features`, a pooling between them one."""
    numbers = sorted(int(n.split(".")[1]) for n in graph.tensors if n.startswith("features.") and n.endswith("weight"))
    x = "image"
    for number, following in zip(numbers, numbers[1:] + [None]):
        x = graph.relu(graph.conv(x, f"features.{number}"))
        if following != number + 2:
            x = graph.maxpool(x, 2)
    x = graph.add("Flatten", [x])
    for name in ("classifier.0", "classifier.3"):
        x = graph.relu(graph.fc(x, name))
    return graph.add("Softmax", [graph.fc(x, "classifier.6")], axis=1)


def write_onnx(weights, path):
    import onnx
    graph = Graph(read_safetensors(weights))
    onnx.save(graph.model((vgg if "features.0.weight" in graph.tensors else resnet)(graph)), path)


# ---- the contenders: each sets up, and returns a function that runs once and one that gives the output ----
def set_up_rnc(level, folder, network, image, threads):
    sys.path.insert(0, os.path.join(ROOT, "examples", "apps"))
    from classify import FLOATS, Network
    path = os.path.join(folder, network + level)
    net = Network(path + ".so", path + ".rnw", network, threads)
    output = np.empty(net.model.output_size, np.float32)
    run, instance = net.model.run, net._net
    source, target = image.ctypes.data_as(FLOATS), output.ctypes.data_as(FLOATS)
    return lambda: net._check(run(instance, 1, source, target)), lambda: output


def set_up_onnxruntime(folder, network, image, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(os.path.join(folder, network + ".onnx"), options,
                                           providers=["CPUExecutionProvider"])
    result = []

    def run():
        result[:] = session.run(None, {"image": image})
    return run, lambda: result[0]


def set_up_openvino(folder, network, image, threads):
    import openvino
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(os.path.join(folder, network + ".onnx"), "CPU",
                                            settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(image))
    return request.infer, lambda: request.get_output_tensor().data


def set_up_ncnn(folder, network, image, threads):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16")):
            setattr(net.opt, option, False)
    path = os.path.join(folder, network + ".ncnn")
    if net.load_param(path + ".param") or net.load_model(path + ".bin"):
        raise RuntimeError("ncnn does not load what pnnx wrote")
    source = ncnn.Mat(image[0]).clone()
    result = []

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", source)
        result[:] = extractor.extract("out0")
    return run, lambda: np.array(result[1])


FUSED, UNFUSED = "rnc -O2", "rnc -O0"
SET_UP = {FUSED: functools.partial(set_up_rnc, "-O2"), UNFUSED: functools.partial(set_up_rnc, "-O0"),
          "ONNX Runtime": set_up_onnxruntime, "OpenVINO": set_up_openvino, "ncnn": set_up_ncnn}
PACKAGES = {"ONNX Runtime": ["onnxruntime"], "OpenVINO": ["openvino"], "ncnn": ["ncnn", "pnnx"]}


def prepare(rnc, folder, network, names):
    """Compiles `network` for every contender into `folder`; -> the names of those that can take part."""
    source = os.path.join(ROOT, "examples", network + ".rn")
    path = os.path.join(folder, network)
    subprocess.run([rnc, f"--random-weights={SEED}", "-o", path + ".safetensors", source], check=True)
    for level in ("-O2", "-O0"):
        subprocess.run([rnc, level, "--weights", path + ".safetensors", "-o", f"{path}{level}.so", source], check=True)
    write_onnx(path + ".safetensors", path + ".onnx")
    if "ncnn" not in names:
        return names
    # the converter alone: importing its package would need PyTorch
    pnnx = os.path.join(importlib.util.find_spec("pnnx").submodule_search_locations[0], "pnnx")
    result = subprocess.run([pnnx, network + ".onnx", "inputshape=[1,3,224,224]", "fp16=0"], cwd=folder, text=True,
                            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode == 0:
        return names
    say(f"{network}: without ncnn: pnnx ends with status {result.returncode}: {result.stdout.strip()[-200:]}")
    return [name for name in names if name != "ncnn"]


# ---- taking turns ----
def work(pipe, setup, arguments):
    """A contender's process: sends its output, then the times of each turn that it is given."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a stopped process must not outlive the bench
    try:
        run, output = setup(*arguments)
        for _ in range(WARM_UP):
            run()
        pipe.send(np.array(output(), np.float32).reshape(-1))
        while True:
            pipe.recv()
            run()
            times = []
            for _ in range(RUNS):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            pipe.send(times)
    except EOFError:
        pass
    except Exception as e:  # told to the bench, whatever it is
        pipe.send(f"{type(e).__name__}: {e}")


class Contender:
    def __init__(self, name, setup, arguments):
        self.name, self.times = name, []
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, setup, arguments), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self.output = self.receive()
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

    def turn(self):
        os.kill(self.process.pid, signal.SIGCONT)
        self.pipe.send("run")
        self.times += self.receive()
        os.kill(self.process.pid, signal.SIGSTOP)

    def close(self):
        self.process.kill()
        self.process.join()


def measure(folder, network, names, threads, rounds):
    """-> a row per contender, after making sure that all compute the same."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # inherited by the contenders
    image = np.random.default_rng(SEED).standard_normal((1, 3, 224, 224), np.float32)
    contenders, rows = [], []
    try:
        for name in names:
            try:
                contenders.append(Contender(name, SET_UP[name], (folder, network, image, threads)))
            except RuntimeError as e:
                if name not in PACKAGES:
                    raise
                say(f"{network}: left out: {e}")
        reference = contenders[0].output
        for contender in contenders:
            output = contender.output
            difference = float(np.abs(output - reference).max() / np.abs(reference).max()) \
                if output.shape == reference.shape else float("nan")
            if not difference <= TOLERANCE:
                raise RuntimeError(f"{network}: {contender.name} differs from {FUSED} by {difference:.1e} of the "
                                   f"largest output; more than {TOLERANCE:.0e}: nothing is timed")
            rows.append({"name": contender.name, "difference": difference})
        for r in range(rounds):
            shift = r % len(contenders)
            for contender in contenders[shift:] + contenders[:shift]:
                contender.turn()
        for row, contender in zip(rows, contenders):
            row["min_ms"], row["median_ms"] = 1e3 * min(contender.times), 1e3 * float(np.median(contender.times))
    finally:
        for contender in contenders:
            contender.close()
    result = {"network": network, "threads": threads, "rows": rows}
    peers = [row for row in rows if row["name"] in PACKAGES]
    if peers:
        best = min(peers, key=lambda row: row["min_ms"])
        result |= {"best_peer": best["name"], "ratio": best["min_ms"] / rows[0]["min_ms"]}
    return result


# ---- the report ----
def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")


def first_line(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]


def versions(rnc, names):
    compiler = [*os.environ.get("CC", "cc").split(), "--version"]
    found = {"rnc": first_line([rnc, "--version"]), "C compiler": first_line(compiler)}
    for name in names:
        for package in PACKAGES.get(name, []):
            found[package] = importlib.metadata.version(package)
    return found


def table(result):
    fused = result["rows"][0]["min_ms"]
    lines = [f"**{result['network']}**, {result['threads']} thread{'s' if result['threads'] > 1 else ''}", "",
             f"| | min ms | median ms | min / {FUSED}'s | largest difference |", "|---|---:|---:|---:|---:|"]
    lines += [f"| {row['name']} | {row['min_ms']:.2f} | {row['median_ms']:.2f} | {row['min_ms'] / fused:.2f} | "
              f"{row['difference']:.0e} |"
              for row in result["rows"]]
    if "ratio" in result:
        lines += ["", f"Best peer, {result['best_peer']}: {result['ratio']:.3f} times the time of {FUSED}."]
    return "\n".join(lines) + "\n"


def markdown(report):
    head = [f"{report['cpu']}, {report['processors']} processors, {report['system']}; "
            + ", ".join(f"{name} {version}" if not version.startswith(name) else version
                        for name, version in report["versions"].items()) + ".",
            f"fp32, batch 1, 3x224x224, the same random weights for all; {report['rounds']} turns of {RUNS} runs each, "
            "interleaved. Differences are from rnc -O2's output, relative to its largest value."]
    return "\n".join(head + ["", *map(table, report["results"])])


def main():
    parser = argparse.ArgumentParser(description="rnc beside ONNX Runtime, OpenVINO and ncnn")
    parser.add_argument("--rnc", required=True, help="the compiler")
    parser.add_argument("--dir", required=True, help="where to work, and to write results.md")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    networks = os.environ.get("NETWORKS", "resnet18 resnet50").split()
    threads = [int(t) for t in os.environ.get("THREADS", "1 2").split()]
    rounds = int(os.environ.get("ROUNDS", "20"))
    processors = len(os.sched_getaffinity(0))
    if min(threads + [rounds]) < 1:
        sys.exit("error: THREADS and ROUNDS are at least 1")
    if max(threads) > processors:
        say(f"left out: more threads than the {processors} processors here")
        threads = [t for t in threads if t <= processors]
    names = [n for n in SET_UP if all(map(importlib.util.find_spec, PACKAGES.get(n, [])))]
    for name in SET_UP.keys() - set(names):
        say(f"left out: {name}: its packages are not here")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up on the way out
    report = {"cpu": cpu_name(), "processors": processors,
              "system": platform.freedesktop_os_release()["PRETTY_NAME"], "rounds": rounds,
              "versions": versions(arguments.rnc, names), "results": []}
    try:
        for network in networks:
            with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
                say(f"compiling {network}")
                taking_part = prepare(arguments.rnc, folder, network, names)
                for t in threads:
                    say(f"measuring {network}, threads: {t}")
                    report["results"].append(measure(folder, network, taking_part, t, rounds))
                    if not arguments.json:
                        print(table(report["results"][-1]), flush=True)
    except (RuntimeError, subprocess.CalledProcessError) as e:
        sys.exit(f"error: {e}")
    with open(os.path.join(arguments.dir, "results.md"), "w", encoding="utf-8") as file:
        file.write(markdown(report))
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{os.path.join(arguments.dir, 'results.md')} has these tables with the versions")


if __name__ == "__main__":
    main()
