#!/usr/bin/env python3
"""A network that rnc compiled, from Python: NumPy arrays in and out, through ctypes.

    rnc -o resnet50.so --weights resnet50.safetensors resnet50.rn
    python3 classify.py ./resnet50.so resnet50.rnw cat.jpg dog.png
    python3 classify.py ./resnet50.so resnet50.rnw batch.npy        (N x C x H x W, normalised)

The shared object has the network and its runtime. Everything is found through NAME_model(), whose struct (rn.h) holds the
network's functions; so this file serves any network, with --standalone too (which reads no pictures: .npy alone).
"""
import argparse
import ctypes as c
import os
import sys

import numpy as np

ABI = 9
ERROR_SIZE = 512


class Shape(c.Structure):
    _fields_ = [("c", c.c_int), ("h", c.c_int), ("w", c.c_int)]


class Output(c.Structure):
    _fields_ = [("name", c.c_char_p), ("shape", Shape)]


class Preprocess(c.Structure):
    _fields_ = [("order", c.c_int), ("range", c.c_float), ("mean", c.c_float * 4), ("std", c.c_float * 4),
                ("resize", c.c_int)]


class Options(c.Structure):
    _fields_ = [("threads", c.c_int), ("parallel", c.c_void_p), ("parallel_user", c.c_void_p), ("layer", c.c_void_p),
                ("layer_user", c.c_void_p), ("error", c.c_char_p), ("error_size", c.c_size_t)]


class Image(c.Structure):
    _fields_ = [("width", c.c_int), ("height", c.c_int), ("rgb", c.POINTER(c.c_uint8))]


FLOATS = c.POINTER(c.c_float)


class Model(c.Structure):
    """rn_model of rn.h, member by member."""
    _fields_ = [
        ("abi", c.c_int), ("name", c.c_char_p), ("rnc_version", c.c_char_p), ("command", c.c_char_p),
        ("source_hash", c.c_char_p), ("isa", c.c_int), ("best_isa", c.c_int), ("batch", c.c_int), ("input", Shape),
        ("outputs", c.POINTER(Output)), ("output_count", c.c_int), ("output_size", c.c_size_t),
        ("probabilities", c.c_int), ("preprocess", Preprocess), ("layers", c.c_void_p), ("layer_count", c.c_int),
        ("macs", c.c_int64), ("parameters", c.c_int64), ("recipe", c.c_void_p), ("embedded", c.c_void_p),
        ("embedded_size", c.c_size_t), ("weights_file", c.c_char_p),
        ("arena_size", c.CFUNCTYPE(c.c_size_t, c.c_int, c.c_int)),
        ("create", c.CFUNCTYPE(c.c_int, c.POINTER(c.c_void_p), c.c_void_p, c.c_size_t, c.c_void_p,
                               c.POINTER(Options))),
        ("run", c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, FLOATS, FLOATS)),
        ("run_rgb", c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.POINTER(c.POINTER(c.c_uint8)), c.POINTER(c.c_int),
                                c.POINTER(c.c_int), FLOATS)),
        ("message", c.CFUNCTYPE(c.c_char_p, c.c_void_p)),
        ("destroy", c.CFUNCTYPE(None, c.c_void_p)),
        ("multiplications", c.c_int64),
        ("weights_open", c.CFUNCTYPE(c.c_int, c.POINTER(c.c_void_p), c.c_void_p, c.c_char_p, c.c_char_p, c.c_size_t)),
        ("weights_memory", c.c_void_p),
    ]


class Weights(c.Structure):
    """The head of rn_weights."""
    _fields_ = [("close", c.CFUNCTYPE(None, c.c_void_p))]


class NetworkError(Exception):
    pass


class Network:
    """with Network("./resnet50.so", "resnet50.rnw") as net: y = net(x)

    name: the network's name, where it is not the shared object's. weights: a packed or safetensors file; None where they
    are embedded. An instance serves one thread at a time.
    """

    def __init__(self, library, weights=None, name=None, threads=1):
        self._net, self._weights = c.c_void_p(), c.c_void_p()
        self._name = name = name or os.path.splitext(os.path.basename(library))[0]
        self._lib = lib = c.CDLL(os.path.abspath(library))
        find = getattr(lib, name + "_model", None)
        if find is None:
            raise NetworkError(f"{library} has no network called {name}; give its name with --name")
        find.restype = c.POINTER(Model)
        self.model = find().contents
        if self.model.abi != ABI:
            raise NetworkError(f"{library} has ABI {self.model.abi}, this client knows {ABI}")
        error = c.create_string_buffer(ERROR_SIZE)
        if weights is not None and self.model.weights_open(c.byref(self._weights), find(), os.fsencode(weights), error,
                                                           ERROR_SIZE):
            raise NetworkError(error.value.decode(errors="replace"))
        options = Options(threads=threads, error=c.addressof(error), error_size=ERROR_SIZE)
        if self.model.create(c.byref(self._net), None, 0, self._weights, c.byref(options)):
            text = error.value.decode(errors="replace")
            self.close()
            raise NetworkError(text)

    def close(self):
        if self._net:
            self.model.destroy(self._net)
        if self._weights:
            c.cast(self._weights, c.POINTER(Weights)).contents.close(self._weights)
        self._net, self._weights = c.c_void_p(), c.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _check(self, status):
        if status:
            raise NetworkError(self.model.message(self._net).decode(errors="replace"))

    def _split(self, flat):
        """N x output_size -> an array per output, N x C or N x C x H x W."""
        arrays, at = [], 0
        for output in self.model.outputs[:self.model.output_count]:
            s = output.shape
            size = s.c * s.h * s.w
            shape = (len(flat), s.c) if s.h == s.w == 1 else (len(flat), s.c, s.h, s.w)
            arrays.append(flat[:, at:at + size].reshape(shape))
            at += size
        return arrays[0] if len(arrays) == 1 else arrays

    def __call__(self, x):
        """N x C x H x W, already normalised; any N."""
        s = self.model.input
        x = np.ascontiguousarray(x, dtype=np.float32)
        if x.ndim != 4 or x.shape[1:] != (s.c, s.h, s.w):
            raise ValueError(f"shape {x.shape}; the network takes N x {s.c} x {s.h} x {s.w}")
        flat = np.empty((len(x), self.model.output_size), np.float32)
        for at in range(0, len(x), self.model.batch):
            part, out = x[at:at + self.model.batch], flat[at:at + self.model.batch]
            self._check(self.model.run(self._net, len(part), part.ctypes.data_as(FLOATS), out.ctypes.data_as(FLOATS)))
        return self._split(flat)

    def rgb(self, picture):
        """One H x W x 3 uint8 picture of any size, preprocessed as the network's source says."""
        picture = np.ascontiguousarray(picture, dtype=np.uint8)
        if picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"shape {picture.shape}; a picture is H x W x 3")
        pixels = picture.ctypes.data_as(c.POINTER(c.c_uint8))
        flat = np.empty((1, self.model.output_size), np.float32)
        self._check(self.model.run_rgb(self._net, 1, c.byref(pixels), c.byref(c.c_int(picture.shape[0])),
                                       c.byref(c.c_int(picture.shape[1])), flat.ctypes.data_as(FLOATS)))
        return self._split(flat)

    def read_image(self, path):
        """A PNG or JPEG file as H x W x 3 uint8."""
        image, error = Image(), c.create_string_buffer(ERROR_SIZE)
        if not hasattr(self._lib, self._name + "_image_read"):
            raise NetworkError(f"{path}: a standalone network reads no pictures; give it an array (.npy)")
        read, free = self._lib[self._name + "_image_read"], self._lib[self._name + "_image_free"]
        read.argtypes = [c.POINTER(Image), c.c_char_p, c.c_char_p, c.c_size_t]
        free.argtypes, free.restype = [c.POINTER(Image)], None
        if read(c.byref(image), os.fsencode(path), error, ERROR_SIZE):
            raise NetworkError(error.value.decode(errors="replace"))
        picture = np.ctypeslib.as_array(image.rgb, (image.height, image.width, 3)).copy()
        free(c.byref(image))
        return picture


def probabilities(net, y):
    y = y[-1] if isinstance(y, list) else y
    if net.model.probabilities:
        return y
    e = np.exp(y - y.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description="classify pictures, or the images of .npy files")
    parser.add_argument("library", help="NAME.so, made by rnc -o NAME.so")
    parser.add_argument("weights", help="packed or safetensors weights; '-' where they are embedded")
    parser.add_argument("files", nargs="+", metavar="FILE", help="PNG, JPEG or .npy")
    parser.add_argument("--name", help="the network's name (default: the library's)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--labels", help="the classes' names, one a line")
    arguments = parser.parse_args()
    try:
        labels = open(arguments.labels, encoding="utf-8-sig").read().splitlines() if arguments.labels else None
        weights = None if arguments.weights == "-" else arguments.weights
        with Network(arguments.library, weights, arguments.name, arguments.threads) as net:
            for path in arguments.files:
                y = net(np.load(path)) if path.endswith(".npy") else net.rgb(net.read_image(path))
                for p in probabilities(net, y):
                    print(path)
                    for i in np.argsort(-p, kind="stable")[:5]:
                        print(f"  {100 * p[i]:6.2f} %  {i:4d}  {labels[i] if labels else ''}")
    except (NetworkError, OSError, ValueError, AttributeError, IndexError) as e:
        print(f"classify.py: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
