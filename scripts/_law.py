"""How much of a full-size probe set each of its labels covers: a law fitted to Broden's masses.

Published result files of Network Dissection name, for 674 of the 1,197 labels of Broden, the pixels
that carry them on the 112x112 grid in all 63,305 images. In whole images' worth of pixels, the
r-th largest of the R labels of a category covers exp(mu + sigma z), where z is the normal quantile
of (R - r + 1/2) / R, at least 1/2 (less, Broden leaves out) and at most the largest published one;
of scenes 2241 / r ** 0.92, at least 10; of textures 120 (each has as many photographs) and
exp(2.2 + 1.2 z) more. mu and sigma are least squares over the labels that are published, taken as
the largest of their category, which they are nearly: what has more pixels is more often the best
label of a unit.

Quantiles (5, 25, 50, 75 and 95%) of what is published, and of as many labels of the law:

    color     1170 2047 4902 8467 13616     1132 2277 3984 7085 15120    (11 of 11)
    object       4   10   33   88   836        6   11   26   89   804    (171 of 490)
    part         2    5   15   38   183        3    5   11   33   202    (61 of 149)
    material     3   13   38  179   762        5   12   36  130   840    (25 of 32)
    scene       10   11   16   29   105       10   13   19   36   150    (359 of 468)
    texture    120  124  129  142   202      121  124  129  140   179    (47 of 47)

The numbers of objects and parts are ours: together with the other categories' they make 1,197. How
many images hold a label is not published. We let one occurrence cover `share` of an image, more
where a label has more pixels, so a label is in its mass / share images.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

IMAGES = 63_305
"""Of Broden."""


class Source(NamedTuple):
    """One of the data sets that Broden is made of."""

    images: int
    categories: tuple[str, ...]
    """What its images are labelled with; colours are everywhere."""
    levels: int
    """Most planes of parts."""


SOURCES = (
    Source(22_210, ("color", "object", "part", "scene"), 3),
    Source(5_640, ("color", "texture"), 0),
    Source(25_352, ("color", "material"), 0),
    Source(10_103, ("color", "object", "part"), 1),
)
"""ADE20K, DTD, OpenSurfaces and PASCAL."""


class Law(NamedTuple):
    """The labels of one category."""

    mass: np.ndarray
    """(R,) images' worth of pixels in a set of Broden's size, the largest first."""
    share: np.ndarray
    """(R,) what one occurrence covers of an image."""
    images: int
    """Images of Broden that are labelled with the category."""

    @property
    def chance(self) -> np.ndarray:
        """(R,) that such an image holds each label."""
        return np.minimum(self.mass / self.share / self.images, 1)

    @property
    def covered(self) -> float:
        """Mean share of such an image that is labelled."""
        return float(min(self.mass.sum() / self.images, 1))


def laws() -> dict[str, Law]:
    """Return the law of each category, in Broden's order of categories."""
    masses = {
        "color": _normal(11, 8.29, 0.93),
        "object": np.clip(_normal(490, 0.44, 2.99), 0.5, 3900),
        "part": np.clip(_normal(149, 0.36, 2.49), 0.5, 611),
        "material": np.clip(_normal(32, 2.94, 2.32), 0.5, 1073),
        "scene": np.maximum(2241 / np.arange(1, 469) ** 0.92, 10),
        "texture": 120 + _normal(47, 2.2, 1.2),
    }
    shares = {
        "object": 0.03 * masses["object"] ** 0.22,
        "part": 0.01 * masses["part"] ** 0.25,
        "material": 0.05 * masses["material"] ** 0.2,
    }
    return {
        name: Law(mass, shares.get(name, np.ones(len(mass))), _labelled(name))
        for name, mass in masses.items()
    }


def _normal(labels: int, mu: float, sigma: float) -> np.ndarray:
    """Return the quantiles of a log-normal law, the largest first."""
    z = [NormalDist().inv_cdf((labels - r - 0.5) / labels) for r in range(labels)]
    return np.exp(mu + sigma * np.array(z))


def _labelled(category: str) -> int:
    return sum(source.images for source in SOURCES if category in source.categories)
