"""What overlap says of the units of a layer: its tables, its counts and what they mean."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from broden.labels import LabelTable
from dissection.config import TOP_IMAGES, IouConfig
from dissection.networks.layouts import LayerInfo
from dissection.overlap.assign import Best, Detectors
from dissection.overlap.validity import reporting
from dissection.overlap.validity.judging import Judgement
from dissection.results import schema


class CountArrays(NamedTuple):
    """`tally.Counts` as numpy arrays."""

    intersection: np.ndarray
    all: np.ndarray
    category: np.ndarray
    mask: np.ndarray


class BestArrays(NamedTuple):
    """`assign.Best` as numpy arrays."""

    label: np.ndarray
    iou: np.ndarray
    category_label: np.ndarray
    category_iou: np.ndarray


class LayerResult(NamedTuple):
    """All that is known of one layer's units, as numpy arrays."""

    info: LayerInfo
    threshold: np.ndarray
    """(U,) float32."""
    counts: CountArrays
    """Over the whole probe set."""
    iou: dict[str, np.ndarray]
    """(U, L) float64 by union rule."""
    best: BestArrays
    """By the run's union rule."""
    detectors: Detectors
    """By the run's union rule."""
    top_image: np.ndarray
    """(U, n) int64 images with the highest maxima, highest first."""
    top_value: np.ndarray
    """(U, n) float32 those maxima."""
    judgement: Judgement | None = None
    """What the labels are worth, where that was counted."""
    twins: Mapping[int, tuple[Best, Detectors]] = {}
    """What the directions of each random basis detect, by its seed."""


def unit_table(
    results: Sequence[LayerResult], labels: LabelTable, config: IouConfig
) -> pd.DataFrame:
    """Return one row a unit of every layer: its label, and the best label of every category.

    Parameters
    ----------
    results : sequence of LayerResult
        The layers, in order.
    labels : LabelTable
        Of the probe set.
    config : IouConfig
        Union rule and what a detector is.
    """
    return pd.concat([_layer_units(r, labels, config) for r in results], ignore_index=True)


def _layer_units(result: LayerResult, labels: LabelTable, config: IouConfig) -> pd.DataFrame:
    names, best = np.array(labels.names, object), result.best
    columns = {
        "layer": result.info.name,
        "unit": np.arange(result.info.units),
        "label": names[best.label],
        "category": np.array(labels.categories, object)[np.asarray(labels.primary)[best.label]],
        "iou": best.iou,
        "detector": best.iou > config.min_iou,
        "threshold": result.threshold.astype(float),
    }
    for k, category in enumerate(labels.categories):
        label = _category_names(names, best.category_label[:, k])
        columns[schema.of_category(category, "label")] = label
        columns[schema.of_category(category, "iou")] = best.category_iou[:, k]
    if result.judgement is not None:
        columns |= reporting.columns(result.judgement, labels, result.iou[config.union])
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
        fields = [schema.of_category(category, field) for field in schema.TALLY_FIELDS]
        columns |= dict(zip(fields, parts, strict=True))
    table = pd.DataFrame(columns)
    return table.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)


def iou_definitions(config: IouConfig, grid: Sequence[int]) -> dict[str, str]:
    """Return in words what the numbers of labelling by IoU mean."""
    q = config.quantile
    return {
        "threshold": f"the (k+1)-th largest of a unit's N·h·w activations, k = floor({q}·N·h·w); "
        "exact, no interpolation",
        "mask": f"the map upsampled bilinearly to {grid[0]}x{grid[1]} pixels (half-pixel centres, "
        "edges clamped), strictly above the threshold",
        "label pixels": "a pixel counts once for a label; a whole-image label covers all pixels",
        "primary category": "the category in which a label covers most; tie: the later",
        "iou": "I / (A + T - I); 0 where the denominator is 0",
        "union": f"{config.union}: A is the unit's {UNION_TEXT[config.union]}",
        "label": "highest IoU over all labels, the lowest number on ties",
        "detector": f"IoU > {config.min_iou}",
        "unique_best": "different overall labels of the detectors of a layer",
        "unique_paper": "different labels of each category with a category IoU above the "
        "detector's, summed over categories",
        "units": "counted from 0; in tally/ from 1, as published",
        "top": f"the {TOP_IMAGES} images with the highest maximum of a unit's map",
        **(reporting.definitions(config, config.levels()) if config.believed else {}),
    }


def iou_counts(result: LayerResult, categories: Sequence[str], min_iou: float) -> dict:
    """Return how many detectors a layer has, of how many concepts by either rule, and by chance."""
    found, more = result.detectors, {}
    by_category = dict(zip(categories, found.unique_by_category, strict=True))
    if result.judgement is not None:
        twins = {seed: detectors for seed, (_, detectors) in result.twins.items()}
        more = reporting.counts(result.judgement, result.best.iou > min_iou, twins, min_iou)
    return {
        "detectors": found.units,
        "unique_best": found.unique_best,
        "unique_paper": found.unique_paper,
        "unique_paper_by_category": by_category,
        **more,
    }


UNION_TEXT = {
    "category": "active pixels in images that hold any label of the label's primary category",
    "mask": "active pixels in images where such a label lies under the unit's active pixels",
    "all": "active pixels in all images",
}
