"""Writes PyTorch checkpoints as torch.save does, without PyTorch, for tests/cli/weights.sh: good ones of both forms, and
damaged and hostile ones. The bytes of the pickles are Python's own; names of torch are stand-ins.

    checkpoints.py FOLDER      reads FOLDER/net.safetensors, whose tensors all the files hold
"""
import collections
import copy
import copyreg
import io
import json
import os
import pickle
import struct
import sys
import types
import warnings
import zipfile

folder = sys.argv[1]


def stand_in(module, name):
    """A class that pickles as module.name."""
    parts = module.split(".")
    for i in range(len(parts)):
        sys.modules.setdefault(".".join(parts[: i + 1]), types.ModuleType(parts[i]))
    made = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, made)
    return made


rebuild = stand_in("torch._utils", "_rebuild_tensor_v2")
rebuild_parameter = stand_in("torch._utils", "_rebuild_parameter")
rebuild_from_type = stand_in("torch._tensor", "_rebuild_from_type_v2")
stand_in("torch.nn.parameter", "Parameter")
stand_in("torch", "Tensor")
types_ = {"F32": ("Float", "f"), "F64": ("Double", "d"), "F16": ("Half", "e"), "I64": ("Long", "q"), "BF16": ("BFloat16", "H")}
for storage_name, _ in types_.values():
    stand_in("torch", storage_name + "Storage")


class Storage:
    def __init__(self, dtype, values):
        self.dtype, self.values, self.key = dtype, values, None

    def bytes(self, order="<"):
        return struct.pack(f"{order}{len(self.values)}{types_[self.dtype][1]}", *self.values)


class Tensor:
    """A view of a storage; strides and offset as given, otherwise the whole of it."""

    def __init__(self, storage, shape, stride=None, offset=0):
        if stride is None:
            stride = [1] * len(shape)
            for i in reversed(range(len(shape) - 1)):
                stride[i] = stride[i + 1] * shape[i + 1]
        self.storage, self.shape, self.stride, self.offset = storage, tuple(shape), tuple(stride), offset

    def __reduce__(self):
        return rebuild, (self.storage, self.offset, self.shape, self.stride, False, collections.OrderedDict())


class Parameter(Tensor):
    def __reduce__(self):
        return rebuild_parameter, (Tensor(self.storage, self.shape, self.stride, self.offset), True, collections.OrderedDict())


class OldParameter(Tensor):
    """As PyTorch 0.2 wrote it."""

    __module__, __qualname__ = "torch.nn.parameter", "Parameter"

    def __reduce__(self):
        state = (True, False, collections.OrderedDict())
        return copyreg.__newobj__, (OldParameter, Tensor(self.storage, self.shape)), state


sys.modules["torch.nn.parameter"].Parameter = OldParameter


class TypedTensor(Tensor):
    """As a tensor with attributes is written."""

    def __reduce__(self):
        return rebuild_from_type, (rebuild, sys.modules["torch"].Tensor, super().__reduce__()[1], {"note": "x"})


class Pickler(pickle.Pickler):
    def __init__(self, file, protocol, legacy):
        super().__init__(file, protocol)
        self.storages, self.legacy = [], legacy

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        if obj not in self.storages:
            self.storages.append(obj)
            obj.key = str(len(self.storages) - 1)
        cls = getattr(sys.modules["torch"], types_[obj.dtype][0] + "Storage")
        id_ = ("storage", cls, obj.key, "cpu", len(obj.values))
        return id_ + (None,) if self.legacy else id_


def pickled(obj, protocol=2, legacy=False):
    out = io.BytesIO()
    pickler = Pickler(out, protocol, legacy)
    pickler.dump(obj)
    return out.getvalue(), pickler.storages


def save_raw(path, data, storages, name="archive/", order="<", method=zipfile.ZIP_STORED, extra=()):
    with zipfile.ZipFile(os.path.join(folder, path), "w", method) as z:
        z.writestr(name + "data.pkl", data)
        z.writestr(name + "byteorder", {"<": "little", ">": "big"}.get(order, order))
        for s in storages:
            z.writestr(f"{name}data/{s.key}", s.bytes(order if order in "<>" else "<"))
        z.writestr(name + "version", "3\n")
        for entry in extra:
            z.writestr(*entry)


def save(path, obj, protocol=2, **more):
    save_raw(path, *pickled(obj, protocol), **more)


def legacy(obj, protocol=2, little=True, count=lambda s: len(s.values)):
    machine = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    out = b"".join(pickle.dumps(x, protocol) for x in (0x1950A86A20F9469CFC6C, 1001, machine))
    data, storages = pickled(obj, protocol, True)
    out += data + pickle.dumps([s.key for s in storages], protocol)
    order = "<" if little else ">"
    for s in storages:
        out += struct.pack(order + "q", count(s)) + s.bytes(order)
    return out


def write(path, data):
    with open(os.path.join(folder, path), "wb") as f:
        f.write(data)


def read_safetensors():
    with open(os.path.join(folder, "net.safetensors"), "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    for name, t in head.items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            yield name, t["shape"], list(struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))


tensors = list(read_safetensors())


def state(dtype="F32", prefix="", kind=Tensor):
    made = collections.OrderedDict((prefix + n, kind(Storage(dtype, v), s)) for n, s, v in tensors)
    for name in [n for n in made if n.endswith("running_var")]:
        made[name.replace("running_var", "num_batches_tracked")] = Tensor(Storage("I64", [9]), ())
    return made


def transposed(values, rows, columns):
    return [values[r * columns + c] for c in range(columns) for r in range(rows)]


def views():
    """All tensors in one storage, behind a number that none has, each matrix by columns."""
    values, made = [0.5], {}
    for name, shape, v in tensors:
        stride, offset = None, len(values)
        if len(shape) == 2:
            v, stride = transposed(v, *shape), (1, shape[0])
        values += v
        made[name] = (shape, stride, offset)
    whole = Storage("F32", values)
    return {name: Tensor(whole, shape, stride, offset) for name, (shape, stride, offset) in made.items()}


def save_safetensors(path, prefix="", dtype="F32", change=None, more=()):
    head, data = {}, b""
    for name, shape, values in [*tensors, *more]:
        if change and name == change[0]:
            values = values[: change[1]] + [change[2]] + values[change[1] + 1 :]
        packed = struct.pack(f"<{len(values)}{types_[dtype][1]}", *values)
        head[prefix + name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(head).encode()
    write(path, struct.pack("<Q", len(text)) + text + data)


# ---- good ones ----
ok = state()
for protocol in (2, 3, 4, 5):
    save(f"zip{protocol}.pth", ok, protocol)
    write(f"old{protocol}.pth", legacy(ok, protocol))
save("top.pt", ok, name="")
with open(os.path.join(folder, "zip2.pth"), "rb") as f:
    unsummed = f.read()
for entry in zipfile.ZipFile(io.BytesIO(unsummed)).infolist():  # as torch.serialization.set_crc32_options(False) does
    unsummed = unsummed.replace(struct.pack("<L", entry.CRC), bytes(4))
write("unsummed.pth", unsummed)
save("big.pth", ok, order=">")
write("big-old.pth", legacy(ok, little=False))
save("views.pth", views())
write("views-old.pth", legacy(views()))
save("parameters.pth", state(kind=Parameter))
write("old-parameters.pth", legacy(state(kind=OldParameter)))
save("typed.pth", state(kind=TypedTensor))
number = Tensor(Storage("F32", [0.75]), ())
moments = {"state": {0: {"exp_avg": Tensor(Storage("F32", [1.0, 2.0]), (2,))}}, "param_groups": [{"lr": 0.1, "nesterov": False}]}
training = {"epoch": 7, "arch": "net", "best": number, "state_dict": ok, "optimizer": moments, "none": None, "big": 2**90}
save("training.pth", training)
write("training-old.pth", legacy(training))
save("two.pth", {"state_dict": ok, "ema": state("F64")})
save("gan.pth", {"generator": ok, "critic": state()})
other = {name: Tensor(Storage("F32", [1.0] * len(v)), s) for name, s, v in tensors}
save("empty-key.pth", {"": other, "model": ok})
save("top-too.pth", {**ok, "model": other, "state_dict": other})
save("hostile.pth", {"\x1b[31mEVIL\nx: error: forged\x7f": other, "model": ok})
save("hostile-name.pth", dict(ok, **{"\x1b[31mEVIL": number}))
save("half.pth", state("F16"))
save("double.pth", state("F64"))

save("module.pth", state(prefix="module."))
save("ema.pth", {"model": state("F16"), "model_ema": {"decay": 0.5, "shadow": state(prefix="_orig_mod.")}})
save("aux.pth", dict(ok, **{"aux1.conv.weight": number, "aux1.conv.bias": number, "head.bias": number}))
save_safetensors("module.safetensors", "module.model.")
save_safetensors("hostile.safetensors", more=[("\x1b[31mEVIL", [], [0.5])])
save_safetensors("double.safetensors", dtype="F64")
save_safetensors("huge.safetensors", dtype="F64", change=("fc.bias", 3, 1e300))

# ---- damaged ones ----
data, storages = pickled(ok)
with open(os.path.join(folder, "zip2.pth"), "rb") as f:
    good = f.read()
old = legacy(ok)
write("cut.pth", good[: len(good) // 2])
write("stub-old.pth", old[:15] + b"\x80\x02M\xe9\x03." + bytes(100))
write("cut-old.pth", old[:-6])
write("more-old.pth", old + b"\0")
write("count-old.pth", legacy(ok, count=lambda s: len(s.values) + (s.key == "2")))
at = good.index(storages[0].bytes())
write("flipped.pth", good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
save_raw("deflated.pth", data, storages, method=zipfile.ZIP_DEFLATED)
save_raw("missing.pth", data, storages[1:])
save_raw("order.pth", data, storages, order="middle")
warnings.simplefilter("ignore")  # of the name that is there twice
save_raw("twice.pth", data, storages, extra=[("archive/data/0", b"other")])
save_raw("two-pickles.pth", data, storages, extra=[("b/data.pkl", b"N.")])
flat = views()
with open(os.path.join(folder, "views.pth"), "rb") as f:
    good = f.read()
at = good.index(next(iter(flat.values())).storage.bytes())
write("flipped-views.pth", good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
many = {str(i): Tensor(Storage("F32", [1.0] * 4096), (4096,)) for i in range(8)}
with zipfile.ZipFile(os.path.join(folder, "overlap.pth"), "w") as z:
    pickle_, copies = pickled(many)
    z.writestr("archive/data.pkl", pickle_)
    z.writestr("archive/data/0", copies[0].bytes())
    for s in copies[1:]:  # all of them at the same place
        z.filelist.append(copy.copy(z.getinfo("archive/data/0")))
        z.filelist[-1].filename = f"archive/data/{s.key}"
short = storages[0].values.pop()
save_raw("short.pth", data, storages)
storages[0].values.append(short)
for name, change in {
    "beyond": dict(offset=1),
    "negative": dict(offset=-1),
    "stride": dict(shape=(2, 2), stride=(2**62, 2**62)),
    "overflow": dict(shape=(2**62, 8), stride=(0, 0)),
    "dims": dict(shape=(1,) * 9),
}.items():
    t = Tensor(Storage("F32", [1.0] * 8), change.get("shape", (8,)), change.get("stride"), change.get("offset", 0))
    save(f"{name}.pth", dict(ok, odd=t))

# ---- hostile ones ----
def bad(path, body, storages=()):
    save_raw(path, b"\x80\x02" + body + b".", storages)


bad("system.pth", b"cos\nsystem\nX\x0c\0\0\0touch pwned!\x85R")
bad("stack-global.pth", b"X\x05\0\0\0posixX\x06\0\0\0system\x93X\x05\0\0\0touch\x85R")
bad("eval.pth", b"}X\x01\0\0\0ac__builtin__\neval\nX\x04\0\0\0None\x85Rs")
bad("inst.pth", b"(S'touch pwned'\nios\nsystem\n")
bad("persistent.pth", b"}X\x01\0\0\0aX\x04\0\0\0fileQs")
bad("extension.pth", b"\x82\x01")
bad("empty.pth", b"}")
bad("underflow.pth", b"0")
bad("no-mark.pth", b"t")
bad("memo.pth", b"h\x07")
bad("memo-far.pth", b"Nr\xff\xff\xff\x7f")
bad("endless.pth", b"X\xff\xff\xff\xffabc")
bad("escape.pth", b"cos\x1b[31m\nsystem\n")
bad("itself.pth", b"}q\0X\x04\0\0\0selfh\0s")
bad("deep.pth", b"}" + b"X\x01\0\0\0a}" * 2000 + b"s" * 2000)
many = b"](" + b"NN\x86" * 4000 + b"eq\0" + b"ccollections\nOrderedDict\nq\x01" + b"h\x00\x85R0h\x01" * 4000
bad("dicts.pth", many)
save_raw("stop.pth", b"\x80\x02}", ())
save_raw("protocol.pth", b"\x80\x09}.", ())
