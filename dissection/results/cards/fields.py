"""JSON that another may have written: read whole, and its fields of the types they should have."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from broden.system.files import regular_file

__all__ = ["BOOL", "MAPPING", "TEXT", "Kind", "check", "need", "number", "read_json", "whole"]

MOST_BYTES = 1 << 28
"""Of a JSON file; ours are a few thousand."""
MOST_DEPTH = 32
_MOST_DIGITS = 40
_MOST_WHOLE = 2**63 - 1


class Kind(NamedTuple):
    """What the value of a field may be."""

    words: str
    """For messages."""
    holds: Callable[[Any], bool]

    def or_nothing(self) -> "Kind":
        """Return the kind of which there may be null instead."""
        return Kind(f"{self.words} or null", lambda value: value is None or self.holds(value))


def whole(least: int, most: int = _MOST_WHOLE) -> Kind:
    """Return the kind of whole numbers from one to another."""
    return Kind(
        f"a whole number of at least {least}",
        lambda value: type(value) is int and least <= value <= most,
    )


def number(least: float = -math.inf, most: float = math.inf) -> Kind:
    """Return the kind of finite numbers from one to another."""
    words = "a number" if math.isinf(least) else f"a number from {least:g} to {most:g}"
    return Kind(words, lambda value: type(value) in (int, float) and least <= value <= most)


TEXT = Kind("text", lambda value: isinstance(value, str))
BOOL = Kind("true or false", lambda value: isinstance(value, bool))
MAPPING = Kind("an object with fields", lambda value: isinstance(value, dict))


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Numbers in it are finite, text can be encoded, no field is there twice, and it is not deeper
    than 32 levels.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for messages.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is anything else; the reason is all that the message says.
    """
    size = regular_file(path, what).stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size} bytes, at most {MOST_BYTES} are allowed")
    try:
        content = json.loads(
            path.read_bytes().decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_short_whole,
        )
    except RecursionError:
        raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep") from None
    if not isinstance(content, dict):
        raise ValueError(f"it holds {_shown(content)}, not an object with fields")
    _check_values(content)
    return content


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {_shown(twice)} is there twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no finite number")
    return value


def _short_whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _check_values(content: dict[str, Any]) -> None:
    """Refuse what is nested too deeply, and text that cannot be written again."""
    left: list[tuple[Any, int]] = [(content, 1)]
    while left:
        value, depth = left.pop()
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")
        if isinstance(value, dict):
            left += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            left += [(part, depth + 1) for part in value]
        elif isinstance(value, str) and not value.isascii():
            # half of a pair of surrogates
            value.encode()


def check(content: Mapping[str, Any], fields: Mapping[str, Kind], where: str) -> None:
    """Refuse fields that are there and are not what they should be.

    Parameters
    ----------
    content : mapping
        From `read_json`.
    fields : mapping of str to Kind
        By their names from the top, joined by dots, ``*`` standing for all names or places; what
        holds others before these.
    where : str
        The file, for messages.

    Raises
    ------
    ValueError
        If one is another.
    """
    for pattern, kind in fields.items():
        for place, value in _found(content, pattern.split(".")):
            if not kind.holds(value):
                raise ValueError(f"{where}: {place} is {_shown(value)}, expected {kind.words}")


def need(content: Mapping[str, Any], patterns: Iterable[str], where: str) -> None:
    """Refuse content that lacks a field.

    Parameters
    ----------
    content, where
        As in `check`, which passed.
    patterns : iterable of str
        Names as in `check`.

    Raises
    ------
    ValueError
        If it does.
    """
    for pattern in patterns:
        above, _, last = pattern.rpartition(".")
        found = list(_found(content, above.split("."))) if above else [("", content)]
        if not found and "*" not in above:
            raise ValueError(f"{where} lacks {pattern}")
        for place, value in found:
            if last != "*" and last not in value:
                raise ValueError(f"{where} lacks {place}{'.' if place else ''}{last}")


def _found(content: Any, parts: Sequence[str], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield place and value of every field that a name stands for."""
    if not parts:
        yield above, content
        return
    if isinstance(content, list) and parts[0] == "*":
        content = dict(enumerate(content, 1))
    if not isinstance(content, dict):
        return
    names = list(content) if parts[0] == "*" else [name for name in parts[:1] if name in content]
    for name in names:
        yield from _found(content[name], parts[1:], f"{above}.{name}" if above else str(name))


def _shown(value: object) -> str:
    """Return a value in few letters."""
    if isinstance(value, dict | list) and value:
        return "a list" if isinstance(value, list) else "an object with fields"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:40]}..."
