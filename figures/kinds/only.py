"""Only here: the concepts that one network has and the others lack."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.side_by_side import COMMON, OVERALL, layer_order, only
from dissection.results.labelling import METHOD_NAMES, NO_LAYER, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, categories
from figures.options import Options
from figures.palette import SOFT, colour

__all__ = ["draw", "drawings", "rows"]

MOST = 14
"""Concepts of a network and layer that are shown by name."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure of each method that labelled several networks with a layer in common."""
    for method, name in METHOD_NAMES.items():
        labellings = inputs.by(method)
        if not labellings:
            continue
        if len(labellings) < 2:
            yield f"only: one network by {name} has nothing to be compared with"
        elif only(labellings).empty and not _shared(labellings):
            yield f"only: the networks labelled by {name} have no layer in common"
        else:
            yield _drawing(labellings, name)


def rows(labellings: list[Labelling]) -> pd.DataFrame:
    """Return `side_by_side.only`, the most carried concepts of each network and layer, the rest.

    Returns
    -------
    DataFrame
        layer, network, concept, category, units; a last row of a layer and network with an empty
        concept counts the others: in `others` how many concepts, in `units` their units.
    """
    table = only(labellings).assign(others=0)
    parts = []
    for (layer, network), part in table.groupby(["layer", "network"], sort=False):
        parts.append(part.head(MOST))
        rest = part.iloc[MOST:]
        if len(rest):
            row = {"layer": layer, "network": network, "concept": "", "category": None}
            counts = {"units": rest["units"].sum(), "others": len(rest)}
            parts.append(pd.DataFrame([row | counts]))
    return pd.concat(parts, ignore_index=True) if parts else table


def draw(axes: Axes, table: pd.DataFrame, categories: list[str]) -> Axes:
    """Draw the concepts of one layer and network, a bar each.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer and network from `rows`.
    categories : list of str
        All that the figure shows.
    """
    shown = table[table["concept"] != ""]
    place = np.arange(len(shown))
    tints = [colour(category, categories) for category in shown["category"]]
    panels.bars(axes, place, panels.Bars(shown["units"], shown["units"], tints), 0, 0.7)
    axes.set_yticks(place, [panels.shortened(name, 24) for name in shown["concept"]])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.1)
    rest = table[table["concept"] == ""]
    if len(rest):
        row = rest.iloc[0]
        axes.text(0, len(shown), f"and {row.others} more ({row.units} units)", va="center",
                  fontsize=6, style="italic", color=SOFT)  # fmt: skip
    return axes


def _shared(labellings: list[Labelling]) -> bool:
    layers = [name for part in labellings for name in part.layers]
    return len(layers) > len(set(layers))


def _drawing(labellings: list[Labelling], method: str) -> Drawing:
    table = rows(labellings)
    networks = [part.name for part in labellings]
    layers = [name for name in layer_order(labellings) if name in set(table["layer"])]
    groups = dict(list(table.groupby(["layer", "network"], sort=False)))
    longest = [max(len(groups.get((layer, n), ())) for n in networks) for layer in layers]
    heights = [max(number, 1) + 2.9 for number in longest]
    kinds = categories(labellings)
    rule = (
        f"Detectors of concepts that detectors of no other network have in that layer; the {MOST} "
        f"commonest by name.{captions.by_chance(labellings, layers)} "
        f"{captions.detector_rule(labellings, 'best')}"
        if method == "IoU"
        else f"Units with names that units of no other network have in that layer; the {MOST} "
        f"commonest by name. {captions.why(labellings)}"
    )

    def paint(figure: FigureBase) -> None:
        if not layers:
            panels.empty(figure.subplots(), "No network has a concept that the others lack.")
            return
        _paint(figure, labellings, layers, groups, heights)
        shown = set(table["category"])
        panels.category_legend(figure, [c for c in kinds if c in shown], kinds)

    return Drawing(
        f"only-{method.lower()}",
        "only",
        f"Only here: concepts that just one of {captions.networks(labellings)} has ({method})",
        f"{captions.units(labellings)} {rule}",
        table,
        (max(2.3 * len(networks), 5.0), 0.15 * sum(heights) + 0.5),
        paint,
    )


def _paint(
    figure: FigureBase,
    labellings: list[Labelling],
    layers: list[str],
    groups: dict[tuple[str, str], pd.DataFrame],
    heights: list[float],
) -> None:
    """Draw a row of panels a layer and a column a network."""
    grid = figure.subplots(
        len(layers), len(labellings), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    kinds = categories(labellings)
    for line, layer, room in zip(grid, layers, heights, strict=True):
        for axes, labelling in zip(line, labellings, strict=True):
            part = groups.get((layer, labelling.name))
            where = "" if layer == NO_LAYER else panels.shortened(layer, 20)
            has = layer in (*labelling.layers, COMMON, OVERALL)
            count = f": {_count(part)}" if has else ""
            title = f"{panels.shortened(labelling.name, 24)}\n{where}{count}".removesuffix("\n")
            axes.set_title(title, fontsize=7.5)
            if part is None:
                panels.empty(axes, "none" if has else "has no such layer")
                continue
            draw(axes, part, kinds)
            axes.set_ylim(room - 2.9 - 0.4, -0.6)


def _count(part: pd.DataFrame | None) -> int:
    if part is None:
        return 0
    return int((part["concept"] != "").sum() + part["others"].sum())
