"""Read weight files of every published form, without executing anything in them.

Forms: safetensors, torch's zip and legacy formats, and the tar serialisation torch wrote before
0.1.10. Reading gives a plain state dict with today's names; loading is strict and says in one line
what does not fit. Nothing here downloads or builds networks.
"""

import io
import pickle
import re
import struct
import tarfile
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

__all__ = ["current_name", "load_into", "read"]

# Where training scripts put the state dict, in order of preference.
_STATE_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "state_dict_ema", "ema")
_DATA_PARALLEL = re.compile(r"(^|\.)(?:module\.)+")
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
_SAVE_HINT = "save its weights alone with torch.save(network.state_dict(), FILE)"


def read(path: str | Path) -> dict[str, Tensor]:
    """Read the state dict of a weight file, onto the CPU.

    The state dict may lie beside other entries: under `state_dict`, `model` and the like, or as
    the only dict of tensors there is. Names are brought to their present form (`current_name`).

    Parameters
    ----------
    path
        A safetensors file, or what `torch.save` wrote in any of its formats.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it would execute code, is a pickled network, is damaged, or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weight file {path}")
    try:
        content = _parse(path)
    # Hostile or damaged bytes fail in any way at all; each means that the file is of no use.
    except Exception as error:
        raise ValueError(_complaint(path, error)) from error
    state = _state_in(content)
    if state is None:
        raise ValueError(f"{path} holds no state dict but {_outline(content)}; {_SAVE_HINT}")
    return _renamed(state)


def current_name(name: str) -> str:
    """Return a state-dict name as networks built today spell it.

    Strips the `module.` that DataParallel leaves, also inside (AlexNet and VGG are often wrapped
    only in `features`), and joins the halves of DenseNet's old names.

    Examples
    --------
    >>> current_name("features.module.0.weight")
    'features.0.weight'
    >>> current_name("module.features.denseblock1.denselayer2.norm.1.bias")
    'features.denseblock1.denselayer2.norm1.bias'
    """
    return _OLD_DENSENET.sub(r"\1\2.", _DATA_PARALLEL.sub(r"\1", name))


def load_into(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Load a state dict into a network; every entry must have its place and its shape.

    Parameters
    ----------
    module
        Changed in place.
    state
        As `read` returns it.
    source
        The file, for messages.

    Raises
    ------
    ValueError
        Naming the first entry that has another shape, is missing or is unexpected, and how many
        more there are. The network is unchanged if shapes differ.
    """
    own = module.state_dict()
    state = _matched(state, own)
    differing = [name for name in own if name in state and own[name].shape != state[name].shape]
    if differing:
        name = differing[0]
        raise ValueError(
            f"{source}: {name} has shape {tuple(state[name].shape)}, the network wants "
            f"{tuple(own[name].shape)}{_more(differing)}; pass weights of the same architecture"
        )
    try:
        missing, unexpected = module.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{source} does not load: {' '.join(str(error).split())}") from error
    faults = [f"lacks {missing[0]}{_more(missing)}"] if missing else []
    faults += [f"has unexpected {unexpected[0]}{_more(unexpected)}"] if unexpected else []
    if faults:
        raise ValueError(f"{source} {' and '.join(faults)}; pass weights of the same architecture")


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _matched(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Spell names as the network does, and fill in what old and plain files lack."""
    # A network may have a child called `module` itself, so both sides meet in the present form.
    spelt = {current_name(name): name for name in own} | {name: name for name in own}
    matched = OrderedDict(
        (spelt.get(k) or spelt.get(current_name(k), k), v) for k, v in state.items()
    )
    for name in own:
        # torch before 0.4.1 had no such counter, and eval mode never reads it.
        if name.endswith("num_batches_tracked"):
            matched.setdefault(name, own[name])
    metadata = getattr(state, "_metadata", None)
    if metadata is None and matched.keys() == own.keys():
        # Nothing needs upgrading, but some networks (MNASNet) insist on being told a version.
        metadata = getattr(own, "_metadata", None)
    matched.__dict__["_metadata"] = metadata
    return matched


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the names to their present form, unless two would become one."""
    renamed = OrderedDict((current_name(name), tensor) for name, tensor in state.items())
    if len(renamed) < len(state):
        renamed = OrderedDict(state)
    # Layer versions, which let a network upgrade old entries; keyed by the names of layers.
    versions = getattr(state, "_metadata", None)
    if versions is not None:
        renamed.__dict__["_metadata"] = {current_name(k + ".")[:-1]: v for k, v in versions.items()}
    return renamed


def _state_in(content: Any, depth: int = 3) -> Mapping[str, Tensor] | None:
    """Return the state dict in what a file held, or None."""
    if not isinstance(content, Mapping) or not depth:
        return None
    if _is_state(content):
        return content
    for key in _STATE_KEYS:
        state = _state_in(content.get(key), depth - 1)
        if state is not None:
            return state
    inside = [value for value in content.values() if _is_state(value)]
    return inside[0] if len(inside) == 1 else None


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())
    )


def _outline(content: Any) -> str:
    """Say in a few words what a file held instead of a state dict."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [str(key) for key in list(content)[:6]]
    return f"entries {', '.join(keys)}{', ...' if len(content) > 6 else ''}" if keys else "nothing"


def _complaint(path: Path, error: Exception) -> str:
    """Say in one line why a file is refused."""
    forbidden = re.search(r"GLOBAL (\S+)", str(error))
    if forbidden:
        return (
            f"{path} is refused: beside tensors it holds objects ({forbidden[1]}) and reading it "
            f"could execute code; load it where you trust it and {_SAVE_HINT}"
        )
    reason = f"{type(error).__name__} {' '.join(str(error).split())[:160]}".rstrip()
    return f"{path} is not a weight file that can be read, or it is damaged or cut off: {reason}"


def _parse(path: Path) -> Any:
    """Return the content of a file of any form."""
    with path.open("rb") as file:
        head = file.read(9)
    if not head:
        raise ValueError("the file is empty")
    # safetensors begins with the length of its JSON header in eight bytes.
    if head[8:] == b"{":
        return load_file(path)
    try:
        archive = tarfile.open(path, "r:")
    except tarfile.ReadError:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol|.*TorchScript", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    with archive:
        return _parse_tar(archive)


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


def _parse_tar(archive: tarfile.TarFile) -> Any:
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


class _TarUnpickler(pickle.Unpickler):
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
