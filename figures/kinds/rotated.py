"""Detectors of units beside those of random bases of the same layer, and how many chance gives."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dissection.results.labelling import Labelling
from dissection.results.validity import expected, rotated
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, key
from figures.options import Options
from figures.palette import CHANCE, INK

__all__ = ["draw", "drawings", "rows"]

# Inches: a row, what is around the panels
_ROW, _AROUND = 0.23, 0.75

_APART = 0.17
"""How far marks of units and of rotated bases lie from the middle of a row, so none is hidden."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure, if a run dissected random bases too."""
    yield from inputs.missing_for("rotated")
    table = rows(inputs.by("iou"))
    known = [] if table.empty else list(dict.fromkeys(table["network"]))
    for part in inputs.by("iou"):
        if part.name not in known:
            yield f"rotated of {part.name}: {part.source} tells of no rotated basis"
    if known:
        yield _drawing([part for part in inputs.by("iou") if part.name in known], table)


def rows(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return how many detectors each layer has, in its own basis and in others.

    Returns
    -------
    DataFrame
        network, layer, basis (``units`` or ``rotated``), seed (of a rotation), units, detectors,
        detectors_sd, unique (different labels of these), unique_sd, by_chance and chance_sd (of
        units). Layers without a rotated basis are left out.
    """
    found: list[dict] = []
    for part in labellings:
        for layer in part.layers:
            counts, turned = part.counts.get(layer, {}), rotated(part, layer)
            if not turned:
                continue
            units = part.layer(layer)
            detectors = units[units["detector"]]["label"]
            where = {"network": part.name, "layer": layer, "units": len(units)}
            own = {"basis": "units", "detectors": len(detectors), "unique": detectors.nunique()}
            own |= {name: counts.get(name) for name in ("detectors_sd", "unique_sd")}
            chance = expected(part, layer)
            own |= {} if chance is None else {"by_chance": chance.mean, "chance_sd": chance.sd}
            found.append(where | own)
            found += [where | {"basis": "rotated", **one._asdict()} for one in turned]
    columns = ["network", "layer", "basis", "seed", "units", "detectors", "detectors_sd"]
    columns += ["unique", "unique_sd", "by_chance", "chance_sd"]
    table = pd.DataFrame(found, columns=columns)
    numbers = dict.fromkeys(["detectors_sd", "unique_sd", "by_chance", "chance_sd"], float)
    return table.astype(numbers | {"seed": "Int64"})


def draw(axes: Axes, table: pd.DataFrame, column: str, names: Sequence[str]) -> Axes:
    """Draw a row a layer: units as a dot with their standard deviation, rotated bases as rings.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`.
    column : str
        ``detectors``, with a bar for what chance gives, or ``unique``.
    names : sequence of str
        What the layers are called.
    """
    groups = table.groupby(["network", "layer"], sort=False)
    for y, (_, part) in enumerate(groups):
        own = part[part["basis"] == "units"].iloc[0]
        turned = part[part["basis"] == "rotated"][column]
        if column == "detectors" and not np.isnan(own["by_chance"]):
            axes.barh(y, own["by_chance"], 0.62, color=CHANCE, zorder=1)
        value, sd = own[column], own[f"{column}_sd"]
        if not np.isnan(sd):
            ends = [max(value - sd, 0), value + sd]
            axes.plot(ends, [y - _APART] * 2, "-", color=INK, linewidth=1.0)
        axes.plot(value, y - _APART, "o", color=INK, markersize=4)
        axes.plot(turned, [y + _APART] * len(turned), "o", color=INK, markersize=4,
                  markerfacecolor="white", markeredgewidth=0.9)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(panels.whole_numbers())
    axes.grid(axis="x")
    return axes


def _drawing(labellings: Sequence[Labelling], table: pd.DataFrame) -> Drawing:
    pairs = table[["network", "layer"]].drop_duplicates()
    by_name = {part.name: part for part in labellings}
    alone = len(labellings) == 1
    names = [
        panels.shortened(row.layer if alone else key(by_name[row.network], row.layer))
        for row in pairs.itertuples()
    ]
    seeds = int(table.groupby(["network", "layer"])["seed"].count().max())

    def paint(figure: FigureBase) -> None:
        left, right = figure.subplots(1, 2)
        draw(left, table, "detectors", names).set_xlabel("detectors")
        draw(right, table, "unique", names).set_xlabel("different labels of detectors (best)")
        right.set_yticklabels([])
        ring: Any = {"marker": "o", "linestyle": "", "markersize": 4, "color": INK}
        handles = [
            Line2D([], [], label="units", **ring),
            Line2D([], [], label="rotated basis", markerfacecolor="white", **ring),
            Patch(color=CHANCE, label="detectors by chance"),
        ]
        panels.legend(figure, handles, "outside upper left", 1.4)

    return Drawing(
        "rotated",
        "rotated",
        f"Are units more than directions? {captions.networks(labellings)} beside a rotated basis",
        f"{captions.units(labellings)} Rings: the activations of the layer multiplied by a random "
        f"orthogonal matrix before all else ({seeds} of them); where these are as many, a unit "
        "means no more than any direction. Line: the standard deviation of resampled images. How "
        "many different labels there are grows with labels that chance gives, and with the images."
        f"{captions.by_chance(labellings)} {captions.detector_rule(labellings, 'best')}",
        table,
        (7.0, _ROW * len(names) + _AROUND),
        paint,
    )
