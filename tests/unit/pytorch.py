#!/usr/bin/env python3
"""The numbers in pytorch.c: loss, gradients and running statistics of a step of a small residual network, in double."""
import numpy
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)


class Basic(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = nn.Identity()
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 5, 2, 2), nn.BatchNorm2d(4)
        self.layer1, self.layer2 = nn.Sequential(Basic(4, 4, 1)), nn.Sequential(Basic(4, 6, 2))
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


def wave(count, step, phase, scale=1.0, shift=0.0):
    """As floats have it, since the network's parameters are floats."""
    sine = numpy.float32(numpy.sin(step * numpy.arange(count) + phase)).astype(float)
    return torch.tensor(numpy.float32(shift + scale * sine).astype(float))


def row(name, numbers):
    numbers = numbers.reshape(-1).numpy()
    along = (numbers * numpy.cos(numpy.arange(numbers.size))).sum()
    print(f'    {{"{name}", {numpy.linalg.norm(numbers):.12g}, {along:.12g}}},')


net = Net().train()
for name, p in net.named_parameters():
    vector = p.dim() == 1
    shift = vector and name.endswith("weight")
    p.data = wave(p.numel(), 0.7, sum(name.encode()), 0.25 if vector else 0.5, shift).reshape(p.shape)
images = wave(3 * 2 * 13 * 15, 0.37, 0.2).reshape(3, 2, 13, 15)
share = torch.tensor([1, 1, 0.7])[:, None]
target = F.one_hot(torch.tensor([0, 3, 4]), 5) * share + F.one_hot(torch.tensor([2, 3, 1]), 5) * (1 - share)
loss = -((0.9 * target + 0.1 / 5) * F.log_softmax(net(images), 1)).sum()
loss.backward()
print(f"expected_loss = {loss.item():.15g}")
for name, p in net.named_parameters():
    row(name, p.grad)
for name, b in net.named_buffers():
    if b.dim() == 1:
        row(name, b)
