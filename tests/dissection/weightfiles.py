"""Write weight files as they were published, in forms that torch itself no longer writes.

Python 2 pickled `str` as bytes and an OrderedDict as a list of lists; torch stored tensors by
reference, in one file (legacy) or as three members of a tar archive.
"""

import io
import os
import pickle
import struct
import tarfile
from collections import OrderedDict
from pathlib import Path

import torch

VIEW_KEYS, TENSOR_KEYS = 1_000_000, 2_000_000
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {
    torch.float32: "FloatStorage",
    torch.int64: "LongStorage",
    torch.float64: "DoubleStorage",
}
TENSORS = {torch.float32: "FloatTensor", torch.int64: "LongTensor", torch.float64: "DoubleTensor"}


def stored(number: int) -> "Reference":
    """Return a reference to the n-th tensor of a tar archive; keys were addresses."""
    return Reference(str(TENSOR_KEYS + number))


class Global:
    """A name in a module, pickled without being looked up."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """A call, pickled without being made."""

    def __init__(self, function: Global, *args: object) -> None:
        self.function, self.args = function, args


class Reference:
    """Something pickled as a persistent id."""

    def __init__(self, key: object) -> None:
        self.key = key


class Python2Pickler(pickle._Pickler):
    """Write protocol 2 as Python 2 did."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file: io.IOBase) -> None:
        super().__init__(file, protocol=2)

    def persistent_id(self, obj: object) -> object:
        return obj.key if isinstance(obj, Reference) else None

    def save_str(self, obj: str) -> None:
        data = obj.encode("latin1")
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(obj)

    def save_global_name(self, obj: Global) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    def save_call(self, obj: Call) -> None:
        self.save(obj.function)
        self.save(obj.args)
        self.write(pickle.REDUCE)

    def save_ordered(self, obj: OrderedDict) -> None:
        self.save(Call(Global("collections", "OrderedDict"), [[k, v] for k, v in obj.items()]))

    dispatch[str] = save_str
    dispatch[Global] = save_global_name
    dispatch[Call] = save_call
    dispatch[OrderedDict] = save_ordered


def pickled(obj: object) -> bytes:
    """Return one Python 2 pickle."""
    file = io.BytesIO()
    Python2Pickler(file).dump(obj)
    return file.getvalue()


def raw(tensor: torch.Tensor) -> bytes:
    """Return the count of a storage and its bytes."""
    return struct.pack("<q", tensor.numel()) + tensor.contiguous().numpy().tobytes()


def write_legacy(path: Path, state: dict[str, torch.Tensor], **beside: object) -> Path:
    """Write the form of the Places365 files: torch 0.2 under Python 2, on a GPU."""
    rebuild, entries = Global("torch._utils", "_rebuild_tensor"), OrderedDict()
    for key, (name, tensor) in enumerate(state.items()):
        storage = Global("torch.cuda", STORAGES[tensor.dtype])
        pid = ("storage", storage, str(key), "cuda:0", tensor.numel(), None)
        size, stride = tuple(tensor.shape), tensor.contiguous().stride()
        entries[name] = Call(rebuild, Reference(pid), 0, size, stride)
    system = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}
    content = {**beside, "state_dict": entries} if beside else entries
    parts = [pickled(part) for part in (MAGIC, PROTOCOL, system, content)]
    parts.append(pickled([str(key) for key in range(len(state))]))
    path.write_bytes(b"".join(parts) + b"".join(raw(tensor) for tensor in state.values()))
    return path


def write_tar(path: Path, state: dict[str, torch.Tensor], **beside: object) -> Path:
    """Write torch's first form."""
    entries = OrderedDict((name, stored(k)) for k, name in enumerate(state))
    content = {**beside, "state_dict": entries} if beside else entries
    return write_members(path, *tensor_members(list(state.values())), pickled(content))


def tensor_members(tensors: list[torch.Tensor]) -> tuple[bytes, bytes]:
    """Return the members `storages` and `tensors`, every tensor within a view of its storage."""
    storages, views, described = pickled(len(tensors)), [], pickled(len(tensors))
    for k, values in enumerate(tensors):
        kind = Global("torch", STORAGES[values.dtype])
        padded = torch.cat([torch.full((2,), -7).to(values), values.reshape(-1)])
        storages += pickled((k, "cpu", kind)) + raw(padded)
        views.append((VIEW_KEYS + k, k, 1, values.numel() + 1))
        # They begin at the second element of the view, which begins at the storage's second.
        described += pickled(
            (TENSOR_KEYS + k, VIEW_KEYS + k, Global("torch", TENSORS[values.dtype]))
        )
        described += struct.pack("<i4x", values.ndim)
        described += struct.pack(f"<{values.ndim}q", *values.shape)
        described += struct.pack(f"<{values.ndim}q", *values.contiguous().stride())
        described += struct.pack("<q", 1)
    return storages + pickled(views), described


def write_members(path: Path, storages: bytes, tensors: bytes, content: bytes) -> Path:
    """Write the three members of a tar archive."""
    with tarfile.open(path, "w") as archive:
        for name, data in (("storages", storages), ("tensors", tensors), ("pickle", content)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


class Harmful:
    """Unpickling this would make a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def harmful(path: Path) -> Call:
    """Return the same for the Python 2 pickler."""
    return Call(Global("os", "mkdir"), str(path))
