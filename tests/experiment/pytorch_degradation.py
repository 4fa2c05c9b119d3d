#!/usr/bin/env python3
"""Trains one of the networks of degradation.sh in PyTorch by the same recipe, with other random numbers: whether what
docs/results.md says of few steps is the recipe's or rnc's.

    pytorch_degradation.py resnet|plain DEPTH STEPS SEED DATA      DATA: Fashion-MNIST's IDX files in gzip

Prints training loss and error over the last twentieth of the steps, as docs/results.md has them.
"""
import gzip
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH, PAD, SIDE = 128, 4, 28


class Basic(nn.Module):
    def __init__(self, channels, width, stride, residual):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.stride, self.more, self.residual = stride, width - channels, residual

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.residual:  # shortcut A
            y = y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu(y)


def build(residual, depth):
    blocks, channels = [], 16
    for width in 16, 32, 64:
        for i in range((depth - 2) // 6):
            blocks.append(Basic(channels, width, 2 if width > 16 and not i else 1, residual))
            channels = width
    network = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1),
                            nn.Flatten(), nn.Linear(64, 10))
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network.train()


def idx(path, header):
    with gzip.open(path) as file:
        return np.frombuffer(file.read()[header:], "u1")


def pictures(images, mean, random):
    """-> a function: indices to pictures less the mean, padded, cropped and mirrored."""
    padded = np.zeros((len(images), SIDE + 2 * PAD, SIDE + 2 * PAD), "f4")
    padded[:, PAD:-PAD, PAD:-PAD] = images - mean

    def draw(indices):
        batch = np.empty((len(indices), 1, SIDE, SIDE), "f4")
        for i, index in enumerate(indices):
            y, x = random.integers(0, 2 * PAD + 1, 2)
            crop = padded[index, y:y + SIDE, x:x + SIDE]
            batch[i, 0] = crop[:, ::-1] if random.integers(2) else crop
        return torch.from_numpy(batch)
    return draw


def main(kind, depth, steps, seed, folder):
    steps, seed = int(steps), int(seed)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    images = idx(folder + "/train-images-idx3-ubyte.gz", 16).reshape(-1, SIDE, SIDE).astype("f4") / 255
    labels = torch.tensor(idx(folder + "/train-labels-idx1-ubyte.gz", 8).astype("i8"))
    draw = pictures(images, images.mean(0), random)
    network = build(kind == "resnet", int(depth))
    decayed = [m.weight for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    rest = [p for p in network.parameters() if all(p is not d for d in decayed)]
    sgd = torch.optim.SGD([{"params": decayed, "weight_decay": 1e-4}, {"params": rest}], lr=0.1, momentum=0.9)
    order, losses, wrong = np.array([], "i8"), [], []
    for step in range(steps):
        if len(order) < BATCH:
            order = np.concatenate([order, random.permutation(len(images))])
        batch, order = order[:BATCH], order[BATCH:]
        for group in sgd.param_groups:
            group["lr"] = 0.1 / 10 ** ((step >= steps // 2) + (step >= 3 * steps // 4))
        out = network(draw(batch))
        loss = F.cross_entropy(out, labels[batch])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
        wrong.append((out.argmax(1) != labels[batch]).float().mean().item())
        if (step + 1) % 50 == 0:
            print(f"step {step + 1}: loss {np.mean(losses[-50:]):.4f}, error {np.mean(wrong[-50:]):.2%}", file=sys.stderr, flush=True)
    last = steps // 20
    print(f"{kind}{depth}, {steps} steps, seed {seed}: training loss {np.mean(losses[-last:]):.4f}, error {np.mean(wrong[-last:]):.2%}")


main(*sys.argv[1:])
