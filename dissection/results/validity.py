"""Read what a run stored of how far its labels can be believed, beside the columns of its tables.

Each reader returns None where the run stored none, and refuses what cannot be in one line.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import h5py
import numpy as np

from broden.system.hdf5 import RefusedError, array, opened
from dissection.results import schema
from dissection.results.labelling import Labelling

__all__ = [
    "Expected",
    "Rotated",
    "Sensitivity",
    "Without",
    "believed",
    "expected",
    "null",
    "rotated",
    "sensitivity",
    "without_label",
]

_Read = TypeVar("_Read")

_MOST = 1 << 16
"""Shifts, quantiles or cuts; a run has a few."""


class Expected(NamedTuple):
    """How many detectors of a layer chance gives."""

    mean: float
    sd: float | None
    """Standard deviation over the shifts; None where there is only one."""
    shifts: int


class Rotated(NamedTuple):
    """What random directions of a layer detect, one for each unit."""

    seed: int
    detectors: int
    unique: int
    """Different labels of these."""


class Sensitivity(NamedTuple):
    """How many detectors a layer has at other thresholds of the activation and of the IoU."""

    quantile: np.ndarray
    """(B,) ascending: shares of activations above the threshold of a unit."""
    cut: np.ndarray
    """(C,) ascending: the IoU that a detector exceeds."""
    detectors: np.ndarray
    """(B, C) int64."""
    unique: np.ndarray
    """(B, C) int64, how many different labels they have."""
    expected: np.ndarray
    """(B, C) how many detectors chance gives, NaN where nothing tells."""
    shifts: np.ndarray
    """(B,) int64, the shifts that each row of them is the mean of."""


class Without(NamedTuple):
    """The images without its label to which a unit answers most."""

    image: np.ndarray
    """(U, n) int64, the highest first; -1 where there are fewer."""
    value: np.ndarray
    """(U, n) float32, the highest activation on each."""


def believed(labelling: Labelling) -> bool:
    """Tell whether a labelling says of each unit how far its label can be believed."""
    return {"iou_low", "iou_high", "chance_iou", "q"} <= set(labelling.units)


def expected(labelling: Labelling, layer: str) -> Expected | None:
    """Return how many detectors of a layer chance gives, where the run card tells.

    Parameters
    ----------
    labelling : Labelling
        By IoU.
    layer : str
        Dotted name.
    """
    found = labelling.counts.get(layer, {}).get("expected_by_chance", {})
    if found.get("mean") is None or not found.get("shifts"):
        return None
    return Expected(float(found["mean"]), found.get("sd"), found["shifts"])


def rotated(labelling: Labelling, layer: str) -> list[Rotated]:
    """Return what each rotated basis of a layer detects, where the run card tells.

    Parameters
    ----------
    labelling : Labelling
        By IoU.
    layer : str
        Dotted name.
    """
    found = labelling.counts.get(layer, {}).get("rotated", [])
    names = ("seed", "detectors", "unique_best")
    return [Rotated(*(one[n] for n in names)) for one in found if set(names) <= set(one)]


def null(folder: Path, layer: str, units: int) -> np.ndarray | None:
    """Return the highest IoU of each unit over all labels, its maps laid over other images.

    Parameters
    ----------
    folder : Path
        A run directory.
    layer : str
        Dotted name.
    units : int
        How many it has by its table; others are refused.

    Returns
    -------
    ndarray or None
        (R, U) float64; None without shifts too.

    Raises
    ------
    ValueError
        If the file is damaged.
    """

    def read(file: h5py.File, member: str) -> np.ndarray | None:
        found = _shares(file, member, (None, units))
        return found if len(found) else None

    return _stored(folder, layer, schema.NULL, read)


def sensitivity(folder: Path, layer: str, units: int) -> Sensitivity | None:
    """Return the detectors of a layer at other thresholds.

    Parameters
    ----------
    folder, layer, units
        As in `null`.

    Raises
    ------
    ValueError
        If the file is damaged.
    """

    def read(file: h5py.File, member: str) -> Sensitivity:
        def path(name: str) -> str:
            return schema.member(layer, name)

        quantile = _ascending(file, member)
        cut = _ascending(file, path(schema.SENSITIVITY_CUT))
        shape = len(quantile), len(cut)
        counts = [schema.SENSITIVITY_DETECTORS, schema.SENSITIVITY_UNIQUE]
        detectors, unique = (_within(file, path(name), "iu", shape, units) for name in counts)
        shifts = _within(file, path(schema.SENSITIVITY_SHIFTS), "iu", shape[:1], _MOST)
        by_chance = array(file, path(schema.SENSITIVITY_EXPECTED), "f", shape)
        by_chance = np.where(shifts[:, None] > 0, by_chance, np.nan)
        wrong = by_chance[(shifts > 0)[:, None] & ~((by_chance >= 0) & (by_chance <= units))]
        if wrong.size:
            raise RefusedError(
                f"dataset {path(schema.SENSITIVITY_EXPECTED)!r} has {wrong[0]}, expected numbers "
                f"from 0 to {units}"
            )
        return Sensitivity(quantile, cut, detectors, unique, by_chance, shifts)

    return _stored(folder, layer, schema.SENSITIVITY_QUANTILE, read)


def without_label(
    folder: Path, layer: str, units: int, images: int | None = None
) -> Without | None:
    """Return the images without its label to which each unit of a layer answers most.

    Parameters
    ----------
    folder, layer, units
        As in `null`.
    images : int, optional
        How many the probe set has by the run card; others are refused.

    Raises
    ------
    ValueError
        If the file is damaged.
    """

    def read(file: h5py.File, member: str) -> Without:
        most = np.iinfo(np.int64).max if images is None else images - 1
        image = _within(file, member, "i", (units, None), most, least=-1)
        value = array(file, schema.member(layer, schema.WITHOUT_VALUE), "f", image.shape)
        return Without(image, value)

    return _stored(folder, layer, schema.WITHOUT_IMAGE, read)


def _stored(
    folder: Path, layer: str, name: str, read: Callable[[h5py.File, str], _Read]
) -> _Read | None:
    """Return what is read of a run's scores by IoU, None where it has no such array."""
    path = folder / schema.SCORES
    if not path.exists():
        return None
    member = schema.member(layer, name)
    with opened(path, schema.ARRAYS) as file:
        return read(file, member) if member in file else None


def _within(
    file: h5py.File,
    member: str,
    kinds: str,
    shape: tuple[int | None, ...],
    most: float,
    least: float = 0,
) -> np.ndarray:
    """Return an array of numbers from the least to the most."""
    found = array(file, member, kinds, shape, most=_MOST)
    wrong = found[~((found >= least) & (found <= most))]
    if wrong.size:
        raise RefusedError(
            f"dataset {member!r} has {wrong[0]}, expected numbers from {least} to {most}"
        )
    return found


def _shares(file: h5py.File, member: str, shape: tuple[int | None, ...]) -> np.ndarray:
    return _within(file, member, "f", shape, 1)


def _ascending(file: h5py.File, member: str) -> np.ndarray:
    """Return shares that ascend, at least one."""
    found = _shares(file, member, (None,))
    if not len(found) or not (np.diff(found) > 0).all():
        raise RefusedError(f"dataset {member!r} does not hold numbers that ascend")
    return found
