"""Units of which we know whether they see their concept: fed from label maps, with noise.

A planted unit is fed the map of a label on the image that is shown, an unplanted one that on
another image which holds labels of the same categories. Both are noisy by as much. The photographs
are replaced by a number that the network reads, so a run is that of any network.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from _arranged import Arranged
from PIL import Image
from torch import nn

from broden.probe import LabelledProbe
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing

LAYER = "maps"
CELLS = 14
"""Rows and columns of a unit's map."""

_SIZE = 8
_SHARES = (0.001, 0.04)
"""Of all pixels, what a label may cover that a unit at the published quantile can detect."""
_HELD = 0.03
"""Of all images, what must hold a label, so that draws of some hundreds hold it several times."""
_SIGNAL = (0.5, 4.0)
"""How far a cell full of the label stands out, in standard deviations of the noise."""
_BLOCK = 64


class Numbered(Arranged):
    """Show the number of each image in place of its photograph.

    Parameters
    ----------
    probe, order, digest
        As `Arranged` takes them; the numbers are those of `order`.
    """

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """Return a PNG of one colour for each image, whose bytes are its number."""
        return [_numbered(int(self._order[i])) for i in images]


def _numbered(number: int) -> bytes:
    colour = (number & 255, number >> 8 & 255, number >> 16 & 255)
    stream = io.BytesIO()
    Image.new("RGB", (_SIZE, _SIZE), colour).save(stream, "PNG")
    return stream.getvalue()


class Planted(nn.Module):
    """Look maps up by the number that an image shows.

    Parameters
    ----------
    maps : Tensor
        (N, U, h, w) float16.
    """

    def __init__(self, maps: torch.Tensor):
        super().__init__()
        self.table: torch.Tensor
        self.register_buffer("table", maps)
        self.maps = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the maps of (N, 3, h, w) images, (N, U, h, w) float32."""
        digits = (images[:, :, 0, 0] * 255).round().long().clamp(0, 255)
        number = digits[:, 0] + 256 * digits[:, 1] + 65536 * digits[:, 2]
        return self.maps(self.table[number % len(self.table)].float())


class Made(NamedTuple):
    """A network of planted and unplanted units."""

    network: Network
    """Its layer is `LAYER`."""
    label: np.ndarray
    """(U,) int64 number of each unit's label."""
    sees: np.ndarray
    """(U,) bool, which units are planted."""


def planted(probe: LabelledProbe, units: int, seed: int) -> Made:
    """Return a network of planted and unplanted units.

    Parameters
    ----------
    probe : LabelledProbe
        N images.
    units : int
        How many; half of them are planted.
    seed : int
        Of noise, signals, labels and other images.

    Raises
    ------
    ValueError
        If no label is in enough images and covers as much as a unit can detect.
    """
    rng = np.random.default_rng(seed)
    label = rng.choice(_detectable(probe), units)
    low, high = np.log(_SIGNAL)
    signal = np.exp(rng.uniform(low, high, units))
    sees = np.arange(units) < units // 2
    other = elsewhere(probe.presence, rng)
    shown = _covers(probe, label)
    shown[:, ~sees] = shown[:, ~sees][other]
    maps = torch.empty(shown.shape, dtype=torch.float16)
    for first in range(0, len(shown), _BLOCK):
        part = shown[first : first + _BLOCK]
        noise = rng.standard_normal(part.shape, np.float32)
        maps[first : first + _BLOCK] = torch.from_numpy(
            part / 255 * signal[:, None, None].astype(np.float32) + noise
        )
    plain = Preprocessing(
        size=(_SIZE, _SIZE), mean=(0, 0, 0), std=(1, 1, 1), interpolation="nearest"
    )
    return Made(Network("planted", Planted(maps).eval(), plain, f"seed {seed}"), label, sees)


def _detectable(probe: LabelledProbe) -> np.ndarray:
    """Return the labels of enough images that cover neither too little nor too much."""
    pixels = len(probe) * probe.grid[0] * probe.grid[1]
    share = probe.labels.pixels / pixels
    _, label, _ = probe.contents(0, len(probe))
    often = np.bincount(label, minlength=len(share)) >= _HELD * len(probe)
    found = np.flatnonzero(
        probe.labels.known & often & (share >= _SHARES[0]) & (share <= _SHARES[1])
    )
    if not len(found):
        low, high = (f"{share:.1%}" for share in _SHARES)
        raise ValueError(
            f"{probe.path} has no label in {_HELD:.0%} of its images and on {low} to {high} of its "
            "pixels, which planted units need; give another probe set"
        )
    return found


def elsewhere(presence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each image another one with the same row of presence, itself where there is none.

    Parameters
    ----------
    presence : ndarray
        (N, K) bool.
    rng : Generator
        Puts the images of a row in order.
    """
    _, row = np.unique(presence, axis=0, return_inverse=True)
    order = rng.permutation(len(presence))
    order = order[np.argsort(row.ravel()[order], kind="stable")]
    found = np.empty(len(order), np.int64)
    cuts = np.flatnonzero(np.diff(row.ravel()[order])) + 1
    for images in np.split(order, cuts):
        found[images] = np.roll(images, 1)
    return found


def _covers(probe: LabelledProbe, label: np.ndarray) -> np.ndarray:
    """Return how much of each cell of each image the label of each unit covers, of 255."""
    found = np.zeros((len(probe), len(label), CELLS, CELLS), np.uint8)
    rows, columns = (np.arange(size) * CELLS // size for size in probe.grid)
    cell = (rows[:, None] * CELLS + columns).ravel()
    full = np.bincount(cell, minlength=CELLS**2)
    wanted = np.unique(label)
    unit_of = {number: np.flatnonzero(label == number) for number in wanted.tolist()}
    for image in range(len(probe)):
        block = probe.label_block([image])
        for number in np.intersect1d(block.planes, wanted).tolist():
            here = (block.planes == number).any(0).ravel()
            covered = np.bincount(cell, here, CELLS**2) / full
            found[image, unit_of[number]] = np.round(255 * covered).reshape(CELLS, CELLS)
        for number in np.intersect1d(block.whole_label, wanted).tolist():
            found[image, unit_of[number]] = 255
    return found
