"""Read what a run stored of its units beside the tables: score vectors, and top images."""

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

__all__ = ["Scores", "Tops", "clip_scores", "iou_scores", "top_concepts", "tops"]

IOU_FILE, CLIP_FILE = "scores.h5", "clip.h5"


class Scores(NamedTuple):
    """Where the scores of all concepts lie, for every unit of a run."""

    path: Path
    dataset: str
    """Of each layer, in the file."""
    concepts: tuple[str, ...]
    """M names."""
    categories: tuple[str, ...] | None
    """M categories of the concepts, where they have any."""
    columns: np.ndarray
    """(M,) columns of the stored array that are these concepts."""

    def layer(self, name: str) -> np.ndarray:
        """Return a layer's scores (U, M).

        Raises
        ------
        ValueError
            If the file has none of that layer.
        """
        with h5py.File(self.path) as file:
            found = file.get(f"layers/{name}/{self.dataset}")
            if not isinstance(found, h5py.Dataset):
                raise ValueError(f"{self.path} has no {self.dataset} of layer {name}; run it again")
            return found[()][:, self.columns]


def iou_scores(path: Path, union: str) -> Scores | None:
    """Return the IoU by a union rule that a scores.h5 holds; None if there is no such file."""
    if not path.is_file():
        return None
    with h5py.File(path) as file:
        names, categories = (file[f"labels/{part}"].asstr()[()] for part in ("name", "category"))
    known = np.flatnonzero(categories != "")
    of = tuple(categories[known].tolist())
    return Scores(path, f"iou/{union}", tuple(names[known].tolist()), of, known)


def clip_scores(path: Path) -> Scores | None:
    """Return the similarities that a clip.h5 holds; None if there is no such file."""
    if not path.is_file():
        return None
    with h5py.File(path) as file:
        names = tuple(file["concepts"].asstr()[()].tolist())
    return Scores(path, "similarity", names, None, np.arange(len(names)))


class Tops(NamedTuple):
    """The n images that a layer's units answer to most."""

    image: np.ndarray
    """(U, n) int64, the highest first."""
    value: np.ndarray
    """(U, n) float32: the highest activation on each or, of CLIP alone, the pooled one."""
    packed: np.ndarray | None
    """(U, n, ceil(H·W / 8)) uint8, where the unit is active, as `numpy.packbits` has it."""
    grid: tuple[int, int]
    """(H, W) of the masks; (0, 0) without."""

    def mask(self, unit: int, place: int) -> np.ndarray | None:
        """Return where a unit is active on one of its images, (H, W) bool."""
        if self.packed is None:
            return None
        height, width = self.grid
        bits = np.unpackbits(self.packed[unit, place], count=height * width)
        return bits.reshape(height, width).astype(bool)


def top_concepts(folder: Path, layer: str) -> list[list[tuple[str, float]]]:
    """Return the best concepts of each unit by CLIP, with their similarities; none if not stored.

    Parameters
    ----------
    folder : Path
        A run directory.
    layer : str
        Dotted name.
    """
    path = folder / CLIP_FILE
    if not path.is_file():
        return []
    with h5py.File(path) as file:
        group = file.get(f"layers/{layer}/top")
        if group is None:
            return []
        names = file["concepts"].asstr()[()]
        places, values = group["concept"][()], group["similarity"][()].tolist()
    found = zip(names[places].tolist(), values, strict=True)
    return [list(zip(unit, scores, strict=True)) for unit, scores in found]


def tops(folder: Path, layer: str) -> Tops | None:
    """Return the top images of a layer in a run directory; None where the run stored none.

    Parameters
    ----------
    folder : Path
        A run directory.
    layer : str
        Dotted name.
    """
    for name in (IOU_FILE, CLIP_FILE):
        path = folder / name
        if not path.is_file():
            continue
        with h5py.File(path) as file:
            group = file.get(f"layers/{layer}/top")
            if group is None or "image" not in group:
                continue
            mask = group.get("mask")
            packed, grid = (None, (0, 0)) if mask is None else (mask[()], mask.attrs["grid"])
            return Tops(group["image"][()], group["value"][()], packed, tuple(map(int, grid)))
    return None
