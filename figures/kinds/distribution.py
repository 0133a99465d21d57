"""How high the IoU of units is, layer by layer and category by category."""

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.spread import spread
from dissection.results.labelling import Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import INK, colour, fill, ordered

__all__ = ["draw", "drawings"]


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure, if units were labelled by IoU."""
    yield from inputs.missing_for("distribution", categories=True)
    if labellings := inputs.by_category():
        yield _drawing(labellings)


def draw(axes: Axes, table: pd.DataFrame, networks: Sequence[str], limits: Sequence[float]) -> Axes:
    """Draw one layer: a group of boxes a category, a box a network.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer from `spread.spread`.
    networks : sequence of str
        Their names, in the order of the boxes.
    limits : sequence of float
        Where the line of a detector is, of each network that has another.
    """
    categories = ordered(table["category"])
    offsets, height = panels.slots(len(networks))
    for number, name in enumerate(networks):
        for row in table[table["network"] == name].itertuples():
            y = categories.index(row.category) + offsets[number]
            tint = colour(row.category, categories)
            axes.plot([row.low, row.high], [y, y], color=tint, linewidth=0.8)
            axes.barh(y, row.upper - row.lower, height, left=row.lower, **fill(number, tint))
            axes.plot([row.median] * 2, [y - height / 2, y + height / 2], color=INK, linewidth=1.2)
            axes.plot(row.highest, y, "|", color=tint, markersize=4)
    panels.limit_lines(axes, limits)
    axes.set_yticks(range(len(categories)), categories)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(categories) - 0.4, -0.6)
    panels.root_scale(axes, max(float(table["highest"].max()), 2 * max(limits)))
    axes.set_xlabel("best IoU of the category (root scale)")
    return axes


def _drawing(labellings: Sequence[Labelling]) -> Drawing:
    table = spread(labellings)
    networks = [part.name for part in labellings]
    layers = list(dict.fromkeys(table["layer"]))
    across = min(3, len(layers))
    categories = table["category"].nunique()
    room = max(0.26, 0.11 * len(networks))

    def paint(figure: FigureBase) -> None:
        for axes, layer in zip(panels.columns(figure, len(layers)), layers, strict=True):
            panels.titled(axes, layer)
            part = table[table["layer"] == layer]
            draw(axes, part, networks, [part.min_iou for part in labellings])
        panels.network_legend(figure, networks, detectors=False)

    return Drawing(
        "distribution",
        "distribution",
        f"How high the IoU is, by layer and category: {captions.networks(labellings)}",
        f"{captions.units(labellings)} Box: the middle half of units; dark line: median; whisker: "
        f"5% to 95%; tick: highest. Dashed: the threshold of a detector. "
        f"{captions.detector_rule(labellings)}",
        table,
        (max(3.0 * across, 5.0), -(-len(layers) // across) * (room * categories + 0.9)),
        paint,
    )
