"""IoU to labels: what each unit detects, and how many different things a layer detects."""

from typing import NamedTuple

import torch
from torch import Tensor

from dissection.config import MIN_IOU


class Best(NamedTuple):
    """The best label of each unit, overall and in each category."""

    label: Tensor
    """(U,) int64 label number."""
    iou: Tensor
    """(U,) float64."""
    category_label: Tensor
    """(U, K) int64 label number; 0 in a category that has no label."""
    category_iou: Tensor
    """(U, K) float64."""


def best(iou: Tensor, known: Tensor, primary: Tensor, categories: int) -> Best:
    """Return the labels with the highest IoU, the lowest number where several are equal.

    Parameters
    ----------
    iou : Tensor
        (U, L) float64.
    known : Tensor
        (L,) bool, label numbers that mean something; never the unlabelled number 0.
    primary : Tensor
        (L,) int64 primary category of each label.
    categories : int
        K.

    Raises
    ------
    ValueError
        If no label is known.
    """
    if not known.any():
        raise ValueError("a probe set without labels cannot name a unit")
    label, value = _highest(iou, known)
    chosen = [_highest(iou, known & (primary == k)) for k in range(categories)]
    by_category = (torch.stack(part, 1) for part in zip(*chosen, strict=True))
    return Best(label, value, *by_category)


def _highest(iou: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    if not allowed.any():
        return torch.zeros_like(iou[:, 0], dtype=torch.int64), torch.zeros_like(iou[:, 0])
    label = iou.masked_fill(~allowed, -1).argmax(1)
    return label, iou.gather(1, label[:, None])[:, 0]


class Detectors(NamedTuple):
    """How many units and how many different concepts of a layer pass the IoU threshold."""

    units: int
    """Units whose best IoU is above it."""
    unique_best: int
    """Different overall labels of those units."""
    unique_paper: int
    """Different labels of each category above it, summed over categories (the published rule)."""
    unique_by_category: tuple[int, ...]
    """The K terms of that sum."""


def detectors(chosen: Best, min_iou: float = MIN_IOU) -> Detectors:
    """Count detectors and unique detectors by both rules.

    Parameters
    ----------
    chosen : Best
        Of U units.
    min_iou : float
        A detector's IoU exceeds it.
    """
    detects = chosen.iou > min_iou
    by_category = tuple(
        len(label[value > min_iou].unique())
        for label, value in zip(chosen.category_label.t(), chosen.category_iou.t(), strict=True)
    )
    unique = len(chosen.label[detects].unique())
    return Detectors(int(detects.sum()), unique, sum(by_category), by_category)
