"""Read the tensors in a pickle of torch's, whatever else is in it, without executing anything.

Checkpoints hold, beside weights, the options of a training script, counters of numpy, paths, whole
objects. `torch.load` then refuses the file or executes it. Here every name in a pickle that is no
tensor's becomes an empty shell: no class is looked up, so nothing can run. Storages are read by
their place in the file, and no size is believed that the file does not have.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

__all__ = ["DTYPES", "Shell", "Unpickler", "read"]

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class Unpickler(pickle._Unpickler):
    """An unpickler in Python: the one in C takes memory for numbers that a file only names.

    Whoever derives from it says in `find_class` what each name stands for.
    """

    dispatch: ClassVar[dict] = {
        code: act
        for code, act in pickle._Unpickler.dispatch.items()
        # arrays of a declared length, and what other code registered
        if code not in (pickle.BYTEARRAY8[0], pickle.EXT1[0], pickle.EXT2[0], pickle.EXT4[0])
    }


class Shell:
    """Stands for an object of any class, and takes whatever is done to it."""

    def __new__(cls, *_args: object, **_named: object) -> "Shell":
        """Make one, of whatever."""
        return object.__new__(cls)

    def __init__(self, *_args: object, **_named: object) -> None:
        pass

    def __call__(self, *_args: object, **_named: object) -> "Shell":
        """Return another."""
        return Shell()

    def __setstate__(self, _state: object) -> None:
        pass

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def __hash__(self) -> int:
        return id(self)

    def append(self, _value: object) -> None:
        """Do nothing."""

    def extend(self, _values: object) -> None:
        """Do nothing."""

    add = update = append


class _Storage:
    """Numbers somewhere in the file; read when it is known where."""

    def __init__(self, dtype: torch.dtype, count: int) -> None:
        self.dtype, self.count = dtype, count
        self.load: Callable[[], bytes] = bytes
        self._flat: Tensor | None = None

    def flat(self) -> Tensor:
        """Return the numbers, (count,)."""
        if self._flat is None:
            data = self.load()
            if len(data) != self.count * self.dtype.itemsize:
                raise EOFError(f"{self.count} numbers were saved, {len(data)} bytes are there")
            self._flat = torch.empty(0, dtype=self.dtype)
            if data:
                self._flat = torch.frombuffer(bytearray(data), dtype=self.dtype)
        return self._flat


class _View(Shell):
    """A tensor: a view of a storage."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *_flags: object) -> None:
        self._storage, self._place = storage, (offset, tuple(size), tuple(stride))

    def tensor(self) -> Tensor:
        """Return the tensor.

        Raises
        ------
        ValueError
            If it claims more than its storage holds.
        """
        offset, size, stride = self._place
        if not isinstance(self._storage, _Storage):
            raise ValueError("a tensor has no storage")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        count = self._storage.count
        # a view may repeat numbers, but none is larger than what it views
        if math.prod(size) > max(1, count) or min((offset, *size, *stride)) < 0:
            raise ValueError(f"a tensor of shape {size} lies beyond its {count} numbers")
        if math.prod(size) and last >= count:
            raise ValueError(f"a tensor of shape {size} lies beyond its {count} numbers")
        return self._storage.flat().as_strided(size, stride, offset)


class _Inert(Unpickler):
    """Unpickle numbers, strings, containers and tensors; the rest become shells."""

    def __init__(self, file: io.BufferedIOBase, storage: Callable[[Any], _Storage]) -> None:
        # Python 2 wrote some; latin-1 decodes any of its strings
        super().__init__(file, encoding="latin1")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for; fresh each time, so that nothing done to it stays."""
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module == "collections" and name == "defaultdict":
            return lambda *_factory: OrderedDict()
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return type("_View", (_View,), {})
        if module == "torch._utils" and name in (
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
        ):
            return lambda data, *_more: data
        if module == "torch" and name == "Size":
            return lambda sizes=(): tuple(sizes)
        if module in ("torch", "torch.cuda") and name in DTYPES:
            return DTYPES[name]
        return type("Shell", (Shell,), {})

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage that a reference names."""
        return self._storage(pid)


def read(path: Path) -> Any:
    """Return the content of a file of torch's zip or legacy form; shells in place of objects.

    Parameters
    ----------
    path
        What `torch.save` wrote.

    Raises
    ------
    Exception
        Of any kind, if it is no such file or damaged.
    """
    if zipfile.is_zipfile(path):
        return _opened(_read_zip(path))
    with path.open("rb") as file:
        return _opened(_read_legacy(file))


def _opened(content: Any, depth: int = 4) -> Any:
    """Return content with its tensors, as deep as a state dict may lie."""
    if isinstance(content, _View):
        return content.tensor()
    if isinstance(content, dict) and depth:
        opened = type(content)((key, _opened(value, depth - 1)) for key, value in content.items())
        if isinstance(content, OrderedDict) and "_metadata" in vars(content):
            opened.__dict__["_metadata"] = vars(content)["_metadata"]
        return opened
    return content


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        (name,) = (n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))
        root = name.removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}

        def storage(pid: Any) -> _Storage:
            kind, dtype, key, _location, count = pid
            key = f"{root}data/{int(key)}"
            if kind != "storage" or not isinstance(dtype, torch.dtype):
                raise ValueError("a reference names no storage")
            if key not in storages:
                made = storages[key] = _Storage(dtype, int(count))
                made.load = lambda: _member(path, key)
            return storages[key]

        return _Inert(io.BytesIO(_member(path, name)), storage).load()


def _member(path: Path, name: str) -> bytes:
    """Return a member, which torch never compresses: compressed it could claim any size."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed")
        return archive.read(entry)


def _read_legacy(file: io.BufferedReader) -> Any:
    storages: dict[Any, _Storage] = {}

    def storage(pid: Any) -> _Storage:
        kind, dtype, key, _location, count, view = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or view is not None:
            raise ValueError("a reference names no storage")
        return storages.setdefault(key, _Storage(dtype, int(count)))

    def none(_pid: Any) -> _Storage:
        raise ValueError("a reference stands where none may")

    if _Inert(file, none).load() != _LEGACY_MAGIC:
        raise ValueError("no file that torch.save wrote")
    _protocol, _system = _Inert(file, none).load(), _Inert(file, none).load()
    content = _Inert(file, storage).load()
    for key in _Inert(file, none).load():
        (count,) = struct.unpack("<q", file.read(8))
        made = storages[key]
        if count != made.count:
            raise ValueError(f"{made.count} numbers were saved, {count} are there")
        data = file.read(count * made.dtype.itemsize)
        made.load = lambda data=data: data  # type: ignore[misc]
        made.flat()
    return content
