"""Photographs with the region outlined in which a unit is active, the rest dimmed."""

import numpy as np
from PIL import Image
from scipy import ndimage

__all__ = ["GAP", "PICTURE_DPI", "SIDE", "outlined", "square"]

SIDE = 150
"""Pixels of the longer side of a picture on a sheet."""

GAP = 4
"""Pixels between pictures."""

PICTURE_DPI = 162
"""Dots an inch at which a picture on a sheet is drawn dot by dot."""

_DIMMED = 0.42
_LINE = np.array([255, 230, 0], float)


def outlined(photograph: np.ndarray, mask: np.ndarray | None, side: int = SIDE) -> np.ndarray:
    """Return a small picture with the active region outlined and the rest dimmed.

    Parameters
    ----------
    photograph : ndarray
        (h, w, 3) uint8.
    mask : ndarray or None
        (H, W) bool over the whole photograph; without one nothing is outlined or dimmed.
    side : int
        Pixels of the longer side of the picture.

    Returns
    -------
    ndarray
        uint8, in the proportions of the photograph.
    """
    height, width = photograph.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(photograph).resize(size, Image.Resampling.LANCZOS), float)
    if mask is None:
        return small.astype(np.uint8)
    active = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    edge = ndimage.binary_dilation(active, iterations=max(1, side // 110)) & ~active
    picture = np.where(active[..., None], small, small * _DIMMED + 255 * (1 - _DIMMED) * 0.12)
    picture[edge] = _LINE
    return picture.astype(np.uint8)


def square(picture: np.ndarray, side: int = SIDE, gap: int = GAP) -> np.ndarray:
    """Return a picture in the middle of a white square with a gap around it, uint8."""
    full = np.full((side + gap, side + gap, 3), 255, np.uint8)
    top, left = (side + gap - picture.shape[0]) // 2, (side + gap - picture.shape[1]) // 2
    full[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return full
