"""The names that a shared object exports, read from its file: 64-bit ELF, least significant byte first (System V ABI,
chapter 4), which is what rnc makes."""
import struct
from typing import List

from ._abi import Error

_DYNSYM = 11  # SHT_DYNSYM


def exported_functions(path: str) -> List[str]:
    """Names of the functions defined in the object's dynamic symbol table. Error where it is no such object."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        raise Error(f"{path}: {e.strerror}") from None
    if data[:6] != b"\x7fELF\x02\x01":
        raise Error(f"{path}: not a 64-bit ELF shared object, as rnc -o NAME.so writes it")
    try:
        return _functions(data)
    except (struct.error, IndexError, ValueError, UnicodeDecodeError):
        raise Error(f"{path}: truncated, or no shared object") from None


def _functions(data: bytes) -> List[str]:
    table, = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    # sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, ...
    sections = [struct.unpack_from("<IIQQQQI", data, table + i * size) for i in range(count)]
    names = []
    for _, kind, _, _, at, length, link in sections:
        if kind != _DYNSYM:
            continue
        strings = sections[link][4]
        for symbol in range(at, at + length, 24):
            name, info, _, section = struct.unpack_from("<IBBH", data, symbol)
            if section and info & 15 == 2:  # defined here; STT_FUNC
                names.append(data[strings + name:data.index(b"\0", strings + name)].decode())
    return names


def network_names(path: str) -> List[str]:
    """The networks whose functions the object exports: every NAME of NAME_model, NAME_create and NAME_run_rgb."""
    functions = set(exported_functions(path))
    ends = ("_create", "_run", "_run_rgb", "_destroy", "_message", "_arena_size")
    names = (name[:-len("_model")] for name in functions if name.endswith("_model"))
    return sorted(name for name in names if all(name + end in functions for end in ends))
