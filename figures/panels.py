"""Panels side by side, bars of several networks, and what stands where there is nothing to draw."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from dissection.results.labelling import NO_LAYER
from figures.palette import LIMIT, NEUTRAL, SOFT, colour, fill, pale

__all__ = [
    "Bars",
    "bars",
    "category_legend",
    "columns",
    "counts_on_top",
    "empty",
    "legend",
    "limit_lines",
    "name_layers",
    "network_legend",
    "noted",
    "root_scale",
    "shortened",
    "slots",
    "titled",
    "whole_numbers",
]

_CHARACTER, _HANDLE = 0.062, 0.5
"""Inches of a legend's entry."""

LABEL = 34
"""Characters of a label on an axis; longer ones are shortened, the CSV has them whole."""


class Bars(NamedTuple):
    """What n bars show."""

    whole: Sequence[int]
    """Units."""
    solid: Sequence[int]
    """How many of them are detectors, or count as such."""
    tints: Sequence[str]
    """Colours."""


def shortened(label: str, most: int = LABEL) -> str:
    """Return a label that fits on an axis.

    Examples
    --------
    >>> shortened("labyrinth, indoor", 9)
    'labyrint…'
    """
    return label if len(label) <= most else f"{label[: most - 1]}…"


def titled(axes: Axes, layer: str, more: str = "") -> Axes:
    """Write a layer's name above its panel, unless the file did not tell it."""
    axes.set_title("" if layer == NO_LAYER else f"{shortened(layer)}{more}")
    return axes


def noted(axes: Axes, text: str) -> None:
    """Write a few words into the upper right corner, where curves that fall leave room."""
    axes.text(0.99, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=6.5)


def limit_lines(axes: Axes, limits: Sequence[float]) -> None:
    """Draw a dashed line at each different threshold of a detector."""
    for limit in dict.fromkeys(limits):
        axes.axvline(limit, color=LIMIT, linewidth=0.9, linestyle="--", zorder=0)


def root_scale(axes: Axes, highest: float) -> None:
    """Make the x axis one of IoU, from 0 on; small values are many, so they get more room."""
    axes.set_xscale("function", functions=(np.sqrt, np.square))
    axes.set_xlim(0, highest * 1.05)
    axes.set_xticks([t for t in (0, 0.01, 0.04, 0.1, 0.2, 0.4, 0.8) if t <= highest])
    axes.set_xticks([], minor=True)
    axes.grid(axis="x")


def name_layers(axes: Axes, layers: Sequence[str], width: float) -> None:
    """Write the names of layers below their bars, slanted where they would not fit.

    Parameters
    ----------
    axes : Axes
        With a bar a layer at 0, 1, ...
    layers : sequence of str
        Their names.
    width : float
        Inches of the axes.
    """
    names = ["" if name == NO_LAYER else shortened(name, 22) for name in layers]
    room = width / max(len(names), 1)
    steep = max(map(len, names)) * _CHARACTER > room
    slant: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, **(slant if steep else {}))
    axes.tick_params(axis="x", length=0, labelsize=6 if steep else 7)


def columns(figure: FigureBase, number: int, most: int = 3, **options) -> list[Axes]:
    """Return axes in rows of at most `most`."""
    across = min(number, most)
    grid = figure.subplots(-(-number // across), across, squeeze=False, **options)
    for spare in grid.flat[number:]:
        spare.set_visible(False)
    return list(grid.flat[:number])


def empty(axes: Axes, text: str) -> Axes:
    """Write a sentence where there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.0, 0.98, text, transform=axes.transAxes, va="top", color=SOFT, wrap=True)
    return axes


def slots(networks: int) -> tuple[np.ndarray, float]:
    """Return the offsets of the bars of networks within a row of height 1, and their height."""
    height = 0.8 / networks
    return (np.arange(networks) - (networks - 1) / 2) * height, height * 0.86


def bars(axes: Axes, place: np.ndarray, parts: Bars, network: int, height: float) -> None:
    """Draw horizontal bars of one network: detectors solid, other units pale, the count behind.

    Parameters
    ----------
    axes : Axes
        Where.
    place : ndarray
        (n,) of the bars on the y axis.
    parts : Bars
        Of n bars; one without units is left out.
    network : int
        Its number, for the fill.
    height : float
        Of a bar.
    """
    for y, total, solid, tint in zip(place, *parts, strict=True):
        if not total:
            continue
        if total > solid:
            axes.barh(y, total, height, **fill(network, pale(tint)))
        axes.barh(y, solid, height, **fill(network, tint))
        axes.annotate(str(total), (total, y), (2, 0), textcoords="offset points", va="center",
                      fontsize=5.5)  # fmt: skip


def whole_numbers() -> MaxNLocator:
    """Return matplotlib's own choice of ticks, at whole numbers only."""
    return MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True)


def counts_on_top(axes: Axes, label: str) -> None:
    """Put the axis of counts on top, where bars that end early leave it beside them."""
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(whole_numbers())
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.margins(x=0.08)


def network_legend(figure: FigureBase, names: Sequence[str], detectors: bool) -> None:
    """Add the fills of the networks, and of detectors and others, above the panels."""
    handles = [Patch(**fill(i, NEUTRAL), label=shortened(name)) for i, name in enumerate(names)]
    if len(names) < 2:
        handles = []
    if detectors:
        handles.append(Patch(color=pale(NEUTRAL), label="pale: units that are no detectors"))
    if handles:
        legend(figure, handles, "outside upper left", 2.2)


def category_legend(figure: FigureBase, shown: Sequence[str], categories: Sequence[str]) -> None:
    """Add the colours of the categories that are shown, of all of a figure, below the panels."""
    handles = [Patch(color=colour(c, categories), label=c) for c in shown]
    if handles:
        legend(figure, handles, "outside lower left", 1.2)


def legend(figure: FigureBase, handles: Sequence[Artist], place: str, length: float) -> None:
    """Add a legend of as many columns as fit on the page."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    fit = int(cast(Figure, figure.figure).get_figwidth() / (_CHARACTER * longest + _HANDLE))
    # a place outside the axes is one of constrained layout, which the stubs do not know
    options: dict[str, Any] = {"loc": place, "handlelength": length}
    figure.legend(handles=list(handles), ncols=min(len(handles), max(fit, 1)), **options)
