"""The labels of a block of images, prepared for counting: label numbers made small."""

import numpy as np
import torch

from broden.planes import rows_of
from broden.probe import LabelledProbe
from dissection.activations.device.uploading import sent
from dissection.overlap.tally import Labels


class Contents:
    """Which labels each image of a probe set holds, read once.

    Parameters
    ----------
    probe : LabelledProbe
        The set, of N images.
    """

    def __init__(self, probe: LabelledProbe) -> None:
        image, label, _ = probe.contents(0, len(probe))
        self._label = label.astype(np.int32)
        self._start = np.searchsorted(image, np.arange(len(probe) + 1))

    def of(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return, for each label of each of n images, its image's place, its own, and itself."""
        starts = self._start[images]
        rows, image = rows_of(starts, self._start[images + 1])
        return image, rows - starts[image], self._label[rows]


def labels_of(
    probe: LabelledProbe, held: Contents, images: np.ndarray, device: torch.device | str
) -> Labels:
    """Return what some images of a probe set show.

    Parameters
    ----------
    probe : LabelledProbe
        Where the labels are.
    held : Contents
        Of the set.
    images : ndarray
        (N,) int64 the images of the block.
    device : torch.device or str
        Where the counts will be taken.
    """
    block = probe.label_block(images)
    image, place, label = held.of(images)
    code = place + 1
    width = int(code.max(initial=0)) + 1
    lookup = np.zeros((len(images), len(probe.labels)), np.uint8 if width <= 256 else np.int16)
    lookup[image, label] = code
    table = np.zeros((len(images), width), np.int64)
    table[image, code] = label
    whole = np.zeros_like(table)
    whole[block.whole_image, lookup[block.whole_image, block.whole_label]] = 1
    number = np.bincount(block.image, minlength=len(images))
    parts = (
        _coded(block.planes, block.image, lookup),
        np.cumsum(number) - number,
        number,
        table,
        whole,
        probe.presence[images].astype(np.int64),
        np.asarray(probe.labels.primary, np.int64),
    )
    return Labels(*(sent(part, device) for part in parts))


def _coded(planes: np.ndarray, image: np.ndarray, lookup: np.ndarray) -> np.ndarray:
    """Return planes (P, H, W) of label numbers as (P + 1, H·W) codes, the last one empty."""
    coded = np.zeros((len(planes) + 1, planes[0].size if len(planes) else 1), lookup.dtype)
    for plane, owner, target in zip(planes, image, coded, strict=False):
        np.take(lookup[owner], plane.ravel(), out=target)
    return coded
