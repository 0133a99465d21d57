"""Read the weights in a TorchScript archive, the form OpenAI published CLIP in.

`torch.jit.load` would execute the code in the archive, and `torch.load(weights_only=True)` refuses
the form altogether. Its zip members are plain, though: raw storages, and a pickle that says which
attribute of which module is which storage. Here the modules become empty shells and the pickle may
name tensors only, so nothing in the file is executed.
"""

import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dissection.networks.weights.inert import DTYPES, Shell, Unpickler

__all__ = ["is_torchscript", "read"]

_MAX_DEPTH = 32  # modules inside modules; CLIP has seven


def is_torchscript(path: Path) -> bool:
    """Tell whether a file is an archive that `torch.jit.save` wrote."""
    try:
        # it too raises where a file is nearly one
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    # whoever reads it as something else says what is wrong with it
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return False


def read(path: Path) -> dict[str, Tensor]:
    """Read all tensors that are attributes of the archive's modules, under their dotted names.

    Parameters
    ----------
    path
        An archive for which `is_torchscript` holds.

    Returns
    -------
    Tensors on the CPU, of the types in the file (OpenAI's are mostly float16). Beside parameters
    and buffers there may be others, such as OpenAI's `input_resolution`.

    Raises
    ------
    ValueError
        If it is damaged, or names anything but tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            state: dict[str, Tensor] = {}
            _gather(_Shells(archive).load(), "", state, set(), _MAX_DEPTH)
    # Hostile or damaged bytes fail in any way at all; each means that the file is of no use.
    except Exception as error:
        reason = f"{type(error).__name__} {' '.join(str(error).split())[:160]}".rstrip()
        raise ValueError(f"{path} is no TorchScript archive of plain weights: {reason}") from error
    return state


class _Module:
    """Stands for a module, whatever its class; keeps the attributes."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = dict(state)


class _Shells(Unpickler):
    """Unpickle numbers, strings, containers, tensors, and shells of modules."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        (name,) = (n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))
        self._archive, self._root = archive, name.removesuffix("data.pkl")
        super().__init__(io.BytesIO(self._stored(name)))

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__."):
            return _Module
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        # lists of numbers and the like, which no weight is
        return type("Shell", (Shell,), {})

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _location, count = pid
        if kind != "storage":
            raise pickle.UnpicklingError("a reference names no storage")
        if not count:
            return torch.empty(0, dtype=dtype)
        data = bytearray(self._stored(f"{self._root}data/{int(key)}"))
        return torch.frombuffer(data, dtype=dtype, count=count)

    def _stored(self, name: str) -> bytes:
        """Return a member, which torch never compresses: compressed it could claim any size."""
        member = self._archive.getinfo(name)
        if member.compress_type != zipfile.ZIP_STORED:
            raise pickle.UnpicklingError(f"{name} is no plain storage")
        return self._archive.read(member)


def _view(flat: Tensor, offset: int, size: tuple, stride: tuple, *_flags: object) -> Tensor:
    """Do what `torch._utils._rebuild_tensor_v2` does, on a flat tensor."""
    # a view that repeats numbers could claim any size
    if math.prod(size) > max(1, flat.numel()):
        raise ValueError(f"a tensor of shape {size} lies beyond its {flat.numel()} numbers")
    return flat.as_strided(size, stride, offset)


def _gather(part: Any, prefix: str, state: dict[str, Tensor], seen: set[int], depth: int) -> None:
    """Collect the tensors of a module and the modules inside it."""
    if not isinstance(part, _Module) or not depth:
        raise ValueError("its modules are not nested as in a network")
    for name, value in part.attributes.items():
        if isinstance(value, Tensor):
            state[prefix + name] = value
        elif isinstance(value, _Module) and id(value) not in seen:
            seen.add(id(value))
            _gather(value, f"{prefix}{name}.", state, seen, depth - 1)
