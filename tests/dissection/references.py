"""Slow, obviously right answers in plain loops. Nothing here imports what it is compared with."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def rank(quantile: float, cells: int) -> int:
    """Return K: one more than the activations that may exceed the threshold."""
    return math.floor(quantile * cells) + 1


def kth_largest(values: np.ndarray, k: int) -> np.ndarray:
    """Return the K-th largest value of each row."""
    return np.array([sorted(row, reverse=True)[k - 1] for row in values.tolist()], np.float32)


def thresholds(maps: np.ndarray, quantile: float) -> np.ndarray:
    """Return the threshold of each unit of (N, U, h, w) maps."""
    rows = maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)
    return kth_largest(rows, rank(quantile, rows.shape[1]))


def upsampling(cells: int, pixels: int) -> np.ndarray:
    """Return the (pixels, cells) weights of one axis: half-pixel centres, edges clamped."""
    matrix = np.zeros((pixels, cells))
    for pixel in range(pixels):
        centre = (pixel + 0.5) * cells / pixels - 0.5
        low = math.floor(centre)
        matrix[pixel, min(max(low, 0), cells - 1)] += 1 - (centre - low)
        matrix[pixel, min(max(low + 1, 0), cells - 1)] += centre - low
    return matrix


def masks(maps: np.ndarray, threshold: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return the active pixels of (N, U, h, w) maps, (N, U, H, W), upsampled in float64."""
    rows, columns = (upsampling(n, m) for n, m in zip(maps.shape[2:], grid, strict=True))
    above = maps.astype(np.float64) - threshold.astype(np.float64)[:, None, None]
    return rows @ above @ columns.T > 0


def exact_masks(maps: np.ndarray, threshold: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return the active pixels of maps of integers without rounding anything."""
    rows, columns = (_whole_weights(n, m) for n, m in zip(maps.shape[2:], grid, strict=True))
    scale = 4 * grid[0] * grid[1]
    return rows @ maps @ columns.T > scale * threshold[:, None, None]


def _whole_weights(cells: int, pixels: int) -> np.ndarray:
    """Return `upsampling` times 2 * pixels, which is a matrix of integers."""
    matrix = np.zeros((pixels, cells), np.int64)
    for pixel in range(pixels):
        low, weight = divmod((2 * pixel + 1) * cells - pixels, 2 * pixels)
        matrix[pixel, min(max(low, 0), cells - 1)] += 2 * pixels - weight
        matrix[pixel, min(max(low + 1, 0), cells - 1)] += weight
    return matrix


def neighbourhood(above: np.ndarray) -> np.ndarray:
    """Return the cells of (N, U, h, w) maps that are true or touch one that is."""
    found = np.zeros_like(above)
    height, width = above.shape[2:]
    for image, unit, y, x in zip(*np.nonzero(above), strict=True):
        for line in range(max(y - 1, 0), min(y + 2, height)):
            for column in range(max(x - 1, 0), min(x + 2, width)):
                found[image, unit, line, column] = True
    return found


class Shown(NamedTuple):
    """The labels of one image: (category, plane) and (category, number of a whole-image label)."""

    planes: Sequence[tuple[int, np.ndarray]] = ()
    whole: Sequence[tuple[int, int]] = ()


def label_masks(shown: Shown, grid: tuple[int, int]) -> dict[int, np.ndarray]:
    """Return the pixels of each label of an image: the union over all that carry it."""
    found: dict[int, np.ndarray] = {}
    for _, plane in shown.planes:
        for y in range(grid[0]):
            for x in range(grid[1]):
                if plane[y, x]:
                    found.setdefault(int(plane[y, x]), np.zeros(grid, bool))[y, x] = True
    for _, number in shown.whole:
        found[number] = np.ones(grid, bool)
    return found


class Counted(NamedTuple):
    """What the tally counts, and the pixels of each label."""

    intersection: np.ndarray
    all: np.ndarray
    category: np.ndarray
    mask: np.ndarray
    pixels: np.ndarray


def count(
    active: np.ndarray, labelled: Sequence[dict[int, np.ndarray]], primary: Sequence[int], k: int
) -> Counted:
    """Count the active pixels (N, U, H, W) of images with these label masks."""
    units, labels = active.shape[1], len(primary)
    shapes = ((units, labels), (units,), (units, k), (units, k), (labels,))
    total = Counted(*(np.zeros(shape, np.int64) for shape in shapes))
    for image, held in enumerate(labelled):
        for label, mask in held.items():
            total.pixels[label] += mask.sum()
        for unit in range(units):
            on = active[image, unit]
            total.all[unit] += on.sum()
            present, under = set(), set()
            for label, mask in held.items():
                shared = (on & mask).sum()
                total.intersection[unit, label] += shared
                present.add(primary[label])
                if shared:
                    under.add(primary[label])
            for category in present:
                total.category[unit, category] += on.sum()
            for category in under:
                total.mask[unit, category] += on.sum()
    return total


def iou(counted: Counted, primary: Sequence[int], union: str) -> np.ndarray:
    """Return the IoU of each unit and label by one of the three union rules."""
    found = np.zeros(counted.intersection.shape)
    for unit, label in np.ndindex(found.shape):
        shared = int(counted.intersection[unit, label])
        area = {
            "category": counted.category[unit, primary[label]],
            "mask": counted.mask[unit, primary[label]],
            "all": counted.all[unit],
        }[union]
        whole = int(area) + int(counted.pixels[label]) - shared
        found[unit, label] = shared / whole if whole else 0.0
    return found


def best(scores: Sequence[float], allowed: Sequence[int]) -> tuple[int, float]:
    """Return the allowed label with the highest score, the lowest of equals; 0 of none."""
    chosen, highest = 0, 0.0
    for label in sorted(allowed):
        if chosen == 0 or scores[label] > highest:
            chosen, highest = label, float(scores[label])
    return chosen, highest


def top_images(maxima: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and values of the highest maxima (N, U), the lower image of equals first."""
    images, values = [], []
    for column in maxima.T.tolist():
        order = sorted(range(len(column)), key=lambda image, c=column: (-c[image], image))[:count]
        images.append(order)
        values.append([column[image] for image in order])
    return np.array(images), np.array(values, np.float32)
