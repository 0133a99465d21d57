"""Networks: unique detectors of each, stacked by category, beside published ones if asked."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.published_counts import published
from dissection.comparison.side_by_side import ALL, detectors
from dissection.results.labelling import NO_LAYER, Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import INK, SOFT, colour, ordered

__all__ = ["draw", "drawings", "rows"]

SIZE = 8
"""Points of the letters."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield one figure of all networks that IoU labelled, if any has labels by category."""
    yield from inputs.missing_for("networks", categories=True)
    labellings = inputs.by_category()
    if labellings:
        yield _drawing(labellings, options.published)


def rows(labellings: Sequence[Labelling], table: str | None = None) -> pd.DataFrame:
    """Return unique detectors of each network, layer and category by the paper's rule.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU, with the best label of every category.
    table : str, optional
        Published counts that come too, see `published_counts.published`.

    Returns
    -------
    DataFrame
        network, layer, source (``run``, or the published table), category, unique, total: the sum
        over categories. Those with more in total come first.

    Raises
    ------
    ValueError
        If there is no such published table.
    """
    parts = [detectors(part).assign(source="run") for part in labellings]
    found = pd.concat(parts).rename(columns={"unique_paper": "unique"})
    if table is not None:
        found = pd.concat([found, published(table).assign(source=table)])
    found = found[found["category"] != ALL]
    keys = ["source", "network", "layer"]
    found["total"] = found.groupby(keys)["unique"].transform("sum")
    found = found.sort_values("total", ascending=False, kind="stable", ignore_index=True)
    return found[["network", "layer", "source", "category", "unique", "total"]]


def draw(axes: Axes, table: pd.DataFrame) -> Axes:
    """Draw a bar a network and layer, those of runs with their names dark.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`.
    """
    kinds = ordered(table["category"])
    groups = list(table.groupby(["source", "network", "layer"], sort=False))
    for place, (_, part) in enumerate(groups):
        left = 0
        for category in kinds:
            number = int(part.loc[part["category"] == category, "unique"].sum())
            axes.barh(place, number, 0.72, left=left, color=colour(category, kinds))
            left += number
        axes.annotate(f"{left:,}", (left, place), (3, 0), textcoords="offset points",
                      va="center", fontsize=SIZE)  # fmt: skip
    names = [
        panels.shortened(network if layer == NO_LAYER else f"{network}, {layer}", 46)
        for (_, network, layer), _ in groups
    ]
    axes.set_yticks(np.arange(len(groups)), names, fontsize=SIZE)
    for label, ((source, _, _), _) in zip(axes.get_yticklabels(), groups, strict=True):
        label.set_color(INK if source == "run" else SOFT)
        label.set_fontweight("bold" if source == "run" and _mixed(table) else "normal")
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SIZE)
    axes.xaxis.set_major_locator(panels.whole_numbers())
    axes.set_xlabel("unique detectors, by the paper's rule", fontsize=SIZE)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    return axes


def _mixed(table: pd.DataFrame) -> bool:
    return table["source"].nunique() > 1


def _drawing(labellings: Sequence[Labelling], name: str | None) -> Drawing:
    table = rows(labellings, name)
    kinds, bars = ordered(table["category"]), len(table.groupby(["source", "network", "layer"]))
    theirs = f" Pale names: published counts, {name}; bold: runs." if _mixed(table) else ""

    def paint(figure: FigureBase) -> None:
        draw(figure.subplots(), table)
        panels.category_legend(figure, kinds, kinds)

    return Drawing(
        "networks",
        "networks",
        "Networks: how many concepts their detectors have, by category",
        f"{captions.units(labellings)} {captions.detector_rule(labellings, 'paper')}{theirs}",
        table,
        (6.3, 0.19 * bars + 0.9),
        paint,
    )
