"""What the labels of a layer are worth, as columns, counts, arrays and words."""

from collections.abc import Sequence

import h5py
import numpy as np

from broden.labels import LabelTable
from dissection.config import IouConfig
from dissection.overlap.assign import Detectors
from dissection.overlap.validity.judging import Judgement
from dissection.overlap.validity.numbers import null_rule
from dissection.results import schema
from dissection.statistics.discoveries import FDR

__all__ = ["columns", "counts", "definitions", "write_arrays", "write_groups"]


def columns(judgement: Judgement, labels: LabelTable, iou: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of a layer in the table of units, see `schema.VALIDITY_COLUMNS`.

    Parameters
    ----------
    judgement : Judgement
        Of the layer.
    labels : LabelTable
        Of the probe set.
    iou : ndarray
        (U, L) by the run's union rule.
    """
    found, names = judgement.validity, np.array(labels.names, object)
    each, named, runner = np.arange(len(iou)), found.candidate[:, 0], found.candidate[:, 1]
    runner = np.where(iou[each, runner] > 0, runner, 0)
    values = (
        found.low,
        found.high,
        found.chance[each, named],
        found.p,
        found.q,
        found.stability,
        _named(names, runner),
        np.where(runner > 0, iou[each, runner], 0.0),
        found.images[each, named],
        found.precision,
        found.recall,
        found.relative,
        _named(names, found.second),
        np.where(found.second > 0, iou[each, found.second], 0.0),
        found.average_precision,
    )
    return dict(zip(schema.VALIDITY_COLUMNS, values, strict=True))


def _named(names: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.where(label > 0, names[label], "")


def counts(
    judgement: Judgement, detects: np.ndarray, twins: dict[int, Detectors], min_iou: float
) -> dict[str, object]:
    """Return what the run card says of a layer.

    Parameters
    ----------
    judgement : Judgement
        Of the layer.
    detects : ndarray
        (U,) bool.
    twins : dict of int to Detectors
        Of each rotated basis, by seed.
    min_iou : float
        A detector's IoU exceeds it.
    """
    found = judgement.validity
    by_chance = (found.null > min_iou).sum(1)
    shifts, significant = len(by_chance), found.q <= FDR
    return {
        "expected_by_chance": {
            "mean": float(by_chance.mean()) if shifts else None,
            "sd": float(by_chance.std(ddof=1)) if shifts > 1 else None,
            "shifts": shifts,
        },
        "significant": int(significant.sum()),
        "significant_detectors": int((significant & detects).sum()),
        "detectors_sd": found.detectors_sd,
        "unique_sd": found.unique_sd,
        "rotated": [
            {
                "seed": seed,
                "detectors": one.units,
                "unique_best": one.unique_best,
                "unique_paper": one.unique_paper,
            }
            for seed, one in twins.items()
        ],
        "alone": judgement.alone,
    }


def write_groups(file: h5py.File, group: np.ndarray, pixels: np.ndarray) -> None:
    """Write the group of each image (N,), and (G, L) pixels of each label in each group."""
    file[schema.GROUP] = group
    file.create_dataset(schema.GROUP_PIXELS, data=pixels, **schema.PACKED)


def write_arrays(
    layer: h5py.Group, judgement: Judgement, twins: dict[int, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Write the arrays of a layer, and label and IoU (U,) of each rotated basis by seed."""
    found, grid = judgement.validity, judgement.sensitivity
    packed = {
        schema.CHANCE: found.chance,
        schema.LABEL_IMAGES: found.images,
        schema.CANDIDATE_INTERSECTION: found.intersection,
        schema.CANDIDATE_AREA: found.area,
    }
    for name, values in packed.items():
        layer.create_dataset(name, data=values, **schema.PACKED)
    plain = {
        schema.NULL: found.null,
        schema.P: found.p,
        schema.Q: found.q,
        schema.STABILITY: found.stability,
        schema.LOW: found.low,
        schema.HIGH: found.high,
        schema.AVERAGE_PRECISION: found.average_precision,
        schema.CANDIDATE: found.candidate,
        schema.WITHOUT_IMAGE: found.without_image,
        schema.WITHOUT_VALUE: found.without_value,
        schema.SENSITIVITY_QUANTILE: grid.quantile,
        schema.SENSITIVITY_CUT: grid.cut,
        schema.SENSITIVITY_DETECTORS: grid.detectors,
        schema.SENSITIVITY_UNIQUE: grid.unique,
        schema.SENSITIVITY_EXPECTED: grid.expected,
        schema.SENSITIVITY_SHIFTS: grid.shifts,
        schema.ROTATED_SEED: np.array(list(twins), np.int64),
    }
    units = len(found.p)
    labels, scores = ([one[part] for one in twins.values()] for part in (0, 1))
    plain[schema.ROTATED_LABEL] = np.array(labels, np.int64).reshape(-1, units)
    plain[schema.ROTATED_IOU] = np.array(scores, float).reshape(-1, units)
    for name, values in plain.items():
        layer[name] = values


def definitions(config: IouConfig, quantiles: Sequence[float]) -> dict[str, str]:
    """Return in words what the numbers mean."""
    rule = null_rule(config.union)
    levels = ", ".join(f"{quantile:g}" for quantile in quantiles)
    return {
        "stratum": "images that hold labels of the same categories; rare ones count as one for "
        "chance_iou where memory is short",
        "chance_iou": "IoU of the label with I as it is on average when each map lies over the "
        "labels of a random image of its stratum, exact; union "
        f"{rule}",
        "expected_by_chance": "detectors when each image is paired with the labels of another of "
        f"its stratum: mean and sd over the shifts; union {rule}",
        "p": "share of the layer's chance values, on the log scale of each unit, that reach the "
        "unit's; the label is the best on every shift too",
        "q": "false discovery rate of Benjamini and Hochberg over the units of the layer",
        "significant": f"q <= {FDR}; significant_detectors are also detectors",
        "iou_low, iou_high": "95% interval of the IoU of the label that was named, thresholds "
        "held, by leaving out 50 groups of images; that the best label was picked is not in it",
        "stability": "share of 200 resamples of the groups in which the label wins among the "
        "unit's five best",
        "images": "images in which unit and label overlap",
        "precision, recall": "I / A and I / T",
        "relative_iou": "IoU over min(A, T) / max(A, T), the highest that these areas allow",
        "second_label": "the best label of which no pixel of the set carries the first",
        "average_precision": "area under precision and recall of the unit's maximum for images "
        "that hold the label",
        "detectors_sd, unique_sd": "standard deviation over the resamples; unique detectors grow "
        "with chance labels and have no interval that holds",
        "rotated": "the layer in a random orthogonal basis, all else the same",
        "alone": "images whose stratum is only them: paired with themselves",
        "sensitivity": f"detectors at quantiles {levels} and several IoU thresholds, in scores.h5",
    }
