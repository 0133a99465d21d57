"""From counts to what a label is worth: chance, p and q, interval, stability, second scores.

The definitions are those of docs/validity.md. Pure functions of arrays of one layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dissection.overlap.assign import best, detectors
from dissection.overlap.iou import activation_area, iou
from dissection.overlap.tally import Counts
from dissection.statistics import bootstrap, discoveries, jackknife
from dissection.statistics.retrieval import average_precision, first_without

__all__ = ["CANDIDATES", "Counted", "Labelled", "Validity", "null_rule", "validity"]

CANDIDATES = 5
"""Labels of a unit that a resample of the images may choose between."""


class Labelled(NamedTuple):
    """The labels of a probe set."""

    pixels: Tensor
    """(L,) int64."""
    primary: Tensor
    """(L,) int64."""
    known: Tensor
    """(L,) bool."""
    categories: int
    touching: np.ndarray
    """(L, L) bool: some pixel carries both."""
    grouped: np.ndarray
    """(G, L) int64 pixels of each label in each group of images."""
    holds: np.ndarray
    """(L, N) bool which images hold each label."""


class Counted(NamedTuple):
    """What was counted of one layer, over all images."""

    counts: Counts
    grouped: Counts
    """With U rows for each of G groups of images."""
    overlapping: np.ndarray
    """(U, L) images in which unit and label overlap."""
    shifted: Tensor
    """(R, U, L) intersections with the labels of partners."""
    expected: Tensor
    """(U, L) float64 intersections that chance gives."""
    maximum: np.ndarray
    """(N, U) float32 of each map."""


class Validity(NamedTuple):
    """What the labels of a layer's units are worth, numpy arrays."""

    chance: np.ndarray
    """(U, L) float64 IoU that chance gives."""
    null: np.ndarray
    """(R, U) float64 best IoU with the labels of partners."""
    p: np.ndarray
    q: np.ndarray
    """(U,) float64; NaN with fewer than two shifts."""
    low: np.ndarray
    high: np.ndarray
    """(U,) float64 95% interval of the IoU of the unit's label."""
    candidate: np.ndarray
    """(U, C) int64 best labels, best first; 0 where there are fewer."""
    intersection: np.ndarray
    area: np.ndarray
    """(G, U, C) int64 of the candidates in each group of images."""
    stability: np.ndarray
    """(U,) float64."""
    detectors_sd: float
    unique_sd: float
    images: np.ndarray
    """(U, L) int64 images in which unit and label overlap."""
    precision: np.ndarray
    recall: np.ndarray
    relative: np.ndarray
    average_precision: np.ndarray
    """(U,) float64 of the unit's label."""
    second: np.ndarray
    """(U,) int64 best label that shares no pixel with the first; 0 where there is none."""
    without_image: np.ndarray
    """(U, n) int64 top images that do not hold the label; -1 where there are fewer."""
    without_value: np.ndarray
    """(U, n) float32 their maxima."""


def null_rule(union: str) -> str:
    """Return the union rule of what chance gives: its areas must not depend on the labels paired.

    Under ``mask`` the rule ``category`` stands in, observed and by chance.
    """
    return "all" if union == "all" else "category"


def highest(counts: Counts, labels: Labelled, rule: str) -> np.ndarray:
    """Return the best IoU of each unit over all labels, (U,) float64."""
    scores = iou(counts, labels.pixels, labels.primary, rule)
    return scores.masked_fill(~labels.known, 0).amax(1).cpu().numpy()


def validity(
    counted: Counted, labels: Labelled, scores: Tensor, union: str, min_iou: float, top: int
) -> Validity:
    """Return what the labels of a layer are worth.

    Parameters
    ----------
    counted, labels
        Of the layer and the probe set.
    scores : Tensor
        (U, L) float64 IoU by the run's union rule.
    union, min_iou
        Of the run.
    top : int
        n.
    """
    rule = null_rule(union)
    chance = _over_union(counted.expected, counted.counts, labels, rule)
    observed = highest(counted.counts, labels, rule)
    null = np.zeros((len(counted.shifted), len(observed)))
    for row, intersection in zip(null, counted.shifted, strict=True):
        row[:] = highest(counted.counts._replace(intersection=intersection), labels, rule)
    p = discoveries.p_values(null, observed)
    candidate = _candidates(scores, labels.known)
    named = candidate[:, 0]
    parts = _by_group(counted.grouped, labels, candidate, union)
    each = np.arange(len(named))
    low, high = jackknife.interval(_without_each(*parts)[..., 0], scores.cpu().numpy()[each, named])
    resampled = bootstrap.resampled_iou(*parts, bootstrap.resamples(len(parts[0])))
    spread = bootstrap.detector_spread(resampled, candidate, min_iou)
    holds = labels.holds[named]
    return Validity(
        chance.cpu().numpy(),
        null,
        p,
        discoveries.q_values(p),
        low,
        high,
        candidate,
        parts[0],
        parts[1],
        bootstrap.stability(resampled),
        *spread,
        counted.overlapping,
        *_shares(counted.counts, labels, named, union, scores.cpu().numpy()[each, named]),
        average_precision(counted.maximum.T, holds),
        _second(scores, labels, named),
        *first_without(counted.maximum.T, holds, top),
    )


def _over_union(overlap: Tensor, counts: Counts, labels: Labelled, rule: str) -> Tensor:
    """Return I / (A + T - I) of an overlap that need not be a whole number, (U, L)."""
    area = activation_area(counts, labels.primary, rule)
    union = area + labels.pixels - overlap
    return torch.where(union > 0, overlap / union.clamp(min=1e-12), 0.0)


def _candidates(scores: Tensor, known: Tensor) -> np.ndarray:
    """Return the best labels, (U, C), the lower number first where several are equal."""
    ranked = torch.argsort(scores.masked_fill(~known, -1), dim=1, descending=True, stable=True)
    found = np.zeros((len(scores), CANDIDATES), np.int64)
    kept = ranked[:, : min(CANDIDATES, int(known.sum()))].cpu().numpy()
    found[:, : kept.shape[1]] = kept
    return found


def _by_group(
    grouped: Counts, labels: Labelled, candidate: np.ndarray, union: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return intersection, area and label pixels of the candidates by group, (G, U, C) int64."""
    units, groups = len(candidate), len(labels.grouped)
    of = torch.from_numpy(candidate).to(grouped.all.device)
    split = Counts(*(part.view(groups, units, *part.shape[1:]) for part in grouped))
    there = (of > 0).to(torch.int64)
    intersection = split.intersection.gather(2, of.expand(groups, -1, -1)).to(torch.int64) * there
    if union == "all":
        area = split.all[:, :, None].expand_as(intersection)
    else:
        category = labels.primary[of].expand(groups, -1, -1)
        area = getattr(split, union).gather(2, category)
    pixels = labels.grouped[:, candidate] * there.cpu().numpy()
    return intersection.cpu().numpy(), (area * there).cpu().numpy(), pixels


def _without_each(intersection: np.ndarray, area: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the IoU without each group of images, (G, U, C) float64."""
    rest = [part.sum(0) - part for part in (intersection, area, pixels)]
    union = rest[1] + rest[2] - rest[0]
    return rest[0] / np.maximum(union, 1)


def _shares(
    counts: Counts, labels: Labelled, named: np.ndarray, union: str, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision I / A, recall I / T, and IoU over the highest that A and T allow."""
    each = np.arange(len(named))
    area = activation_area(counts, labels.primary, union).cpu().numpy()[each, named]
    pixels = labels.pixels.cpu().numpy()[named]
    overlap = counts.intersection.cpu().numpy()[each, named]
    ceiling = np.minimum(area, pixels) / np.maximum(np.maximum(area, pixels), 1)
    relative = np.divide(score, ceiling, out=np.zeros_like(score), where=ceiling > 0)
    return overlap / np.maximum(area, 1), overlap / np.maximum(pixels, 1), relative


def _second(scores: Tensor, labels: Labelled, named: np.ndarray) -> np.ndarray:
    """Return the best label of which no pixel carries the first, (U,); 0 where none overlaps."""
    allowed = labels.known.cpu().numpy() & ~labels.touching[named]
    allowed[np.arange(len(named)), named] = False
    values = np.where(allowed, scores.cpu().numpy(), 0)
    found = values.argmax(1)
    return np.where(values[np.arange(len(named)), found] > 0, found, 0)


class Sensitivity(NamedTuple):
    """Detectors of a layer at other quantiles and IoU thresholds."""

    quantile: np.ndarray
    """(B,) ascending."""
    cut: np.ndarray
    """(C,) ascending."""
    detectors: np.ndarray
    unique: np.ndarray
    """(B, C) int64."""
    expected: np.ndarray
    """(B, C) float64 detectors with the labels of partners."""
    shifts: np.ndarray
    """(B,) int64 of how many shifts that is the mean."""


def sensitivity(
    quantiles: Sequence[float],
    cuts: Sequence[float],
    levels: Sequence[Counts],
    shifted: Sequence[np.ndarray],
    labels: Labelled,
    union: str,
) -> Sensitivity:
    """Return how many detectors there are at each quantile and IoU threshold.

    Parameters
    ----------
    quantiles, cuts : sequence of float
        B and C of them, ascending.
    levels : sequence of Counts
        At each quantile.
    shifted : sequence of ndarray
        At each quantile (r, U) best IoU with the labels of partners.
    labels, union
        As in `validity`.
    """
    found: dict[str, list] = {"detectors": [], "unique": [], "expected": []}
    for counts, null in zip(levels, shifted, strict=True):
        scores = iou(counts, labels.pixels, labels.primary, union)
        chosen = best(scores, labels.known, labels.primary, labels.categories)
        several = [detectors(chosen, cut) for cut in cuts]
        found["detectors"].append([one.units for one in several])
        found["unique"].append([one.unique_best for one in several])
        above = (null[:, :, None] > np.array(cuts)).sum(1)
        found["expected"].append(above.mean(0) if len(null) else np.full(len(cuts), np.nan))
    return Sensitivity(
        np.array(quantiles),
        np.array(cuts),
        np.array(found["detectors"], np.int64),
        np.array(found["unique"], np.int64),
        np.array(found["expected"], float),
        np.array([len(null) for null in shifted], np.int64),
    )
