"""How many detectors there would be at other IoU thresholds."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.spread import STEPS, sweep
from dissection.results import validity
from dissection.results.labelling import NO_LAYER, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import BY_CHANCE

__all__ = ["draw", "drawings", "rows"]

_LINES = ("-", "--", ":", "-.")
_LIGHT, _DARK = np.array([0xA9, 0xBC, 0xCC]), np.array([0x10, 0x22, 0x36])


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure, if units were labelled by IoU."""
    yield from inputs.missing_for("sensitivity")
    without = inputs.scoreless("iou")
    yield from (f"sensitivity of {part.name}: {part.source} has no scores" for part in without)
    if labellings := [part for part in inputs.by("iou") if part not in without]:
        yield _drawing(labellings)


def rows(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return `spread.sweep`, and by_chance, the share that chance gives, where a run tells it."""
    table = sweep(labellings).assign(by_chance=np.nan)
    for part in labellings:
        for layer in part.layers:
            null = validity.null(part.source, layer, len(part.layer(layer)))
            here = (table["network"] == part.name) & (table["layer"] == layer)
            if null is not None:
                steps = table.loc[here, "threshold"]
                table.loc[here, "by_chance"] = [float((null > step).mean()) for step in steps]
    return table if table["by_chance"].notna().any() else table.drop(columns="by_chance")


def draw(axes: Axes, table: pd.DataFrame, column: str, limits: Sequence[float]) -> Axes:
    """Draw a line a layer and network over the thresholds.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`.
    column : str
        ``share`` or ``unique_best``.
    limits : sequence of float
        Where the line of a run's own threshold is.
    """
    layers = list(dict.fromkeys(table["layer"]))
    networks = list(dict.fromkeys(table["network"]))
    for (network, layer), part in table.groupby(["network", "layer"], sort=False):
        name = panels.shortened(f"{network} {layer.removeprefix(NO_LAYER)}", 30)
        # one layer each of many networks: the shade tells the networks apart
        shades, place = len(layers), layers.index(layer)
        if len(layers) == 1:
            shades, place = len(networks), networks.index(network)
        style = _LINES[networks.index(network) % len(_LINES)]
        tint = _shade(place / max(shades - 1, 1))
        axes.plot(part["threshold"], part[column], style, label=name, color=tint)
        if column == "share" and "by_chance" in part:
            axes.plot(part["threshold"], part["by_chance"], style, color=BY_CHANCE, linewidth=0.7)
    panels.limit_lines(axes, limits)
    axes.set_xlabel("IoU threshold")
    axes.set_xlim(0, STEPS[-1])
    axes.set_ylim(bottom=0)
    axes.grid()
    return axes


def _shade(depth: float) -> str:
    """Return a colour that is the darker the deeper a layer is, from 0 to 1."""
    mixed = (_LIGHT + (_DARK - _LIGHT) * depth).round().astype(int)
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _drawing(labellings: Sequence[Labelling]) -> Drawing:
    table = rows(labellings)
    number = table.groupby(["network", "layer"]).ngroups

    def paint(figure: FigureBase) -> None:
        left, right = figure.subplots(1, 2)
        limits = [part.min_iou for part in labellings]
        draw(left, table, "share", limits).set_ylabel("share of units that are detectors")
        draw(right, table, "unique_best", limits).set_ylabel("unique detectors (best)")
        left.set_ylim(0, 1.02)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left",
                      ncols=3, handlelength=3)  # fmt: skip

    return Drawing(
        "sensitivity",
        "sensitivity",
        f"Detectors against the IoU threshold: {captions.networks(labellings)}",
        f"{captions.units(labellings)} Dashed line: the threshold of the run."
        f"{' Orange: the share that chance gives.' if 'by_chance' in table else ''}"
        f"{captions.by_chance(labellings)} {captions.detector_rule(labellings, 'best')}",
        table,
        (7.5, 2.7 + 0.17 * -(-number // 3)),
        paint,
    )
