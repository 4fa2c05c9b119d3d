#!/usr/bin/env python3
"""How many of Fashion-MNIST's 10,000 test pictures PyTorch classifies rightly with a ResNet-20's weights: the number in
tests/cli/fashion.sh.

    pytorch_fashion.py examples/fashion/resnet20.safetensors /usr/share/datasets/fashion-mnist
"""
import gzip
import json
import os
import struct
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F


class Basic(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - channels

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more)))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*[Basic(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(*[Basic(16 * (1 + (i > 0)), 32, 2 - (i > 0)) for i in range(3)])
        self.layer3 = nn.Sequential(*[Basic(32 * (1 + (i > 0)), 64, 2 - (i > 0)) for i in range(3)])
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))).mean((2, 3)))


def tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {
        name: torch.tensor(numpy.frombuffer(data[8 + size + e["data_offsets"][0] : 8 + size + e["data_offsets"][1]], "<f4").reshape(e["shape"]))
        for name, e in header.items()
    }


def idx(path, header):
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read()[header:], "u1")


weights, folder = tensors(sys.argv[1]), sys.argv[2]
mean = weights.pop("input.mean")
network = ResNet20().eval()
missing = network.load_state_dict(weights, strict=False)
assert not missing.unexpected_keys and all(key.endswith("num_batches_tracked") for key in missing.missing_keys), missing
images = torch.tensor(idx(os.path.join(folder, "t10k-images-idx3-ubyte.gz"), 16).reshape(-1, 1, 28, 28).astype("f4")) / 255 - mean
labels = torch.tensor(idx(os.path.join(folder, "t10k-labels-idx1-ubyte.gz"), 8).astype("i8"))
with torch.no_grad():
    right = sum((network(x).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500)))
print(f"{right} of {len(labels)}")
