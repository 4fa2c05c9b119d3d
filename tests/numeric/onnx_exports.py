#!/usr/bin/env python3
"""Networks of torchvision and timm, exported by both of PyTorch's exporters, compiled by rnc and compared with ONNX Runtime.

    onnx_exports.py RNC FOLDER [NAME...]     NAME: of NETWORKS below, all if none is said

Batch norms have statistics that do something. A line for each model; the status is 1 where one differs by more than 1e-5 of
its output's largest element, or is not read.
"""
import os
import subprocess
import sys
import warnings

import numpy as np
import onnxruntime
import timm
import torch
import torchvision

warnings.filterwarnings("ignore")
TOLERANCE = 1e-5
VISION = torchvision.models
SIDE = 224

NETWORKS = {
    "resnet18": VISION.resnet18, "resnet50": VISION.resnet50, "wide_resnet50_2": VISION.wide_resnet50_2,
    "resnet50d": lambda: timm.create_model("resnet50d"), "mobilenet_v2": VISION.mobilenet_v2,
    "squeezenet1_1": VISION.squeezenet1_1, "vgg16_bn": VISION.vgg16_bn,
    "googlenet": lambda: VISION.googlenet(init_weights=False, transform_input=True), "densenet121": VISION.densenet121,
    "regnet_y_400mf": VISION.regnet_y_400mf, "seresnet50": lambda: timm.create_model("seresnet50"),
    "resnetv2_50": lambda: timm.create_model("resnetv2_50"), "convnext_tiny": VISION.convnext_tiny,
    "shufflenet_v2_x1_0": VISION.shufflenet_v2_x1_0, "mobilenet_v3_large": VISION.mobilenet_v3_large,
    "efficientnet_lite0": lambda: timm.create_model("efficientnet_lite0"), "efficientnet_b0": VISION.efficientnet_b0,
    "nf_resnet50": lambda: timm.create_model("nf_resnet50"), "ghostnet_100": lambda: timm.create_model("ghostnet_100"),
    "convnextv2_atto": lambda: timm.create_model("convnextv2_atto"), "fpn": lambda: Pyramid(),
}


class Pyramid(torch.nn.Module):
    """The features of a detector: ResNet-50 with frozen batch norms, and a feature pyramid."""

    def __init__(self):
        super().__init__()
        self.body = VISION.detection.backbone_utils.resnet_fpn_backbone(backbone_name="resnet50", weights=None)

    def forward(self, x):
        return tuple(self.body(x).values())


def build(name):
    torch.manual_seed(1)
    network = NETWORKS[name]().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.7, 1.3)
            module.bias.data.uniform_(-0.1, 0.1)
    for key, parameter in network.named_parameters():
        if ".grn." in key:  # which begin as zeros
            parameter.data.uniform_(-1, 1)
    return network


def export(network, path, newer):
    image = torch.randn(1, 3, SIDE, SIDE)
    if newer:
        torch.onnx.export(network, (image,), path, dynamo=True, opset_version=20, verbose=False)
    else:
        torch.onnx.export(network, (image,), path, dynamo=False, opset_version=17, input_names=["input"],
                          dynamic_axes={"input": {0: "N"}})


def compare(rnc, folder, path):
    """-> the largest difference, of an output's largest element."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE)).astype("<f4")
    wanted = session.run(None, {session.get_inputs()[0].name: image})
    subprocess.run([rnc, path, "-o", "net"], cwd=folder, check=True)
    np.save(os.path.join(folder, "in.npy"), image)
    names = [f"out{i}.npy" for i in range(len(wanted))]
    subprocess.run(["./net", "run", "in.npy", *names], cwd=folder, check=True)
    got = [np.load(os.path.join(folder, name)).reshape(w.shape) for name, w in zip(names, wanted)]
    return max(float(abs(g - w).max() / abs(w).max()) for g, w in zip(got, wanted))


def main(rnc, folder, *names):
    failed = 0
    for name in names or NETWORKS:
        network = build(name)
        for newer in (False, True):
            path = os.path.join(folder, "model.onnx")
            try:
                export(network, path, newer)
                difference = compare(rnc, folder, path)
            except Exception as e:  # an exporter's or rnc's
                print(f"{name}, {'newer' if newer else 'legacy'} exporter: {e}", flush=True)
                failed += 1
                continue
            failed += not difference <= TOLERANCE
            print(f"{name}, {'newer' if newer else 'legacy'} exporter: {difference:.1e}", flush=True)
            for old in os.listdir(folder):
                os.remove(os.path.join(folder, old))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
