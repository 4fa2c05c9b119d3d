"""A shared object that rnc made, its weights and its instances, each freed when the last reference to it goes."""
import ctypes as c
import os
import tempfile
import threading
import weakref
from typing import Dict, Optional, Tuple

import numpy as np

from ._abi import ABI, CREATE, ERROR_SIZE, Error, Image, Model, NoWeights, Options, Weights
from ._elf import network_names

_Identity = Tuple[int, int, int]
_loaded: Dict[str, _Identity] = {}
_loaded_lock = threading.Lock()


def _dlopen(path: str) -> c.CDLL:
    """The dynamic linker knows objects by their names and never reads one again, so a file that was replaced since it
    was loaded is loaded under a name of its own."""
    try:
        info = os.stat(path)
        identity = info.st_dev, info.st_ino, info.st_mtime_ns
        with _loaded_lock:
            if _loaded.setdefault(path, identity) == identity:
                return c.CDLL(path)
        with tempfile.TemporaryDirectory(prefix="rnc-") as folder:
            link = os.path.join(folder, os.path.basename(path))
            os.symlink(path, link)
            return c.CDLL(link)
    except OSError as e:
        raise Error(f"{path}: {e}") from None


def _release(weights: c.c_void_p, handle: int) -> None:
    if weights:
        c.cast(weights, c.POINTER(Weights)).contents.close(weights)
    dlclose = c.CDLL(None).dlclose
    dlclose.argtypes = [c.c_void_p]
    dlclose(handle)


def _destroy(destroy, net: c.c_void_p, _shared: "SharedObject") -> None:
    destroy(net)


def _on_death(owner, function, *arguments) -> None:
    # not when the process ends: other threads may run networks until its last moment
    weakref.finalize(owner, function, *arguments).atexit = False


class SharedObject:
    """The model that `path` exports, and its weights. Constant; shared by any number of threads."""

    def __init__(self, path: str, weights: Optional[str], name: Optional[str]):
        path = os.path.realpath(path)
        names = network_names(path)
        if name is None and len(names) != 1:
            raise Error(f"{path}: it exports several networks ({', '.join(names)}): say name=" if names else
                        f"{path}: it exports no network that rnc made (trainers are no networks)")
        if name is not None and name not in names:
            raise Error(f"{path}: it exports no network called '{name}'" + (f", but {', '.join(names)}" if names else ""))
        self.path, self.name = path, name or names[0]
        self.library, self.weights = _dlopen(path), c.c_void_p()
        _on_death(self, _release, self.weights, self.library._handle)
        find = self.library[self.name + "_model"]
        find.restype = c.POINTER(Model)
        self.model_pointer = find()
        self.model: Model = self.model_pointer.contents
        if self.model.abi != ABI:
            raise Error(f"{path}: compiled by another rnc (its ABI is {self.model.abi}; this package knows {ABI}): "
                        "compile it again, or install the package of that rnc")
        if weights is None and not self.model.embedded and self.model.weights_file:
            weights = os.path.join(os.path.dirname(path), os.fsdecode(self.model.weights_file))
        if weights is None and not self.model.embedded and self.model.parameters > 0:
            raise NoWeights(f"{path}: no weights: none are embedded and rnc packed none; say weights=")
        if weights is not None:
            self._open_weights(weights)

    def _open_weights(self, path: str) -> None:
        error = c.create_string_buffer(ERROR_SIZE)
        status = self.model.weights_open(c.byref(self.weights), self.model_pointer, os.fsencode(path), error,
                                         ERROR_SIZE)
        if status:
            raise Error(error.value.decode(errors="replace"), status)

    def read_image(self, path: str) -> np.ndarray:
        """A PNG or JPEG file as H x W x 3 uint8."""
        try:
            read, free = self.library[self.name + "_image_read"], self.library[self.name + "_image_free"]
        except AttributeError:
            raise Error(f"{path}: a network of --standalone reads no picture files; give it an array") from None
        read.argtypes = [c.POINTER(Image), c.c_char_p, c.c_char_p, c.c_size_t]
        free.argtypes, free.restype = [c.POINTER(Image)], None
        image, error = Image(), c.create_string_buffer(ERROR_SIZE)
        status = read(c.byref(image), os.fsencode(path), error, ERROR_SIZE)
        if status:
            raise Error(error.value.decode(errors="replace"), status)
        try:
            return np.ctypeslib.as_array(image.rgb, (image.height, image.width, 3)).copy()
        finally:
            free(c.byref(image))


class Instance:
    """One instance: one thread at a time. It keeps its object, which so outlives it."""

    def __init__(self, shared: SharedObject, threads: int, first: bool = False):
        """first: the object's first instance, for which librn sets back the environment that libxsmm changes. Python's
        threads change it with the interpreter's lock, so this keeps the lock."""
        model = shared.model
        create = model.create
        if first:
            create = c.cast(create, c.PYFUNCTYPE(*CREATE))
        error = c.create_string_buffer(ERROR_SIZE)
        options = Options(threads=threads, error=c.addressof(error), error_size=ERROR_SIZE)
        self._net = c.c_void_p()
        status = create(c.byref(self._net), None, 0, shared.weights, c.byref(options))
        if status:
            raise Error(error.value.decode(errors="replace"), status)
        _on_death(self, _destroy, model.destroy, self._net, shared)
        self._run, self._run_rgb, self._message = model.run, model.run_rgb, model.message

    def _check(self, status: int) -> None:
        if status:
            raise Error(self._message(self._net).decode(errors="replace"), status)

    def run(self, images: np.ndarray, out: np.ndarray) -> None:
        """images: N x C x H x W float32, out: N x output_size float32, both contiguous; N at most the model's batch."""
        self._check(self._run(self._net, len(images), images.ctypes.data, out.ctypes.data))

    def run_rgb(self, pictures, out: np.ndarray) -> None:
        """pictures: at most the model's batch of contiguous H x W x 3 uint8; out as of run."""
        n = len(pictures)
        pixels = (c.c_void_p * n)(*(p.ctypes.data for p in pictures))
        heights, widths = ((c.c_int * n)(*(p.shape[side] for p in pictures)) for side in (0, 1))
        self._check(self._run_rgb(self._net, n, pixels, heights, widths, out.ctypes.data))
