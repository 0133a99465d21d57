"""Units per concept, layer by layer, the networks side by side."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.side_by_side import carried
from dissection.results.labelling import METHOD_NAMES, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, categories
from figures.options import Options
from figures.palette import colour

__all__ = ["draw", "drawings", "rows"]

# Inches: a bar at its thinnest, a row of a panel, a panel's width and what is around it
_BAR, _ROW, _WIDE, _AROUND = 0.085, 0.155, 3.1, 0.75


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure of each method that labelled something."""
    for method, name in METHOD_NAMES.items():
        labellings = inputs.by(method)
        if labellings:
            yield _drawing(labellings, name, options)


def rows(labellings: list[Labelling], more_than: int, most: int) -> pd.DataFrame:
    """Return the concepts that more units than asked carry, of each layer the most carried.

    Returns
    -------
    DataFrame
        layer, concept, category, network, units, detectors; in a layer that has more than `most`
        such concepts the first of them only. A network without one of them has 0.
    """
    table = carried(labellings)
    table = table[table["layer"].isin([name for part in labellings for name in part.layers])]
    pairs = ["layer", "concept"]
    table = table[table.groupby(pairs)["units"].transform("max") > more_than]
    kept = table[pairs].drop_duplicates().groupby("layer", sort=False).head(most)
    names = pd.DataFrame({"network": [part.name for part in labellings]})
    known = table.drop_duplicates(pairs)[[*pairs, "category"]]
    full = kept.merge(known, on=pairs).merge(names, how="cross")
    counts = table[[*pairs, "network", "units", "detectors"]]
    full = full.merge(counts, on=[*pairs, "network"], how="left")
    return full.fillna({"units": 0, "detectors": 0}).astype({"units": int, "detectors": int})


def draw(
    axes: Axes, table: pd.DataFrame, networks: list[str], categories: list[str] | None
) -> Axes:
    """Draw one layer: a group of bars a concept, a bar a network, the longest on top.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer from `rows`.
    networks : list of str
        Their names, in the order of the bars.
    categories : list of str or None
        All that the figure shows; None of clip, which knows neither categories nor detectors.
    """
    concepts, by_iou = list(dict.fromkeys(table["concept"])), categories is not None
    offsets, height = panels.slots(len(networks))
    for number, name in enumerate(networks):
        part = table[table["network"] == name]
        solid = part["detectors" if by_iou else "units"]
        tints = [colour(category, categories or ()) for category in part["category"]]
        place = np.arange(len(part)) + offsets[number]
        panels.bars(axes, place, panels.Bars(part["units"], solid, tints), number, height)
    axes.set_yticks(range(len(concepts)), [panels.shortened(c) for c in concepts])
    axes.tick_params(axis="y", length=0)
    panels.counts_on_top(axes, "units")
    return axes


def _drawing(labellings: list[Labelling], method: str, options: Options) -> Drawing:
    table = rows(labellings, options.more_than, options.most)
    networks = [part.name for part in labellings]
    layers = list(dict.fromkeys(name for part in labellings for name in part.layers))
    by_iou = method == "IoU"
    kinds = categories(labellings) if by_iou else None
    across = min(3, len(layers))
    longest = _longest(table, layers, across)
    row = max(_ROW, _BAR * len(networks) / 0.8)
    heights = [number * row + _AROUND for number in longest]

    def paint(figure: FigureBase) -> None:
        grid = panels.columns(figure, len(layers), across, height_ratios=heights)
        for place, (axes, layer) in enumerate(zip(grid, layers, strict=True)):
            part = table[table["layer"] == layer]
            panels.titled(axes, layer)
            if part.empty:
                nothing = f"No concept is carried by more than {options.more_than} units."
                panels.empty(axes, nothing)
                continue
            draw(axes, part, networks, kinds)
            # the same room for a concept in every panel
            axes.set_ylim(longest[place // across] - 0.4, -0.6)
        panels.network_legend(figure, networks, by_iou)
        if kinds is not None:
            shown = set(table["category"])
            panels.category_legend(figure, [c for c in kinds if c in shown], kinds)

    return Drawing(
        f"concepts-{method.lower()}",
        "concepts",
        f"Which concepts many units share: {method} labels of {captions.networks(labellings)}",
        _caption(labellings, table, by_iou, options),
        table,
        (max(_WIDE * across, 5.5), max(sum(heights) + 0.3, 1.6)),
        paint,
    )


def _longest(table: pd.DataFrame, layers: list[str], across: int) -> list[int]:
    """Return how many concepts the longest panel in each row of panels has."""
    counts = table.groupby("layer")["concept"].nunique()
    rows_of = [layers[i : i + across] for i in range(0, len(layers), across)]
    return [max([1, *(counts.get(name, 1) for name in row)]) for row in rows_of]


def _caption(
    labellings: list[Labelling], table: pd.DataFrame, by_iou: bool, options: Options
) -> str:
    everything = rows(labellings, options.more_than, most=1 << 30)
    pairs = ["layer", "concept"]
    cut = len(everything.drop_duplicates(pairs)) - len(table.drop_duplicates(pairs))
    parts = [
        captions.units(labellings),
        f"Concepts that more than {options.more_than} units of a network carry, by layer"
        + (f", the {options.most} commonest of each ({cut} more left out)." if cut else "."),
        captions.by_chance(labellings).strip() if by_iou else "",
        captions.detector_rule(labellings) if by_iou else captions.why(labellings),
    ]
    return " ".join(filter(None, parts))
