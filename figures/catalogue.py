"""All figures by name, in the order of a report."""

from collections.abc import Collection, Iterator

from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.kinds import (
    agreement,
    bargraph,
    chance,
    concepts,
    depth,
    disagreements,
    distinct,
    distribution,
    intervals,
    only,
    rotated,
    sensitivity,
    sheet,
    thresholds,
)
from figures.kinds.networks import networks, shared
from figures.options import Options

__all__ = ["FIGURES", "drawings"]

FIGURES = {
    "concepts": concepts,
    "distinct": distinct,
    "depth": depth,
    "bargraph": bargraph,
    "only": only,
    "shared": shared,
    "networks": networks,
    "sheet": sheet,
    "distribution": distribution,
    "sensitivity": sensitivity,
    "chance": chance,
    "intervals": intervals,
    "thresholds": thresholds,
    "rotated": rotated,
    "agreement": agreement,
    "disagreements": disagreements,
}
"""The module of each kind of figure."""


def drawings(
    inputs: Inputs, options: Options, kinds: Collection[str] = tuple(FIGURES)
) -> Iterator[Drawing | str]:
    """Yield the figures that can be drawn, and why others cannot, a line each.

    Parameters
    ----------
    inputs : Inputs
        What to draw from.
    options : Options
        What to show of it.
    kinds : collection of str
        Some of `FIGURES`.

    Raises
    ------
    ValueError
        If there is no such kind, or a unit that was asked for does not exist.
    """
    unknown = [name for name in kinds if name not in FIGURES]
    if unknown:
        raise ValueError(f"no figure is called {unknown[0]!r}; there are {', '.join(FIGURES)}")
    for name, module in FIGURES.items():
        if name in kinds:
            yield from module.drawings(inputs, options)
