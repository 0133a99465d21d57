"""What a module returns: one tensor, or several that are called by their keys, fields or places."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

__all__ = ["parts"]

# Networks return features inside a list inside a mapping; what lies deeper is no output of a layer.
_MAX_DEPTH = 6
_MAX_PARTS = 1000


def parts(output: Any) -> dict[str, Any]:
    """Return what a module returned by name, None left out.

    A tensor alone is called ``""``. Of containers the tensors count; where there are none, whatever
    there is.

    Parameters
    ----------
    output
        A tensor, or tuples, lists, mappings and dataclasses of them, however nested: names of what
        lies deeper are joined by dots.

    Examples
    --------
    >>> import torch
    >>> low, high = torch.zeros(1), torch.ones(1)
    >>> list(parts({"low": low, "rest": (None, high)}))
    ['low', 'rest.1']
    """
    found: dict[str, Any] = {}
    for name, value in _leaves(output, "", _MAX_DEPTH):
        if len(found) >= _MAX_PARTS:
            break
        found[name] = value
    tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    return tensors or found


def _leaves(output: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    inside = _inside(output)
    if inside is None or not depth:
        if output is not None:
            yield name, output
        return
    for key, value in inside.items():
        yield from _leaves(value, f"{name}.{key}" if name else str(key), depth - 1)


def _inside(output: Any) -> dict[Any, Any] | None:
    """Return what a container holds by key; None for what is no container."""
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, tuple | list):
        return dict(zip(getattr(output, "_fields", range(len(output))), output, strict=True))
    if is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in fields(output)}
    return None
