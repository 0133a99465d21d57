"""Read what a run stored of its units beside the tables: score vectors, and top images."""

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from dissection.results import schema

__all__ = ["Scores", "Tops", "stored_scores", "top_concepts", "tops"]


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
            found = file.get(schema.member(name, self.dataset))
            if not isinstance(found, h5py.Dataset):
                raise ValueError(f"{self.path} has no {self.dataset} of layer {name}; run it again")
            return found[()][:, self.columns]


def stored_scores(folder: Path, method: str, union: str) -> Scores | None:
    """Return the scores of all labels that a labeler stored in a run directory, if it did.

    Parameters
    ----------
    folder : Path
        The run directory.
    method : str
        One of `schema.METHODS`.
    union : str
        Rule of the IoU, one of `config.UNIONS`.
    """
    written = schema.METHODS[method]
    path, matrix = folder / written.arrays, written.matrix.format(union=union)
    if not path.is_file():
        return None
    with h5py.File(path) as file:
        names = file[written.names].asstr()[()]
        if written.categories is None:
            return Scores(path, matrix, tuple(names.tolist()), None, np.arange(len(names)))
        categories = file[written.categories].asstr()[()]
    known = np.flatnonzero(categories != "")
    of = tuple(categories[known].tolist())
    return Scores(path, matrix, tuple(names[known].tolist()), of, known)


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
    path = folder / schema.CLIP
    if not path.is_file():
        return []
    with h5py.File(path) as file:
        group = file.get(schema.layers(layer))
        if group is None or schema.TOP_CONCEPT not in group:
            return []
        names = file[schema.CLIP_CONCEPTS].asstr()[()]
        places, values = group[schema.TOP_CONCEPT][()], group[schema.TOP_SIMILARITY][()].tolist()
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
    for name in [written.arrays for written in schema.METHODS.values()]:
        path = folder / name
        if not path.is_file():
            continue
        with h5py.File(path) as file:
            group = file.get(schema.layers(layer))
            if group is None or schema.TOP_IMAGE not in group:
                continue
            image, value = group[schema.TOP_IMAGE][()], group[schema.TOP_VALUE][()]
            mask = group.get(schema.TOP_MASK)
            if mask is None:
                return Tops(image, value, None, (0, 0))
            height, width = mask.attrs[schema.MASK_GRID].tolist()
            return Tops(image, value, mask[()], (height, width))
    return None
