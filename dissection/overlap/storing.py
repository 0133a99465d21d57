"""scores.h5: every count and score of a run, for whoever computes on."""

import io
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from broden.labels import LabelTable
from broden.system.files import atomic
from dissection.overlap.results import LayerResult

_PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def write_scores(
    path: Path,
    results: Sequence[LayerResult],
    labels: LabelTable,
    regions: dict[str, np.ndarray],
    grid: tuple[int, int],
) -> None:
    """Write scores.h5, complete or not at all.

    Parameters
    ----------
    path : Path
        The file.
    results : sequence of LayerResult
        The layers.
    labels : LabelTable
        Of the probe set.
    regions : dict of str to ndarray
        Of each layer, the packed masks of its units on their top images, see `regions.regions`.
    grid : (int, int)
        (H, W) of the masks.
    """
    text = h5py.string_dtype()
    # HDF5 cannot close a file that it could not write, so a full disk must not meet it
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["categories"] = np.array(labels.categories, dtype=text)
        file["labels/name"] = np.array(labels.names, dtype=text)
        of = np.where(labels.known, np.array(labels.categories)[labels.primary], "")
        file["labels/category"] = of.astype(text)
        file["labels/pixels"] = np.asarray(labels.pixels, np.int64)
        for result in results:
            group = file.create_group(f"layers/{result.info.name}")
            _write_layer(group, result)
            masks = group.create_dataset("top/mask", data=regions[result.info.name], **_PACKED)
            masks.attrs["grid"] = np.array(grid, np.int64)
    with atomic(path) as handle:
        handle.write(memory.getbuffer())


def _write_layer(group: h5py.Group, result: LayerResult) -> None:
    group["threshold"] = result.threshold
    group["area/all"] = result.counts.all
    group["area/category"] = result.counts.category
    group["area/mask"] = result.counts.mask
    group["top/image"] = result.top_image
    group["top/value"] = result.top_value
    group.create_dataset("intersection", data=result.counts.intersection, **_PACKED)
    for rule, values in result.iou.items():
        group.create_dataset(f"iou/{rule}", data=values, **_PACKED)
