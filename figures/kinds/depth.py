"""What kinds of concepts units detect as a network gets deeper."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from dissection.comparison.spread import shares
from dissection.results.labelling import Labelling
from dissection.results.validity import expected
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs, categories
from figures.options import Options
from figures.palette import BY_CHANCE, INK, NEUTRAL, colour

__all__ = ["draw", "drawings", "rows"]

# A share too small for its number
_SMALL = 0.055


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield the figure, if units were labelled by IoU."""
    yield from inputs.missing_for("depth", categories=True)
    if labellings := inputs.by_category():
        yield _drawing(labellings)


def rows(labellings: list[Labelling]) -> pd.DataFrame:
    """Return `spread.shares`, the categories of a layer in the order of the palette.

    Where a run tells how many detectors chance gives, by_chance is their share of the units.
    """
    table = shares(labellings)
    given = {(p.name, name): expected(p, name) for p in labellings for name in p.layers}
    if any(given.values()):
        found = [given[pair] for pair in zip(table["network"], table["layer"], strict=True)]
        means = [np.nan if one is None else one.mean for one in found]
        table["by_chance"] = np.array(means) / table["units"]
    place = {name: i for i, name in enumerate(categories(labellings))}
    keys = table["network"] + "\n" + table["layer"]
    order = {name: i for i, name in enumerate(dict.fromkeys(keys))}
    table = table.assign(at=keys.map(order), then=table["category"].map(place))
    table = table.sort_values(["at", "then"], kind="stable", ignore_index=True)
    return table.drop(columns=["at", "then"])


def draw(axes: Axes, table: pd.DataFrame, categories: list[str]) -> Axes:
    """Draw one network: a bar a layer, divided into categories, with its detectors on top.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one network from `rows`.
    categories : list of str
        All that the figure shows.
    """
    layers = list(dict.fromkeys(table["layer"]))
    bottom = np.zeros(len(layers))
    for category in categories:
        part = table[table["category"] == category].set_index("layer")["share"]
        share = part.reindex(layers, fill_value=0.0)
        tint = colour(category, categories)
        axes.bar(range(len(layers)), share, 0.72, bottom, color=tint, edgecolor="white",
                 linewidth=0.4)  # fmt: skip
        for x, (low, part) in enumerate(zip(bottom, share, strict=True)):
            if part >= _SMALL:
                axes.text(x, low + part / 2, f"{part:.0%}", ha="center", va="center", fontsize=6,
                          color=_readable_on(tint))  # fmt: skip
        bottom += share.to_numpy()
    by_layer = table.groupby("layer", sort=False).agg(
        found=("detectors", "sum"), units=("units", "first"), rate=("rate", "first")
    )
    for x, row in enumerate(by_layer.itertuples()):
        text = f"{row.found} of\n{row.units}" if row.found else "none"
        axes.annotate(text, (x, 1.0 if row.found else 0.0), (0, 2), textcoords="offset points",
                      ha="center", fontsize=6, linespacing=0.95)  # fmt: skip
    panels.name_layers(axes, layers, _width(len(layers)) - 0.6)
    axes.set_xlim(-0.5, max(len(layers), 3) - 0.5)
    axes.set_ylim(0, 1.14)
    axes.set_yticks(np.linspace(0, 1, 5), [f"{v:.0%}" for v in np.linspace(0, 1, 5)])
    axes.spines[["left", "bottom"]].set_visible(False)
    return axes


def draw_rate(axes: Axes, table: pd.DataFrame, width: float) -> Axes:
    """Draw the share of units that are detectors, a line a network, and pale what chance gives.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        From `rows`.
    width : float
        Inches of the panel.
    """
    layers = list(dict.fromkeys(table["layer"]))
    rates = table.drop_duplicates(["network", "layer"])
    marks = "osD^vPX<>*"
    for number, (name, part) in enumerate(rates.groupby("network", sort=False)):
        place = [layers.index(layer) for layer in part["layer"]]
        line = ("-", "--", ":", "-.")[number % 4]
        mark = marks[number % len(marks)]
        axes.plot(place, part["rate"], line, marker=mark, color=NEUTRAL, markersize=4,
                  label=panels.shortened(name, 24))  # fmt: skip
        if "by_chance" in part:
            axes.plot(place, part["by_chance"], line, marker=mark, color=BY_CHANCE, markersize=2.5,
                      zorder=1)  # fmt: skip
    panels.name_layers(axes, layers, width - 0.6)
    axes.set_ylim(0, 1.05)
    axes.set_xlim(-0.3, max(len(layers) - 0.7, 0.7))
    axes.set_yticks(np.linspace(0, 1, 5), [f"{v:.0%}" for v in np.linspace(0, 1, 5)])
    axes.grid(axis="y")
    axes.legend(loc="best")
    return axes


def _width(layers: int) -> float:
    """Return the inches of a panel."""
    return max(1.2 + 0.45 * layers, 2.3)


def _readable_on(tint: str) -> str:
    """Return white on dark colours, else the colour of text."""
    red, green, blue = (int(tint[i : i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else INK


def _drawing(labellings: list[Labelling]) -> Drawing:
    table, kinds = rows(labellings), categories(labellings)
    across = min(len(labellings) + 1, 4)
    down = -(-(len(labellings) + 1) // across)
    longest = max(len(part.layers) for part in labellings)

    def paint(figure: FigureBase) -> None:
        axes = panels.columns(figure, len(labellings) + 1, across)
        for one, (name, part) in zip(axes, table.groupby("network", sort=False), strict=False):
            one.set_title(panels.shortened(name, 24))
            draw(one, part, kinds)
        axes[0].set_ylabel("share of detectors")
        axes[-1].set_title("units that are detectors")
        draw_rate(axes[-1], table, _width(longest))
        panels.category_legend(figure, kinds, kinds)

    return Drawing(
        "depth",
        "depth",
        f"What is detected with depth: {captions.networks(labellings)}",
        f"{captions.units(labellings)} Of each layer's detectors the share by the category of "
        f"their best label; above: how many they are.{_pale(table)}"
        f"{captions.by_chance(labellings)} {captions.detector_rule(labellings)}",
        table,
        (_width(longest) * across, 2.8 * down),
        paint,
    )


def _pale(table: pd.DataFrame) -> str:
    return " Orange: the share of units that chance makes detectors." * ("by_chance" in table)
