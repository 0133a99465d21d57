"""The eleven basic colour terms: a focal colour of each, and what lies near it in CIELAB."""

from __future__ import annotations

import functools

import numpy as np

#: Focal colours in sRGB of the eleven basic colour terms (Berlin and Kay 1969): the middle of what
#: each names.
FOCAL: dict[str, tuple[int, int, int]] = {
    "black": (28, 28, 30),
    "blue": (48, 95, 200),
    "brown": (120, 76, 42),
    "grey": (128, 128, 128),
    "green": (60, 150, 60),
    "orange": (240, 140, 40),
    "pink": (240, 150, 180),
    "purple": (130, 65, 152),
    "red": (205, 38, 36),
    "white": (246, 246, 246),
    "yellow": (244, 212, 52),
}
#: Distance in CIELAB within which a colour is called by a term; colours farther from all have none.
REACH = 16.0
NAMES: tuple[str, ...] = tuple(FOCAL)
_BITS = 5


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB coordinates of sRGB colours under D65 (CIE 15:2004, IEC 61966-2-1).

    Parameters
    ----------
    rgb : ndarray
        (..., 3) in 0..255.

    Returns
    -------
    ndarray
        float64 (..., 3): L* in [0, 100], a*, b*.

    Examples
    --------
    >>> lab(np.array([255, 0, 0])).round(1).tolist()
    [53.2, 80.1, 67.2]
    """
    s = np.asarray(rgb, np.float64) / 255
    linear = np.where(s > 0.04045, ((s + 0.055) / 1.055) ** 2.4, s / 12.92)
    r, g, b = np.moveaxis(linear, -1, 0)
    xyz = (
        (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047,
        0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
        (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883,
    )
    x, y, z = (np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29) for t in xyz)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -1)


def terms(rgb: np.ndarray) -> np.ndarray:
    """Return which basic term names each pixel: that of the nearest focal colour within reach.

    Most of what is muted, pale or dark is named by none. Colours are first cut to 5 bits a channel,
    which is what the look-up table holds.

    Parameters
    ----------
    rgb : ndarray
        uint8 (..., 3).

    Returns
    -------
    ndarray
        uint8 (...): 1 and on for the terms in the order of `NAMES`, 0 for none.

    Examples
    --------
    >>> terms(np.array([[250, 250, 250], [200, 30, 30], [150, 180, 200]], np.uint8)).tolist()
    [10, 9, 0]
    """
    r, g, b = np.moveaxis(rgb >> (8 - _BITS), -1, 0).astype(np.uint16)
    return _table()[(r << 2 * _BITS) | (g << _BITS) | b]


@functools.cache
def _table() -> np.ndarray:
    """Return the term of each of the 32 x 32 x 32 colours, uint8."""
    steps = (np.arange(1 << _BITS) << (8 - _BITS)) + (1 << (7 - _BITS))
    colours = lab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)).reshape(-1, 1, 3)
    focal = lab(np.array([*FOCAL.values()]))
    distances = np.sqrt(((colours - focal) ** 2).sum(-1))
    return np.where(distances.min(-1) <= REACH, distances.argmin(-1) + 1, 0).astype(np.uint8)
