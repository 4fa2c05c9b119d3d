"""Who takes part: rnc at several levels, and the peers. Each compiles a network for itself, and runs it.

A contender's set-up runs in a process of its own and returns two functions: one that runs the batch once, and one that gives
the output. Peers read the ONNX file that rnc writes, so the network is the same by construction, and the weights too.
"""
import ctypes
import functools
import importlib.util
import os
import subprocess
import sys

import numpy as np

from machine import ROOT

LEVELS = os.environ.get("LEVELS", "-O2 -O3").split()  # of rnc; the first is the one that ratios are about
SEED = 1  # of the weights
NAME = "peer"  # of every network's API


def say(text):
    print(text, file=sys.stderr, flush=True)


def set_up_rnc(level, folder, image, threads):
    sys.path.insert(0, os.path.join(ROOT, "python"))
    import rnc
    path = os.path.join(folder, f"net{level}-{len(image)}-{threads}")
    net = rnc.load(path + ".so", weights=path + ".rnw", threads=threads, name=NAME)
    result = []

    def run():
        result[:] = [net(image)]
    return run, lambda: np.concatenate([y.reshape(len(image), -1) for y in (
        result[0] if isinstance(result[0], list) else result)], axis=1)


def set_up_onnxruntime(folder, image, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(os.path.join(folder, f"net-{len(image)}.onnx"), options,
                                           providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: image}
    result = []

    def run():
        result[:] = session.run(None, inputs)
    return run, lambda: result[0]


def set_up_openvino(folder, image, threads):
    import openvino
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(os.path.join(folder, f"net-{len(image)}.onnx"), "CPU",
                                            settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(image))
    return request.infer, lambda: request.get_output_tensor().data


def set_up_ncnn(folder, image, threads):
    """It has no batch: a batch is run image by image."""
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16")):
            setattr(net.opt, option, False)
    path = os.path.join(folder, "net_1.ncnn")
    if net.load_param(path + ".param") or net.load_model(path + ".bin"):
        raise RuntimeError("ncnn does not load what pnnx wrote")
    sources = [ncnn.Mat(one).clone() for one in image]
    results = [None] * len(image)

    def run():
        for i, source in enumerate(sources):
            extractor = net.create_extractor()
            extractor.input("in0", source)
            status, results[i] = extractor.extract("out0")
            if status:
                raise RuntimeError(f"ncnn ends with status {status}")
    return run, lambda: np.stack([np.array(result) for result in results])


RNC = [f"rnc {level}" for level in LEVELS]
SET_UP = {name: functools.partial(set_up_rnc, level) for name, level in zip(RNC, LEVELS)}
SET_UP |= {"ONNX Runtime": set_up_onnxruntime, "OpenVINO": set_up_openvino, "ncnn": set_up_ncnn}
PACKAGES = {"ONNX Runtime": ["onnxruntime"], "OpenVINO": ["openvino"], "ncnn": ["ncnn", "pnnx"]}


def present():
    """The names of those whose packages are here."""
    names = [name for name in SET_UP if all(map(importlib.util.find_spec, PACKAGES.get(name, [])))]
    for name in SET_UP.keys() - set(names):
        say(f"left out: {name}: its packages are not here")
    return names


# ---- compiling ----
def is_model(network):
    return network.endswith(".onnx")


def source_of(network):
    if is_model(network):
        return network if os.path.exists(network) else sys.exit(f"error: there is no model {network}")
    for folder in ("examples", "examples/cifar"):
        path = os.path.join(ROOT, folder, network + ".rn")
        if os.path.exists(path):
            return path
    sys.exit(f"error: there is no network {network} in examples or examples/cifar")


def compile_to(path, rnc, folder, network, batch, *options):
    """A softmax at the end is left out, but for models, which peers read as they are: where one class takes all it would
    hide that outputs differ."""
    source, output = source_of(network), []
    summary = subprocess.run([rnc, "--summary", source], stdout=subprocess.PIPE, text=True, check=True).stdout
    layers = [line.split() for line in summary.split("\n\n", maxsplit=1)[0].splitlines()]
    if layers[-1][1] == "softmax" and not is_model(network):
        output = ["--output", layers[-2][0]]
    subprocess.run([rnc, *options, *output, "--batch", str(batch), "--weights",
                    os.path.join(folder, "net.safetensors"), "-o", path, source], check=True)


def copy_model(network, path, batch):
    """The model itself, for so many images -> whether it can be for them; where not, peers get it as rnc writes it."""
    import onnx
    model = onnx.load(network)
    given = {tensor.name for tensor in model.graph.initializer}
    first = [value for value in model.graph.input if value.name not in given][0].type.tensor_type.shape.dim[0]
    if first.HasField("dim_value") and first.dim_value not in (0, batch):
        say(f"{network} is for {first.dim_value} images: peers get it as rnc writes it for {batch}")
        return False
    first.dim_value = batch
    onnx.save(model, path)
    return True


def write_onnx(rnc, folder, network, batch):
    """-> the shape of the input; the file is checked as onnx's own checker does."""
    import onnx
    path = os.path.join(folder, f"net-{batch}.onnx")
    if not (is_model(network) and copy_model(network, path, batch)):
        compile_to(path, rnc, folder, network, batch)
    onnx.checker.check_model(path, full_check=True)
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims)


def convert_for_ncnn(rnc, folder, network):
    """-> whether it worked; the converter alone: importing its package would need PyTorch."""
    shape = write_onnx(rnc, folder, network, 1)
    os.rename(os.path.join(folder, "net-1.onnx"), os.path.join(folder, "net_1.onnx"))
    pnnx = os.path.join(importlib.util.find_spec("pnnx").submodule_search_locations[0], "pnnx")
    result = subprocess.run([pnnx, "net_1.onnx", f"inputshape=[{','.join(map(str, shape))}]", "fp16=0"], cwd=folder,
                            text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        say(f"without ncnn: pnnx ends with status {result.returncode}: {result.stdout.strip()[-300:]}")
    return result.returncode == 0


def prepare(rnc, folder, network, names):
    """Weights, the same for all and for every batch -> the names of those that can take part."""
    subprocess.run([rnc, *([] if is_model(network) else [f"--random-weights={SEED}"]), "-o", os.path.join(folder, "net.safetensors"),
                    source_of(network)], check=True)
    if "ncnn" in names and not convert_for_ncnn(rnc, folder, network):
        return [name for name in names if name != "ncnn"]
    return names


def compile_batch(rnc, folder, network, batch, threads, cache):
    """For these numbers of threads -> the shape of the input. `cache`: where -O3 keeps what it measures, for other networks
    have the same layers."""
    for level in LEVELS:
        for t in threads:
            compile_to(os.path.join(folder, f"net{level}-{batch}-{t}.so"), rnc, folder, network, batch, level,
                       "--threads", str(t), "--name", NAME, "--tune-cache", cache)
    return write_onnx(rnc, folder, network, batch)
