"""How many different concepts each network has, layer by layer and over all layers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.side_by_side import distinct, layer_order
from dissection.results.labelling import METHOD_NAMES, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import NEUTRAL, fill, pale

__all__ = ["draw", "drawings", "rows"]


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure of each method that labelled something."""
    for method, name in METHOD_NAMES.items():
        labellings = inputs.by(method)
        if labellings:
            yield _drawing(labellings, name)


def rows(labellings: list[Labelling]) -> pd.DataFrame:
    """Return `side_by_side.distinct`; of networks of one layer only that layer."""
    table = distinct(labellings)
    single = {part.name: part.layers[0] for part in labellings if len(part.layers) == 1}
    if len(single) == len(labellings):
        table = table[table["layer"] == table["network"].map(single)]
    return table.reset_index(drop=True)


def draw(axes: Axes, table: pd.DataFrame, layers: list[str]) -> Axes:
    """Draw a group of bars a layer, a bar a network: detectors' concepts solid, all units' pale.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`.
    layers : list of str
        In the order of the groups.
    """
    networks = list(dict.fromkeys(table["network"]))
    offsets, width = panels.slots(len(networks))
    size = min(7.0, 80 / (len(networks) * len(layers)) + 3.5)
    for number, name in enumerate(networks):
        part = table[table["network"] == name].set_index("layer").reindex(layers)
        solid = part.get("unique_best", part["concepts"])
        place = np.arange(len(layers)) + offsets[number]
        axes.bar(place, part["concepts"], width, **fill(number, pale(NEUTRAL)))
        axes.bar(place, solid, width, **fill(number, NEUTRAL))
        for x, whole, detected in zip(place, part["concepts"], solid, strict=True):
            if np.isnan(whole):
                continue
            text = f"{whole:.0f}" if whole == detected else f"{detected:.0f}\nof {whole:.0f}"
            axes.annotate(text, (x, whole), (0, 2), textcoords="offset points", ha="center",
                          fontsize=size, linespacing=0.95)  # fmt: skip
    panels.name_layers(axes, layers, axes.figure.figure.get_figwidth() - 0.6)
    axes.set_ylabel("different concepts")
    axes.margins(y=0.14)
    axes.grid(axis="y")
    return axes


def _drawing(labellings: list[Labelling], method: str) -> Drawing:
    table, by_iou = rows(labellings), method == "IoU"
    networks = [part.name for part in labellings]
    layers = [name for name in layer_order(labellings) if name in set(table["layer"])]

    def paint(figure: FigureBase) -> None:
        draw(figure.subplots(), table, layers)
        panels.network_legend(figure, networks, by_iou)

    rule = captions.detector_rule(labellings, "best") if by_iou else captions.why(labellings)
    what = " Solid: of the detectors; pale: of all units." if by_iou else ""
    if by_iou and (by_chance := captions.by_chance(labellings)):
        what += f"{by_chance} How many different concepts these have is not counted."
    groups = table["layer"].nunique() * len(networks)
    return Drawing(
        f"distinct-{method.lower()}",
        "distinct",
        f"How many different concepts the units have: {method} labels of "
        f"{captions.networks(labellings)}",
        f"{captions.units(labellings)}{what} {rule}",
        table,
        (min(max(5.0, 0.42 * groups + 1.5), 11.0), 2.7),
        paint,
    )
