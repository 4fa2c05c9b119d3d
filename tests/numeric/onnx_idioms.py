#!/usr/bin/env python3
"""Writes small ONNX models of what exporters write, each with an input and what NumPy computes for it, as ONNX's test data
are: FOLDER/node/NAME/model.onnx and test_data_set_0. unit/onnx_data reads and runs them. In FOLDER/simple are models that
look like what rnc reads and mean something else, which it must not read. Prints how many there are of both.

    onnx_idioms.py FOLDER
"""
import math
import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)
erf = np.vectorize(math.erf)
READ, NOT_READ = sys.argv[1] + "/node", sys.argv[1] + "/simple"


def real(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def channel(v):
    return np.asarray(v).reshape(1, -1, 1, 1)


def window(x, k, stride, pads, fill=0.0):
    """Every window of x: N, C, P, Q, k, k; pads: top, left, bottom, right."""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))
    return view[:, :, ::stride, ::stride]


def conv(x, w, b=None, stride=1, pads=(0, 0, 0, 0), groups=1):
    k = w.shape[0] // groups
    parts = []
    for g in range(groups):
        xs = x[:, g * w.shape[1]:(g + 1) * w.shape[1]]
        parts.append(np.einsum("ncpqrs,kcrs->nkpq", window(xs, w.shape[2], stride, pads), w[g * k:(g + 1) * k]))
    y = np.concatenate(parts, 1)
    return y if b is None else y + channel(b)


class Model:
    """A graph while it is written: each call adds a node and gives its result's name."""

    def __init__(self, shape, opset=13, batch=None):
        self.nodes, self.constants, self.opset = [], [], opset
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch or shape[0], *shape[1:]])

    def value(self, array, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def __getattr__(self, op):
        def add(*inputs, outputs=1, name=None, **attributes):
            ins = [i if isinstance(i, str) else self.value(i) for i in inputs]
            outs = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
            self.nodes.append(helper.make_node(op, ins, outs, name=name, **attributes))
            return outs[0] if outputs == 1 else outs
        return add

    def done(self, folder, x, y, result):
        self.nodes.append(helper.make_node("Identity", [result], ["y"]))
        graph = helper.make_graph(self.nodes, "g", [self.input], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                                  self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        os.makedirs(folder + "/test_data_set_0")
        with open(folder + "/model.onnx", "wb") as f:
            f.write(model.SerializeToString())
        for what, array in (("input_0", x), ("output_0", y)):
            with open(f"{folder}/test_data_set_0/{what}.pb", "wb") as f:
                f.write(numpy_helper.from_array(np.ascontiguousarray(array, np.float32)).SerializeToString())


def case(name, shape, build, expect, opset=13, batch=None):
    """build(m, x): the nodes; expect(x): NumPy's result. x is on both sides of every edge that an activation has."""
    x = (real(*shape) * 8).astype(np.float32)
    m = Model(shape, opset, batch)
    m.done(f"{READ}/{name}", x, expect(x.astype(np.float64)), build(m, "x"))


def not_read(name, shape, build, opset=13):
    m = Model(shape, opset)
    x = real(*shape)
    m.done(f"{NOT_READ}/{name}", x, x, build(m, "x"))


f32 = np.float32
SHAPE = (2, 6, 5, 7)
C = SHAPE[1]
n64 = lambda *v: np.array(v, np.int64)

# ---- activations in pieces ----
case("swish", SHAPE, lambda m, x: m.Mul(x, m.Sigmoid(x)), lambda x: x * sigmoid(x))
case("quick_gelu", SHAPE, lambda m, x: m.Mul(x, m.Sigmoid(m.Mul(f32(1.702), x))), lambda x: x * sigmoid(f32(1.702) * x))
case("swish_of_set_24", SHAPE, lambda m, x: m.Swish(x, alpha=0.7), lambda x: x * sigmoid(f32(0.7) * x), opset=24)
case("swish_steep", SHAPE, lambda m, x: m.Mul(x, m.Sigmoid(m.Mul(x, f32(1000)))), lambda x: x / (1 + np.exp(-np.clip(1000 * x, -600, 600))))
case("tanh_tiny_before_large", SHAPE, lambda m, x: m.Mul(m.Mul(m.Tanh(x), f32(1e-6)), f32(1e6)), np.tanh)
case("roi_of_nothing", SHAPE, lambda m, x: m.Resize(x, np.zeros(0, f32), np.array([1, 1, 2, 2], f32), mode="nearest",
     coordinate_transformation_mode="asymmetric", nearest_mode="floor"), lambda x: x.repeat(2, 2).repeat(2, 3))
case("step_of_one_row", (2, 6, 1, 7), lambda m, x: m.Slice(x, n64(0), n64(9), n64(2), n64(2)), lambda x: x)
case("cube_channels_last_output", (2, 4, 4, 4), lambda m, x: m.Transpose(m.Relu(m.Transpose(x, perm=[0, 3, 1, 2])), perm=[0, 2, 3, 1]),
     lambda x: np.maximum(x, 0))
case("swish_turned", SHAPE, lambda m, x: m.Mul(m.Sigmoid(x), x), lambda x: x * sigmoid(x))
case("hardswish_clip", SHAPE, lambda m, x: m.Div(m.Mul(x, m.Clip(m.Add(x, f32(3)), f32(0), f32(6))), f32(6)),
     lambda x: x * np.clip(x + 3, 0, 6) / 6)
case("hardswish_hardsigmoid", SHAPE, lambda m, x: m.Mul(x, m.HardSigmoid(x, alpha=1 / 6, beta=0.5)),
     lambda x: x * np.clip(x / 6 + 0.5, 0, 1))
case("hardsigmoid_relu6", SHAPE, lambda m, x: m.Mul(m.Min(m.Relu(m.Add(f32(3), x)), f32(6)), f32(1 / 6)),
     lambda x: np.clip(x + 3, 0, 6) / 6)
case("gelu_pytorch", SHAPE, lambda m, x: m.Mul(m.Mul(x, m.Add(m.Erf(m.Div(x, f32(math.sqrt(2)))), f32(1))), f32(0.5)), gelu)
case("gelu_keras", SHAPE, lambda m, x: m.Mul(m.Mul(f32(0.5), x), m.Add(f32(1), m.Erf(m.Mul(x, f32(math.sqrt(0.5)))))), gelu)
case("gelu_tanh", SHAPE,
     lambda m, x: m.Mul(m.Mul(f32(0.5), x), m.Add(f32(1), m.Tanh(m.Mul(f32(math.sqrt(2 / math.pi)),
                  m.Add(x, m.Mul(f32(0.044715), m.Mul(x, m.Mul(x, x)))))))),
     lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))))
case("mish", SHAPE, lambda m, x: m.Mul(x, m.Tanh(m.Softplus(x))), lambda x: x * np.tanh(np.log1p(np.exp(x))))
case("relu_by_max", SHAPE, lambda m, x: m.Max(x, f32(0)), lambda x: np.maximum(x, 0))
case("relu6_clip", SHAPE, lambda m, x: m.Clip(x, f32(0), f32(6)), lambda x: np.clip(x, 0, 6))
case("relu6_clip_attributes", SHAPE, lambda m, x: m.Clip(x, min=0.0, max=6.0), lambda x: np.clip(x, 0, 6), opset=10)
case("relu6_min_relu", SHAPE, lambda m, x: m.Min(m.Relu(x), f32(6)), lambda x: np.clip(x, 0, 6))
case("relu_clip_half", SHAPE, lambda m, x: m.Clip(x, f32(0)), lambda x: np.maximum(x, 0))
case("leaky_by_max", SHAPE, lambda m, x: m.Max(m.Mul(x, f32(0.125)), x), lambda x: np.where(x < 0, x / 8, x))
slopes = real(C)
case("prelu_pieces", SHAPE, lambda m, x: m.Sub(m.Relu(x), m.Mul(channel(slopes), m.Relu(m.Neg(x)))),
     lambda x: np.where(x < 0, channel(slopes) * x, x))
case("prelu_shared", SHAPE, lambda m, x: m.PRelu(x, np.array([[[0.25]]], f32)), lambda x: np.where(x < 0, x / 4, x))
case("elu_selu", SHAPE, lambda m, x: m.Selu(m.Elu(x, alpha=0.5)),
     lambda x: (lambda e: 1.0507009873554805 * np.where(e < 0, 1.6732632423543772 * np.expm1(np.minimum(e, 0)), e))(
         np.where(x < 0, 0.5 * np.expm1(np.minimum(x, 0)), x)))

case("star_relu", SHAPE, lambda m, x: m.Add(m.Mul(m.Pow(m.Relu(x), f32(2)), f32(0.75)), f32(-0.25)),
     lambda x: 0.75 * np.maximum(x, 0) ** 2 - 0.25)
case("squares_of_the_input", SHAPE, lambda m, x: m.Add(m.Pow(x, f32(2)), m.Mul(x, x)), lambda x: 2 * x * x)
case("relu_20", SHAPE, lambda m, x: m.Clip(m.Mul(x, f32(1)), f32(0), f32(20)), lambda x: np.clip(x, 0, 20))
case("clip_far", SHAPE, lambda m, x: m.Min(m.Max(m.Mul(x, f32(100)), f32(-70)), f32(300)), lambda x: np.clip(100 * x, -70, 300))
case("clip_above", SHAPE, lambda m, x: m.Min(x, f32(1.5)), lambda x: np.minimum(x, 1.5))
case("hardsigmoid_default", SHAPE, lambda m, x: m.Clip(m.Add(m.Mul(x, f32(0.2)), f32(0.5)), f32(0), f32(1)), lambda x: np.clip(0.2 * x + 0.5, 0, 1))
case("hardsigmoid_operator", SHAPE, lambda m, x: m.HardSigmoid(x), lambda x: np.clip(0.2 * x + 0.5, 0, 1))
case("hardsigmoid_steep", SHAPE, lambda m, x: m.Mul(m.HardSigmoid(x, alpha=2.0, beta=0.25), x), lambda x: np.clip(2 * x + 0.25, 0, 1) * x)
case("selu_numbers", SHAPE, lambda m, x: m.Selu(x, alpha=2.0, gamma=3.0), lambda x: 3 * np.where(x < 0, 2 * np.expm1(np.minimum(x, 0)), x))
case("celu", SHAPE, lambda m, x: m.Celu(x, alpha=0.3), lambda x: np.where(x < 0, 0.3 * np.expm1(np.minimum(x, 0) / 0.3), x))

# ---- factors and sums of channels ----
mean, var, gamma, beta = real(C), real(C) ** 2 + f32(0.5), real(C), real(C)
batchnorm = lambda x: (x - channel(mean)) / np.sqrt(channel(var) + 1e-3) * channel(gamma) + channel(beta)
case("bn_pieces", SHAPE, lambda m, x: m.Add(m.Mul(m.Div(m.Sub(x, channel(mean)), channel(np.sqrt(var + f32(1e-3)))),
                                                  channel(gamma)), channel(beta)), batchnorm)
case("bn", SHAPE, lambda m, x: m.BatchNormalization(x, gamma, beta, mean, var, epsilon=1e-3), batchnorm)
case("bn_folded_constants", SHAPE,
     lambda m, x: (lambda s: m.Add(m.Mul(x, s), m.Sub(channel(beta), m.Mul(channel(mean), s))))(
         m.Mul(channel(gamma), m.Reciprocal(m.Sqrt(m.Add(channel(var), f32(1e-3)))))), batchnorm)
case("frozen_bn", SHAPE, lambda m, x: m.Relu(m.Add(m.Mul(x, channel(gamma)), channel(beta))),
     lambda x: np.maximum(x * channel(gamma) + channel(beta), 0))
case("normalised_input", (2, 3, 4, 4), lambda m, x: m.Div(m.Sub(x, channel(real(3) * 0 + f32(0.5))), channel(np.array([1, 2, 4], f32))),
     lambda x: (x - 0.5) / channel([1, 2, 4]))

# ---- convolutions ----
w3, bias = real(8, C, 3, 3), real(8)
case("conv_bias_by_add", SHAPE, lambda m, x: m.Add(m.Conv(x, w3, pads=[1, 1, 1, 1]), channel(bias)),
     lambda x: conv(x, w3, bias, 1, (1, 1, 1, 1)))
case("conv_identity_bias", SHAPE, lambda m, x: m.Conv(x, w3, m.Identity(bias), kernel_shape=[3, 3]), lambda x: conv(x, w3, bias))
case("conv_same_upper", SHAPE, lambda m, x: m.Conv(x, w3, auto_pad="SAME_UPPER", strides=[2, 2]),
     lambda x: conv(x, w3, None, 2, (1, 1, 1, 1)))
case("conv_same_upper_even", (2, C, 6, 6), lambda m, x: m.Conv(x, w3, auto_pad="SAME_UPPER", strides=[2, 2]),
     lambda x: conv(x, w3, None, 2, (0, 0, 1, 1)))
case("conv_same_lower_even", (2, C, 6, 6), lambda m, x: m.Conv(x, w3, auto_pad="SAME_LOWER", strides=[2, 2]),
     lambda x: conv(x, w3, None, 2, (1, 1, 0, 0)))
case("conv_valid", SHAPE, lambda m, x: m.Conv(x, w3, auto_pad="VALID"), lambda x: conv(x, w3))
wd = real(C, 1, 3, 3)
case("depthwise", SHAPE, lambda m, x: m.Conv(x, wd, group=C, pads=[1, 1, 1, 1]), lambda x: conv(x, wd, None, 1, (1, 1, 1, 1), C))
case("pad_conv", SHAPE, lambda m, x: m.Conv(m.Pad(x, n64(0, 0, 1, 0, 0, 0, 1, 2)), w3), lambda x: conv(x, w3, None, 1, (1, 0, 1, 2)))
case("weights_of_constant_nodes", SHAPE,
     lambda m, x: m.Conv(x, m.Constant(value=numpy_helper.from_array(w3)), m.ConstantOfShape(n64(8), value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5]))),
     lambda x: conv(x, w3, np.full(8, 0.5)))
quantized, scale = rng.integers(-127, 128, w3.shape).astype(np.int8), (rng.uniform(0.5, 1.5, 8) / 127).astype(f32)
case("weights_dequantized", SHAPE, lambda m, x: m.Conv(x, m.DequantizeLinear(quantized, scale, np.zeros(8, np.int8), axis=0)),
     lambda x: conv(x, quantized * scale.reshape(-1, 1, 1, 1).astype(np.float64)))
half = w3.astype(np.float16)
case("weights_cast_from_half", SHAPE, lambda m, x: m.Conv(x, m.Cast(half, to=TensorProto.FLOAT)), lambda x: conv(x, half.astype(np.float64)))

# ---- heads ----
w = real(4, C)
mean2 = lambda x: x.mean((2, 3))
shape_of = lambda m, v, i: m.Unsqueeze(m.Gather(m.Shape(v), np.array(i, np.int64), axis=0), n64(0))
case("head_flatten_gemm", SHAPE, lambda m, x: m.Gemm(m.Flatten(m.GlobalAveragePool(x)), w, real(4) * 0, transB=1), lambda x: mean2(x) @ w.T)
case("head_reducemean", SHAPE, lambda m, x: m.Gemm(m.ReduceMean(x, axes=[-1, -2], keepdims=0), w, transB=1), lambda x: mean2(x) @ w.T)
case("head_reshape_by_shape", SHAPE,
     lambda m, x: (lambda p: m.MatMul(m.Reshape(p, m.Concat(shape_of(m, p, 0), n64(-1), axis=0)), w.T))(m.GlobalAveragePool(x)),
     lambda x: mean2(x) @ w.T, batch="N")
case("head_squeeze", SHAPE, lambda m, x: m.Add(m.MatMul(m.Squeeze(m.GlobalAveragePool(x), n64(2, 3)), w.T), real(4) * 0 + f32(1)),
     lambda x: mean2(x) @ w.T + 1)
case("head_averagepool_whole", SHAPE, lambda m, x: m.Reshape(m.AveragePool(x, kernel_shape=[5, 7]), n64(0, -1)), mean2)
wf = real(4, C * 35)
case("head_flatten_all", SHAPE, lambda m, x: m.Gemm(m.Flatten(x), wf, transB=1, alpha=0.5), lambda x: 0.5 * x.reshape(2, -1) @ wf.T)
case("head_channels_last", SHAPE, lambda m, x: m.MatMul(m.Reshape(m.Transpose(x, perm=[0, 2, 3, 1]), n64(2, -1)), wf.T),
     lambda x: x.transpose(0, 2, 3, 1).reshape(2, -1) @ wf.T)
case("head_softmax_old", SHAPE, lambda m, x: m.Softmax(m.Gemm(m.Flatten(m.GlobalAveragePool(x)), w.T)),
     lambda x: (lambda e: e / e.sum(1, keepdims=True))(np.exp(mean2(x) @ w.T)), opset=9)
case("head_sum_pool", SHAPE, lambda m, x: m.ReduceSum(x, n64(2, 3), keepdims=0), lambda x: x.sum((2, 3)))
case("max_of_columns", SHAPE, lambda m, x: m.ReduceMax(x, axes=[2], keepdims=1), lambda x: x.max(2, keepdims=True))
case("mean_of_rows", SHAPE, lambda m, x: m.ReduceMean(x, axes=[-1], keepdims=0), lambda x: x.mean(3))
case("sum_of_columns", SHAPE, lambda m, x: m.Relu(m.ReduceSum(x, n64(2), keepdims=0)), lambda x: np.maximum(x.sum(2), 0))
case("head_max", SHAPE, lambda m, x: m.ReduceMax(x, axes=[2, 3], keepdims=1), lambda x: x.max((2, 3), keepdims=True))

# ---- squeeze and excite ----
w1, w2 = real(2, C, 1, 1), real(C, 2, 1, 1)
def se(x):
    s = x.mean((2, 3), keepdims=True)
    return x * sigmoid(conv(np.maximum(conv(s, w1), 0), w2))
case("se_conv", SHAPE, lambda m, x: m.Mul(x, m.Sigmoid(m.Conv(m.Relu(m.Conv(m.ReduceMean(x, axes=[2, 3], keepdims=1), w1)), w2))), se)
case("se_gemm", SHAPE, lambda m, x: m.Mul(m.Reshape(m.Sigmoid(m.Gemm(m.Relu(m.Gemm(m.ReduceMean(x, axes=[2, 3], keepdims=0), w1.reshape(2, C), transB=1)),
     w2.reshape(C, 2), transB=1)), n64(-1, C, 1, 1)), x), se)

# ---- norms ----
def layernorm(x, axis, eps):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + eps)
def pieces(m, x, axis):
    d = m.Sub(x, m.ReduceMean(x, axes=[axis]))
    return m.Div(d, m.Sqrt(m.Add(m.ReduceMean(m.Pow(d, f32(2)), axes=[axis]), f32(1e-6))))
case("layernorm_pieces_channels_first", SHAPE, lambda m, x: m.Add(m.Mul(pieces(m, x, 1), channel(gamma)), channel(beta)),
     lambda x: layernorm(x, 1, 1e-6) * channel(gamma) + channel(beta))
case("layernorm_pieces_channels_last", SHAPE,
     lambda m, x: m.Transpose(m.Add(m.Mul(pieces(m, m.Transpose(x, perm=[0, 2, 3, 1]), -1), gamma), beta), perm=[0, 3, 1, 2]),
     lambda x: layernorm(x, 1, 1e-6) * channel(gamma) + channel(beta))
def pieces_turned(m, x):
    d = m.Sub(x, m.ReduceMean(x, axes=[1]))
    return m.Mul(m.Div(f32(1), m.Sqrt(m.Add(m.ReduceMean(m.Mul(d, d), axes=[1]), f32(1e-6)))), d)
case("layernorm_pieces_turned", SHAPE, lambda m, x: m.Add(m.Mul(pieces_turned(m, x), channel(gamma)), channel(beta)),
     lambda x: layernorm(x, 1, 1e-6) * channel(gamma) + channel(beta))
def rms(x, eps=1e-3):
    return x / np.sqrt((x * x).mean(1, keepdims=True) + eps)
def rms_pieces(m, x, root, axis=1, eps=f32(1e-3)):
    return root(m, x, m.Sqrt(m.Add(m.ReduceMean(m.Mul(x, x), axes=[axis]), eps)))
case("rmsnorm_timm", SHAPE, lambda m, x: m.Mul(rms_pieces(m, x, lambda m, x, r: m.Mul(x, m.Div(f32(1), r))), channel(gamma)),
     lambda x: rms(x) * channel(gamma))
case("rmsnorm_reciprocal", (2, 37, 3, 2), lambda m, x: rms_pieces(m, x, lambda m, x, r: m.Mul(m.Reciprocal(r), x)), rms)
case("rmsnorm_channels_last", SHAPE, lambda m, x: m.Transpose(m.Mul(gamma, rms_pieces(m, m.Transpose(x, perm=[0, 2, 3, 1]),
     lambda m, x, r: m.Div(x, r), -1)), perm=[0, 3, 1, 2]), lambda x: rms(x) * channel(gamma))
case("rmsnorm", SHAPE, lambda m, x: m.Transpose(m.RMSNormalization(m.Transpose(x, perm=[0, 2, 3, 1]), gamma, epsilon=1e-3), perm=[0, 3, 1, 2]),
     lambda x: rms(x) * channel(gamma), opset=23)
case("instancenorm", SHAPE, lambda m, x: m.InstanceNormalization(x, gamma, beta, epsilon=1e-3),
     lambda x: layernorm(x, (2, 3), 1e-3) * channel(gamma) + channel(beta))
case("groupnorm_pytorch", SHAPE,
     lambda m, x: m.Add(m.Mul(m.Reshape(m.InstanceNormalization(m.Reshape(x, n64(0, 3, -1)), np.ones(3, f32), np.zeros(3, f32), epsilon=1e-3), m.Shape(x)),
                              channel(gamma)), channel(beta)),
     lambda x: layernorm(x.reshape(2, 3, -1), 2, 1e-3).reshape(SHAPE) * channel(gamma) + channel(beta))
def response(x, eps=1e-6): # ConvNeXt V2
    g = np.sqrt((x * x).sum((2, 3), keepdims=True))
    return x * (g / (g.mean(1, keepdims=True) + eps)) * channel(gamma) + channel(beta) + x
def grn(m, x, rows, channels, weight, bias, root):
    g = root(m, x, rows)
    y = m.Mul(x, m.Div(g, m.Add(m.ReduceMean(g, axes=[channels]), f32(1e-6))))
    return m.Add(x, m.Add(bias, m.Mul(m.Mul(weight, y), f32(1))))
case("responsenorm_timm", SHAPE, lambda m, x: grn(m, x, [2, 3], 1, channel(gamma), channel(beta), lambda m, x, rows: m.ReduceL2(x, axes=rows)), response)
case("responsenorm_channels_last", SHAPE, lambda m, x: m.Transpose(grn(m, m.Transpose(x, perm=[0, 2, 3, 1]), [1, 2], -1, gamma, beta,
     lambda m, x, rows: m.Sqrt(m.ReduceSum(m.Mul(x, x), n64(*rows)))), perm=[0, 3, 1, 2]), response)
l2 = lambda x: x / np.maximum(np.sqrt((x * x).sum(1, keepdims=True)), 1e-12)
case("l2_normalised_embedding", (2, 6), lambda m, x: m.Div(x, m.Expand(m.Clip(m.ReduceL2(x, axes=[1]), f32(1e-12)), m.Shape(x))), l2)
def l2_pixels(m, x):
    t = m.Transpose(x, perm=[0, 2, 3, 1])
    return m.Transpose(m.Div(t, m.Max(m.Sqrt(m.ReduceSum(m.Pow(t, f32(2)), n64(3))), f32(1e-12))), perm=[0, 3, 1, 2])
case("l2_normalised_pixels", SHAPE, l2_pixels, l2)

# ---- weights that are computed of others ----
left, right, many, shares = real(4, 2), real(2, C * 9), real(3, 4, C, 3, 3), real(3)
real_ab = real(3, 6), real(3, 5), real(5)
case("weights_of_factors", SHAPE, lambda m, x: m.Conv(x, m.Reshape(m.MatMul(left, right), n64(4, C, 3, 3))),
     lambda x: conv(x, (left @ right).reshape(4, C, 3, 3)))
def spectral(m, x):
    w = m.Reshape(many[0], n64(4, -1))
    return m.Conv(x, m.Div(many[0], m.MatMul(left[:, 0], m.MatMul(w, right[0]))))
case("weights_of_spectral_norm", SHAPE, spectral, lambda x: conv(x, many[0] / (left[:, 0] @ (many[0].reshape(4, -1) @ right[0]))))
e = np.exp(shares) / np.exp(shares).sum()
case("weights_of_softmax", SHAPE, lambda m, x: m.Conv(x, m.ReduceSum(m.Mul(many, m.Reshape(m.Softmax(shares, axis=0), n64(3, 1, 1, 1, 1))), n64(0), keepdims=0)),
     lambda x: conv(x, np.tensordot(e, many, 1)))
case("weights_of_kernels_padded", SHAPE, lambda m, x: m.Conv(x, m.Add(many[0], m.Pad(many[1][:, :, :1, :2].copy(), n64(0, 0, 1, 0, 0, 0, 1, 1)))),
     lambda x: conv(x, many[0] + np.pad(many[1][:, :, :1, :2], ((0, 0), (0, 0), (1, 1), (0, 1)))))
case("weights_of_their_norm", SHAPE, lambda m, x: m.Conv(x, m.Div(many[0], m.Add(m.ReduceL2(many[0], axes=[1, 2, 3]), m.ReduceL1(many[0], axes=[1, 2, 3])))),
     lambda x: conv(x, many[0] / (np.sqrt((many[0] ** 2).sum((1, 2, 3), keepdims=True)) + abs(many[0]).sum((1, 2, 3), keepdims=True))))
case("weights_of_gemm_and_sums", (2, 6), lambda m, x: m.MatMul(x, m.CumSum(m.Gemm(real_ab[0], real_ab[1], real_ab[2], transA=1, alpha=0.5), np.array(1, np.int64), reverse=1)),
     lambda x: x @ np.flip(np.cumsum(np.flip(0.5 * real_ab[0].T @ real_ab[1] + real_ab[2], 1), 1), 1))
real_gate, w_up, w_four = real(1, C, 1, 1), real(60, C), real(2, 4, 3, 3)
def convnext(m, x):
    t = m.Transpose(m.Conv(x, wd, group=C, pads=[1, 1, 1, 1]), perm=[0, 2, 3, 1])
    t = m.LayerNormalization(t, gamma, beta, epsilon=1e-6, axis=-1)
    t = m.Add(m.MatMul(t, real_up), up_bias)
    t = m.Mul(m.Mul(t, f32(0.5)), m.Add(m.Erf(m.Div(t, f32(math.sqrt(2)))), f32(1)))
    t = m.Mul(m.Add(m.MatMul(t, real_down), mean), gamma)
    return m.Add(x, m.Transpose(t, perm=[0, 3, 1, 2]))
real_up, real_down, up_bias = real(C, 12), real(12, C), real(12)
def convnext_numpy(x):
    t = conv(x, wd, None, 1, (1, 1, 1, 1), C).transpose(0, 2, 3, 1)
    t = gelu((layernorm(t, 3, 1e-6) * gamma + beta) @ real_up + up_bias)
    return x + (((t @ real_down) + mean) * gamma).transpose(0, 3, 1, 2)
case("convnext_block", SHAPE, convnext, convnext_numpy, opset=17)

# ---- what moves numbers ----
case("pixel_shuffle", (2, 8, 3, 4), lambda m, x: m.Reshape(m.Transpose(m.Reshape(x, n64(2, 2, 2, 2, 3, 4)), perm=[0, 1, 4, 2, 5, 3]), n64(2, 2, 6, 8)),
     lambda x: x.reshape(2, 2, 2, 2, 3, 4).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 6, 8))
case("depth_to_space", (2, 12, 3, 4), lambda m, x: m.Relu(m.DepthToSpace(x, blocksize=2)),
     lambda x: np.maximum(x.reshape(2, 2, 2, 3, 3, 4).transpose(0, 3, 4, 1, 5, 2).reshape(2, 3, 6, 8), 0))
case("space_to_depth", (2, 3, 4, 6), lambda m, x: m.Relu(m.SpaceToDepth(x, blocksize=2)),
     lambda x: np.maximum(x.reshape(2, 3, 2, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(2, 12, 2, 3), 0))
case("pixel_unshuffle", (2, 3, 4, 6), lambda m, x: m.Reshape(m.Transpose(m.Reshape(x, n64(2, 3, 2, 2, 3, 2)), perm=[0, 1, 3, 5, 2, 4]), n64(2, 12, 2, 3)),
     lambda x: x.reshape(2, 3, 2, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 12, 2, 3))
def focus(m, x):
    part = lambda i, j: m.Slice(m.Slice(x, n64(i), n64(2 ** 62), n64(2), n64(2)), n64(j), n64(2 ** 62), n64(3), n64(2))
    return m.Concat(part(0, 0), part(1, 0), part(0, 1), part(1, 1), axis=1)
case("focus", (2, 3, 4, 6), focus, lambda x: np.concatenate([x[:, :, i::2, j::2] for j in (0, 1) for i in (0, 1)], 1))
def shuffle(m, x):
    y = m.Reshape(m.Transpose(m.Reshape(x, n64(2, 2, 3, 5, 7)), perm=[0, 2, 1, 3, 4]), n64(2, 6, 5, 7))
    a, b = m.Split(y, n64(3, 3), axis=1, outputs=2)
    return m.Concat(m.Relu(b), a, axis=1)
def shuffle_numpy(x):
    y = x.reshape(2, 2, 3, 5, 7).transpose(0, 2, 1, 3, 4).reshape(2, 6, 5, 7)
    return np.concatenate((np.maximum(y[:, 3:], 0), y[:, :3]), 1)
case("shuffle_and_split", SHAPE, shuffle, shuffle_numpy)
def split_in_part(m, x):
    _, rest = m.Split(m.Relu(x), n64(2, 4), axis=1, outputs=2)
    m.nodes[-1].output[0] = ""  # left out
    return rest
case("split_first_left_out", SHAPE, split_in_part, lambda x: np.maximum(x, 0)[:, 2:])
case("slices", SHAPE, lambda m, x: m.Slice(x, n64(1, 1, -6), n64(5, 4, -1), n64(1, 2, 3)), lambda x: x[:, 1:5, 1:4, -6:-1])
case("slice_channels_last", SHAPE, lambda m, x: m.Transpose(m.Slice(m.Transpose(x, perm=[0, 2, 3, 1]), n64(2), n64(4), n64(-1)), perm=[0, 3, 1, 2]),
     lambda x: x[:, 2:4])
transform = lambda m, x, i: m.Add(m.Mul(m.Unsqueeze(m.Gather(x, np.array(i, np.int64), axis=1), n64(1)), f32(0.5 + i)), f32(i))
case("transformed_input", (2, 3, 4, 4), lambda m, x: m.Concat(*(transform(m, x, i) for i in range(3)), axis=1),
     lambda x: x * channel([0.5, 1.5, 2.5]) + channel([0, 1, 2]))
case("spatial_gate", SHAPE, lambda m, x: m.Mul(m.Sigmoid(m.Conv(x, real_gate)), x), lambda x: x * sigmoid(conv(x, real_gate)))
case("context_sum", SHAPE, lambda m, x: m.Add(x, m.Relu(m.GlobalAveragePool(x))), lambda x: x + np.maximum(x.mean((2, 3), keepdims=True), 0))
case("minus_mean", SHAPE, lambda m, x: m.Sub(x, m.Relu(m.GlobalAveragePool(x))), lambda x: x - np.maximum(x.mean((2, 3), keepdims=True), 0))
case("fc_to_image", SHAPE, lambda m, x: m.Conv(m.Reshape(m.Gemm(m.Flatten(m.GlobalAveragePool(x)), w_up, transB=1), n64(-1, 4, 3, 5)), w_four),
     lambda x: conv((x.mean((2, 3)) @ w_up.T).reshape(2, 4, 3, 5), w_four))
case("concat_rows", SHAPE, lambda m, x: m.Concat(m.Relu(x), m.Slice(x, n64(1), n64(3), n64(2)), x, axis=2),
     lambda x: np.concatenate((np.maximum(x, 0), x[:, :, 1:3], x), 2))
case("concat_columns_channels_last", SHAPE,
     lambda m, x: m.Transpose(m.Concat(m.Transpose(x, perm=[0, 2, 3, 1]), m.Transpose(m.ReduceMax(x, axes=[3], keepdims=1), perm=[0, 2, 3, 1]), axis=2), perm=[0, 3, 1, 2]),
     lambda x: np.concatenate((x, x.max(3, keepdims=True)), 3))
case("concat_circular_pad", SHAPE, lambda m, x: (lambda y: m.Concat(m.Slice(y, n64(-1), n64(99), n64(3)), y, m.Slice(y, n64(0), n64(1), n64(3)), axis=3))(
     m.Concat(m.Slice(x, n64(-2), n64(99), n64(2)), x, m.Slice(x, n64(0), n64(1), n64(2)), axis=2)),
     lambda x: np.pad(x, ((0, 0), (0, 0), (2, 1), (1, 1)), "wrap"))
case("concat_sizes_of_a_detector", SHAPE, lambda m, x: m.Concat(m.Reshape(x, n64(2, C, -1)), m.Reshape(m.Relu(x), n64(2, C, -1)),
     m.Reshape(m.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2]), n64(2, C, -1)), axis=2),
     lambda x: np.concatenate((x.reshape(2, C, -1), np.maximum(x, 0).reshape(2, C, -1), window(x, 2, 2, (0,) * 4).max((4, 5)).reshape(2, C, -1)), 2))
case("concat_identity", SHAPE, lambda m, x: m.Concat(m.Identity(x), m.Relu(x), m.Dropout(x), axis=1),
     lambda x: np.concatenate((x, np.maximum(x, 0), x), 1))
case("upsample", SHAPE, lambda m, x: m.Resize(x, "", np.array([1, 1, 2, 2], f32), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
     lambda x: x.repeat(2, 2).repeat(2, 3))

# ---- pools and sums ----
case("maxpool_floor", SHAPE, lambda m, x: m.MaxPool(x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
     lambda x: window(x, 3, 2, (1, 1, 1, 1), -np.inf).max((4, 5)))
case("averagepool_counts_padding", SHAPE, lambda m, x: m.AveragePool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
     lambda x: window(x, 3, 1, (1, 1, 1, 1)).mean((4, 5)))
case("averagepool_counts_pixels", SHAPE, lambda m, x: m.AveragePool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
     lambda x: window(x, 3, 1, (1, 1, 1, 1)).sum((4, 5)) / window(np.ones_like(x), 3, 1, (1, 1, 1, 1)).sum((4, 5)))
case("sum_of_three", SHAPE, lambda m, x: m.Sum(x, m.Relu(x), m.Tanh(x)), lambda x: x + np.maximum(x, 0) + np.tanh(x))
case("max_feature_map", SHAPE, lambda m, x: m.Max(*m.Split(x, n64(3, 3), axis=1, outputs=2)), lambda x: np.maximum(x[:, :3], x[:, 3:]))
case("smaller_of_two", SHAPE, lambda m, x: m.Min(m.Tanh(x), m.Sigmoid(x)), lambda x: np.minimum(np.tanh(x), sigmoid(x)))
case("difference", SHAPE, lambda m, x: m.Sub(m.Relu(x), m.Tanh(x)), lambda x: np.maximum(x, 0) - np.tanh(x))
case("shortcut_padded", SHAPE, lambda m, x: m.Add(m.Conv(x, w3, pads=[1, 1, 1, 1], strides=[2, 2]),
     m.Pad(m.MaxPool(x, kernel_shape=[1, 1], strides=[2, 2]), n64(0, 0, 0, 0, 0, 2, 0, 0))),
     lambda x: conv(x, w3, None, 2, (1, 1, 1, 1)) + np.pad(x[:, :, ::2, ::2], ((0, 0), (0, 2), (0, 0), (0, 0))))

# ---- dimensions of one size that are not one axis ----
shuffled = lambda m, x, n, g, c: m.Reshape(m.Transpose(m.Reshape(x, n64(n, g, c, 4, 4)), perm=[0, 2, 1, 3, 4]), n64(n, g * c, 4, 4))
case("mean_of_shuffled", (2, 6, 4, 4), lambda m, x: m.ReduceMean(shuffled(m, x, 2, 2, 3), axes=[2, 3]),
     lambda x: x.reshape(2, 2, 3, 16).transpose(0, 2, 1, 3).reshape(2, 6, 16).mean(2))
case("mean_of_one_pixel", (2, 6, 1, 1), lambda m, x: m.Add(m.ReduceMean(x, axes=[2, 3], keepdims=0), gamma), lambda x: x[:, :, 0, 0] + gamma)
real_c = real(C, 3)
case("matmul_of_turned_images", (4, C), lambda m, x: m.Reshape(m.Transpose(m.MatMul(m.Transpose(m.Reshape(x, n64(2, 2, C)), perm=[1, 0, 2]), real_c),
     perm=[1, 0, 2]), n64(4, 3)), lambda x: x @ real_c)
w1 = real(4, 5, 1, 1)
case("row_as_column", (3, 5, 4), lambda m, x: m.Transpose(m.Conv(m.Unsqueeze(x, n64(3)), w1, pads=[0, 1, 1, 0], strides=[2, 1]), perm=[0, 1, 3, 2]),
     lambda x: conv(x[..., None], w1, None, 1, (0, 1, 1, 0))[:, :, ::2].transpose(0, 1, 3, 2))
case("padded_plus_gate", SHAPE, lambda m, x: m.Add(m.Pad(x, n64(0, 0, 0, 0, 0, 2, 0, 0)), m.GlobalAveragePool(m.Concat(x, m.Slice(x, n64(0), n64(2), n64(1)), axis=1))),
     lambda x: np.pad(x, ((0, 0), (0, 2), (0, 0), (0, 0))) + np.concatenate((x, x[:, :2]), 1).mean((2, 3), keepdims=True))
not_read("norm_of_groups_as_images", (2, 6, 4, 4), lambda m, x: m.Reshape(m.InstanceNormalization(m.Reshape(x, n64(4, 3, 4, 4)), real(3), real(3)), n64(2, 6, 4, 4)))
not_read("norm_of_channels_as_images", (1, 6, 4, 4), lambda m, x: m.Reshape(m.InstanceNormalization(m.Reshape(x, n64(6, 1, 4, 4)), real(1), real(1)), n64(1, 6, 4, 4)))
not_read("norm_of_rows_as_images", (2, 4, 2, 4), lambda m, x: m.GroupNormalization(m.Transpose(x, perm=[2, 1, 0, 3]), real(4), real(4), num_groups=2), opset=21)
def response_of(m, x, of, rows, channels):
    g = m.ReduceL2(of, axes=rows)
    return m.Mul(x, m.Div(g, m.Add(m.ReduceMean(g, axes=channels), f32(1e-6))))
not_read("response_of_another_value", SHAPE, lambda m, x: response_of(m, m.Relu(x), x, [2, 3], [1]))
not_read("response_of_rows", SHAPE, lambda m, x: response_of(m, x, x, [2], [1]))
not_read("response_of_one_mean", SHAPE, lambda m, x: response_of(m, x, x, [2, 3], [0, 1]))
not_read("threshold_below_zero", SHAPE, lambda m, x: m.ThresholdedRelu(x, alpha=-0.1))
not_read("threshold_near_zero", SHAPE, lambda m, x: m.Where(m.Greater(x, f32(0.01)), x, f32(0)))
not_read("shrunk_a_little", SHAPE, lambda m, x: m.Shrink(x, lambd=0.01))
not_read("rounded_finely", SHAPE, lambda m, x: m.Div(m.Round(m.Mul(x, f32(2e6))), f32(2e6)))
not_read("one_input_of_two", SHAPE, lambda m, x: m.Div(x))
not_read("slope_that_is_an_integer", SHAPE, lambda m, x: m.LeakyRelu(x, alpha=1))
not_read("groups_that_are_real", SHAPE, lambda m, x: m.Conv(x, real(6, 3, 1, 1), group=2.0))
not_read("concat_without_axis", SHAPE, lambda m, x: m.Concat(x, x))
not_read("blocks_of_another_mode", (1, 4, 2, 2), lambda m, x: m.DepthToSpace(x, blocksize=2, mode="XYZ"))
not_read("mean_of_a_layernorm", (2, 3, 4, 6), lambda m, x: m.Relu(m.LayerNormalization(m.Transpose(x, perm=[0, 2, 1, 3]), gamma, outputs=2)[1]), opset=17)
not_read("rms_of_another_value", SHAPE, lambda m, x: rms_pieces(m, m.Relu(x), lambda m, relu, r: m.Div(x, r)))
not_read("rms_of_rows", SHAPE, lambda m, x: rms_pieces(m, x, lambda m, x, r: m.Div(x, r), axis=2))
not_read("rms_of_nothing", SHAPE, lambda m, x: rms_pieces(m, x, lambda m, x, r: m.Div(x, r), eps=f32(0)))
not_read("rms_turned_over", SHAPE, lambda m, x: rms_pieces(m, x, lambda m, x, r: m.Div(r, x)))
not_read("l2_norm_of_rows_too", SHAPE, lambda m, x: m.Div(x, m.Clip(m.ReduceL2(x, axes=[1, 2]), f32(1e-12))))
not_read("l2_norm_bounded_above", SHAPE, lambda m, x: m.Div(x, m.Clip(m.ReduceL2(x, axes=[1]), f32(1e-12), f32(2))))
not_read("concat_of_rows_as_columns", (2, 6, 4, 4), lambda m, x: m.Concat(x, m.Transpose(x, perm=[0, 1, 3, 2]), axis=2))
not_read("factors_that_do_not_fit", SHAPE, lambda m, x: m.Conv(x, m.Reshape(m.MatMul(left, real(3, C * 9)), n64(4, C, 3, 3))))
not_read("sums_along_no_axis", (2, 6), lambda m, x: m.MatMul(x, m.CumSum(real(6, 5), np.array(2, np.int64))))
not_read("padded_by_nothing", (2, 6), lambda m, x: m.MatMul(x, m.Pad(real(6, 5), n64(0, 0, 0, 1), np.zeros(0, f32))))
not_read("softmax_of_no_dimension", (2, 6), lambda m, x: m.MatMul(x, m.Softmax(real(6, 5), axis=2)))
not_read("outer_product", (1, 4), lambda m, x: m.Mul(m.Reshape(x, n64(1, 4, 1, 1)), m.Relu(m.Reshape(x, n64(1, 1, 1, 4)))))
not_read("sum_of_expanded", (1, 4, 1, 1), lambda m, x: m.Add(m.Expand(x, n64(1, 4, 2, 2)), m.Expand(m.Relu(x), n64(1, 4, 2, 2))))
not_read("columns_as_images", (1, 4, 2, 2), lambda m, x: m.Relu(m.Reshape(m.Transpose(m.Reshape(x, n64(1, 2, 2, 2, 2)), perm=[4, 2, 1, 3, 0]), n64(2, 4, 2, 1))))

# ---- integers of few bits ----
def quantized(x, scale, zero, low, high):
    q = np.clip(np.rint(x.astype(f32) / np.asarray(scale, f32)) + zero, low, high)
    return (q - zero) * np.asarray(scale, f32).astype(np.float64)
def both(m, x, scale, zero, **axis):
    return m.DequantizeLinear(m.QuantizeLinear(x, scale, zero, **axis), scale, zero, **axis)
steps, zeros = real(C) ** 2 + f32(0.02), np.array([-3, 0, 7, 100, -128, 5], np.int8)
case("quantize", SHAPE, lambda m, x: both(m, x, f32(0.03), np.array(-5, np.int8)), lambda x: quantized(x, 0.03, -5, -128, 127))
case("quantize_cut_off", SHAPE, lambda m, x: both(m, x, f32(0.002), np.array(200, np.uint8)), lambda x: quantized(x, f32(0.002), 200, 0, 255))
case("quantize_channels", SHAPE, lambda m, x: both(m, x, steps, zeros, axis=1), lambda x: quantized(x, channel(steps), channel(zeros).astype(np.float64), -128, 127))
case("quantize_without_zero", SHAPE, lambda m, x: m.DequantizeLinear(m.QuantizeLinear(x, f32(0.01)), f32(0.01)), lambda x: quantized(x, f32(0.01), 0, 0, 255))
w8 = np.round(real(8, C, 3, 3) * 100).astype(np.int8)
case("quantized_layers", SHAPE,
     lambda m, x: both(m, m.Relu(m.Conv(both(m, x, f32(0.0625), np.array(0, np.int8)), m.DequantizeLinear(w8, f32(0.015625), np.array(0, np.int8)))), f32(0.25), np.array(7, np.uint8)),
     lambda x: quantized(np.maximum(conv(quantized(x, 0.0625, 0, -128, 127), w8 * 0.015625), 0), 0.25, 7, 0, 255))
case("quantized_moves", SHAPE, lambda m, x: m.DequantizeLinear(m.Reshape(m.MaxPool(m.QuantizeLinear(x, f32(0.03), np.array(2, np.int8)), kernel_shape=[5, 7]), n64(2, C)), f32(0.03), np.array(2, np.int8)),
     lambda x: quantized(x, 0.03, 2, -128, 127).max((2, 3)), opset=13)
steps4 = np.array([0.01, 0.02, 0.05, 0.1], f32)
not_read("integers_of_other_steps", SHAPE, lambda m, x: m.DequantizeLinear(m.QuantizeLinear(x, f32(0.03), np.array(2, np.int8)), f32(0.04), np.array(2, np.int8)))
not_read("integers_of_another_axis", (2, 4, 4, 3), lambda m, x: m.DequantizeLinear(m.QuantizeLinear(x, steps4, np.zeros(4, np.int8), axis=1), steps4, np.zeros(4, np.int8), axis=2))
not_read("integers_added", SHAPE, lambda m, x: m.Cast(m.QuantizeLinear(x, f32(0.03), np.array(2, np.int8)), to=TensorProto.FLOAT))
not_read("integers_out", SHAPE, lambda m, x: m.QuantizeLinear(x, f32(0.03), np.array(2, np.int8)))

# ---- padding ----
for mode in ("reflect", "edge"):
    case("pad_" + mode, SHAPE, lambda m, x, mode=mode: m.Relu(m.Pad(x, n64(0, 0, 2, 3, 0, 0, 4, 1), mode=mode)),
         lambda x, mode=mode: np.maximum(np.pad(x, ((0, 0), (0, 0), (2, 4), (3, 1)), mode=mode), 0))
case("pad_with_a_number", SHAPE, lambda m, x: m.Relu(m.Pad(x, n64(0, 0, 1, 0, 0, 2, 2, 1), f32(0.75))),
     lambda x: np.maximum(np.pad(x, ((0, 0), (0, 2), (1, 2), (0, 1)), constant_values=0.75), 0))
case("pad_cuts", SHAPE, lambda m, x: m.Relu(m.Pad(x, n64(0, -1, -2, 1, 0, 0, 1, -3))), lambda x: np.maximum(np.pad(x[:, 1:, 2:, :-3], ((0, 0), (0, 0), (0, 1), (1, 0))), 0))
case("pad_of_maxpool", SHAPE, lambda m, x: m.MaxPool(m.Pad(x, n64(0, 0, 0, 1, 0, 0, 1, 2), np.array(-np.inf, f32)), kernel_shape=[3, 3], strides=[2, 2]),
     lambda x: window(x, 3, 2, (0, 1, 1, 2), -np.inf).max((-1, -2)))
not_read("minus_infinity_read", SHAPE, lambda m, x: m.Relu(m.Pad(x, n64(0, 0, 0, 1, 0, 0, 1, 2), np.array(-np.inf, f32))))

# ---- attention ----
def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
case("log_softmax", (2, C), lambda m, x: m.LogSoftmax(x, axis=-1), lambda x: np.log(softmax(x, 1)))
case("log_softmax_pixels", SHAPE, lambda m, x: m.LogSoftmax(x, axis=1), lambda x: np.log(softmax(x, 1)))
case("softmax_pixels", SHAPE, lambda m, x: m.Reshape(m.Softmax(m.Reshape(x, n64(2, C, -1)), axis=-1), n64(2, C, 5, 7)), lambda x: softmax(x.reshape(2, C, -1), 2).reshape(x.shape))
case("softmax_groups", SHAPE, lambda m, x: m.Reshape(m.Softmax(m.Reshape(x, n64(2, 2, 3, 5, 7)), axis=2), n64(2, C, 5, 7)), lambda x: softmax(x.reshape(2, 2, 3, 5, 7), 2).reshape(x.shape))
w_mask = real(1, C, 1, 1)
case("global_context", SHAPE,
     lambda m, x: m.Add(x, m.Reshape(m.MatMul(m.Unsqueeze(m.Reshape(x, n64(2, C, 35)), n64(1)), m.Unsqueeze(m.Softmax(m.Reshape(m.Conv(x, w_mask), n64(2, 1, 35)), axis=-1), n64(3))), n64(2, C, 1, 1))),
     lambda x: x + np.einsum("nchw,nhw->nc", x, softmax(conv(x, w_mask).reshape(2, 35), 1).reshape(2, 5, 7))[:, :, None, None])
def selective(m, x):
    both = m.Concat(m.Unsqueeze(x, n64(1)), m.Unsqueeze(m.Tanh(x), n64(1)), axis=1)
    a = m.Conv(m.ReduceMean(m.ReduceSum(both, n64(1), keepdims=0), axes=[2, 3], keepdims=1), w_two)
    return m.ReduceSum(m.Mul(both, m.Softmax(m.Reshape(a, n64(2, 2, C, 1, 1)), axis=1)), n64(1), keepdims=0)
def selective_numpy(x):
    both = np.stack((x, np.tanh(x)), 1)
    a = softmax(conv(both.sum(1).mean((2, 3), keepdims=True), w_two).reshape(2, 2, C, 1, 1), 1)
    return (both * a).sum(1)
w_two = real(2 * C, C, 1, 1)
case("selective_kernel", SHAPE, selective, selective_numpy)
case("mean_of_channels", SHAPE, lambda m, x: m.Mul(x, m.Sigmoid(m.ReduceMean(x, axes=[1], keepdims=1))), lambda x: x * sigmoid(x.mean(1, keepdims=True)))
case("mean_of_groups", SHAPE, lambda m, x: m.ReduceMean(m.Reshape(x, n64(2, 3, 2, 5, 7)), axes=[1], keepdims=0), lambda x: x.reshape(2, 3, 2, 5, 7).mean(1))

# ---- channels last outside ----
nchw, nhwc = [0, 3, 1, 2], [0, 2, 3, 1]
w_last = real(5, 3, 3, 3)
case("channels_last_input", (2, 5, 7, 3), lambda m, x: m.GlobalAveragePool(m.Relu(m.Conv(m.Transpose(x, perm=nchw), w_last))),
     lambda x: np.maximum(conv(x.transpose(nchw), w_last), 0).mean((2, 3), keepdims=True))
case("channels_last_normalised", (2, 5, 7, 3), lambda m, x: m.Conv(m.Transpose(m.Div(m.Sub(x, real(3) * 0 + f32(0.25)), f32(2)), perm=nchw), w_last),
     lambda x: conv(((x - 0.25) / 2).transpose(nchw), w_last))
case("channels_last_segment", (2, 5, 7, 3), lambda m, x: m.Transpose(m.Conv(m.Transpose(x, perm=nchw), w_last, pads=[1, 1, 1, 1]), perm=nhwc),
     lambda x: conv(x.transpose(nchw), w_last, None, 1, (1, 1, 1, 1)).transpose(nhwc))
case("channels_last_output", SHAPE, lambda m, x: m.Transpose(m.Relu(x), perm=nhwc), lambda x: np.maximum(x, 0).transpose(nhwc))
case("channels_last_of_one", (2, 5, 7, 1), lambda m, x: m.Transpose(m.Sigmoid(m.Transpose(x, perm=nchw)), perm=nhwc), sigmoid)
case("channels_last_of_one_pixel", (2, 1, 1, 6), lambda m, x: m.Transpose(m.Relu(m.Transpose(x, perm=nchw)), perm=nhwc), lambda x: np.maximum(x, 0))

# ---- numbers that are cut off on the way ----
cut = lambda to: lambda m, x: m.Cast(m.Cast(m.Mul(x, f32(4)), to=to), to=TensorProto.FLOAT)
not_read("integers", SHAPE, cut(TensorProto.INT32))
not_read("truth", SHAPE, cut(TensorProto.BOOL))
not_read("padded_with_a_value", (1, 1, 1, 1), lambda m, x: m.Pad(x, n64(0, 0, 0, 0, 0, 0, 1, 1), m.Reshape(m.Relu(x), n64(1))))

# ---- windows ----
wt = real(C, 2, 3, 3)
def transposed(x, rows, columns, top, left):
    y = np.zeros((x.shape[0], 2, 2 * x.shape[2] + 1, 2 * x.shape[3] + 1))
    for i in range(3):
        for j in range(3):
            y[:, :, i:i + 2 * x.shape[2]:2, j:j + 2 * x.shape[3]:2] += np.einsum("nchw,ck->nkhw", x, wt[:, :, i, j])
    return y[:, :, top:top + rows, left:left + columns]
case("transposed_to_a_shape", SHAPE, lambda m, x: m.ConvTranspose(x, wt, strides=[2, 2], output_shape=[10, 14]), lambda x: transposed(x, 10, 14, 1, 1))
case("transposed_same_upper", SHAPE, lambda m, x: m.ConvTranspose(x, wt, strides=[2, 2], auto_pad="SAME_UPPER"), lambda x: transposed(x, 10, 14, 0, 0))
case("bytes", (2, C), lambda m, x: m.Add(x, m.Cast(m.Cast(n64(-3, 258, 5, -129, 0, 127), to=TensorProto.UINT8), to=TensorProto.FLOAT)),
     lambda x: x + np.array([253, 2, 5, 127, 0, 127]))
not_read("scale_of_no_size", (1, 2, 7, 7), lambda m, x: m.Resize(x, "", np.array([1.3, 1.3], f32), axes=[2, 3], mode="linear"), opset=18)
not_read("nearest_smaller", (1, 2, 4, 4), lambda m, x: m.Resize(x, np.array([1, 1, 0.75, 0.75], f32), mode="nearest"), opset=10)
not_read("too_many_axes", (1, 2, 4, 4), lambda m, x: m.Resize(x, "", np.ones(40, f32), axes=[2] * 40, mode="linear"), opset=18)
print(len(os.listdir(READ)), len(os.listdir(NOT_READ)))
