#!/usr/bin/env python3
"""Classes of pictures, by a network that rnc compiled, from Python (pip install ./python).

    rnc -o resnet50.so --weights resnet50.safetensors resnet50.rn
    python3 classify.py --labels imagenet.txt resnet50.so cat.jpg dog.png
    python3 classify.py resnet50.so batch.npy        (N x C x H x W, normalised)
"""
import argparse
import sys

import numpy as np

import rnc


def classes(net, path, labels):
    """-> for each image of a file its likeliest classes and their probabilities"""
    if not path.endswith(".npy"):
        return [net.classify(path, labels=labels)]
    y = net(np.ascontiguousarray(np.load(path), dtype=np.float32))
    y = y[-1] if isinstance(y, list) else y
    return [[(labels[i] if labels else int(i), float(p[i])) for i in np.argsort(-p, kind="stable")[:5]] for p in y]


def main():
    parser = argparse.ArgumentParser(description="classify pictures, or the images of .npy files")
    parser.add_argument("library", help="NAME.so, made by rnc -o NAME.so")
    parser.add_argument("files", nargs="+", metavar="FILE", help="PNG, JPEG or .npy")
    parser.add_argument("--weights", help="packed or safetensors weights (default: those embedded or beside the library)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--labels", help="the classes' names, one a line")
    arguments = parser.parse_args()
    try:
        labels = None
        if arguments.labels:
            with open(arguments.labels, encoding="utf-8-sig") as file:
                labels = file.read().splitlines()
        with rnc.load(arguments.library, weights=arguments.weights, threads=arguments.threads) as net:
            for path in arguments.files:
                for image in classes(net, path, labels):
                    print(path)
                    for name, probability in image:
                        print(f"  {100 * probability:6.2f} %  {name}")
    except (rnc.Error, OSError, ValueError) as e:
        print(f"classify.py: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
