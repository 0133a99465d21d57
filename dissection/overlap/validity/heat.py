"""The overlap that chance gives: where units are active and labels lie, image against any other.

A unit's map laid over the labels of a random image of the same stratum overlaps a label in

    E[I] = sum over strata s of (heat_us · heat_ls) / n_s

pixels on average, where heat_us (H·W) counts in how many images of the stratum the unit is active
at a pixel, heat_ls in how many the label lies there, and n_s is the number of its images. Both are
sums over images.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import where
from dissection.overlap.coding import LabelSets
from dissection.overlap.stencils import Runs

__all__ = ["KEPT_BYTES", "add_labels", "add_units", "expected", "kept_apart", "steps_of"]

KEPT_BYTES = 1 << 30
"""Of the heat of units and labels; strata beyond it are counted as one."""


def kept_apart(stratum: np.ndarray, rows: int, pixels: int, most: int = KEPT_BYTES) -> np.ndarray:
    """Return the strata whose heat is kept: the most frequent, and the others as one where needed.

    Parameters
    ----------
    stratum : ndarray
        (N,) int64 of each image, from 0 to S - 1.
    rows, pixels : int
        Units of all layers and labels together, and H·W.
    most : int
        Bytes.

    Returns
    -------
    ndarray
        (N,) int64 from 0; the last may hold the rare strata.

    Examples
    --------
    >>> kept_apart(np.array([2, 0, 2, 1, 0, 2]), 1, 1, 8).tolist()
    [0, 1, 0, 1, 1, 0]
    """
    counts = np.bincount(stratum)
    room = max(1, most // (4 * rows * pixels))
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(counts), np.int64)
    place[order] = np.arange(len(counts))
    return place[stratum].clip(max=room - 1)


def steps_of(runs: Runs, first: Tensor, units: int, pixels: int) -> tuple[Tensor, Tensor]:
    """Return the places in the heat of units that a run raises, and those behind it.

    Parameters
    ----------
    runs : Runs
        Where the maps of n images exceed their thresholds.
    first : Tensor
        (n,) int64, the row of the first unit in the stratum of each image, s·U.
    units, pixels : int
        U and H·W.

    Returns
    -------
    tuple of Tensor
        (b,) int64 each, places in (S, U, H·W + 1): heat is the running sum of its steps.
    """
    some = where(runs.length > 0)
    of, start, length = (part.index_select(0, some) for part in runs)
    row = first.index_select(0, of // units) + of % units
    begin = row * (pixels + 1) + start
    return begin, begin + length


def add_units(steps: Tensor, begin: Tensor, end: Tensor) -> None:
    """Add what `steps_of` gave to (S, U, H·W + 1) int32, in place."""
    one = torch.ones_like(begin, dtype=steps.dtype)
    steps.view(-1).index_add_(0, begin, one).index_add_(0, end, one, alpha=-1)


def add_labels(heat: np.ndarray, stratum: np.ndarray, sets: Sequence[LabelSets]) -> None:
    """Add the labels of some images to (S, L, H·W) int32, in place.

    Parameters
    ----------
    heat : ndarray
        So far.
    stratum : ndarray
        (n,) int64 of the images.
    sets : sequence of LabelSets
        Of the images.
    """
    for at, one in zip(stratum, sets, strict=True):
        # in the types that numpy would make of each label's anew
        code, member = one.code.astype(np.intp), one.member.T.astype(heat.dtype)
        for label, inside in zip(one.label, member, strict=True):
            heat[at, label] += inside[code]


def expected(steps: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """Return the overlap that chance gives, (U, L) float64 pixels.

    Parameters
    ----------
    steps : Tensor
        (S, U, H·W + 1) int32, see `steps_of`.
    labels : Tensor
        (S, L, H·W) int32.
    images : Tensor
        (S,) int64 images of each stratum.
    """
    total = torch.zeros(steps.shape[1], labels.shape[1], dtype=torch.float64, device=steps.device)
    for stratum, count in enumerate(images.tolist()):
        if count:
            # where few images are of a kind most units and labels are nowhere
            units, names = where(steps[stratum].amax(1) > 0), where(labels[stratum].amax(1) > 0)
            rows = steps[stratum].index_select(0, units)
            heat = torch.cumsum(rows, 1, dtype=torch.int32)[:, :-1].double()
            lain = labels[stratum].index_select(0, names).to(steps.device).double()
            total[units[:, None], names.to(steps.device)] += heat @ lain.t() / count
    return total
