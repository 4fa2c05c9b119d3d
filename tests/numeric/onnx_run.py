#!/usr/bin/env python3
"""Runs an ONNX file in NumPy, in double, and compares it with what the compiled network gave; in ONNX Runtime too, where
Python has it, after ONNX's checker, where Python has that.

    onnx_run.py TOLERANCE NET.onnx IN.npy OUT.npy...
    onnx_run.py TOLERANCE FOLDER        every NAME.onnx there, with NAME.in.npy and NAME.out00.npy ...
    onnx_run.py shape NET.onnx          prints the input's, 2 for any number of images
    onnx_run.py pads NET.onnx           prints those of each pool

It knows the file format and the operators from their specification alone, and nothing of rnc. Besides the numbers it checks
that names are unique, inputs are there before they are used, every initializer is used, every value has the shape that
the file says, and nothing is left to what engines disagree on. There is an OUT.npy for each output. Differences are
relative to the output's largest element, of 1e-3 at least.
"""
import glob
import math
import os
import struct
import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
try:
    import onnx
except ImportError:
    onnx = None

ENGINE_TOLERANCE = 1e-4  # ONNX Runtime's, which computes in fp32

# message -> field number -> (name, kind); kinds: a message's name, int, float, str, bytes; [kind] where repeated
SCHEMA = {
    "Model": {1: ("ir_version", int), 2: ("producer", str), 3: ("version", str), 7: ("graph", "Graph"),
              8: ("opset", ["Opset"])},
    "Opset": {1: ("domain", str), 2: ("version", int)},
    "Graph": {1: ("node", ["Node"]), 2: ("name", str), 5: ("initializer", ["Tensor"]), 11: ("input", ["Value"]),
              12: ("output", ["Value"]), 13: ("value_info", ["Value"])},
    "Node": {1: ("input", [str]), 2: ("output", [str]), 3: ("name", str), 4: ("op_type", str),
             5: ("attribute", ["Attribute"])},
    "Attribute": {1: ("name", str), 2: ("f", float), 3: ("i", int), 4: ("s", str), 8: ("ints", [int]),
                  20: ("type", int)},
    "Tensor": {1: ("dims", [int]), 2: ("data_type", int), 8: ("name", str), 9: ("raw_data", bytes)},
    "Value": {1: ("name", str), 2: ("type", "Type")},
    "Type": {1: ("tensor", "TensorType")},
    "TensorType": {1: ("elem_type", int), 2: ("shape", "Shape")},
    "Shape": {1: ("dim", ["Dimension"])},
    "Dimension": {1: ("value", int), 2: ("param", str)},
}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def decode(data, message):
    """-> a dictionary of the message's fields; an unknown field is an error, since rnc writes none."""
    fields = SCHEMA[message]
    result = {name: [] for name, kind in fields.values() if isinstance(kind, list)}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        name, kind = fields[key >> 3]
        wire = key & 7
        if wire == 0:
            value, at = varint(data, at)
            value -= (value >> 63) << 64
        elif wire == 5:
            (value,), at = struct.unpack_from("<f", data, at), at + 4
        else:
            assert wire == 2, f"{message}.{name}: wire type {wire}"
            size, at = varint(data, at)
            assert at + size <= len(data), f"{message}.{name} is cut"
            value, at = data[at:at + size], at + size
        repeated = isinstance(kind, list)
        inner = kind[0] if repeated else kind
        if isinstance(inner, str):
            value = decode(value, inner)
        elif inner is str:
            value = bytes(value).decode()
        if repeated:
            result[name].append(value)
        else:
            result[name] = value
    return result


# ---- operators: f(node's attributes, inputs) ----
def windows(x, a, fill):
    """The windows of kernel_shape over padded x, N x C x P x Q x R x S."""
    assert "ceil_mode" not in a, "engines disagree on how many windows there are, and on what they count"
    kernel, strides = a["kernel_shape"], a.get("strides", [1, 1])
    dilations, pads = a.get("dilations", [1, 1]), a.get("pads", [0] * 4)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations)]
    x = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])], constant_values=fill)
    return sliding_window_view(x, spans, (2, 3))[:, :, ::strides[0], ::strides[1], ::dilations[0], ::dilations[1]]


def pool_windows(x, a, fill):
    padding = zip(a.get("pads", [0] * 4), a["kernel_shape"] * 2)
    assert all(pad < kernel for pad, kernel in padding), "engines refuse such a padding"
    return windows(x, a, fill)


def conv(a, x, weight, bias=None):
    groups = a["group"]
    view = windows(x, a, 0)
    c, k = x.shape[1] // groups, weight.shape[0] // groups
    parts = [np.tensordot(view[:, g * c:(g + 1) * c], weight[g * k:(g + 1) * k], ([1, 4, 5], [1, 2, 3]))
             for g in range(groups)]
    y = np.moveaxis(np.concatenate(parts, 3), 3, 1)
    return y if bias is None else y + bias[:, None, None]


def conv_transpose(a, x, weight, bias=None):
    """Scatters each pixel's window into an image of all windows, of which the padding is cut off."""
    groups, (sh, sw) = a["group"], a["strides"]
    n, c, h, w = x.shape
    k, r, s = weight.shape[1:]
    top, left, bottom, right = a["pads"]
    extra = a["output_padding"]
    y = np.zeros((n, groups * k, (h - 1) * sh + r + extra[0], (w - 1) * sw + s + extra[1]))
    for g in range(groups):
        part = slice(g * c // groups, (g + 1) * c // groups)
        for i in range(r):
            for j in range(s):
                y[:, g * k:(g + 1) * k, i:i + (h - 1) * sh + 1:sh, j:j + (w - 1) * sw + 1:sw] += np.moveaxis(
                    np.tensordot(x[:, part], weight[part, :, i, j], ([1], [0])), 3, 1)
    y = y[:, :, top:y.shape[2] - bottom, left:y.shape[3] - right]
    return y if bias is None else y + bias[:, None, None]


def average_pool(a, x):
    if a.get("count_include_pad"):
        return pool_windows(x, a, 0).mean((4, 5))
    return pool_windows(x, a, 0).sum((4, 5)) / pool_windows(np.ones_like(x), a, 0).sum((4, 5))


def channels(x, vector):
    return vector.reshape(-1, *[1] * (x.ndim - 2))


def batch_norm(a, x, scale, bias, mean, var):
    s = scale / np.sqrt(var + a["epsilon"])
    return (x - channels(x, mean)) * channels(x, s) + channels(x, bias)


def lrn(a, x):
    before, after = (a["size"] - 1) // 2, -(-(a["size"] - 1) // 2)
    square = np.pad(x * x, [(0, 0), (before, after), (0, 0), (0, 0)])
    sums = sliding_window_view(square, a["size"], 1).sum(-1)
    return x / (a["bias"] + a["alpha"] / a["size"] * sums) ** a["beta"]


def pad(a, x, pads, value=0):
    half = len(pads) // 2
    more = {"constant_values": value} if a["mode"] == "constant" else {}
    return np.pad(x, list(zip(pads[:half], pads[half:])), mode=a["mode"], **more)


def reshape(a, x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


def resize(a, x, roi, scales):
    mode = a["coordinate_transformation_mode"]
    for axis, scale in enumerate(scales):
        size = x.shape[axis]
        to = int(np.float32(size) * np.float32(scale))
        assert to == int(size * float(scale)), "engines round the size apart"
        i = np.arange(to)
        at = {"asymmetric": i / scale, "half_pixel": (i + 0.5) / scale - 0.5,
              "align_corners": i * ((size - 1) / max(to - 1, 1))}[mode]
        if a["mode"] == "nearest":
            assert (a["nearest_mode"], mode) == ("floor", "asymmetric")
            x = np.take(x, np.floor(at + 1e-6).astype(int), axis)
        else:
            at = np.clip(at, 0, size - 1)
            low = np.floor(at).astype(int)
            share = (at - low).reshape([-1] + [1] * (x.ndim - 1 - axis))
            x = np.take(x, low, axis) * (1 - share) + np.take(x, np.minimum(low + 1, size - 1), axis) * share
    return x


def slice_(a, x, starts, ends, axes):
    for start, end, axis in zip(starts, ends, axes):
        x = np.take(x, range(start, min(end, x.shape[axis])), axis)
    return x


def softmax(a, x):
    e = np.exp(x - x.max(a["axis"], keepdims=True))
    return e / e.sum(a["axis"], keepdims=True)


def along(a, x, v):
    """One number for each element of an axis, or one for all."""
    return v if v.ndim == 0 else v.reshape([-1 if d == a["axis"] else 1 for d in range(x.ndim)])


def quantize(a, x, scale, zero):
    limits = np.iinfo(zero.dtype)
    q = np.rint(x.astype(np.float32) / along(a, x, scale).astype(np.float32)) + along(a, x, zero).astype(np.float32)
    return np.clip(q, limits.min, limits.max).astype(zero.dtype)


def dequantize(a, x, scale, zero):
    return (x.astype(np.float32) - along(a, x, zero).astype(np.float32)) * along(a, x, scale)


def gemm(a, x, weight, bias=0):
    assert a["transB"] == 1
    return x @ weight.T + bias


OPS = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Clip": lambda a, x, low=None, high=None: np.minimum(np.maximum(x, -np.inf if low is None else low),
                                                         np.inf if high is None else high),
    "Concat": lambda a, *x: np.concatenate(x, a["axis"]),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Div": lambda a, x, y: x / y,
    "Dropout": lambda a, x, ratio: x,
    "Elu": lambda a, x: np.where(x < 0, a["alpha"] * np.expm1(x), x),
    "Erf": lambda a, x: np.vectorize(math.erf)(x),
    "Flatten": lambda a, x: x.reshape(int(np.prod(x.shape[:a["axis"]])), -1),
    "Gather": lambda a, x, index: np.take(x, index, a["axis"]),
    "Gemm": gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdims=True),
    "GlobalMaxPool": lambda a, x: x.max((2, 3), keepdims=True),
    "HardSigmoid": lambda a, x: np.clip(a["alpha"] * x + a["beta"], 0, 1),
    "Identity": lambda a, x: x,
    "LRN": lrn,
    "LeakyRelu": lambda a, x: np.where(x < 0, a["alpha"] * x, x),
    "MaxPool": lambda a, x: pool_windows(x, a, -np.inf).max((4, 5)),
    "Mul": lambda a, x, y: x * y,
    "PRelu": lambda a, x, slope: np.where(x < 0, slope * x, x),
    "Pad": pad,
    "ReduceL2": lambda a, x: np.sqrt((x * x).sum(tuple(a["axes"]), keepdims=bool(a["keepdims"]))),
    "ReduceMean": lambda a, x: x.mean(tuple(a["axes"]), keepdims=bool(a["keepdims"])),
    "ReduceMax": lambda a, x: x.max(tuple(a["axes"]), keepdims=bool(a["keepdims"])),
    "Pow": lambda a, x, y: x**y,
    "Relu": lambda a, x: np.maximum(x, 0),
    "Reshape": reshape,
    "Resize": resize,
    "Selu": lambda a, x: 1.05070102214813232421875 * np.where(x < 0, 1.67326319217681884765625 * np.expm1(x), x),
    "Sigmoid": lambda a, x: 1 / (1 + np.exp(-x)),
    "Slice": slice_,
    "Softmax": softmax,
    "LogSoftmax": lambda a, x: np.log(softmax(a, x)),
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "Softplus": lambda a, x: np.logaddexp(x, 0),
    "Sqrt": lambda a, x: np.sqrt(x),
    "Sub": lambda a, x, y: x - y,
    "Transpose": lambda a, x: x.transpose(a["perm"]),
    "Tanh": lambda a, x: np.tanh(x),
}


# ---- the graph ----
def attributes(node):
    """Each by its declared type: 1 float, 2 int, 3 string, 7 ints."""
    return {a["name"]: a[{1: "f", 2: "i", 3: "s", 7: "ints"}[a["type"]]] for a in node["attribute"]}


def tensor(t):
    dtype = {1: "<f4", 2: "u1", 3: "i1", 7: "<i8"}[t["data_type"]]
    data = np.frombuffer(t["raw_data"], dtype).reshape(t["dims"])
    return data.astype(float) if dtype == "<f4" else data


def dims(value, batch):
    shape = tuple(d.get("value", batch) for d in value["type"]["tensor"]["shape"]["dim"])
    assert shape[0] == batch, f"{value['name']} is for {shape[0]} images"
    return shape


def run(model, x):
    assert model["opset"] == [{"domain": "", "version": 13}], model["opset"]
    graph = model["graph"]
    (source,) = graph["input"]
    assert dims(source, len(x)) == x.shape, f"the input is {dims(source, len(x))[1:]}"
    declared = {v["name"]: dims(v, len(x)) for v in graph["value_info"] + graph["output"]}
    values = {t["name"]: tensor(t) for t in graph["initializer"]}
    constants, read = set(values), set()
    assert len(constants) == len(graph["initializer"]), "two initializers have one name"
    assert source["name"] not in values
    values[source["name"]] = x.astype(float)
    assert len({n["name"] for n in graph["node"]}) == len(graph["node"]), "two nodes have one name"
    for node in graph["node"]:
        (name,) = node["output"]
        assert name not in values, f"{name} is made twice"
        inputs = [values[i] if i else None for i in node["input"]]
        read.update(node["input"])
        y = values[name] = OPS[node["op_type"]](attributes(node), *inputs)
        if name in declared:
            assert y.shape == declared.pop(name), f"{name} is {y.shape}"
    declared.pop(source["name"], None)
    assert not declared, f"declared, but not made: {sorted(declared)}"
    assert constants <= read, f"not used: {sorted(constants - read)}"
    return [values[v["name"]].reshape(len(x), -1) for v in graph["output"]]


def read_model(path):
    with open(path, "rb") as file:
        return decode(memoryview(file.read()), "Model")


def run_engine(path, x):
    """The same by ONNX Runtime, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    return [y.reshape(len(x), -1) for y in session.run(None, {source.name: x.astype(np.float32)})]


def compare_outputs(tolerance, engine, model, outputs, expected):
    """-> the largest difference of any output."""
    worst = 0
    assert len(outputs) == len(expected), f"{engine}: {len(outputs)} outputs"
    for value, output, file in zip(model["graph"]["output"], outputs, expected):
        wanted = np.load(file).reshape(output.shape)
        difference = np.abs(output - wanted).max() / max(np.abs(wanted).max(), 1e-3)
        assert difference <= tolerance, f"{engine}: {value['name']} differs by {difference:.2e} of its largest element"
        worst = max(worst, difference)
    return worst


def compare(tolerance, path, image, expected):
    """-> the largest difference of NumPy's outputs."""
    model, x = read_model(path), np.load(image)
    worst = compare_outputs(tolerance, "NumPy", model, run(model, x), expected)
    if onnx:
        onnx.checker.check_model(path, full_check=True)
    if onnxruntime:
        compare_outputs(max(tolerance, ENGINE_TOLERANCE), "ONNX Runtime", model, run_engine(path, x), expected)
    return worst


def compare_all(tolerance, folder):
    """-> the number of those that differ."""
    models = sorted(f[:-len(".onnx")] for f in os.listdir(folder) if f.endswith(".onnx"))
    assert models, f"{folder} has no models"
    failed = 0
    for name in models:
        path = os.path.join(folder, name)
        try:
            compare(tolerance, path + ".onnx", path + ".in.npy", sorted(glob.glob(glob.escape(path) + ".out*.npy")))
        except Exception as e:  # of whatever kind: the others are run all the same
            print(f"{name}: {type(e).__name__}: {e}")
            failed += 1
    return failed


def main(what, path, *arrays):
    if what == "shape":
        print(*dims(read_model(path)["graph"]["input"][0], 2))
    elif what == "pads":
        for node in read_model(path)["graph"]["node"]:
            if node["op_type"].endswith("Pool"):
                print(*attributes(node)["pads"])
    elif os.path.isdir(path):
        sys.exit(compare_all(float(what), path) > 0)
    else:
        print(f"{compare(float(what), path, arrays[0], arrays[1:]):.2e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
