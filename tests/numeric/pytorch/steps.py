#!/usr/bin/env python3
"""Steps of an emitted trainer beside PyTorch's, in double: the same parameters, the same batches in the same order.

    steps.py [--pictures FOLDER] ACTIVATION=TRAINER.so...
    steps.py --record

The trainers are of resnet8.rn, with relu or with swish in the place of relu. Each is compared with recorded.json, which --record
writes. Where Python has torch, it is compared with torch itself as well, on Fashion-MNIST's pictures where its folder is said.

Losses of a run: at lr 0.1 rounding alone has them 1e-3 apart after ten steps, so they are compared over few steps, or at a small
lr. Gradients are compared by forced steps, one from each of 20 states that PyTorch's own run goes through. Those of swish are
to be within 1e-4. With relu, an input that rounding takes to the other side of 0 moves a gradient by some thousandths: some
states have such an input, most have none.
"""
import ctypes as c
import gzip
import json
import os
import sys
import zlib

import numpy as np

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    torch = None

ACTIVATIONS = "relu", "swish"
BATCH, STEPS, MOMENTUM, DECAY = 32, 20, 0.9, 1e-3
RUNS = {"small": (0.002, 20, 1e-4), "large": (0.1, 5, 1e-3)}  # lr, steps, how far the losses may be apart
FORCED = 1e-4  # of the largest number of a gradient, of a parameter or its momentum after the step; of swish's recorded norms
FLIPPED = 0.1  # of the same, where rounding has moved an input of relu across 0
RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded.json")


def made_up():
    """Batches of pictures of ten patterns with noise. RandomState's numbers are the same in every NumPy."""
    draw = np.random.RandomState(1).random_sample
    patterns = np.kron(draw((10, 7, 7)), np.ones((4, 4)))
    labels = (draw((STEPS, BATCH)) * 10).astype("i4")
    images = (patterns[labels] + draw((STEPS, BATCH, 28, 28)) - 1) * 2
    return images.astype("f4")[:, :, None], labels


def photographs(folder):
    """Batches of Fashion-MNIST's first test pictures."""
    def idx(name, header):
        with gzip.open(os.path.join(folder, name)) as file:
            return np.frombuffer(file.read()[header:], "u1")
    images = idx("t10k-images-idx3-ubyte.gz", 16)[: STEPS * BATCH * 784].reshape(STEPS, BATCH, 1, 28, 28)
    labels = idx("t10k-labels-idx1-ubyte.gz", 8)[: STEPS * BATCH].reshape(STEPS, BATCH)
    return (images / 255 - 0.2860).astype("f4") / np.float32(0.3530), labels.astype("i4")


def first_value(name, shape):
    """Of a parameter: drawn by its name; a norm's weight is about 1, its bias about 0."""
    draw = np.random.RandomState(zlib.crc32(name.encode())).random_sample(shape) * 2 - 1
    if name.endswith("running_mean"):
        return np.zeros(shape, "f4")
    if name.endswith("running_var"):
        return np.ones(shape, "f4")
    if len(shape) == 1:
        return (0.1 * draw + name.endswith("weight")).astype("f4")
    return (draw * np.sqrt(6 / np.prod(shape[1:]))).astype("f4")


# ---- the emitted trainer, through its API ----
class Options(c.Structure):
    _fields_ = [("threads", c.c_int), ("parallel", c.c_void_p), ("parallel_user", c.c_void_p), ("batch", c.c_int),
                ("error", c.c_char_p), ("error_size", c.c_size_t), ("team", c.c_void_p)]


class Result(c.Structure):
    _fields_ = [("images", c.c_int64), ("wrong", c.c_int64), ("wrong5", c.c_int64), ("loss", c.c_double)]


class Parameter(c.Structure):
    _fields_ = [("name", c.c_char_p), ("kind", c.c_int), ("trained", c.c_int), ("last", c.c_int), ("ndim", c.c_int),
                ("dim", c.c_int32 * 4), ("fan_in", c.c_int64), ("fan_out", c.c_int64), ("momentum", c.c_double),
                ("offset", c.c_int64)]


class Model(c.Structure):
    _fields_ = [("abi", c.c_int), ("name", c.c_char_p), ("network", c.c_void_p), ("recipe", c.c_void_p),
                ("parameters", c.POINTER(Parameter)), ("parameter_count", c.c_int)]  # and more


class Trainer:
    """`parameters`, `gradients` and `momentum` are views of the live buffers, by name."""

    def __init__(self, activation, path):
        self.activation, self.path = activation, path
        self.library, self.trainer = c.CDLL(os.path.abspath(path)), c.c_void_p()
        self.check(self.library.resnet8_train_create(c.byref(self.trainer), None, c.c_size_t(0), c.byref(Options(threads=1))))
        model = self.function("model", c.POINTER(Model))()[0]
        self.parameters, self.gradients, self.momentum = {}, {}, {}
        for row in model.parameters[: model.parameter_count]:
            name = row.name.decode()
            for views, buffer in (self.parameters, "parameters"), (self.gradients, "gradient_buffer"), (self.momentum, "momentum"):
                if row.trained or views is self.parameters:
                    views[name] = self.view(buffer, row)

    def function(self, name, result):
        function = getattr(self.library, "resnet8_train_" + name)
        function.restype = result
        return function

    def view(self, buffer, row):
        floats = c.c_size_t()
        start = self.function(buffer, c.POINTER(c.c_float))(self.trainer, c.byref(floats))
        shape = row.dim[: row.ndim]
        return np.ctypeslib.as_array(start, (floats.value,))[row.offset : row.offset + int(np.prod(shape))].reshape(shape)

    def check(self, status):
        if status:
            sys.exit(f"the trainer: {self.function('message', c.c_char_p)(self.trainer)}")

    def begin(self):
        """The parameters' first values, and no momentum."""
        for name, value in self.parameters.items():
            value[:] = first_value(name, value.shape)
        for value in self.momentum.values():
            value[:] = 0

    def step(self, images, labels, lr):
        """-> the loss. By the schedule where lr is its own, which never changes here; else in two parts."""
        images, labels, result = np.ascontiguousarray(images), np.ascontiguousarray(labels), Result()
        data = (self.trainer, len(labels), images.ctypes.data_as(c.c_void_p), labels.ctypes.data_as(c.c_void_p), c.byref(result))
        if self.function("lr", c.c_double)(self.trainer) == lr:
            self.check(self.library.resnet8_train_step(*data))
        else:
            self.check(self.library.resnet8_train_gradients(*data))
            self.check(self.library.resnet8_train_apply(self.trainer, c.c_double(lr)))
        return result.loss / result.images


# ---- PyTorch ----
def make_network(activation):
    act = {"relu": F.relu, "swish": F.silu}[activation]

    class Basic(nn.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
            self.downsample = nn.Identity()
            if inputs != width:
                self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

        def forward(self, x):
            y = self.bn2(self.conv2(act(self.bn1(self.conv1(x)))))
            return act(y + self.downsample(x))

    network = nn.Sequential()
    network.conv1, network.bn1 = nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
    network.act = {"relu": nn.ReLU, "swish": nn.SiLU}[activation]()
    for stage, (inputs, width) in enumerate(((16, 16), (16, 32), (32, 64)), 1):
        network.add_module(f"layer{stage}", nn.Sequential(Basic(inputs, width, 1 + (width > inputs))))
    network.avgpool, network.flatten, network.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    return network.double().train()


class PyTorch:
    def __init__(self, activation, lr):
        self.network = make_network(activation)
        self.values = {name: value for name, value in self.network.state_dict(keep_vars=True).items() if value.dim()}
        self.trained = dict(self.network.named_parameters())
        weights = [p for p in self.trained.values() if p.dim() > 1]
        others = [p for p in self.trained.values() if p.dim() == 1]
        self.sgd = torch.optim.SGD([{"params": weights, "weight_decay": DECAY}, {"params": others}], lr=lr, momentum=MOMENTUM)
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(torch.tensor(first_value(name, tuple(value.shape))))

    def momentum(self, name):
        return self.sgd.state[self.trained[name]].get("momentum_buffer")

    def round(self):
        """All that is kept between steps becomes what floats hold."""
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(value.float())
                if name in self.trained and self.momentum(name) is not None:
                    self.momentum(name).copy_(self.momentum(name).float())

    def step(self, images, labels):
        self.sgd.zero_grad()
        loss = F.cross_entropy(self.network(torch.tensor(images).double()), torch.tensor(labels).long())
        loss.backward()
        self.sgd.step()
        return loss.item()


def torch_run(activation, run, images, labels):
    """-> losses, and of each step's gradients [norm, sum of the elements times cos(index)], by name"""
    lr, steps, _ = RUNS[run]
    theirs = PyTorch(activation, lr)
    losses, marks = [], []
    for images_, labels_ in list(zip(images, labels))[:steps]:
        losses.append(theirs.step(images_, labels_))
        marks.append({name: mark(p.grad.numpy()) for name, p in theirs.trained.items()})
    return losses, marks


def mark(gradient):
    flat = gradient.astype("f8").ravel()
    return [float(np.linalg.norm(flat)), float(flat @ np.cos(np.arange(flat.size)))]


# ---- comparisons: each adds to `wrong`, and says the worst ----
wrong = []


def compare(what, worst, limit):
    print(f"{what}: {worst[0]:.2g} apart ({worst[1]}), {limit:g} allowed")
    if not worst[0] <= limit:
        wrong.append(f"{what}: {worst[1]} is {worst[0]:.2g} off, {limit:g} is allowed")


def compare_run(trainer, what, run, images, labels, losses, marks):
    lr, steps, limit = RUNS[run]
    trainer.begin()
    apart, marks_apart = [], []
    for i in range(steps):
        loss = trainer.step(images[i], labels[i], lr)
        apart.append((abs(loss - losses[i]), f"the loss of step {i + 1}"))
        for name, (norm, along) in marks[i].items():
            mine = mark(trainer.gradients[name])
            marks_apart.append((max(abs(mine[0] - norm), abs(mine[1] - along)) / norm, f"{name}'s gradient at step {i + 1}"))
    compare(f"{trainer.path}, {what}, lr {lr}, losses", max(apart), limit)
    if trainer.activation == "swish":
        compare(f"{trainer.path}, {what}, lr {lr}, gradients", max(marks_apart), FORCED)


def forced_step(trainer, theirs, images, labels):
    """From the state that PyTorch is in -> what is furthest apart, when PyTorch has made the step that is returned as well"""
    for name, value in theirs.values.items():
        trainer.parameters[name][:] = value.detach().numpy()
        if name in theirs.trained:
            trainer.momentum[name][:] = 0 if theirs.momentum(name) is None else theirs.momentum(name).numpy()
    loss = trainer.step(images, labels, RUNS["large"][0])

    def apart(right):
        yield abs(loss - right) / right, "the loss"
        for name, value in theirs.values.items():
            pairs = [("", trainer.parameters, value)]
            if name in theirs.trained:
                pairs += ("'s gradient", trainer.gradients, theirs.trained[name].grad), ("'s momentum", trainer.momentum, theirs.momentum(name))
            for what, mine, of in pairs:
                of = of.detach().numpy()
                yield np.abs(mine[name] - of).max() / np.abs(of).max(), name + what
    return lambda right: max(apart(right))


def compare_forced(activation, trainers, images, labels):
    """From each of the states that PyTorch's run at the large lr goes through"""
    theirs, worst = PyTorch(activation, RUNS["large"][0]), {trainer: [] for trainer in trainers}
    for i, batch in enumerate(zip(images, labels), 1):
        theirs.round()
        made = {trainer: forced_step(trainer, theirs, *batch) for trainer in trainers}
        right = theirs.step(*batch)
        for trainer, apart in made.items():
            most, what = apart(right)
            worst[trainer].append((most, f"{what} at state {i}"))
    for trainer, found in worst.items():
        found.sort()
        if activation == "relu":
            compare(f"{trainer.path}, half of the forced steps", found[STEPS // 2 - 1], FORCED)
            compare(f"{trainer.path}, forced steps", found[-1], FLIPPED)
        else:
            compare(f"{trainer.path}, forced steps", found[-1], FORCED)


def record():
    recorded = {}
    for activation in ACTIVATIONS:
        recorded[activation] = {run: dict(zip(("losses", "marks"), torch_run(activation, run, *made_up()))) for run in RUNS}
    for run in recorded["relu"].values():
        run["marks"] = [{} for _ in run["marks"]]
    short = json.loads(json.dumps(recorded), parse_float=lambda number: float(f"{float(number):.7g}"))
    with open(RECORD, "w") as file:
        file.write(json.dumps(short, indent=0) + "\n")


def main():
    arguments = sys.argv[1:]
    if torch:
        torch.set_num_threads(1)
    if arguments == ["--record"]:
        return record()
    pictures = arguments[1] if arguments[0] == "--pictures" else None
    trainers = [Trainer(*argument.split("=")) for argument in (arguments[2:] if pictures else arguments)]
    with open(RECORD) as file:
        recorded = json.load(file)
    for trainer in trainers:
        for run in RUNS:
            compare_run(trainer, "recorded", run, *made_up(), **recorded[trainer.activation][run])
    for activation in ACTIVATIONS if torch else ():
        data = photographs(pictures) if pictures else made_up()
        those = [trainer for trainer in trainers if trainer.activation == activation]
        for run in RUNS:
            losses, marks = torch_run(activation, run, *data)
            for trainer in those:
                compare_run(trainer, "PyTorch", run, *data, losses, marks)
        compare_forced(activation, those, *data)
    if wrong:
        sys.exit("\n".join(wrong))


main()
