"""A picture of one image of a probe set beside its label maps, one panel a category."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from broden.labels import LabelTable
from broden.reader import ProbeSet, decode
from broden.system.files import atomic, sweep

# The eleven basic colour names of the color category, so that its panel looks as it reads.
_BASIC = {
    "black": (0.0, 0.0, 0.0),
    "blue": (0.13, 0.36, 0.78),
    "brown": (0.47, 0.30, 0.16),
    "grey": (0.55, 0.55, 0.55),
    "gray": (0.55, 0.55, 0.55),
    "green": (0.20, 0.58, 0.24),
    "orange": (0.96, 0.55, 0.13),
    "pink": (0.95, 0.60, 0.72),
    "purple": (0.50, 0.25, 0.60),
    "red": (0.82, 0.13, 0.14),
    "white": (1.0, 1.0, 1.0),
    "yellow": (0.98, 0.85, 0.20),
}
_UNLABELLED = (0.93, 0.93, 0.93)
#: Longer legends are cut, the smallest labels going into one last line.
_LEGEND = 12
_GOLDEN = 0.618033988749895
# Inches: width of a panel, gap, heading of the figure, title of a panel, line of a legend.
_WIDE, _GAP, _HEAD, _TITLE, _LINE = 2.8, 0.15, 0.4, 0.3, 0.165


class Panel(NamedTuple):
    """One category of an image, ready to draw.

    title : str; picture : float64 (H, W, 3), RGB in [0, 1]; legend : colour and text of each
    label, largest first.
    """

    title: str
    picture: np.ndarray
    legend: list[tuple[tuple[float, float, float], str]]


def panels(probe: ProbeSet, i: int) -> list[Panel]:
    """Return one panel for each category of image `i` that has labels.

    Of several planes the first that labels a pixel colours it; the legend lists the labels of
    all. A whole-image label colours what no plane does.
    """
    maps = probe.maps(i)
    return [_panel(probe.labels, probe.grid, name, maps[name]) for name in maps]


def show(probe: ProbeSet, i: int, out: str | Path) -> None:
    """Write the photograph of image `i` beside its label maps.

    Parameters
    ----------
    probe : ProbeSet
        The set.
    i : int
        Index of the image.
    out : str or Path
        File to write; its suffix chooses the format (png, pdf, svg).

    Raises
    ------
    ValueError
        When the image cannot be decoded or the suffix is no format.
    """
    found = [Panel("photograph", decode(probe.jpeg(i), name=probe.names[i]), [])]
    found += panels(probe, i)
    figure = _figure(found, f"{probe.name}, image {i}: {probe.names[i]}")
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(out.parent, out.name.__eq__)
    with atomic(out) as handle:
        figure.savefig(handle, format=out.suffix[1:].lower() or "png", dpi=120)


def _figure(found: list[Panel], title: str):
    """Lay panels out in rows of at most four, each row as high as its longest legend."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(found) // 4)
    columns = -(-len(found) // rows)
    tops, height = [], _HEAD
    for row in range(rows):
        members = found[row * columns : (row + 1) * columns]
        tops.append((height + _TITLE, members))
        lines = max(len(panel.legend) for panel in members)
        height += _TITLE + max(_high(panel) for panel in members) + lines * _LINE + 2 * _GAP
    width = columns * (_WIDE + _GAP) + _GAP
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.text(_GAP / width, 1 - 0.22 / height, title, fontsize=10, va="center", parse_math=False)
    for top, members in tops:
        for column, panel in enumerate(members):
            left, high = _GAP + column * (_WIDE + _GAP), _high(panel)
            box = (left / width, 1 - (top + high) / height, _WIDE / width, high / height)
            _draw(figure.add_axes(box), panel)
    return figure


def _high(panel: Panel) -> float:
    """Height in inches of a panel's picture."""
    return _WIDE * panel.picture.shape[0] / panel.picture.shape[1]


def _draw(ax, panel: Panel) -> None:
    ax.imshow(panel.picture, interpolation="nearest", aspect="auto")
    ax.set(xticks=[], yticks=[])
    ax.set_title(panel.title, fontsize=10, loc="left", parse_math=False)
    for line, (colour, text) in enumerate(panel.legend):
        # In points below the picture, so that lines keep their distance in any figure.
        below = -72 * (_LINE * (line + 0.5) + _GAP / 2)
        style: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        style |= {"va": "center", "parse_math": False}
        box = {"boxstyle": "square,pad=0.25", "facecolor": colour, "edgecolor": "0.4"}
        ax.annotate("   ", (0, 0), (3, below), size=5, bbox=box, **style)
        ax.annotate(text, (0, 0), (18, below), size=8, **style)


def _panel(table: LabelTable, grid: tuple[int, int], category: str, entries: list) -> Panel:
    planes = [entry for entry in entries if isinstance(entry, np.ndarray)]
    whole = [entry for entry in entries if not isinstance(entry, np.ndarray)]
    shown = np.zeros(grid, np.int64)
    for layer in [*planes, *(np.full(grid, number) for number in whole[:1])]:
        shown = np.where(shown == 0, layer, shown)
    pixels = _pixels(planes, whole, grid)
    order = sorted(pixels, key=lambda number: (-pixels[number], number))
    colours = _colours(table, order)
    picture = np.full((*grid, 3), _UNLABELLED)
    for number in order:
        picture[shown == number] = colours[number]
    legend = [
        (colours[n], f"{table.names[n]}  " + _share(pixels[n] / (grid[0] * grid[1]), n in whole))
        for n in order
    ]
    if len(legend) > _LEGEND + 1:
        legend[_LEGEND:] = [(_UNLABELLED, f"and {len(legend) - _LEGEND} more")]
    if not legend:
        legend = [(_UNLABELLED, "nothing labelled")]
    title = category if len(planes) < 2 else f"{category} ({len(planes)} maps)"
    return Panel(title, picture, legend)


def _pixels(planes: list[np.ndarray], whole: list[int], grid: tuple[int, int]) -> dict[int, int]:
    """Return the pixels each label covers, however many planes carry it."""
    numbers = {int(n) for plane in planes for n in np.unique(plane) if n}
    area = {n: int(np.logical_or.reduce([p == n for p in planes]).sum()) for n in numbers}
    return area | dict.fromkeys(whole, grid[0] * grid[1])


def _share(share: float, whole: bool) -> str:
    if whole:
        return "whole image"
    return f"{100 * share:.1f}%" if share >= 0.0005 else "<0.1%"


def _colours(table: LabelTable, order: list[int]) -> dict[int, tuple[float, float, float]]:
    """Give colour names their colour and other labels hues far apart, the largest label first."""
    colours = {}
    for rank, number in enumerate(order):
        tone = (0.62, 0.92) if rank % 2 == 0 else (0.75, 0.66)
        hue = colorsys.hsv_to_rgb((0.58 + rank * _GOLDEN) % 1.0, *tone)
        colours[number] = _BASIC.get(table.display(number), hue)
    return colours
