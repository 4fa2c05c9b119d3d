"""Compiled networks, kept by the content of what they were made from.

An entry is a folder KEY-FILES: KEY is the hash of what is known before rnc runs (itself, its options, the C compiler, the
processor, the source, the weights), FILES that of the files which it read besides (imports, external data, librn). It has
net.so, net.rnw and entry.json. It is made under another name and renamed, so any number of processes share the cache.
"""
import hashlib
import json
import os
import shutil
import tempfile
import time
from typing import Any, Dict, List, Optional

LIMIT = 5 * 10**9  # bytes; the entries that were not used for longest go
_ABANDONED = 24 * 3600  # seconds after which an entry that is not finished was left by a process that is no more


def hash_file(path: str) -> str:
    """OSError where it cannot be read."""
    digest = hashlib.blake2b(digest_size=20)
    buffer = bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        for size in iter(lambda: file.readinto(buffer), 0):
            digest.update(memoryview(buffer)[:size])
    return digest.hexdigest()


def hash_values(values: Any) -> str:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=20).hexdigest()


def default_folder() -> str:
    """$XDG_CACHE_HOME/rnc/python, or ~/.cache/rnc/python."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "rnc", "python")


def read_depfile(path: str) -> List[str]:
    """The files that make's rule in `path`, written by rnc -MD, names after its target."""
    with open(path, "rb") as file:
        text = os.fsdecode(file.read())
    words, word, i = [], "", 0
    while i < len(text):
        slashes = len(text) - i - len(text[i:].lstrip("\\"))
        following = text[i + slashes:i + slashes + 1]
        if slashes and following == "\n":  # the rule goes on
            i += slashes + 1
        elif slashes and following and following in " \t#:":  # slashes are doubled before what one escapes
            word += "\\" * (slashes // 2) + following
            i += slashes + 1
        elif slashes:
            word += "\\" * slashes
            i += slashes
        elif text[i] in " \t\n":
            words, word = (words + [word], "") if word else (words, "")
            i += 1
        else:
            i += 2 if text.startswith("$$", i) else 1
            word += text[i - 1]
    words += [word] if word else []
    return words[1:]  # but for "TARGET:"


class Cache:
    def __init__(self, folder: str, key: str, base: str):
        """folder: where entries are; it is made. base: the source's folder, to which its imports are relative, so that a
        copy of the whole finds the same entry. OSError where the folder cannot be written."""
        self._folder, self._key, self._base = folder, key, base
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder}: it cannot be written")

    def find(self) -> Optional[Dict[str, Any]]:
        """An entry whose files are what they were: {"folder", "messages"}, or None."""
        with os.scandir(self._folder) as listed:
            names = [entry.name for entry in listed if entry.name.startswith(self._key + "-")]
        for name in names:
            folder = os.path.join(self._folder, name)
            try:
                with open(os.path.join(folder, "entry.json"), encoding="utf-8") as file:
                    entry = json.load(file)
                if hash_file(os.path.join(folder, "net.so")) != entry["object"]:
                    raise ValueError("not the object that was kept")
                if all(hash_file(os.path.join(self._base, path)) == content for path, content in entry["files"]):
                    os.utime(folder)
                    return {"folder": folder, "messages": entry["messages"]}
            except OSError:  # removed meanwhile, or a file that it was made from is
                continue
            except (ValueError, KeyError, TypeError):
                shutil.rmtree(folder, ignore_errors=True)  # damaged
        return None

    def begin(self) -> str:
        """A folder for rnc to write net.so and net.d into."""
        return tempfile.mkdtemp(prefix="unfinished-", dir=self._folder)

    def keep(self, folder: str, began: float, messages: str) -> str:
        """Makes an entry of a folder of begin; -> where its files are. Where a file that rnc read was changed after
        `began` (time.time()) it stays as it is, and the caller removes it."""
        files = []
        depfile = os.path.join(folder, "net.d")
        for path in read_depfile(depfile):
            if os.stat(path).st_mtime >= began:
                return folder
            path = os.path.realpath(path)
            inside = os.path.commonpath([path, self._base]) == self._base
            files.append([os.path.relpath(path, self._base) if inside else path, hash_file(path)])
        os.unlink(depfile)
        entry = {"files": files, "object": hash_file(os.path.join(folder, "net.so")), "messages": messages}
        with open(os.path.join(folder, "entry.json"), "w", encoding="utf-8") as file:
            json.dump(entry, file)
        kept = os.path.join(self._folder, f"{self._key}-{hash_values(files)}")
        try:
            os.rename(folder, kept)
        except OSError:  # another process was first
            return folder
        self._trim(kept)
        return kept

    def _trim(self, kept: str) -> None:
        """Removes the entries that were not used for longest, above LIMIT bytes, and what killed processes left."""
        entries = []
        for name in os.listdir(self._folder):
            folder = os.path.join(self._folder, name)
            try:
                used = os.stat(folder).st_mtime
                size = sum(os.stat(os.path.join(folder, file)).st_size for file in os.listdir(folder))
            except OSError:
                continue
            if name.startswith("unfinished-"):
                if time.time() - used > _ABANDONED:
                    shutil.rmtree(folder, ignore_errors=True)
            else:
                entries.append((used, size, folder))
        total = sum(size for _, size, _ in entries)
        for _, size, folder in sorted(entries):
            if total > LIMIT and folder != kept:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size
