"""The structs of rn.h, member by member, and the errors that come of its functions."""
import ctypes as c
from typing import Optional

VERSION = "0.1.0"  # RN_VERSION
ABI = 11  # RN_ABI
ERROR_SIZE = 512  # RN_ERROR_SIZE
MAX_THREADS = 1024  # RN_MAX_THREADS
STATUS = ("OK", "ARGUMENT", "MEMORY", "FILE", "FORMAT", "CPU", "KERNEL", "VERSION")  # rn_status


class Error(RuntimeError):
    """What a network, its weights or its shared object cannot do; the text is the runtime's own.

    status: the word of rn_status ("CPU", "FORMAT", "MEMORY", ...), None where the fault is not the runtime's.
    """

    def __init__(self, text: str, status: Optional[int] = None):
        super().__init__(text)
        self.status = STATUS[status] if status is not None and 0 <= status < len(STATUS) else None


class NoWeights(Error):
    """A shared object has none, and none were named."""


NHWC = 1  # of rn_layout


class Shape(c.Structure):
    _fields_ = [("c", c.c_int), ("h", c.c_int), ("w", c.c_int)]


class Output(c.Structure):
    _fields_ = [("name", c.c_char_p), ("shape", Shape), ("layout", c.c_int)]


class Preprocess(c.Structure):
    _fields_ = [("order", c.c_int), ("range", c.c_float), ("mean", c.c_float * 4), ("std", c.c_float * 4),
                ("resize", c.c_int)]


class Options(c.Structure):
    _fields_ = [("threads", c.c_int), ("parallel", c.c_void_p), ("parallel_user", c.c_void_p), ("layer", c.c_void_p),
                ("layer_user", c.c_void_p), ("error", c.c_void_p), ("error_size", c.c_size_t)]


class Image(c.Structure):
    _fields_ = [("width", c.c_int), ("height", c.c_int), ("rgb", c.POINTER(c.c_uint8))]


# Functions called through CFUNCTYPE run without the interpreter's lock, those through PYFUNCTYPE with it.
CREATE = (c.c_int, c.POINTER(c.c_void_p), c.c_void_p, c.c_size_t, c.c_void_p, c.POINTER(Options))


class Model(c.Structure):
    """rn_model"""
    _fields_ = [
        ("abi", c.c_int), ("name", c.c_char_p), ("rnc_version", c.c_char_p), ("command", c.c_char_p),
        ("source_hash", c.c_char_p), ("isa", c.c_int), ("best_isa", c.c_int), ("batch", c.c_int), ("input", Shape), ("input_layout", c.c_int),
        ("outputs", c.POINTER(Output)), ("output_count", c.c_int), ("output_size", c.c_size_t),
        ("probabilities", c.c_int), ("preprocess", Preprocess), ("layers", c.c_void_p), ("layer_count", c.c_int),
        ("macs", c.c_int64), ("parameters", c.c_int64), ("recipe", c.c_void_p), ("embedded", c.c_void_p),
        ("embedded_size", c.c_size_t), ("weights_file", c.c_char_p),
        ("arena_size", c.CFUNCTYPE(c.c_size_t, c.c_int, c.c_int)),
        ("create", c.CFUNCTYPE(*CREATE)),
        ("run", c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.c_void_p, c.c_void_p)),
        ("run_rgb", c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.POINTER(c.c_void_p), c.POINTER(c.c_int),
                                c.POINTER(c.c_int), c.c_void_p)),
        ("message", c.CFUNCTYPE(c.c_char_p, c.c_void_p)),
        ("destroy", c.CFUNCTYPE(None, c.c_void_p)),
        ("multiplications", c.c_int64),
        ("weights_open", c.CFUNCTYPE(c.c_int, c.POINTER(c.c_void_p), c.c_void_p, c.c_char_p, c.c_void_p, c.c_size_t)),
        ("weights_memory", c.c_void_p),
    ]


class Weights(c.Structure):
    """The head of rn_weights."""
    _fields_ = [("close", c.CFUNCTYPE(None, c.c_void_p))]
