"""Sentences about what was drawn, in the manner of photographs' captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from broden.mini.vocabulary import MATERIALS

if TYPE_CHECKING:
    from broden.mini.things.thing import Placed

_PHOTO = ("a photo of {}", "a picture of {}", "{}", "an image of {}", "a photo of {}")
_SCENE = ("a photo of a {0}", "a {0} with {1}", "a photo of a {0} with {1}", "{1} in a {0}")
_TEXTURE = (
    "a {0} texture",
    "a {0} pattern in {1} and {2}",
    "a photo of a {0} texture",
    "{1} and {2} {0} surface",
    "a {0} texture in {1} and {2}",
)
#: Adjectives of materials, where they are not the material's own name.
_MADE = {"wood": "wooden", "fur": "furry", "fabric": "cloth"}


def scene(rng: np.random.Generator, name: str, placed: Sequence[Placed]) -> str:
    """Return a caption of a place and of one or two of the things in it."""
    some = {p.name: noun(rng, p) for p in placed[::-1]}
    listed = " and ".join([*some.values()][: int(rng.integers(1, 3))])
    text = _SCENE[rng.integers(len(_SCENE))].format(name, listed)
    return _articles(text)


def thing(rng: np.random.Generator, placed: Placed) -> str:
    """Return a caption of one main thing."""
    return _articles(_PHOTO[rng.integers(len(_PHOTO))].format(noun(rng, placed)))


def texture(rng: np.random.Generator, name: str, ground: str, accent: str) -> str:
    """Return a caption of a texture and its two colours."""
    return _articles(_TEXTURE[rng.integers(len(_TEXTURE))].format(name, ground, accent))


def noun(rng: np.random.Generator, placed: Placed) -> str:
    """Return a thing with its article, sometimes with its colour or what it bears."""
    kind = rng.random()
    if kind < 0.4:
        return f"a {placed.colour} {placed.name}"
    if kind < 0.6 and placed.pattern is not None:
        pattern = placed.pattern
        made = _MADE.get(pattern, pattern) if pattern in MATERIALS else pattern
        return f"a {made} {placed.name}"
    return f"a {placed.name}"


def _articles(text: str) -> str:
    """Return the text with ``an`` before vowels."""
    words = text.split()
    for i, (word, following) in enumerate(zip(words, words[1:], strict=False)):
        if word == "a" and following[0] in "aeiou":
            words[i] = "an"
    return " ".join(words)
