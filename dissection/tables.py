"""The tables of a dissection: one row a unit, a concept, or a unit in the published format."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from broden.labels import LabelTable
from dissection.assign import Best, Detectors
from dissection.layouts import LayerInfo
from dissection.tally import Counts

TEXT_COLUMNS = ("layer", "label", "category", "description")

TALLY_FIELDS = ("label", "truth", "activation", "intersect", "iou")
"""Columns of each category in the published NetDissect tally, each as ``<category>-<field>``."""


class LayerResult(NamedTuple):
    """All that is known of one layer's units, as numpy arrays."""

    info: LayerInfo
    threshold: np.ndarray
    """(U,) float32."""
    counts: Counts
    """Over the whole probe set."""
    iou: dict[str, np.ndarray]
    """(U, L) float64 by union rule."""
    best: Best
    """By the run's union rule."""
    detectors: Detectors
    """By the run's union rule."""
    top_image: np.ndarray
    """(U, n) int64 images with the highest maxima, highest first."""
    top_value: np.ndarray
    """(U, n) float32 those maxima."""


def unit_table(results: Sequence[LayerResult], labels: LabelTable, min_iou: float) -> pd.DataFrame:
    """Return one row a unit of every layer: its label, and the best label of every category.

    Parameters
    ----------
    results : sequence of LayerResult
        The layers, in order.
    labels : LabelTable
        Of the probe set.
    min_iou : float
        A detector's IoU exceeds it.
    """
    return pd.concat([_layer_units(r, labels, min_iou) for r in results], ignore_index=True)


def _layer_units(result: LayerResult, labels: LabelTable, min_iou: float) -> pd.DataFrame:
    names, best = np.array(labels.names, object), result.best
    columns = {
        "layer": result.info.name,
        "unit": np.arange(result.info.units),
        "label": names[best.label],
        "category": np.array(labels.categories, object)[np.asarray(labels.primary)[best.label]],
        "iou": best.iou,
        "detector": best.iou > min_iou,
        "threshold": result.threshold.astype(float),
    }
    for k, category in enumerate(labels.categories):
        columns[f"{category}-label"] = _category_names(names, best.category_label[:, k])
        columns[f"{category}-iou"] = best.category_iou[:, k]
    return pd.DataFrame(columns)


def _category_names(names: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return label names, empty where the category has no label (never the unlabelled one's)."""
    return np.where(label > 0, names[label], "")


def concept_table(units: pd.DataFrame) -> pd.DataFrame:
    """Return one row a layer and label: how many units carry it, detectors or not.

    Parameters
    ----------
    units : DataFrame
        From `unit_table`.
    """
    order = {layer: place for place, layer in enumerate(dict.fromkeys(units["layer"]))}
    groups = units.groupby(["layer", "label", "category"], sort=False)
    table = groups.size().rename("units").reset_index()
    table["order"] = table["layer"].map(order)
    table = table.sort_values(["order", "units", "label"], ascending=[True, False, True])
    return table.drop(columns="order").reset_index(drop=True)


def tally_table(result: LayerResult, labels: LabelTable, union: str) -> pd.DataFrame:
    """Return a layer's units with the columns of the published NetDissect tallies, best first.

    Parameters
    ----------
    result : LayerResult
        The layer.
    labels : LabelTable
        Of the probe set.
    union : str
        Rule of the IoU and of the activation column, one of `config.UNIONS`.
    """
    names, best = np.array(labels.names, object), result.best
    unit, counts = np.arange(result.info.units), result.counts
    primary = np.asarray(labels.primary)
    columns = {
        "unit": unit + 1,
        "category": np.array(labels.categories, object)[primary[best.label]],
        "label": names[best.label],
        "score": best.iou,
    }
    for k, category in enumerate(labels.categories):
        label = best.category_label[:, k]
        parts = (
            _category_names(names, label),
            np.asarray(labels.pixels)[label],
            counts.all if union == "all" else getattr(counts, union)[:, k],
            counts.intersection[unit, label],
            result.iou[union][unit, label],
        )
        columns |= {
            f"{category}-{field}": part for field, part in zip(TALLY_FIELDS, parts, strict=True)
        }
    table = pd.DataFrame(columns)
    return table.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV of results; names of layers, labels and categories stay text."""
    names = pd.read_csv(path, nrows=0).columns
    text = [n for n in names if n in TEXT_COLUMNS or n.endswith("-label")]
    return pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(text, str))


def read_tally(path: str | Path) -> pd.DataFrame:
    """Read a tally, ours or a published NetDissect result file.

    Parameters
    ----------
    path : str or Path
        A CSV file.

    Returns
    -------
    DataFrame
        The columns of the file with counts as int64 and ``unit`` counted from 0; the file's own
        number is in ``unit_1based``.

    Raises
    ------
    ValueError
        If the columns are not those of a tally.
    """
    table = read_table(path)
    missing = {"unit", "category", "label", "score"} - set(table.columns)
    categories = tally_categories(table)
    missing |= {f"{c}-{f}" for c in categories for f in TALLY_FIELDS} - set(table.columns)
    if missing or not categories:
        lacking = ", ".join(sorted(missing)) or "<category>-label"
        raise ValueError(f"{path} is not a NetDissect tally: it lacks the columns {lacking}")
    counts = [f"{c}-{f}" for c in categories for f in ("truth", "activation", "intersect")]
    table[counts] = table[counts].astype(float).astype(np.int64)
    table["unit_1based"] = table["unit"]
    table["unit"] -= 1
    return table


def tally_categories(table: pd.DataFrame) -> list[str]:
    """Return the categories of a tally, in the order of its columns."""
    return [name.removesuffix("-label") for name in table.columns if name.endswith("-label")]
