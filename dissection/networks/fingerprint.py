"""The digest of a network: what it is made of, its weights, its data, and the code that runs it."""

import hashlib
import inspect
import re
import sys
from itertools import chain

import torch
from torch import nn

from dissection.networks.encoding import Encoder

PLAIN = (bool, int, float, str, tuple, type(None))
LIBRARIES = ("torch", "torchvision", "timm")

LASTING_NAMES = {"dissection.networks.sources.mini.SmallResNet": "dissection.mini.SmallResNet"}
"""What a digest calls classes of ours, wherever they move: runs of before still match."""

# What every module has: parts that are digested otherwise, hooks, and modes.
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def digest(module: nn.Module) -> str:
    """Return the SHA-256, in hexadecimal, of a network's architecture, weights, data and code.

    It covers the printed form of the module; name, shape, dtype and bytes of every parameter and
    buffer, but neither device nor memory format; the attributes of every submodule that are data
    (`encoding`); and the source of their classes, of a library's the version. Functions that the
    classes call from elsewhere are not seen: what these do shows in the outputs of a trial
    (`dissection.activations.trial`).
    """
    # Functions print with their address, which changes from process to process.
    sha = hashlib.sha256(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(module)).encode())
    encoder = Encoder()
    for name, part in module.named_modules():
        sha.update(f"\n{name} {_attributes(part)}".encode())
        for attribute, value in _data(part):
            sha.update(f"\n{name} {attribute} ".encode() + encoder.encoded(value))
    for kind in sorted({type(part) for part in module.modules()}, key=_name):
        sha.update(f"\n{_name(kind)} {_code(kind)}".encode())
    tensors = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    for name, tensor in tensors:
        sha.update(f"\n{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        sha.update(flat.numpy().data)
    return sha.hexdigest()


def _attributes(part: nn.Module) -> list[tuple[str, object]]:
    """Return the plain attributes of a module, but whether it is in training mode."""
    return sorted(
        (name, value)
        for name, value in vars(part).items()
        if not name.startswith("_") and name != "training" and _is_plain(value)
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, PLAIN) and (not isinstance(value, tuple) or all(map(_is_plain, value)))


def _data(part: nn.Module) -> list[tuple[str, object]]:
    """Return the other attributes of a module, of classes outside the libraries the hidden too."""
    ours = type(part).__module__.partition(".")[0] not in LIBRARIES
    return sorted(
        (name, value)
        for name, value in vars(part).items()
        if name not in _OF_EVERY_MODULE
        and (not _is_plain(value) or name.startswith("_"))
        and (ours or not name.startswith("_"))
    )


def _name(kind: type) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    return LASTING_NAMES.get(name, name)


def _code(kind: type) -> str:
    """Return the source of a class, or the version of the library it comes from."""
    package = kind.__module__.partition(".")[0]
    if package in LIBRARIES:
        return sys.modules[package].__version__
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return "of unknown source"
