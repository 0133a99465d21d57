"""Read what a run counted by groups of images: the best labels of each unit, and its rotated twin.

From these counts detectors can be counted again on resampled images. Axis letters: G groups of
images, U units, M best labels of a unit, L labels, S rotations.
"""

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from broden.system.hdf5 import RefusedError, array, opened
from dissection.results import schema

__all__ = ["Candidates", "Twin", "candidates", "label_pixels", "twin"]

_MOST_GROUPS, _MOST_BEST, _MOST_SEEDS, _MOST_LABELS = 1000, 100, 1000, 1 << 16


class Candidates(NamedTuple):
    """The best labels of each unit of a layer, counted in each group of images."""

    label: np.ndarray
    """(U, M) int64, best first."""
    intersection: np.ndarray
    """(G, U, M) int64 active pixels that carry the label."""
    area: np.ndarray
    """(G, U, M) int64 active pixels that count for it."""


class Twin(NamedTuple):
    """The best label of each direction of a randomly rotated basis of a layer."""

    seed: np.ndarray
    """(S,) int64 of each rotation."""
    iou: np.ndarray
    """(S, U) float64."""
    label: np.ndarray
    """(S, U) int64."""


def label_pixels(folder: Path) -> np.ndarray | None:
    """Return the pixels of each label in each group of images, (G, L) int64; None where not stored.

    Parameters
    ----------
    folder : Path
        A run directory.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    path = folder / schema.SCORES
    if not path.exists():
        return None
    with opened(path, schema.ARRAYS) as file:
        if schema.GROUP_PIXELS not in file:
            return None
        return _group_pixels(file)


def _group_pixels(file: h5py.File) -> np.ndarray:
    found = _counts(file, schema.GROUP_PIXELS, (None, None), _MOST_LABELS)
    groups, labels = found.shape
    if not 1 <= groups <= _MOST_GROUPS or not labels:
        raise RefusedError(
            f"dataset {schema.GROUP_PIXELS!r} has shape {found.shape}, expected 1 to "
            f"{_MOST_GROUPS} groups of images and at least one label"
        )
    return found


def candidates(folder: Path, layer: str, units: int) -> Candidates | None:
    """Return the best labels of a layer's units by groups of images; None where not stored.

    Parameters
    ----------
    folder : Path
        A run directory.
    layer : str
        Dotted name.
    units : int
        How many the layer has by its table; others are refused.

    Raises
    ------
    ValueError
        If the file is damaged, or counts what cannot be.
    """
    path = folder / schema.SCORES
    if not path.exists():
        return None
    with opened(path, schema.ARRAYS) as file:
        name = schema.member(layer, schema.CANDIDATE)
        if name not in file:
            return None
        pixels = _group_pixels(file)
        groups, labels = pixels.shape
        best = array(file, name, "iu", (units, None), _MOST_BEST).astype(np.int64)
        if not best.shape[1]:
            raise RefusedError(f"dataset {name!r} has no label of any unit, expected at least one")
        _check_below(best, labels, name)
        shape = (groups, *best.shape)
        both = schema.member(layer, schema.CANDIDATE_INTERSECTION)
        area = schema.member(layer, schema.CANDIDATE_AREA)
        found = Candidates(best, _counts(file, both, shape), _counts(file, area, shape))
        if (found.intersection > np.minimum(found.area, pixels[:, best])).any():
            raise RefusedError(
                f"dataset {both!r} has more pixels than unit or label; expected at most those"
            )
        return found


def twin(folder: Path, layer: str, units: int) -> Twin | None:
    """Return the labels of the rotated basis of a layer; None where there is no rotation.

    Parameters
    ----------
    folder, layer, units
        As `candidates` takes them.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    path = folder / schema.SCORES
    if not path.exists():
        return None
    with opened(path, schema.ARRAYS) as file:
        name = schema.member(layer, schema.ROTATED_SEED)
        if name not in file:
            return None
        seed = array(file, name, "iu", (None,), _MOST_SEEDS).astype(np.int64)
        shape = (len(seed), units)
        iou_name = schema.member(layer, schema.ROTATED_IOU)
        iou = array(file, iou_name, "f", shape).astype(np.float64)
        if not ((iou >= 0) & (iou <= 1)).all():
            raise RefusedError(f"dataset {iou_name!r} has no IoU, expected numbers from 0 to 1")
        name = schema.member(layer, schema.ROTATED_LABEL)
        label = array(file, name, "iu", shape).astype(np.int64)
        _check_below(label, _MOST_LABELS, name)
        return Twin(seed, iou, label) if len(seed) else None


def _counts(
    file: h5py.File, name: str, shape: tuple[int | None, ...], most: int | None = None
) -> np.ndarray:
    """Return whole numbers from 0, int64."""
    found = array(file, name, "iu", shape, most)
    # what unsigned numbers hold beyond int64 no set has pixels for
    if found.size and not 0 <= found.min() <= found.max() < 1 << 53:
        wrong = found.min() if found.min() < 0 else found.max()
        raise RefusedError(f"dataset {name!r} has {wrong}, expected numbers of pixels from 0")
    return found.astype(np.int64)


def _check_below(found: np.ndarray, total: int, name: str) -> None:
    """Refuse numbers of labels that there are not."""
    if found.size and not 0 <= found.min() <= found.max() < total:
        wrong = found.min() if found.min() < 0 else found.max()
        raise RefusedError(f"dataset {name!r} has {wrong}, expected labels from 0 to {total - 1}")
