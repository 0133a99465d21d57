"""The images on which each unit's maximum is highest: merged from any partition of the images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dissection.config import TOP_IMAGES

__all__ = ["Top", "merge_top", "no_images", "top_of", "with_block"]


class Top(NamedTuple):
    """The n images on which each unit's maximum is highest."""

    image: np.ndarray
    """(U, n) int64, highest first, the lower number where maxima are equal."""
    value: np.ndarray
    """(U, n) float32."""


def no_images(units: int) -> Top:
    """Return the top images of none."""
    return Top(np.zeros((units, 0), np.int64), np.zeros((units, 0), np.float32))


def top_of(images: np.ndarray, maximum: np.ndarray) -> Top:
    """Return the top images of a block.

    Parameters
    ----------
    images : ndarray
        (N,) int64 numbers of the block's images.
    maximum : ndarray
        (N, U) float32 maximum of each map.
    """
    return merge_top([Top(np.broadcast_to(images, maximum.T.shape), maximum.T)])


def with_block(top: Top, images: np.ndarray, maximum: np.ndarray) -> Top:
    """Return the top images of some and of a further block; units that gain none are not sorted.

    Parameters
    ----------
    top : Top
        Of images that are not in the block.
    images, maximum : ndarray
        See `top_of`.
    """
    if top.image.shape[1] < TOP_IMAGES:
        return merge_top([top, top_of(images, maximum)])
    unit = np.flatnonzero(maximum.max(0) >= top.value[:, -1])
    gained = merge_top([Top(*(part[unit] for part in top)), top_of(images, maximum[:, unit])])
    result = Top(top.image.copy(), top.value.copy())
    result.image[unit], result.value[unit] = gained
    return result


def merge_top(parts: Sequence[Top], count: int = TOP_IMAGES) -> Top:
    """Return the top images of several disjoint sets of images together."""
    image = np.concatenate([part.image for part in parts], 1)
    value = np.concatenate([part.value for part in parts], 1)
    order = np.lexsort((image, -value), axis=1)[:, :count]
    return Top(np.take_along_axis(image, order, 1), np.take_along_axis(value, order, 1))
