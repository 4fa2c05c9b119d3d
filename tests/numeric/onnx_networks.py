#!/usr/bin/env python3
"""Compiles and runs the networks of onnx_networks.sh in the folder of now. A line for each comparison: NAME AGAINST
DIFFERENCE MOST, where a difference that is not known is nan. With --full ONNX Runtime runs too, where Python has it.

    onnx_networks.py RNC FOLDER [--full]
"""
import os
import subprocess
import sys

import numpy as np

RELATIVE = 1e-3  # onnx.backend.test's
CLOSE = 1e-5  # of the largest element, where weights are random or trained
# What ONNX Runtime 1.32 gives of open_nsfw and the pictures below.
NSFW = (0.9999862909, 1.3650858e-05), (0.9068531990, 0.0931468233), (0.7025702000, 0.2974298596)


def pictures():
    """Three of N x H x W x C, BGR, with a mean taken off: waves, a gradient, grey."""
    rows, columns, channels = np.meshgrid(np.arange(224.0), np.arange(224.0), np.arange(3.0), indexing="ij")
    waves = 128 * np.sin(0.05 * rows + 0.003 * rows * channels) * np.cos(0.11 * columns + channels)
    return np.stack([waves, columns - 112, 0 * rows]).astype("<f4")


def run(rnc, path, image):
    subprocess.run([rnc, path, "-o", "net"], check=True)
    np.save("in.npy", image)
    subprocess.run(["./net", "run", "in.npy", "out.npy"], check=True)
    return np.load("out.npy")


def tell(name, against, got, wanted, most):
    """most: by how much of its largest element a result may differ"""
    got = got.reshape(wanted.shape) if got.size == wanted.size else np.full(wanted.shape, np.nan)
    print(name, against, float(abs(got - wanted).max() / abs(wanted).max()), most, flush=True)


def counting(shape):
    """What ONNX's own runner gives these networks: 0 to 1, rising."""
    count = int(np.prod(shape))
    return (np.arange(count).reshape(shape) / count).astype("<f4")


def expected(path):
    """The numbers of a serialized TensorProto of 1000 floats, which end it."""
    with open(path, "rb") as file:
        return np.frombuffer(file.read()[-4000:], "<f4")


def with_random_weights(path, new):
    """The model with random numbers for its constants of one number, and without the softmax at its end, after which one
    class may have all."""
    import onnx
    from onnx import helper, numpy_helper
    model = onnx.load(path)
    graph, rng = model.graph, np.random.default_rng(1)
    shapes = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "ConstantOfShape"]:
        shape = [int(d) for d in shapes[node.input[0]]]
        spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0
        numbers = rng.standard_normal(shape) * spread if spread else rng.uniform(0.5, 1.5, shape)
        graph.initializer.append(numpy_helper.from_array(numbers.astype(np.float32), node.output[0]))
        graph.node.remove(node)
    if graph.node[-1].op_type == "Softmax":
        last = graph.node.pop()
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    onnx.save(model, new)


def runtime(path, image):
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)  # it warns of constants that are not read
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {i.name for i in session.get_inputs()}
    assert len(given) == 1, given
    return session.run(None, {given.pop(): image})[0]


def main(rnc, folder, *full):
    for file in sorted(os.listdir(folder)):
        name, ending = os.path.splitext(file)
        path, image = os.path.join(folder, file), counting((1, 3, 224, 224))
        if ending != ".onnx" or not name.startswith("light_"):
            continue
        tell(name, "ONNX's-own", run(rnc, path, image), expected(os.path.join(folder, name + "_output_0.pb")), RELATIVE)
        if full:
            with_random_weights(path, "random.onnx")
            image = np.random.default_rng(2).standard_normal(image.shape).astype("<f4")
            tell(name, "ONNX-Runtime", run(rnc, "random.onnx", image), runtime("random.onnx", image), CLOSE)
    nsfw = os.path.join(folder, "open-nsfw.onnx")
    for i, image in enumerate(pictures()):
        got = run(rnc, nsfw, image[None])
        tell(f"open_nsfw-{i}", "ONNX-Runtime-1.32", got, np.array(NSFW[i]), CLOSE)
        if full:
            tell(f"open_nsfw-{i}", "ONNX-Runtime", got, runtime(nsfw, image[None]), CLOSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
