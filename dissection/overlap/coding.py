"""The labels of a block of images, prepared for counting: sets of labels, numbered image by image.

A pixel of Broden carries labels of several categories at once. An image has few different
combinations of them, so a pixel's combination fits a byte, and what is counted for combinations is
a small product of matrices away from what is counted for labels.
"""

import math
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch

from broden.probe import LabelledProbe
from dissection.activations.device.uploading import sent
from dissection.overlap.tally import Labels

__all__ = ["LabelSets", "SetReader", "label_sets", "labels_of"]

KEPT_BYTES = 1 << 26
"""Of the sets that were read last."""


class LabelSets(NamedTuple):
    """The labels of one image."""

    code: np.ndarray
    """(H·W,) uint8, int16 or int32, which set each pixel carries."""
    label: np.ndarray
    """(l,) int64 the labels that the image holds."""
    member: np.ndarray
    """(C, l) bool, which labels each set consists of."""


def label_sets(planes: np.ndarray, whole: np.ndarray, labels: int) -> LabelSets:
    """Return the sets of an image.

    Parameters
    ----------
    planes : ndarray
        (P, H·W) label numbers, 0 for none; a pixel has a label in one plane only.
    whole : ndarray
        (w,) labels of the whole image, in no plane.
    labels : int
        L.

    Examples
    --------
    >>> found = label_sets(np.array([[1, 1, 0], [2, 0, 0]]), np.array([3]), 4)
    >>> found.code.tolist(), found.label.tolist()
    ([2, 1, 0], [3, 1, 2])
    >>> found.member.astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    code, sets = np.zeros(planes.shape[1], np.int64), np.zeros((1, 0), np.int64)
    for plane in planes:
        own, values = _numbered(plane, labels)
        pairs, kept = _numbered(code * len(values) + own, len(sets) * len(values))
        first, second = np.divmod(kept, len(values))
        code, sets = pairs, np.column_stack([sets[first], values[second]])
    held = np.unique(sets)
    held = held[held > 0]
    inside = (sets[:, :, None] == held).any(1)
    member = np.concatenate([np.ones((len(sets), len(whole)), bool), inside], 1)
    return LabelSets(code.astype(_narrow(len(sets))), np.concatenate([whole, held]), member)


def _narrow(sets: int) -> type:
    """Return the smallest type that numbers so many sets, of those that torch computes with."""
    return np.uint8 if sets <= 2**8 else np.int16 if sets <= 2**15 else np.int32


def _numbered(values: np.ndarray, below: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the different values each is, and these, ascending."""
    if below > 8 * len(values):
        kept, place = np.unique(values, return_inverse=True)
        return place, kept
    there = np.zeros(below, bool)
    there[values] = True
    return (np.cumsum(there) - 1)[values], np.flatnonzero(there)


class SetReader:
    """Read the sets of a probe set's images, and keep those read last.

    Parameters
    ----------
    probe : LabelledProbe
        Where the labels are.
    """

    def __init__(self, probe: LabelledProbe) -> None:
        self._probe, self._lock = probe, Lock()
        self._most = max(1, KEPT_BYTES // math.prod(probe.grid))
        self._kept: OrderedDict[int, LabelSets] = OrderedDict()

    def of(self, images: np.ndarray) -> dict[int, LabelSets]:
        """Return the sets of some images."""
        numbers = np.unique(images).tolist()
        with self._lock:
            found = {image: self._kept[image] for image in numbers if image in self._kept}
        missing = [image for image in numbers if image not in found]
        if missing:
            read = dict(zip(missing, self._read(missing), strict=True))
            found |= read
            with self._lock:
                self._kept |= read
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return found

    def _read(self, images: list[int]) -> list[LabelSets]:
        block = self._probe.label_block(np.array(images))
        planes = block.planes.reshape(len(block.planes), math.prod(self._probe.grid))
        labels = len(self._probe.labels)
        ends = np.searchsorted(block.image, np.arange(len(images) + 1))
        of_whole = np.searchsorted(block.whole_image, np.arange(len(images) + 1))
        return [
            label_sets(
                planes[ends[i] : ends[i + 1]],
                block.whole_label[of_whole[i] : of_whole[i + 1]],
                labels,
            )
            for i in range(len(images))
        ]


def labels_of(
    probe: LabelledProbe,
    images: np.ndarray,
    over: np.ndarray,
    sets: dict[int, LabelSets],
    device: torch.device | str,
) -> Labels:
    """Return what some images of a probe set show, and what they are laid over.

    Parameters
    ----------
    probe : LabelledProbe
        Where the labels are.
    images : ndarray
        (N,) int64 the images of the block.
    over : ndarray
        (N, R) int64 the partners of each.
    sets : dict of int to LabelSets
        Of the images and partners.
    device : torch.device or str
        Where the counts will be taken.
    """
    different, place = np.unique(np.column_stack([images, over]), return_inverse=True)
    place = place.reshape(len(images), -1)
    read = [sets[image] for image in different.tolist()]
    most = max(len(one.member) for one in read), max(len(one.label) for one in read)
    member, label = np.zeros((len(read), *most)), np.zeros((len(read), most[1]), np.int64)
    for at, one in enumerate(read):
        member[at, : len(one.member), : len(one.label)] = one.member
        label[at, : len(one.label)] = one.label
    shape = (len(images), len(read[0].code), place.shape[1])
    # of one partner few bytes are read; of several they are added faster unchanged
    narrow = _narrow(most[0]) if place.shape[1] == 1 else np.int32
    code: np.ndarray = np.empty(shape, narrow)
    before: np.ndarray = (np.arange(place.shape[1]) * most[0]).astype(narrow)
    for row, own in zip(code, place, strict=True):
        np.add(np.stack([read[at].code for at in own]).T, before, out=row)
    presence = probe.presence[images].astype(np.int64)
    primary = np.asarray(probe.labels.primary, np.int64)
    return Labels(*(sent(part, device) for part in (code, place, member, label, presence, primary)))
