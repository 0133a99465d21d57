"""Shared: the concepts that several networks have, and how many units of each carry them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.side_by_side import shared
from dissection.results.labelling import METHOD_NAMES, OVERALL, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, categories
from figures.options import Options
from figures.palette import colour

__all__ = ["draw", "drawings", "rows"]

SIZE = 8
"""Points of the letters."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure of each method that labelled several networks."""
    for method, name in METHOD_NAMES.items():
        labellings = inputs.by(method)
        if len(labellings) > 1:
            yield _drawing(labellings, name, options.most)
        elif labellings:
            yield f"shared: one network by {name} has nothing to be compared with"


def rows(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return `side_by_side.shared` of all layers together."""
    table = shared(labellings)
    return table[table["layer"] == OVERALL].reset_index(drop=True)


def draw(axes: Axes, table: pd.DataFrame, networks: Sequence[str], kinds: Sequence[str]) -> Axes:
    """Draw a row a concept, and in it a bar a network.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`, as many as are shown.
    networks : sequence of str
        In the order of their bars.
    kinds : sequence of str
        Categories that the figure shows.
    """
    offsets, height = panels.slots(len(networks))
    place = np.arange(len(table))
    tints = [colour(category, kinds) for category in table["category"]]
    for number, name in enumerate(networks):
        bars = panels.Bars(table[name], table[name], tints)
        panels.bars(axes, place + offsets[number], bars, number, height)
    axes.set_yticks(place, [panels.shortened(name) for name in table["concept"]], fontsize=SIZE)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SIZE)
    axes.set_ylim(len(table) - 0.4, -0.6)
    panels.counts_on_top(axes, "")
    return axes


def _who(labellings: Sequence[Labelling]) -> str:
    names = captions.networks(labellings)
    return f"{names} both" if len(labellings) == 2 else f"several of {names}"


def _drawing(labellings: Sequence[Labelling], method: str, most: int) -> Drawing:
    whole = rows(labellings)
    table, networks = whole.head(most), [part.name for part in labellings]
    kinds = categories(labellings)
    rule = (
        captions.detector_rule(labellings, "best") if method == "IoU" else captions.why(labellings)
    )
    what = "Detectors" if method == "IoU" else "Units"
    rest = f"; {len(whole) - most:,} more are not shown" if len(whole) > most else ""

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        if table.empty:
            panels.empty(axes, "No concept is shared by two networks.")
            return
        draw(axes, table, networks, kinds)
        panels.network_legend(figure, networks, False)
        shown = set(table["category"])
        panels.category_legend(figure, [kind for kind in kinds if kind in shown], kinds)

    return Drawing(
        f"shared-{method.lower()}",
        "shared",
        f"Shared: {len(whole):,} concepts that {_who(labellings)} have ({method})",
        f"{captions.units(labellings)} {what} of each network over all its layers; those of more "
        f"networks first, then those with most in the network with the fewest{rest}. {rule}",
        table,
        (6.3, max(0.17, 0.07 * len(networks) + 0.05) * max(len(table), 2) + 1.0),
        paint,
    )
