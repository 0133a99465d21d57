"""How many detectors other thresholds of activation and IoU give, and how many chance gives."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle

from dissection.results import validity
from dissection.results.labelling import Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import CATEGORIES, INK, LIMIT

__all__ = ["draw", "drawings", "rows"]

_SHADES = LinearSegmentedColormap.from_list("units", ["#f4f6f8", "#9db4d0", CATEGORIES["object"]])
_DARK = 0.55
"""Share of the scale from which words on it are white."""

# Inches: a cell, one too narrow for a number, all cells of a panel at most, a row, a pair of panels
# without cells, what is around a panel
_CELL, _NARROW, _WIDEST, _ROW, _BESIDE, _AROUND = 0.25, 0.18, 4.0, 0.19, 1.3, 0.85


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield a figure for each network whose run counted detectors at other thresholds."""
    yield from inputs.missing_for("thresholds")
    for labelling in inputs.by("iou"):
        table = rows(labelling)
        if table.empty:
            yield f"thresholds of {labelling.name}: {labelling.source} does not tell of others"
        else:
            yield _drawing(labelling, table)


def rows(labelling: Labelling) -> pd.DataFrame:
    """Return the detectors of each layer at each quantile and cut.

    Returns
    -------
    DataFrame
        layer, quantile, cut, units (of the layer), detectors, by_chance (NaN where nothing
        tells), shifts. Layers of which the run does not tell are left out.
    """
    parts = []
    for layer in labelling.layers:
        units = len(labelling.layer(layer))
        found = validity.sensitivity(labelling.source, layer, units)
        if found is None:
            continue
        cuts = len(found.cut)
        columns = {
            "quantile": np.repeat(found.quantile, cuts),
            "cut": np.tile(found.cut, len(found.quantile)),
            "units": units,
            "detectors": found.detectors.ravel(),
            "by_chance": found.expected.ravel(),
            "shifts": np.repeat(found.shifts, cuts),
        }
        parts.append(pd.DataFrame({"layer": layer, **columns}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def draw(axes: Axes, table: pd.DataFrame, column: str, most: float) -> Axes:
    """Draw one layer: a cell for each pair of thresholds, dark by the share of units.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer from `rows`.
    column : str
        ``detectors`` or ``by_chance``.
    most : float
        Share of units at the dark end of the scale.
    """
    grid = table.pivot(index="quantile", columns="cut", values=column).to_numpy(float)
    units = int(table["units"].iloc[0])
    scale = Normalize(0, most)
    axes.pcolormesh(grid / units, cmap=_SHADES, norm=scale, edgecolors="white", linewidth=0.6)
    quantiles, cuts = (np.unique(table[name]) for name in ("quantile", "cut"))
    every = -(-_NARROW // _cell(len(cuts)))
    for (y, x), value in np.ndenumerate(grid):
        if np.isnan(value) or every > 1:
            continue
        tint = "white" if scale(value / units) > _DARK else INK
        text = f"{value:.0f}" if column == "detectors" or value >= 9.95 else f"{value:.1f}"
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=5.5, color=tint)
    axes.set_yticks(np.arange(len(quantiles)) + 0.5, [f"{100 * q:g}%" for q in quantiles])
    shown = np.arange(0, len(cuts), max(1, round(every)))
    axes.set_xticks(shown + 0.5, [f"{cut:g}" for cut in cuts[shown]], fontsize=6)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def _cell(cuts: int) -> float:
    """Return the inches that a cell is wide."""
    return min(_CELL, _WIDEST / cuts)


def mark(axes: Axes, table: pd.DataFrame, quantile: float | None, limit: float) -> None:
    """Frame the thresholds of the run, where the grid has them.

    Parameters
    ----------
    axes : Axes
        As `draw` left them.
    table : DataFrame
        The same.
    quantile : float or None
        Of the run.
    limit : float
        A detector's IoU exceeds it.
    """
    for y, q in enumerate(np.unique(table["quantile"])):
        for x, cut in enumerate(np.unique(table["cut"])):
            if quantile is not None and np.isclose(q, quantile) and np.isclose(cut, limit):
                axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=LIMIT, linewidth=1.1,
                                         clip_on=False))  # fmt: skip


def _drawing(labelling: Labelling, table: pd.DataFrame) -> Drawing:
    layers = list(dict.fromkeys(table["layer"]))
    cuts, quantiles = table["cut"].nunique(), table["quantile"].nunique()
    wide = 2 * _cell(cuts) * cuts + _BESIDE
    across = 1 if len(layers) < 4 or wide > 5.5 else 2
    down = -(-len(layers) // across)
    most = max((table["detectors"] / table["units"]).max(), 1e-9)
    most = max(most, (table["by_chance"] / table["units"]).max())

    def paint(figure: FigureBase) -> None:
        ratios = [*[1.0] * (2 * across), 0.06]
        whole = figure.subplots(down, len(ratios), squeeze=False, width_ratios=ratios)
        grid, scales = whole[:, :-1].ravel(), whole[:, -1]
        for spare in (*grid[2 * len(layers) :], *scales[1:]):
            spare.set_visible(False)
        for axes, beside, layer in zip(grid[::2], grid[1::2], layers, strict=False):
            part = table[table["layer"] == layer]
            for one, column in ((axes, "detectors"), (beside, "by_chance")):
                draw(one, part, column, most)
                mark(one, part, labelling.settings.get("quantile"), labelling.min_iou)
                one.set_xlabel("IoU above")
            panels.titled(axes, layer)
            beside.set_title("by chance", fontweight="normal")
            beside.set_yticklabels([])
            axes.set_ylabel("most active")
        bar = figure.colorbar(ScalarMappable(Normalize(0, most), _SHADES), cax=scales[0])
        bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        bar.set_label("share of units")
        bar.outline.set_visible(False)

    return Drawing(
        f"thresholds-{labelling.name}",
        "thresholds",
        f"{labelling.name}: how many units are detectors at other thresholds",
        f"{captions.units([labelling], layers)} Detectors by the IoU that they exceed and the "
        "share of activations above the threshold of a unit; beside them, in the "
        "same shades, how many chance gives: the maps over other images of the same categories "
        f"({_shifts(table)}). Framed: the thresholds of the run. "
        f"{captions.detector_rule([labelling])}",
        table,
        (wide * across + 0.7, down * (_ROW * quantiles + _AROUND)),
        paint,
    )


def _shifts(table: pd.DataFrame) -> str:
    least, most = table["shifts"].min(), table["shifts"].max()
    if least == most:
        return f"mean of {most:,} shifts"
    return f"mean of {least:,} to {most:,} shifts{'' if least else '; none where no number is'}"
