"""Read the tar serialisation that torch wrote before 0.1.10, without executing anything."""

import io
import pickle
import struct
import tarfile
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from dissection.networks.weights.inert import Unpickler

__all__ = ["parse"]

# What the tar form may name. They stand for dtypes; no class is ever looked up.
_TAR_DTYPES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
}
_TAR_NAMES = {
    f"{package}.{prefix}{kind}": dtype
    for package in ("torch", "torch.cuda")
    for prefix, dtype in _TAR_DTYPES.items()
    for kind in ("Storage", "Tensor")
}


def parse(archive: tarfile.TarFile) -> Any:
    """Return the content of torch's tar form: members storages, tensors and pickle.

    Same layout as `legacy_load` in torch/serialization.py, which cannot be told not to execute
    code; here the members are read where they lie, and pickles may name tensor types only.
    """
    objects: dict[int, Tensor] = {}
    _read_storages(_member(archive, "storages"), objects)
    _read_tensors(_member(archive, "tensors"), objects)
    return _TarUnpickler(_member(archive, "pickle"), objects).load()


def _member(archive: tarfile.TarFile, name: str) -> io.BytesIO:
    member = archive.getmember(name)
    # A sparse member can claim any size; torch never wrote one.
    plain = member.isreg() and not member.issparse()
    file = archive.extractfile(member) if plain else None
    if file is None:
        raise ValueError(f"{name} in the archive is no plain file")
    content = file.read()
    if len(content) < member.size:
        raise EOFError(f"{name} in the archive is cut off")
    return io.BytesIO(content)


class _TarUnpickler(Unpickler):
    """Unpickle numbers, strings, containers and references to tensors already read."""

    def __init__(self, file: io.BytesIO, objects: dict[int, Tensor]) -> None:
        # Python 2 wrote these files; latin-1 decodes any of its strings.
        super().__init__(file, encoding="latin1")
        self._objects = objects

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if f"{module}.{name}" in _TAR_NAMES:
            return _TAR_NAMES[f"{module}.{name}"]
        raise pickle.UnpicklingError(f"GLOBAL {module}.{name} is not allowed")

    def persistent_load(self, pid: Any) -> Tensor:
        return self._objects[int(pid)]


def _read_storages(file: io.BytesIO, objects: dict[int, Tensor]) -> None:
    """Read every storage as a flat tensor, then the views that some are of others."""
    content = file.getbuffer()
    for _ in range(_TarUnpickler(file, objects).load()):
        key, _location, dtype = _TarUnpickler(file, objects).load()
        (count,) = struct.unpack("<q", file.read(8))
        objects[key] = torch.empty(0, dtype=dtype)
        if count:
            flat = torch.frombuffer(content, dtype=dtype, count=count, offset=file.tell())
            objects[key] = flat.clone()
            file.seek(flat.nbytes, io.SEEK_CUR)
    for key, root, offset, count in _TarUnpickler(file, objects).load():
        objects[key] = objects[root][offset : offset + count]


def _read_tensors(file: io.BytesIO, objects: dict[int, Tensor]) -> None:
    """Read the shape of every tensor, a view of its storage."""
    for _ in range(_TarUnpickler(file, objects).load()):
        key, storage, _kind = _TarUnpickler(file, objects).load()
        # The number of axes takes four bytes, and four more hold nothing.
        (axes,) = struct.unpack("<i4x", file.read(8))
        numbers = struct.unpack(f"<{2 * axes + 1}q", file.read(8 * (2 * axes + 1)))
        flat = objects[storage]
        size, stride, offset = numbers[:axes], numbers[axes:-1], numbers[-1]
        objects[key] = flat.as_strided(size, stride, flat.storage_offset() + offset)
