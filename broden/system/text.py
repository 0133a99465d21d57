"""Short texts for people: nearest names, one-line errors, aligned columns."""

import difflib
from collections.abc import Sequence


def one_line(error: BaseException) -> str:
    """Return kind and text of an error without line breaks, for use inside a message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def nearest(name: str, candidates: Sequence[str]) -> str:
    """Return a phrase naming the candidates most like a name; empty if none is like it.

    Examples
    --------
    >>> nearest("layer5", ["conv1", "layer1", "fc"])
    ', nearest: layer1'
    """
    near = difflib.get_close_matches(name, candidates, n=4, cutoff=0.5)
    return f", nearest: {', '.join(near)}" if near else ""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, their columns aligned.

    Examples
    --------
    >>> aligned([("layer", "n"), ("fc", "10")])
    ['layer  n', 'fc     10']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
