"""Only here: the concepts that one network has and the others lack."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.compare import only
from dissection.results import METHOD_NAMES, NO_LAYER, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import colour, ordered

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
    """Return `compare.only`, the most carried concepts of each layer and network, and the rest.

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


def draw(axes: Axes, table: pd.DataFrame) -> Axes:
    """Draw the concepts of one layer and network, a bar each.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer and network from `rows`.
    """
    shown = table[table["concept"] != ""]
    place = np.arange(len(shown))
    tints = [colour(category) for category in shown["category"]]
    panels.bars(axes, place, shown["units"], None, tints, 0, 0.7)
    for y, units in zip(place, shown["units"], strict=True):
        axes.annotate(str(units), (units, y), (2, 0), textcoords="offset points", va="center",
                      fontsize=5.5)  # fmt: skip
    axes.set_yticks(place, [panels.shortened(name, 24) for name in shown["concept"]])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.1)
    rest = table[table["concept"] == ""]
    if len(rest):
        row = rest.iloc[0]
        axes.text(0, len(shown), f"and {row.others} more ({row.units} units)", va="center",
                  fontsize=6, style="italic", color="#555b61")  # fmt: skip
    return axes


def _shared(labellings: list[Labelling]) -> bool:
    layers = [name for part in labellings for name in part.layers]
    return len(layers) > len(set(layers))


def _drawing(labellings: list[Labelling], method: str) -> Drawing:
    table = rows(labellings)
    networks = [part.name for part in labellings]
    layers = list(dict.fromkeys(table["layer"]))
    several = [name for name in layers if name.endswith(" layers")]
    layers = [name for name in layers if name not in several] + several
    groups = dict(list(table.groupby(["layer", "network"], sort=False)))
    longest = [max(len(groups.get((layer, n), ())) for n in networks) for layer in layers]
    heights = [max(number, 1) + 2.9 for number in longest]

    def paint(figure: FigureBase) -> None:
        if not layers:
            panels.empty(figure.subplots(), "No network has a concept that the others lack.")
            return
        grid = figure.subplots(
            len(layers), len(networks), squeeze=False, gridspec_kw={"height_ratios": heights}
        )
        for line, layer, room in zip(grid, layers, longest, strict=True):
            for axes, name in zip(line, networks, strict=True):
                part = groups.get((layer, name))
                where = "" if layer == NO_LAYER else f"{panels.shortened(layer, 20)}: "
                title = f"{panels.shortened(name, 24)}\n{where}{_count(part)}"
                axes.set_title(title, fontsize=7.5)
                if part is None:
                    panels.empty(axes, "none")
                else:
                    draw(axes, part)
                    axes.set_ylim(max(room, 1) - 0.4, -0.6)
        if method == "IoU":
            panels.category_legend(figure, ordered(filter(None, table["category"])))

    by_iou = method == "IoU"
    what = "Detectors of" if by_iou else "Units of"
    rule = captions.detector_rule(labellings) if by_iou else captions.why(labellings)
    return Drawing(
        f"only-{method.lower()}",
        "only",
        f"Only here: concepts that just one of {captions.networks(labellings)} has ({method})",
        f"{captions.units(labellings)} {what} concepts that no other network has in that layer; "
        f"the {MOST} commonest by name. {rule}",
        table,
        (max(2.3 * len(networks), 5.0), 0.15 * sum(heights) + 0.5),
        paint,
    )


def _count(part: pd.DataFrame | None) -> int:
    if part is None:
        return 0
    return int((part["concept"] != "").sum() + part["others"].sum())
