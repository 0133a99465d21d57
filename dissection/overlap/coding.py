"""The labels of a block of images, prepared for counting: label numbers made small."""

import numpy as np
import torch

from broden.probe import LabelledProbe
from dissection.overlap.tally import Labels


def labels_of(probe: LabelledProbe, first: int, last: int, device: torch.device | str) -> Labels:
    """Return what images first to last - 1 of a probe set show.

    Parameters
    ----------
    probe : LabelledProbe
        Where the labels are.
    first, last : int
        The block of N = last - first images.
    device : torch.device or str
        Where the counts will be taken.
    """
    block = probe.label_block(first, last)
    image, label, _ = probe.contents(first, last)
    image, images = image - first, last - first
    code = _places(image, images) + 1
    width = int(code.max(initial=0)) + 1
    lookup = np.zeros((images, len(probe.labels)), np.uint8 if width <= 256 else np.int16)
    lookup[image, label] = code
    table = np.zeros((images, width), np.int64)
    table[image, code] = label
    whole = np.zeros_like(table)
    whole[block.whole_image, lookup[block.whole_image, block.whole_label]] = 1
    number = np.bincount(block.image, minlength=images)
    parts = (
        _coded(block.planes, block.image, lookup),
        np.cumsum(number) - number,
        number,
        table,
        whole,
        probe.presence[first:last].astype(np.int64),
        np.asarray(probe.labels.primary, np.int64),
    )
    return Labels(*(torch.from_numpy(part).to(device) for part in parts))


def _places(image: np.ndarray, images: int) -> np.ndarray:
    """Return each row's place among the rows of its image, for rows sorted by image."""
    number = np.bincount(image, minlength=images)
    return np.arange(len(image)) - (np.cumsum(number) - number)[image]


def _coded(planes: np.ndarray, image: np.ndarray, lookup: np.ndarray) -> np.ndarray:
    """Return planes (P, H, W) of label numbers as (P + 1, H·W) codes, the last one empty."""
    coded = np.zeros((len(planes) + 1, planes[0].size if len(planes) else 1), lookup.dtype)
    for plane, owner, target in zip(planes, image, coded, strict=False):
        np.take(lookup[owner], plane.ravel(), out=target)
    return coded
