"""A probe set and a network whose units detect its concepts as well as we say."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from broden.labels import LabelTable
from broden.reader import ProbeSet
from broden.records import labelled
from broden.writer import ProbeWriter
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing

GRID, SIZE, IMAGES = (16, 16), (16, 16), 22
CATEGORIES = ("object", "part", "scene")
#: name and category; number 4 is a gap.
CONCEPTS = {
    1: ("cat", 0),
    2: ("dog", 0),
    3: ("boat", 0),
    5: ("wheel", 1),
    6: ("sail", 1),
    7: ("harbour-s", 2),
}
LABELS = max(CONCEPTS) + 1
PLAIN = Preprocessing(size=SIZE, mean=(0, 0, 0), std=(1, 1, 1), interpolation="nearest")


def drawn(seed: int = 0, images: int = IMAGES) -> list[np.ndarray]:
    """Return label planes: a patch of each of three objects or parts an image, no two touching."""
    rng = np.random.default_rng(seed)
    planes = []
    for _ in range(images):
        plane = np.zeros(GRID, np.uint16)
        for corner, label in zip(
            ((0, 0), (0, 8), (8, 0)), rng.permutation([1, 2, 3, 5, 6])[:3], strict=True
        ):
            height, width = rng.integers(2, 5, 2)
            y, x = corner[0] + rng.integers(0, 4), corner[1] + rng.integers(0, 4)
            plane[y : y + height, x : x + width] = label
        planes.append(plane)
    return planes


def write(path: Path, planes: list[np.ndarray]) -> ProbeSet:
    """Write the planes with photographs whose red is the label; the harbour is every other one."""
    ones = np.ones((len(CONCEPTS), len(CATEGORIES)), np.int64)
    coverage = np.eye(len(CATEGORIES))[[k for _, k in CONCEPTS.values()]]
    names = [name for name, _ in CONCEPTS.values()]
    table = LabelTable.from_rows(CATEGORIES, [*CONCEPTS], names, [()] * len(names), ones, coverage)
    with ProbeWriter(path, table, GRID, name="planted", source="drawn") as writer:
        for number, plane in enumerate(planes):
            whole = [(2, 7)] if number % 2 else []
            stacked = np.stack([np.where(plane < 5, plane, 0), np.where(plane >= 5, plane, 0)])
            writer.add(
                labelled(f"{number}.png", "", photograph(plane), SIZE, stacked, (0, 1), whole)
            )
        writer.finish()
    return ProbeSet(path)


def photograph(plane: np.ndarray) -> bytes:
    """Return a PNG whose red is the plane."""
    pixels = np.zeros((*plane.shape, 3), np.uint8)
    pixels[..., 0] = plane
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class Detectors(nn.Module):
    """Unit u fires where its concept is, but for missed pixels, and on some foreign pixels."""

    CONCEPT = (1, 2, 3, 5, 6, 1, 5, 0)

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(7)
        units = len(self.CONCEPT)
        kept = rng.random((units, *GRID)) < np.linspace(1, 0.6, units)[:, None, None]
        added = rng.random((units, *GRID)) < np.linspace(0, 0.03, units)[:, None, None]
        self.register_buffer("concept", torch.tensor(self.CONCEPT).view(1, -1, 1, 1))
        self.register_buffer("kept", torch.from_numpy(kept))
        self.register_buffer("added", torch.from_numpy(added))
        self.maps = nn.Identity()
        self.after = nn.ReLU(inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        shown = (images[:, :1] * 255).round().to(torch.int64)
        fires = (shown == self.concept) & (shown > 0) & self.kept | self.added
        return self.after(self.maps(fires.float() - 1))

    def fires(self, plane: np.ndarray) -> np.ndarray:
        """Return where each unit fires on an image with this plane, (U, H, W) bool."""
        concept = np.array(self.CONCEPT)[:, None, None]
        here = (plane == concept) & (plane > 0)
        return here & self.kept.numpy() | self.added.numpy()


def network() -> Network:
    """Return the planted detectors, ready to be dissected."""
    return Network("planted", Detectors().eval(), PLAIN, "planted")


def factory() -> tuple[nn.Module, Preprocessing]:
    """Return the same in the form of a user's own factory."""
    return Detectors(), PLAIN
