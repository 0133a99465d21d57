"""The bar graph of Network Dissection: the concepts of a layer, grouped by category."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch

from dissection.results.labelling import Labelling
from dissection.results.validity import Expected, expected
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, categories, key
from figures.options import Options
from figures.palette import colour, ordered

__all__ = ["draw", "drawings", "rows"]

MOST = 110
"""Concepts that can be read side by side; of more the rarest are left out."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield a figure for each layer of each network labelled by IoU."""
    yield from inputs.missing_for("bargraph")
    for labelling in inputs.by("iou"):
        for layer in labelling.layers:
            yield _drawing(labelling, layer)


def rows(labelling: Labelling, layer: str) -> pd.DataFrame:
    """Return how many detectors of a layer each concept has, by category, the commonest first.

    Returns
    -------
    DataFrame
        category, concept, detectors.
    """
    units = labelling.layer(layer)
    found = units[units["detector"]].rename(columns={"label": "concept"})
    table = found.groupby(["category", "concept"]).size().rename("detectors").reset_index()
    place = {name: i for i, name in enumerate(ordered(table["category"]))}
    table = table.assign(place=table["category"].map(place), most=-table["detectors"])
    table = table.sort_values(["place", "most", "concept"], kind="stable", ignore_index=True)
    return table[["category", "concept", "detectors"]]


def draw(
    axes: Axes,
    table: pd.DataFrame,
    totals: dict[str, tuple[int, int]],
    chance: Expected | None = None,
) -> Axes:
    """Draw a bar a concept; in the legend each category's concepts and detectors.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`.
    totals : dict of str to (int, int)
        Concepts and detectors of each category, of all concepts, drawn or not; also of categories
        without any, so that they are named too.
    chance : Expected, optional
        How many detectors chance gives, of all concepts.
    """
    place = np.arange(len(table))
    categories = list(totals)
    tints = [colour(name, categories) for name in table["category"]]
    axes.bar(place, table["detectors"], 0.78, color=tints)
    size = float(np.clip(330 / max(len(table), 1), 5.0, 7))
    names = [panels.shortened(name, 24) for name in table["concept"]]
    axes.set_xticks(place, names, rotation=90, fontsize=size)
    axes.tick_params(axis="x", length=0, pad=1)
    axes.set_ylabel("detectors")
    axes.yaxis.set_major_locator(panels.whole_numbers())
    axes.set_xlim(-0.8, max(len(table), 12) - 0.2)
    axes.grid(axis="y")
    handles = []
    for category, (concepts, detectors) in totals.items():
        text = f"{category}: {concepts} ({detectors})"
        handles.append(Patch(color=colour(category, categories), label=text))
    if chance is not None:
        text = f"by chance: {captions.mean_and_sd(chance)}"
        handles.append(Patch(color="none", label=text))
    axes.legend(handles=handles, title="concepts (detectors)", title_fontsize=7,
                loc="upper left", bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    return axes


def _totals(table: pd.DataFrame, category: str) -> tuple[int, int]:
    part = table[table["category"] == category]
    return len(part), int(part["detectors"].sum())


def _drawing(labelling: Labelling, layer: str) -> Drawing:
    table, units = rows(labelling, layer), labelling.layer(layer)
    totals = {name: _totals(table, name) for name in categories([labelling])}
    shown = table
    if len(table) > MOST:
        kept = table.sort_values("detectors", ascending=False, kind="stable").head(MOST).index
        shown = table.loc[sorted(kept)].reset_index(drop=True)
    rest = len(table) - len(shown)
    found, chance = int(units["detector"].sum()), expected(labelling, layer)

    def paint(figure: FigureBase) -> None:
        axes = figure.subplots()
        if shown.empty:
            panels.empty(axes, f"None of the {len(units)} units is a detector.")
        else:
            draw(axes, shown, totals, chance)

    left_out = f" {rest} concepts of the fewest detectors are left out." if rest else ""
    return Drawing(
        f"bargraph-{key(labelling, layer, '-')}",
        "bargraph",
        f"{key(labelling, layer)}: {len(table)} concepts with detectors, {found} of {len(units)} "
        f"units{'' if chance is None else f' ({chance.mean:.0f} by chance)'}",
        f"{captions.units([labelling], [layer])}{left_out}"
        f"{captions.by_chance([labelling], [layer])} {captions.detector_rule([labelling], 'best')}",
        shown,
        (float(np.clip(0.115 * len(shown) + 2.4, 5.0, 12.0)), 2.6 if len(shown) else 0.4),
        paint,
    )
