"""The eleven basic colour terms: prototypes, and the nearest of them to a pixel in CIELAB."""

from __future__ import annotations

import functools

import numpy as np

#: Prototypes in sRGB of the eleven basic colour terms (Berlin and Kay 1969). A term whose colours
#: lie far apart has several, so that a pale blue is not called white, nor a dark green black.
PROTOTYPES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("black", (22, 22, 22)),
    ("blue", (45, 90, 200)),
    ("blue", (120, 170, 225)),
    ("blue", (30, 50, 110)),
    ("blue", (130, 150, 175)),
    ("brown", (120, 75, 40)),
    ("brown", (165, 120, 80)),
    ("brown", (105, 88, 72)),
    ("brown", (160, 140, 120)),
    ("grey", (128, 128, 128)),
    ("grey", (185, 185, 185)),
    ("grey", (75, 75, 75)),
    ("green", (60, 150, 60)),
    ("green", (35, 80, 40)),
    ("green", (140, 195, 110)),
    ("green", (125, 150, 120)),
    ("green", (180, 205, 180)),
    ("orange", (240, 140, 40)),
    ("orange", (225, 165, 110)),
    ("pink", (240, 150, 180)),
    ("pink", (225, 195, 200)),
    ("pink", (185, 140, 145)),
    ("purple", (130, 60, 150)),
    ("purple", (175, 130, 200)),
    ("purple", (130, 110, 145)),
    ("red", (205, 35, 35)),
    ("red", (140, 40, 40)),
    ("white", (245, 245, 245)),
    ("yellow", (245, 215, 50)),
    ("yellow", (235, 220, 140)),
    ("yellow", (170, 150, 60)),
)
NAMES: tuple[str, ...] = tuple(dict.fromkeys(name for name, _ in PROTOTYPES))
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
    """Return the index in `NAMES` of the nearest prototype of each pixel.

    Colours are first cut to 5 bits a channel, which is what the look-up table holds.

    Parameters
    ----------
    rgb : ndarray
        uint8 (..., 3).

    Returns
    -------
    ndarray
        uint8 (...).

    Examples
    --------
    >>> [NAMES[i] for i in terms(np.array([[250, 250, 250], [200, 30, 30]], np.uint8))]
    ['white', 'red']
    """
    r, g, b = np.moveaxis(rgb >> (8 - _BITS), -1, 0).astype(np.uint16)
    return _table()[(r << 2 * _BITS) | (g << _BITS) | b]


@functools.cache
def _table() -> np.ndarray:
    """Return the term of each of the 32 x 32 x 32 colours, uint8."""
    steps = (np.arange(1 << _BITS) << (8 - _BITS)) + (1 << (7 - _BITS))
    colours = lab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)).reshape(-1, 1, 3)
    prototypes = lab(np.array([rgb for _, rgb in PROTOTYPES]))
    nearest = ((colours - prototypes) ** 2).sum(-1).argmin(-1)
    return np.array([NAMES.index(name) for name, _ in PROTOTYPES], np.uint8)[nearest]
