"""Networks as Python sees them."""
import os
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ._abi import MAX_THREADS, NHWC, Error
from ._object import Instance, SharedObject

Path = Union[str, "os.PathLike[str]"]
Picture = Union[np.ndarray, Path]


class Tensor(NamedTuple):
    """An input or output of a network. shape: ("N", C, H, W), or ("N", C) of an output of 1 x 1 pixels."""
    name: str
    shape: Tuple[Union[int, str], ...]
    type: str = "tensor(float)"


class Network:
    """A compiled network: numbers go in and come out as NumPy arrays.

        net = rnc.compile("model.onnx")         # or rnc.load("net.so")
        y = net(x)                              # float32, N x C x H x W, any N
        [y] = net.run(None, {"input": x})       # the same, as an InferenceSession of onnxruntime takes it

    Any number of threads may use one Network. It runs without the interpreter's lock. A call has an instance (arena_size
    bytes of memory) to itself; instances are kept for later calls, so that there are as many as calls ever ran at once.
    All is freed with the Network, or by close(), when the last call has ended.

    name: the network's. path: its shared object. batch: images of one run; more are run in pieces. threads: of one
    call. inputs, outputs: lists of Tensor, outputs in the model's order. macs: multiply-adds of one image. parameters:
    how many numbers its weights have. arena_size: bytes of one instance. messages: what rnc.compile's rnc remarked.
    """

    def __init__(self, path: str, weights: Optional[str] = None, threads: int = 1, name: Optional[str] = None):
        """Use rnc.load."""
        if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
            raise ValueError(f"threads={threads!r}: a number from 1 to {MAX_THREADS} is wanted")
        shared = SharedObject(path, weights, name)
        model = shared.model
        self._shared: Optional[SharedObject] = shared
        self._size = model.output_size
        outputs = model.outputs[:model.output_count]
        self._results = [_dims(o.shape, o.layout) for o in outputs]
        self._classes = outputs[-1].shape
        self.name, self.path, self.batch, self.threads = shared.name, shared.path, model.batch, threads
        self.messages = ""
        self.parameters, self.macs = model.parameters, model.macs
        self.arena_size = model.arena_size(model.batch, threads)
        self.inputs = [Tensor("input", ("N",) + _dims(model.input, model.input_layout))]
        self.outputs = [Tensor(o.name.decode(errors="replace"), ("N",) + _flat(shape))
                        for o, shape in zip(outputs, self._results)]
        self._idle = [Instance(shared, threads, first=True)]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{t.name} {'x'.join(map(str, t.shape))}" for t in self.outputs)
        return f"<rnc.Network {self.name}: {'x'.join(map(str, self.inputs[0].shape))} -> {shapes}>"

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Frees weights and instances: now, or when the calls that still run have ended. A call after it is a ValueError."""
        self._shared, self._idle = None, []

    def get_inputs(self) -> List[Tensor]:
        """inputs, as onnxruntime's InferenceSession names it."""
        return self.inputs

    def get_outputs(self) -> List[Tensor]:
        """outputs, as onnxruntime's InferenceSession names it."""
        return self.outputs

    def __call__(self, x: np.ndarray) -> Union[np.ndarray, List[np.ndarray]]:
        """Runs the network on x.

        x: float32, N x C x H x W or N x H x W x C as inputs[0] says, contiguous, already normalised; any N, 0 too. Where N is above
        `batch`, it runs in pieces. The result is float32, N x C or N x C x H x W as outputs[0] says; where there are
        several outputs, a list of such arrays. They belong to the caller, as x does, which must not change meanwhile.

        ValueError: another shape or type, or x is not contiguous. Error: what the runtime refuses.
        """
        results = self._split(self._forward(self._checked(x)), range(len(self.outputs)))
        return results[0] if len(results) == 1 else results

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, np.ndarray]) -> List[np.ndarray]:
        """Runs the network as onnxruntime's InferenceSession.run does: a list of the outputs of these names, of all where
        output_names is None. input_feed has one array, whatever its name: there is no other input that could be meant.
        Arrays and errors as of calling the network."""
        if len(input_feed) != 1:
            raise ValueError(f"{len(input_feed)} inputs; {self.name} takes one, '{self.inputs[0].name}'")
        names = [t.name for t in self.outputs]
        wanted = names if output_names is None else list(output_names)
        for name in wanted:
            if name not in names:
                raise ValueError(f"no output is called '{name}'; {self.name} has {', '.join(names)}")
        return self._split(self._forward(self._checked(*input_feed.values())), [names.index(name) for name in wanted])

    def run_rgb(self, pictures: Union[Picture, Sequence[Picture]]) -> Union[np.ndarray, List[np.ndarray]]:
        """The same of pictures: each a file (PNG or JPEG) or an array, uint8, H x W x 3 (RGB), contiguous, of any size. They
        are made ready as the network's source says (resized, cropped, normalised; a model from ONNX says nothing, so that
        pixels become 0..1). N is 1 for one picture, else how many the sequence has."""
        one = isinstance(pictures, (str, os.PathLike, np.ndarray))
        arrays = [self._picture(p) for p in ([pictures] if one else pictures)]
        flat = np.empty((len(arrays), self._size), np.float32)
        with self._instance() as instance:
            for at in range(0, len(arrays), self.batch):
                instance.run_rgb(arrays[at:at + self.batch], flat[at:at + self.batch])
        results = self._split(flat, range(len(self.outputs)))
        return results[0] if len(results) == 1 else results

    def classify(self, picture: Picture, top: int = 5,
                 labels: Optional[Sequence[str]] = None) -> List[Tuple[Union[int, str], float]]:
        """The likeliest classes of one picture (as run_rgb takes it) and their probabilities, the likeliest first: the
        network's last output, after a softmax where it does not end in one. labels: the classes' names, which then stand
        in the place of their numbers. ValueError: as many labels as classes are wanted, in a list; the
        last output has no classes."""
        classes, rows, columns = self._classes.c, self._classes.h, self._classes.w
        if rows != 1 or columns != 1:
            raise ValueError(f"{self.name} has no classes: its last output is {classes} x {rows} x {columns}")
        if isinstance(labels, (str, bytes, os.PathLike)):
            raise ValueError(f"labels={labels!r}: a list of names is wanted, as open(file).read().splitlines() gives")
        if top < 1:
            raise ValueError(f"top={top!r}: 1 or more is wanted")
        if labels is not None and len(labels) != classes:
            raise ValueError(f"{len(labels)} labels, but {self.name} has {classes} classes")
        if not isinstance(picture, (str, os.PathLike, np.ndarray)):
            raise ValueError(f"one picture is wanted, a file or an array, not {type(picture).__name__}")
        shared, y = self._open(), self.run_rgb(picture)
        p = (y[-1] if isinstance(y, list) else y)[0].astype(np.float64)
        if not np.isfinite(p).all():
            raise Error(f"{self.name}: the network's output is not finite")
        if not shared.model.probabilities:
            p = np.exp(p - p.max())
            p /= p.sum()
        return [(int(i) if labels is None else labels[i], float(p[i])) for i in np.argsort(-p, kind="stable")[:top]]

    # ---- what these are made of ----
    def _open(self) -> SharedObject:
        shared = self._shared
        if shared is None:
            raise ValueError(f"{self.name}: the network was closed")
        return shared

    def _instance(self) -> "_Lent":
        """One that no other call has, a new one where all are lent. Lists are changed as one step."""
        shared, idle = self._open(), self._idle
        try:
            return _Lent(idle.pop(), idle)
        except IndexError:
            return _Lent(Instance(shared, self.threads), idle)

    def _checked(self, x: Any) -> np.ndarray:
        _, *wanted = self.inputs[0].shape
        x = np.asarray(x)
        if x.ndim != 4 or list(x.shape[1:]) != wanted:
            raise ValueError(f"an input of shape {x.shape}; {self.name} takes N x {' x '.join(map(str, wanted))}")
        if x.dtype != np.float32:
            raise ValueError(f"an input of {x.dtype}; {self.name} takes float32: x.astype(numpy.float32)")
        if not (x.flags.c_contiguous and x.flags.aligned):
            raise ValueError("an input that is not contiguous (transposed, or cut out) or not aligned: x.copy()")
        return x

    def _picture(self, picture: Picture) -> np.ndarray:
        if isinstance(picture, (str, os.PathLike)):
            return self._open().read_image(os.fspath(picture))
        x = np.asarray(picture)
        if x.ndim != 3 or x.shape[2] != 3 or 0 in x.shape:
            raise ValueError(f"a picture of shape {x.shape}; H x W x 3 is wanted")
        if x.dtype != np.uint8:
            raise ValueError(f"a picture of {x.dtype}; uint8, 0 to 255, is wanted")
        if not (x.flags.c_contiguous and x.flags.aligned):
            raise ValueError("a picture that is not contiguous (mirrored, or cut out) or not aligned: x.copy()")
        return x

    def _forward(self, x: np.ndarray) -> np.ndarray:
        flat = np.empty((len(x), self._size), np.float32)
        with self._instance() as instance:
            for at in range(0, len(x), self.batch):
                instance.run(x[at:at + self.batch], flat[at:at + self.batch])
        return flat

    def _split(self, flat: np.ndarray, wanted: Sequence[int]) -> List[np.ndarray]:
        """N x output_size -> arrays, each contiguous."""
        at = np.cumsum([0] + [a * b * c for a, b, c in self._results])
        return [np.ascontiguousarray(flat[:, at[i]:at[i + 1]]).reshape((len(flat),) + _flat(self._results[i]))
                for i in wanted]


class _Lent:
    """An instance that goes back when the call ends; after close() the list is nobody's, and it goes with it."""

    def __init__(self, instance: Instance, idle: List[Instance]):
        self._lent, self._idle = instance, idle

    def __enter__(self) -> Instance:
        return self._lent

    def __exit__(self, *_: Any) -> None:
        self._idle.append(self._lent)


def _dims(shape: Any, layout: int) -> Tuple[int, int, int]:
    """An image's, in the order in which its array has them; one pixel's channels come first."""
    if layout == NHWC and (shape.h, shape.w) != (1, 1):
        return shape.h, shape.w, shape.c
    return shape.c, shape.h, shape.w


def _flat(shape: Tuple[int, int, int]) -> Tuple[int, ...]:
    return shape[:1] if shape[1:] == (1, 1) else shape


def load(path: Path, *, weights: Optional[Path] = None, threads: int = 1, name: Optional[str] = None) -> Network:
    """A network from a shared object that rnc wrote before (rnc -o net.so, or rnc.compile(..., save="net.so")).

    weights: a packed (.rnw) or safetensors file; by default those embedded, else the packed file that rnc wrote beside
    the object. threads: how many each call runs on. name: the network's, where the object has several.

    Error: no such object, one of another rnc (its ABI), weights that are not its own, a CPU that it is not for; and an
    object compiled under sanitizers. ValueError: threads out of range. Any thread may call it.
    """
    return Network(os.fspath(path), None if weights is None else os.fspath(weights), threads, name)
