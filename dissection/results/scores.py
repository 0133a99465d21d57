"""Read what a run stored of its units beside the tables: score vectors, and top images."""

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from broden.schema import MAX_GRID
from broden.system.hdf5 import RefusedError, array, opened, texts
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

    width: int
    """Columns of the stored array."""

    def layer(self, name: str, units: int | None = None) -> np.ndarray:
        """Return a layer's scores (U, M).

        Parameters
        ----------
        name : str
            Of the layer.
        units : int, optional
            How many it has by its table; nothing larger is read.

        Raises
        ------
        ValueError
            If the file has none of that layer, or others than it should have.
        """
        with opened(self.path, schema.ARRAYS) as file:
            member = schema.member(name, self.dataset)
            if not isinstance(file.get(member), h5py.Dataset):
                raise RefusedError(f"has no {self.dataset} of layer {name}")
            if units is not None and len(file[member]) != units:
                raise RefusedError(f"has {len(file[member])} units of {name}, not {units}")
            found = array(file, member, "f", (units, self.width))[:, self.columns]
            _check_scores(found, member, share=self.categories is not None)
            return found


def _check_scores(found: np.ndarray, member: str, share: bool) -> None:
    """Refuse what no score can be: an IoU beyond 0 to 1, a similarity that is no number."""
    good = (found >= 0) & (found <= 1) if share else ~np.isnan(found)
    if not good.all():
        unit = int(np.flatnonzero(~good.all(axis=1))[0])
        value = found[unit][~good[unit]][0]
        wanted = "an IoU from 0 to 1" if share else "a number"
        raise RefusedError(f"dataset {member!r} has {value} in unit {unit}, expected {wanted}")


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
    if not path.exists():
        return None
    with opened(path, schema.ARRAYS) as file:
        names = texts(file, written.names)
        if written.categories is None:
            columns = np.arange(len(names))
            return Scores(path, matrix, tuple(names), None, columns, len(names))
        categories = texts(file, written.categories)
        if len(categories) != len(names):
            lengths = f"{len(names)} texts, {written.categories!r} {len(categories)}"
            raise RefusedError(f"{written.names!r} has {lengths}")
    known = [number for number, category in enumerate(categories) if category]
    labels, of = (tuple(column[i] for i in known) for column in (names, categories))
    return Scores(path, matrix, labels, of, np.array(known, np.int64), len(names))


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


def top_concepts(
    folder: Path, layer: str, units: int | None = None
) -> list[list[tuple[str, float]]]:
    """Return the best concepts of each unit by CLIP, with their similarities; none if not stored.

    Parameters
    ----------
    folder : Path
        A run directory.
    layer : str
        Dotted name.
    units : int, optional
        How many it has by its table; others are refused.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    path = folder / schema.CLIP
    if not path.exists():
        return []
    with opened(path, schema.ARRAYS) as file:
        member = schema.member(layer, schema.TOP_CONCEPT)
        if member not in file:
            return []
        names = np.array(texts(file, schema.CLIP_CONCEPTS), object)
        places = _below(file, member, units, len(names))
        similarity = schema.member(layer, schema.TOP_SIMILARITY)
        values = array(file, similarity, "f", places.shape).tolist()
    found = zip(names[places].tolist(), values, strict=True)
    return [list(zip(unit, scores, strict=True)) for unit, scores in found]


def tops(
    folder: Path, layer: str, units: int | None = None, images: int | None = None
) -> Tops | None:
    """Return the top images of a layer in a run directory; None where the run stored none.

    Parameters
    ----------
    folder : Path
        A run directory.
    layer : str
        Dotted name.
    units, images : int, optional
        How many the layer has by its table and the probe set by the run card; others are refused.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    for name in [written.arrays for written in schema.METHODS.values()]:
        path = folder / name
        if not path.exists():
            continue
        with opened(path, schema.ARRAYS) as file:
            member = schema.member(layer, schema.TOP_IMAGE)
            if member not in file:
                continue
            image = _below(file, member, units, images)
            value = array(file, schema.member(layer, schema.TOP_VALUE), "f", image.shape)
            return Tops(image, value, *_masks(file, layer, image.shape))
    return None


_MOST_TOP = 1000
"""Images or concepts of a unit; a run stores ten."""


def _below(file: h5py.File, member: str, units: int | None, total: int | None) -> np.ndarray:
    """Return numbers below a total, some for each unit."""
    total = np.iinfo(np.int64).max if total is None else total
    found = array(file, member, "iu", (units, None), most=min(total, _MOST_TOP))
    if found.size and not 0 <= found.min() <= found.max() < total:
        wrong = found.min() if found.min() < 0 else found.max()
        raise RefusedError(
            f"dataset {member!r} has {wrong}, expected numbers from 0 to {total - 1}"
        )
    return found


def _masks(
    file: h5py.File, layer: str, shape: tuple[int, ...]
) -> tuple[np.ndarray | None, tuple[int, int]]:
    """Return the packed masks of a layer's units on their top images, and their grid."""
    member = schema.member(layer, schema.TOP_MASK)
    if member not in file:
        return None, (0, 0)
    grid = np.asarray(file[member].attrs.get(schema.MASK_GRID, ()))
    if grid.shape != (2,) or grid.dtype.kind not in "iu" or not 1 <= grid.min() <= MAX_GRID:
        raise RefusedError(f"dataset {member!r} has no grid of two sizes")
    height, width = grid.tolist()
    if max(height, width) > MAX_GRID:
        raise RefusedError(f"dataset {member!r} has the grid {height}x{width}, at most {MAX_GRID}")
    return array(file, member, "u", (*shape, -(-height * width // 8))), (height, width)
