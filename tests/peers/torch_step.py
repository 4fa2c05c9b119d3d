"""PyTorch's side of bench_train.py: the networks, and a step of SGD on made-up images.

ResNet-18 and -50 are torchvision's; those for CIFAR are of He et al. 2016, section 4.2, whose shortcuts have no parameters.
"""
import functools

NETWORKS = {"resnet20": (3, 32, 10), "resnet56": (3, 32, 10), "resnet18": (3, 224, 1000), "resnet50": (3, 224, 1000)}
DEPTHS = {"resnet20": 3, "resnet56": 9}  # blocks of a stage, for CIFAR
LAYOUTS = {"PyTorch": "contiguous_format", "PyTorch, channels_last": "channels_last"}
SEED = 1


def cifar_resnet(blocks, classes):
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inputs, width):
            super().__init__()
            self.stride = width // inputs
            self.pad = (width - inputs) // 2
            self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, self.stride, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.stride > 1:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
            return F.relu(y + x)

    layers, width = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for stage in (16, 32, 64):
        for _ in range(blocks):
            layers.append(Block(width, stage))
            width = stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def make(network):
    if network in DEPTHS:
        return cifar_resnet(DEPTHS[network], NETWORKS[network][2])
    import torchvision
    return getattr(torchvision.models, network)()


def stepper(network, batch, layout):
    """-> a function that makes one step and returns the loss. lr 0, as in rnc's bench: made-up labels lead nowhere."""
    import torch
    torch.manual_seed(SEED)
    channels, side, classes = NETWORKS[network]
    form = getattr(torch, layout)
    model = make(network).to(memory_format=form).train()
    images = torch.randn(batch, channels, side, side).to(memory_format=form)
    labels = torch.randint(classes, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-4)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss
    return step


def set_up(layout, network, batch, threads):
    """A contender's process (bench.py)"""
    import torch
    torch.set_num_threads(threads)
    step = stepper(network, batch, layout)
    return step, lambda: [step().item()]


def count(network):
    """-> GFLOP of a step for one image (2 a multiply-add), forward and backward, by PyTorch's own counter"""
    from torch.utils.flop_counter import FlopCounterMode
    step = stepper(network, 2, "contiguous_format")
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 2 * 1e-9


SET_UP = {name: functools.partial(set_up, layout) for name, layout in LAYOUTS.items()}
