"""Encode what a module may have for attributes as bytes: equal data, in any process, equal bytes.

Lists, mappings, sets, arrays, tensors, dataclasses and objects of configuration count by their
content, functions by their code, anything else by its class.
"""

import enum
import functools
import pathlib
import re
import types
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Encoder"]

# Objects inside objects, as configurations have them; what lies deeper counts by its class.
_MAX_OBJECTS = 4
_MAX_DEPTH = 50

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Their text says all there is to say.
_SPOKEN = (torch.dtype, torch.memory_format, torch.Size, re.Pattern, pathlib.PurePath, range, slice)


class Encoder:
    """Encode values, each object once: what comes again, or contains itself, is a number."""

    def __init__(self) -> None:
        # the objects are kept, so that no other takes the place of one in memory
        self._seen: dict[int, tuple[int, object]] = {}
        self._depth = self._objects = 0

    def encoded(self, value: Any) -> bytes:
        """Return a value as bytes."""
        if isinstance(value, enum.Enum):
            return _framed("enum", str(value).encode())
        if isinstance(value, _PLAIN):
            return _framed(type(value).__name__, repr(value).encode())
        if isinstance(value, _SPOKEN):
            return _framed("text", str(value).encode())
        if id(value) in self._seen:
            return _framed("again", str(self._seen[id(value)][0]).encode())
        self._seen[id(value)] = len(self._seen), value
        if self._depth == _MAX_DEPTH:
            return _framed(_kind(value), b"")
        self._depth += 1
        try:
            return _framed(_kind(value), self._content(value))
        finally:
            self._depth -= 1

    def _content(self, value: Any) -> bytes:
        if isinstance(value, Tensor):
            return _tensor(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, Mapping):
            return b"".join(self.encoded(one) for item in value.items() for one in item)
        if isinstance(value, list | tuple):
            return b"".join(map(self.encoded, value))
        if isinstance(value, Set):
            # in no order, so what comes again inside cannot be a number
            return b"".join(sorted(Encoder().encoded(one) for one in value))
        if isinstance(value, functools.partial):
            return b"".join(map(self.encoded, (value.func, value.args, value.keywords)))
        if isinstance(value, types.MethodType):
            return self.encoded(value.__func__)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type | types.BuiltinFunctionType):
            return f"{value.__module__}.{value.__qualname__}".encode()
        return self._object(value)

    def _array(self, value: np.ndarray) -> bytes:
        """Encode an array; of objects, its elements."""
        head = f"{value.dtype.str} {value.shape} ".encode()
        if value.dtype.hasobject:
            return head + b"".join(map(self.encoded, value.reshape(-1).tolist()))
        return head + np.ascontiguousarray(value).tobytes()

    def _function(self, value: types.FunctionType) -> bytes:
        """Encode a function: its name, code, defaults, and what it closes over."""
        cells = []
        for cell in value.__closure__ or ():
            try:
                cells.append(cell.cell_contents)
            except ValueError:
                # not filled yet
                cells.append(None)
        inside = [one for one in value.__code__.co_consts if isinstance(one, types.CodeType)]
        constants = [one for one in value.__code__.co_consts if isinstance(one, _PLAIN)]
        code = [one.co_code for one in (value.__code__, *inside)]
        parts = (value.__module__, value.__qualname__, code, constants, value.__defaults__, cells)
        return b"".join(map(self.encoded, parts))

    def _object(self, value: Any) -> bytes:
        """Encode an object by its attributes that are not hidden, a module by its weights too."""
        if self._objects == _MAX_OBJECTS:
            return b""
        self._objects += 1
        try:
            if isinstance(value, nn.Module):
                printed = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
                return b"".join(map(self.encoded, (printed, value.state_dict(), _open(value))))
            return self.encoded(_open(value))
        finally:
            self._objects -= 1


def _open(value: object) -> dict[str, object]:
    """Return the attributes of an object that are not hidden, those of slots too."""
    slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
    names = dict.fromkeys([*slots, *getattr(value, "__dict__", ())])
    missing = object()
    found = {name: getattr(value, name, missing) for name in names if not name.startswith("_")}
    return {name: one for name, one in found.items() if one is not missing}


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _tensor(value: Tensor) -> bytes:
    """Encode a tensor, but for where it is."""
    head = f"{tuple(value.shape)} {value.dtype} ".encode()
    if value.layout != torch.strided or value.is_meta:
        return head + str(value.layout).encode()
    flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return head + flat.numpy().tobytes()


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _framed(kind: str, content: bytes) -> bytes:
    """Return content so that no two sequences of values have the same bytes."""
    return f"{kind} {len(content)}:".encode() + content
