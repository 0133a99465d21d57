"""What a probe set holds: masses, the IoU any unit can reach, and whether the file is intact."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from broden.defaults import MIN_IOU, QUANTILE
from broden.reader import ProbeSet


class LabelAudit(NamedTuple):
    """One label: number, name, primary category, images and pixels, share of all pixels, ceiling.

    `reachable` tells whether the ceiling is above 0.04.
    """

    number: int
    name: str
    category: str
    images: int
    pixels: int
    share: float
    ceiling: float
    reachable: bool


def ceilings(pixels: np.ndarray, counted: np.ndarray, quantile: float = QUANTILE) -> np.ndarray:
    """Return the highest IoU a unit at its nominal activation area can reach for each label.

    IoU is at most min(A, T) / max(A, T). A is q times the pixels that count under the union rule
    ``category``: those of the images that hold the label's primary category.

    Parameters
    ----------
    pixels : ndarray
        int (L), the mass T of each label.
    counted : ndarray
        int (L), pixels of the images that hold the label's primary category.
    quantile : float
        q, the fraction of activations above a unit's threshold.

    Returns
    -------
    ndarray
        float64 (L) in [0, 1]; 0 where the label has no pixels.

    Raises
    ------
    ValueError
        When `quantile` is not between 0 and 1.

    Examples
    --------
    >>> ceilings(np.array([50, 5, 0]), np.array([1000, 1000, 1000]), 0.01).tolist()
    [0.2, 0.5, 0.0]
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}, expected a fraction between 0 and 1")
    area = quantile * np.asarray(counted, np.float64)
    larger = np.maximum(area, pixels)
    return np.divide(np.minimum(area, pixels), larger, out=np.zeros_like(area), where=larger > 0)


def audit(probe: ProbeSet, quantile: float = QUANTILE) -> list[LabelAudit]:
    """Return one entry for each known label, by number."""
    labels, area = probe.labels, probe.grid[0] * probe.grid[1]
    _, held, _ = probe.contents(0, len(probe))
    images = np.bincount(held, minlength=len(labels))
    counted = probe.presence.sum(0)[labels.primary] * area
    ceiling = ceilings(labels.pixels, counted, quantile)
    share = labels.pixels / (len(probe) * area)
    return [
        LabelAudit(
            n,
            labels.names[n],
            labels.category(n),
            int(images[n]),
            int(labels.pixels[n]),
            float(share[n]),
            float(ceiling[n]),
            bool(ceiling[n] > MIN_IOU),
        )
        for n in np.flatnonzero(labels.known).tolist()
    ]


class Holding(NamedTuple):
    """An image that holds a label: its index and name, pixels of the grid and their share."""

    image: int
    name: str
    pixels: int
    share: float


def find(probe: ProbeSet, number: int) -> list[Holding]:
    """Return the images that hold a label, most pixels first; equals in the set's order."""
    image, label, pixels = probe.contents(0, len(probe))
    chosen = np.flatnonzero(label == number)
    order = chosen[np.argsort(-pixels[chosen], kind="stable")]
    area = probe.grid[0] * probe.grid[1]
    return [
        Holding(i, probe.names[i], p, p / area)
        for i, p in zip(image[order].tolist(), pixels[order].tolist(), strict=True)
    ]
