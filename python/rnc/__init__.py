"""Networks compiled ahead of time by rnc, with NumPy arrays in and out.

    import rnc
    net = rnc.compile("model.onnx")             # or .rn, with weights="net.safetensors"
    y = net(x)                                  # float32, N x C x H x W
    [y] = net.run(None, {"input": x})           # the same, as onnxruntime's InferenceSession is used
    net.classify("picture.jpg")                 # [(class, probability), ...]
    net = rnc.load("net.so")                    # compiled before: rnc -o net.so
"""
from ._abi import VERSION as __version__
from ._abi import Error
from ._compile import CompileError, CompileWarning, compile, find_rnc
from ._network import Network, Tensor, load

__all__ = ["CompileError", "CompileWarning", "Error", "Network", "Tensor", "compile", "find_rnc", "load"]

for _public in (CompileError, CompileWarning, Error, Network, Tensor, compile, find_rnc, load):
    _public.__module__ = __name__  # as users call them
