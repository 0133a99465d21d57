"""How labels are spread: over categories, over IoU, and over thresholds of a detector."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dissection.comparison.side_by_side import ALL, detectors
from dissection.results.labelling import Labelling

__all__ = ["QUANTILES", "STEPS", "shares", "spread", "sweep"]

QUANTILES = {"low": 0.05, "lower": 0.25, "median": 0.5, "upper": 0.75, "high": 0.95}
"""Of the IoU over units, by name."""

STEPS = np.round(np.arange(0, 0.3001, 0.005), 3)
"""Thresholds of a detector, from none to where hardly a unit is left."""


def shares(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return the share of each category among the detectors of each layer.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU, with the best label of every category.

    Returns
    -------
    DataFrame
        network, layer, category, detectors (whose best label is of the category), share (of the
        layer's detectors; 0 where it has none), units (of the layer), rate (detectors of all
        categories by units).
    """
    parts = []
    for labelling in labellings:
        table = detectors(labelling).set_index("category")
        for layer in labelling.layers:
            here = table[table["layer"] == layer]
            total, units = here.loc[ALL, "detectors"], len(labelling.layer(layer))
            part = here.drop(index=ALL)[["network", "layer", "detectors"]].reset_index()
            part["share"] = part["detectors"] / max(total, 1)
            parts.append(part.assign(units=units, rate=total / units))
    columns = ["network", "layer", "category", "detectors", "share", "units", "rate"]
    return pd.concat(parts, ignore_index=True)[columns]


def spread(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return how the IoU of the best label of each category is distributed over units.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU, with the best label of every category.

    Returns
    -------
    DataFrame
        layer, category, network, units, `QUANTILES` (linear between order statistics), highest,
        and share (of units above the threshold of a detector).
    """
    rows = []
    for labelling in labellings:
        for layer in labelling.layers:
            units = labelling.layer(layer)
            for category in labelling.categories:
                scores = units[f"{category}-score"].dropna()
                row: dict[str, object] = {"layer": layer, "category": category}
                row["network"] = labelling.name
                row |= {"units": len(scores)}
                row |= {name: scores.quantile(q) for name, q in QUANTILES.items()}
                row |= {"highest": scores.max(), "share": (scores > labelling.min_iou).mean()}
                rows.append(row)
    return pd.DataFrame(rows)


def sweep(labellings: Sequence[Labelling]) -> pd.DataFrame:
    """Return the detectors of each layer at each of `STEPS`.

    Parameters
    ----------
    labellings : sequence of Labelling
        By IoU.

    Returns
    -------
    DataFrame
        network, layer, threshold, detectors (units whose IoU exceeds it), share (of the layer's
        units), unique_best (different best labels of these).
    """
    rows = []
    for labelling in labellings:
        for layer in labelling.layers:
            units = labelling.layer(layer)
            for step in STEPS:
                above = units[units["score"] > step]
                unique = above["label"].nunique()
                share = len(above) / len(units)
                rows.append((labelling.name, layer, step, len(above), share, unique))
    columns = ["network", "layer", "threshold", "detectors", "share", "unique_best"]
    return pd.DataFrame(rows, columns=columns)
