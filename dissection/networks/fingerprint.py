"""The digest of a network: what it is made of, its weights, and the code that runs it."""

import hashlib
import inspect
import re
import sys
from itertools import chain

import torch
from torch import nn

PLAIN = (bool, int, float, str, tuple, type(None))
LIBRARIES = ("torch", "torchvision", "timm")

LASTING_NAMES = {"dissection.networks.mini.SmallResNet": "dissection.mini.SmallResNet"}
"""What a digest calls classes of ours, wherever they move: runs of before still match."""


def digest(module: nn.Module) -> str:
    """Return the SHA-256, in hexadecimal, of a network's architecture, weights and code.

    It covers the printed form of the module; name, shape, dtype and bytes of every parameter and
    buffer, but neither device nor memory format; the plain attributes of every submodule; and the
    source of their classes, of a library's the version. Functions that the classes call from
    elsewhere are not seen.
    """
    # Functions print with their address, which changes from process to process.
    sha = hashlib.sha256(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(module)).encode())
    for name, part in module.named_modules():
        sha.update(f"\n{name} {_attributes(part)}".encode())
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
        if not name.startswith("_") and name != "training" and isinstance(value, PLAIN)
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
