"""How high the best IoU of units is, beside what chance gives."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dissection.results import validity
from dissection.results.labelling import Labelling
from figures import captions, panels
from figures.drawing import Drawing
from figures.inputs import Inputs
from figures.options import Options
from figures.palette import BY_CHANCE, NEUTRAL, pale

__all__ = ["draw", "drawings", "rows"]

BINS = 32
"""About as many, of equal width on the root scale; the threshold of a detector is between two."""


def drawings(inputs: Inputs, options: Options) -> Iterator[Drawing | str]:
    """Yield a figure for each network whose run tells what chance gives."""
    yield from inputs.missing_for("chance")
    for labelling in inputs.by("iou"):
        table = rows(labelling)
        if table.empty:
            yield f"chance of {labelling.name}: {labelling.source} does not tell what chance gives"
        else:
            yield _drawing(labelling, table)


def rows(labelling: Labelling) -> pd.DataFrame:
    """Return how many units of each layer have an IoU within each bin, and how many by chance.

    Returns
    -------
    DataFrame
        layer, low, high (the bin: above low, in the first from it, and up to high), units,
        by_chance (the mean over the shifts). Layers of which the run does not tell are left out.
    """
    scores = {name: labelling.layer(name)["score"].to_numpy() for name in labelling.layers}
    nulls = {n: validity.null(labelling.source, n, len(score)) for n, score in scores.items()}
    known = {name: null for name, null in nulls.items() if null is not None}
    if not known:
        return pd.DataFrame(columns=["layer", "low", "high", "units", "by_chance"])
    top = max(max(scores[name].max(), null.max()) for name, null in known.items())
    edges = _edges(labelling.min_iou, top)
    parts = [
        pd.DataFrame(
            {
                "layer": name,
                "low": edges[:-1],
                "high": edges[1:],
                "units": _counts(scores[name], edges),
                "by_chance": _counts(null, edges) / len(null),
            }
        )
        for name, null in known.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _edges(limit: float, top: float) -> np.ndarray:
    """Return the ends of the bins, the limit among them, up to the highest value or beyond."""
    top = max(top, 2 * limit, 1e-6)
    below = max(1, round(BINS * np.sqrt(limit / top)))
    step = np.sqrt(limit) / below if limit else np.sqrt(top) / BINS
    edges = (np.arange(int(np.sqrt(top) / step) + 2) * step) ** 2
    if limit:
        edges[below] = limit
    return edges


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    places = np.digitize(values.ravel(), edges[1:-1], right=True)
    return np.bincount(places, minlength=len(edges) - 1)


def draw(axes: Axes, table: pd.DataFrame, limit: float) -> Axes:
    """Draw one layer: bars of units, pale where they are no detectors, and the outline of chance.

    Parameters
    ----------
    axes : Axes
        Where.
    table : DataFrame
        The rows of one layer from `rows`.
    limit : float
        A detector's IoU exceeds it.
    """
    low, high = table["low"].to_numpy(), table["high"].to_numpy()
    tints = [NEUTRAL if start >= limit else pale(NEUTRAL) for start in low]
    axes.bar(low, table["units"], high - low, align="edge", color=tints)
    axes.stairs(table["by_chance"], [*low, high[-1]], color=BY_CHANCE, linewidth=1.1)
    panels.limit_lines(axes, [limit])
    panels.root_scale(axes, float(high[-1]))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(panels.whole_numbers())
    axes.set_xlabel("best IoU (root scale)")
    return axes


def _drawing(labelling: Labelling, table: pd.DataFrame) -> Drawing:
    layers = list(dict.fromkeys(table["layer"]))
    across = min(3, len(layers))

    def paint(figure: FigureBase) -> None:
        grid = panels.columns(figure, len(layers), across)
        for place, (axes, layer) in enumerate(zip(grid, layers, strict=True)):
            panels.titled(axes, layer)
            draw(axes, table[table["layer"] == layer], labelling.min_iou)
            if place % across == 0:
                axes.set_ylabel("units")
            panels.noted(axes, _counted(labelling, layer))
        handles = [
            Patch(color=NEUTRAL, label="detectors"),
            Patch(color=pale(NEUTRAL), label="other units"),
            Line2D([], [], color=BY_CHANCE, label="chance (mean of the shifts)"),
        ]
        panels.legend(figure, handles, "outside upper left", 1.6)

    return Drawing(
        f"chance-{labelling.name}",
        "chance",
        f"{labelling.name}: how high the best IoU of units is, and what chance gives",
        f"{captions.units([labelling], layers)} Outline: the best IoU over all labels when the "
        f"same maps lie over other images. Dashed: the threshold of a detector."
        f"{captions.by_chance([labelling], layers)} {captions.detector_rule([labelling])}",
        table,
        (max(2.8 * across, 5.0), -(-len(layers) // across) * 1.75 + 0.3),
        paint,
    )


def _counted(labelling: Labelling, layer: str) -> str:
    """Return how many detectors there are and how many chance gives."""
    found = int(labelling.layer(layer)["detector"].sum())
    given = validity.expected(labelling, layer)
    return f"{found:,} detectors" + (f"\n{captions.mean_and_sd(given)} by chance" if given else "")
