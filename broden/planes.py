"""Label planes of one image: decoding, and the rule that a pixel counts once for a label."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from PIL import Image

from broden.images import DECODE_ERRORS, explain

# Offsets in the fixed head of a PNG; bit depth and colour type follow width and height.
_PNG_HEAD = slice(12, 16)
_PNG_DEPTH, _PNG_COLOUR = 24, 25
_PNG_GREY, _PNG_PALETTE = 0, 3
#: What Pillow multiplies grey values of fewer than 8 bits by, so that white is 255.
_SCALED = {2: 85, 4: 17}


class Contents(NamedTuple):
    """Which labels an image holds.

    label : int64 (M) ascending; pixels : int64 (M), pixels of the grid by set semantics;
    repeats : bool (P), planes with a pixel whose label was already given to it.
    """

    label: np.ndarray
    pixels: np.ndarray
    repeats: np.ndarray


def is_palette(data: bytes) -> bool:
    """Tell whether a label map that `decode_plane` reads is a palette image, read by index."""
    return data[_PNG_COLOUR] == _PNG_PALETTE


def decode_plane(data: bytes, grid: tuple[int, int]) -> np.ndarray:
    """Decode a PNG label map: red + 256 * green; a single channel is the label itself.

    Of a palette image the index is the label, whatever colours or transparency the palette has:
    those are for the eye, and every annotation tool chooses its own. Of grey values the stored
    number is, of any depth.

    Returns
    -------
    ndarray
        uint16 (H, W).

    Raises
    ------
    ValueError
        When it is no whole PNG of the size `grid`, or has 16 bits a channel and several channels
        (Pillow would drop the lower 8, which hold the label).
    """
    image = _opened(data)
    if data[_PNG_HEAD] != b"IHDR":
        raise ValueError("cannot be decoded as PNG (it does not begin with its header)")
    if image.size != (grid[1], grid[0]):
        raise ValueError(
            f"is a PNG of {image.height}x{image.width}, expected the label grid {grid[0]}x{grid[1]}"
        )
    grey = data[_PNG_COLOUR] == _PNG_GREY
    if data[_PNG_DEPTH] == 16 and not grey:
        raise ValueError("is a PNG with 16 bits a colour, expected 8")
    try:
        plane = _plane(image)
        return plane // _SCALED.get(data[_PNG_DEPTH], 1) if grey else plane
    except DECODE_ERRORS as error:
        raise ValueError(f"cannot be decoded as PNG ({explain(error)})") from error


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=("PNG",))
    except DECODE_ERRORS as error:
        raise ValueError(f"cannot be decoded as PNG ({explain(error)})") from error


def _plane(image: Image.Image) -> np.ndarray:
    if image.mode in ("1", "L", "LA", "P") or image.mode.startswith("I"):
        channels = np.asarray(image)
        return (channels[..., 0] if image.mode == "LA" else channels).astype(np.uint16)
    if image.mode not in ("RGB", "RGBA"):
        raise ValueError(f"it has mode {image.mode}")
    channels = np.asarray(image)
    return channels[..., 0] | (channels[..., 1].astype(np.uint16) << 8)


def repeated(planes: np.ndarray, index: int, whole: Collection[int]) -> np.ndarray:
    """Mark the pixels of one plane whose label they already have.

    Parameters
    ----------
    planes : ndarray
        uint16 (P, H, W), the planes of one image as stored.
    index : int
        The plane looked at; earlier planes come first.
    whole : collection of int
        The image's whole-image labels.

    Returns
    -------
    ndarray
        bool (H, W).
    """
    plane = planes[index]
    mask = np.zeros(plane.shape, bool)
    for earlier in planes[:index]:
        mask |= plane == earlier
    for label in whole:
        mask |= plane == label
    mask &= plane != 0
    return mask


def contents(planes: np.ndarray, whole: Collection[int]) -> Contents:
    """Count the pixels of each label in one image, each pixel once for a label.

    Parameters
    ----------
    planes : ndarray
        uint16 (P, H, W), as stored.
    whole : collection of int
        Whole-image labels; each covers the H * W pixels.

    Examples
    --------
    >>> contents(np.array([[[7, 0]], [[7, 2]]], np.uint16), [3])
    Contents(label=array([2, 3, 7]), pixels=array([1, 2, 1]), repeats=array([False,  True]))
    """
    repeats = np.zeros(len(planes), bool)
    total = np.zeros(1, np.int64)
    for index, plane in enumerate(planes):
        if index or whole:
            mask = repeated(planes, index, whole)
            repeats[index] = mask.any()
            plane = np.where(mask, 0, plane) if repeats[index] else plane
        total = _padded_sum(total, np.bincount(plane.ravel()))
    if whole:
        total = _padded_sum(total, np.zeros(max(whole) + 1, np.int64))
        total[list(whole)] = planes.shape[1] * planes.shape[2]
    total[0] = 0
    label = np.flatnonzero(total)
    return Contents(label, total[label], repeats)


def _padded_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Add two count vectors of different length."""
    short, long = sorted((a, b), key=len)
    out = long.astype(np.int64)
    out[: len(short)] += short
    return out


class LabelBlock(NamedTuple):
    """The labels of a run of images; image numbers count from the first of the run.

    planes : uint16 (P, H, W), in which every nonzero pixel adds one to its label's mass; image :
    int64 (P), ascending; whole_image, whole_label : int64 (Q), the distinct whole-image labels,
    each covering the H * W pixels of its image.
    """

    planes: np.ndarray
    image: np.ndarray
    whole_image: np.ndarray
    whole_label: np.ndarray


class StoredLabels(NamedTuple):
    """The labels of one image as stored.

    planes : uint16 (P, H, W); plane_categories, whole : as in `LabelledImage`; repeats : bool (P).
    """

    planes: np.ndarray
    plane_categories: tuple[int, ...]
    whole: tuple[tuple[int, int], ...]
    repeats: np.ndarray


def rows_of(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of several spans, one after another, and the number of each one's span."""
    counts = stops - starts
    before = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(owner)) + (starts - before)[owner], owner
