"""The IoU of every unit with its 95% interval, beside the IoU that chance gives."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from dissection.results import validity
from dissection.results.labelling import Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import BY_CHANCE, CHANCE, INK, LIMIT
from figures.verdict import SIGNIFICANT

__all__ = ["draw", "drawings", "rows"]

_MORE, _LABEL = "#8e9aa7", "#eebf93"
"""The interval of a unit that is more than chance; what chance gives its label."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield a figure for each network whose run tells intervals."""
    yield from inputs.missing_for("intervals")
    for labelling in inputs.by("iou"):
        if validity.believed(labelling):
            yield _drawing(labelling)
        else:
            yield f"intervals of {labelling.name}: {labelling.source} does not tell them"


def rows(labelling: Labelling) -> pd.DataFrame:
    """Return the units of each layer by falling IoU.

    Returns
    -------
    DataFrame
        layer, rank (from 1), unit, label, iou, low, high (of the interval), chance (expected IoU
        of the label), best_by_chance (the mean over the shifts of the highest IoU of all labels,
        NaN where nothing tells), q.
    """
    names = {"score": "iou", "iou_low": "low", "iou_high": "high", "chance_iou": "chance"}
    table = labelling.units.rename(columns=names)
    parts = []
    for layer in labelling.layers:
        part = table[table["layer"] == layer]
        null = validity.null(labelling.source, layer, len(part))
        part = part.assign(best_by_chance=np.nan if null is None else null.mean(axis=0))
        part = part.sort_values("iou", ascending=False, kind="stable", ignore_index=True)
        parts.append(part.assign(rank=part.index + 1))
    columns = ["layer", "rank", "unit", "label", "iou", "low", "high", "chance", "best_by_chance"]
    columns += ["q"]
    return pd.concat(parts, ignore_index=True)[columns]


def draw(axes: Axes, table: pd.DataFrame, limit: float) -> Axes:
    """Draw one layer: a line a unit for its interval, darker where it is more than chance.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer from `rows`.
    limit : float
        A detector's IoU exceeds it.
    """
    # the lines of many units lie side by side without a gap
    width = float(np.clip(110 / len(table), 0.4, 2.5))
    more = (table["q"] <= SIGNIFICANT).to_numpy()
    for chosen, tint in ((~more, CHANCE), (more, _MORE)):
        part = table[chosen]
        axes.vlines(part["rank"], part["low"], part["high"], color=tint, linewidth=width)
    size = float(np.clip(220 / len(table), 0.9, 3.0))
    for column, tint in (("chance", _LABEL), ("best_by_chance", BY_CHANCE), ("iou", INK)):
        axes.plot(table["rank"], table[column], ".", color=tint, markersize=size)
    axes.axhline(limit, color=LIMIT, linewidth=0.9, linestyle="--", zorder=0)
    axes.set_xlim(1 - 0.02 * len(table) - 0.5, len(table) * 1.02 + 0.5)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(panels.whole_numbers())
    axes.set_xlabel("units by falling IoU")
    axes.grid(axis="y")
    return axes


def _drawing(labelling: Labelling) -> Drawing:
    table, layers = rows(labelling), labelling.layers
    across = min(3, len(layers))

    def paint(figure: FigureBase) -> None:
        grid = panels.columns(figure, len(layers), across)
        for place, (axes, layer) in enumerate(zip(grid, layers, strict=True)):
            part = table[table["layer"] == layer]
            panels.titled(axes, layer)
            draw(axes, part, labelling.min_iou)
            if place % across == 0:
                axes.set_ylabel("IoU of the label")
            panels.noted(axes, _counted(part))
        handles = [
            Line2D([], [], color=INK, marker=".", linestyle="", label="IoU"),
            Line2D([], [], color=_MORE, linewidth=2.5, label="95% interval"),
            Line2D([], [], color=CHANCE, linewidth=2.5, label="of what is no better than chance"),
            Line2D([], [], color=BY_CHANCE, marker=".", linestyle="", label="best label by chance"),
            Line2D([], [], color=_LABEL, marker=".", linestyle="", label="same label by chance"),
        ]
        panels.legend(figure, handles, "outside upper left", 1.6)

    return Drawing(
        f"intervals-{labelling.name}",
        "intervals",
        f"{labelling.name}: how exactly the IoU of each unit is known",
        f"{captions.units([labelling])} Lines: the 95% interval of the IoU of the label that a "
        "unit has, from leaving out groups of images; it does not tell whether the label is the "
        "best. Pale: units of which the best label is no better than chance "
        f"(q > {SIGNIFICANT:g}). By chance: the highest IoU of all labels, and that of "
        "the same label, when the map lies over other images with labels of the same categories "
        "(means). Dashed: the threshold of a detector. "
        f"{captions.detector_rule([labelling])}",
        table,
        (max(2.8 * across, 5.0), -(-len(layers) // across) * 1.95 + 0.3),
        paint,
    )


def _counted(part: pd.DataFrame) -> str:
    if part["q"].isna().all():
        return "not tested against chance"
    passing = int((part["q"] <= SIGNIFICANT).sum())
    return f"{passing:,} of {len(part):,} units\nmore than chance"
