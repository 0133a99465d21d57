"""The arithmetic of the similarities: what depends on the units alone, and the rest per concept.

Every similarity can be computed for some of the concepts at a time. Two of them read softmax
probabilities, for which one number an image, the normaliser, says all about the other concepts.
`dissection.clip.scoring` streams the concepts, `dissection.clip.similarity` documents the formulas.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from broden.system.text import nearest
from dissection.clip.reordering import errors_by_chance, places, reordering_errors

TILE = 1 << 18
"""Numbers worked on at once where several steps follow: they stay in the second-level cache."""

_SELECTED_UNITS = 64
"""Units whose images are ordered at once: bounds the memory of sorting."""

_MOST = 0.75
"""Share of the images above which picking them out costs more than scoring all."""

_LEAST_MEAN = 1e-6
"""Where rank_reorder divides by a root of the mean score, a smaller mean counts as this."""

_ORDERED = 2
_TOP_FRACTION = 0.05
"""Images of a unit that rank_reorder orders: at least, and of all."""

_LEAST_FACTOR = 1e-30
"""Smallest probability a factor of wpmi may have: its inverse must fit float32."""

Item = TypeVar("Item")


class Measure(NamedTuple):
    """A similarity whose units are prepared."""

    images: Tensor
    """(n,) int64, ascending: the images whose concept scores `finish` needs."""
    a: float | None
    """`finish` takes softmax(a · scores) over all concepts; None: the scores themselves."""
    width: int
    """Numbers held at once for each concept of a block, at most."""
    finish: Callable[[Tensor], Tensor]
    """(n, m) of any m concepts -> (U, m); leaves its argument as it is."""


def named(name: str, registry: Mapping[str, Item]) -> Item:
    """Return what a registry holds under the name of a similarity.

    Raises
    ------
    ValueError
        If there is none; names the nearest.
    """
    if name not in registry:
        known = ", ".join(registry)
        near = nearest(name, list(registry))
        raise ValueError(f"unknown similarity {name!r}{near}; there are {known}")
    return registry[name]


def top_images(activations: Tensor, k: int) -> Tensor:
    """Return the images with the highest activations of each unit, the lower number on ties.

    Parameters
    ----------
    activations : Tensor
        (N, U).
    k : int
        How many; all of them if there are fewer.

    Returns
    -------
    Tensor
        (U, min(k, N)) int64, best first.

    Examples
    --------
    >>> top_images(torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 0.0]]), 2).tolist()
    [[1, 0], [0, 1]]
    """
    return torch.cat([_top(part, k) for part in activations.t().split(_SELECTED_UNITS)])


def _top(units: Tensor, k: int) -> Tensor:
    k = min(k, units.shape[1])
    values, images = units.topk(min(k + 1, units.shape[1]), dim=1)
    # topk leaves the order of equal values open; a stable sort of all values is ten times slower
    images = images[:, :k].sort(dim=1).values
    order = units.gather(1, images).sort(dim=1, descending=True, stable=True).indices
    images = images.gather(1, order)
    tied = (values[:, k - 1 : k] == values[:, k:]).any(1)
    if tied.any():
        images[tied] = units[tied].sort(dim=1, descending=True, stable=True).indices[:, :k]
    return images


def _needed(top: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """Return the images to score, and where among them each unit's top images are."""
    images, rows = top.unique(return_inverse=True)
    if len(images) > _MOST * total:
        return torch.arange(total, device=top.device), top
    return images, rows


def soft_wpmi(
    activations: Tensor,
    *,
    top_k: int = 100,
    a: float = 10.0,
    lam: float = 1.0,
    min_prob: float = 1e-7,
    p_start: float = 0.998,
    p_end: float = 0.97,
) -> Measure:
    """Prepare soft weighted pointwise mutual information."""
    return _information(activations, top_k, a, lam, min_prob, p_start, p_end)


def wpmi(
    activations: Tensor,
    *,
    top_k: int = 28,
    a: float = 2.0,
    lam: float = 0.6,
    min_prob: float = 1e-7,
) -> Measure:
    """Prepare weighted pointwise mutual information: every top image counts for certain, p = 1."""
    return _information(activations, top_k, a, lam, min_prob, 1.0, 1.0)


def _information(
    activations: Tensor,
    top_k: int,
    a: float,
    lam: float,
    min_prob: float,
    p_start: float,
    p_end: float,
) -> Measure:
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    images, rows = _needed(top_images(activations, top_k), len(activations))
    weights = [p_start - rank / top_k * (p_start - p_end) for rank in range(rows.shape[1])]
    if min(weights) < 0 or 1 - max(weights) + min_prob < _LEAST_FACTOR:
        raise ValueError(
            f"p_start {p_start} and p_end {p_end} must lie in [0, 1], "
            f"and min_prob {min_prob} be at least {_LEAST_FACTOR} where one is 1"
        )

    def finish(prob: Tensor) -> Tensor:
        evidence = _evidence(prob, rows, weights, min_prob)
        return evidence - lam * (evidence.logsumexp(0) - math.log(len(rows)))

    return Measure(images, a, 3 * len(images) + 3 * len(rows), finish)


def _evidence(prob: Tensor, rows: Tensor, weights: list[float], min_prob: float) -> Tensor:
    """Return the sum over ranks of log(1 + p (prob - 1) + min_prob), (U, m).

    A term is log(c) + log(1 + g prob) with c = 1 - p + min_prob and g = p / c. As many factors
    1 + g prob as cannot overflow are multiplied before one logarithm, which is faster, and more
    exact than the difference 1 + p (prob - 1) of nearly equal numbers.
    """
    floors = [1 - p + min_prob for p in weights]
    gains = [p / floor for p, floor in zip(weights, floors, strict=True)]
    largest = math.log1p(max(gains))
    group = max(1, int(math.log(torch.finfo(prob.dtype).max) / largest)) if largest else len(gains)
    # logarithms to the base 2: on a processor they are several times as fast
    total = prob.new_full((len(rows), prob.shape[1]), sum(math.log2(floor) for floor in floors))
    tile = max(1, TILE // prob.shape[1])
    buffers = prob.new_empty(2, min(tile, len(rows)), prob.shape[1])
    for images, sums in zip(rows.split(tile), total.split(tile), strict=True):
        product, gathered = buffers[:, : len(images)]
        for first in range(0, len(gains), group):
            ranks = slice(first, first + group)
            chosen = images[:, ranks].t().contiguous().unbind()
            product.fill_(1)
            for image, gain in zip(chosen, gains[ranks], strict=True):
                torch.index_select(prob, 0, image, out=gathered)
                product.addcmul_(product, gathered, value=gain)
            sums += product.log2_()
    return total.mul_(math.log(2))


def rank_reorder(
    activations: Tensor,
    *,
    p: float = 3.0,
    top_fraction: float = _TOP_FRACTION,
    scale_p: float = 0.5,
    seed: int = 0,
) -> Measure:
    """Prepare the error of reordering a unit's top activations by the concept's scores."""
    if not 0 < top_fraction <= 1:
        raise ValueError(f"top_fraction must be above 0 and at most 1, got {top_fraction}")
    total = len(activations)
    k = int(total * top_fraction)
    if k < _ORDERED:
        raise ValueError(
            f"rank_reorder orders the top {top_fraction:g} of the images, {k} of {total}, "
            f"and needs {_ORDERED}; use at least {_fewest(top_fraction)} images or soft_wpmi"
        )
    top = top_images(activations, k)
    images, rows = _needed(top, total)
    highest = activations.t().gather(1, top)
    # the quotient with the baseline is free of offset and scale; removing them first keeps cubes
    # of large and of small activations within float32
    highest = highest - highest[:, -1:]
    highest = highest / highest[:, :1].clamp(min=torch.finfo(highest.dtype).tiny)
    chance = errors_by_chance(highest, p, seed)
    share = max(1, len(images) // k)

    def finish(scores: Tensor) -> Tensor:
        placed = places(scores, k)
        means = embedding_bag(rows, scores.contiguous(), mode="mean").clamp(min=_LEAST_MEAN)
        units = zip(rows.split(share), highest.split(share), chance.split(share), strict=True)
        errors = torch.cat([reordering_errors(placed, *part, p) for part in units])
        return -errors / means**scale_p

    return Measure(images, None, 10 * len(images) + 2 * len(rows), finish)


def cosine(activations: Tensor) -> Measure:
    """Prepare the cosine of activations and scores."""
    return _cosine(activations, lambda columns: columns, 1e-12)


def cosine_cubed(activations: Tensor, *, min_norm: float = 1e-3) -> Measure:
    """Prepare the cosine of cubed deviations from the mean."""
    return _cosine(activations, lambda columns: (columns - columns.mean(0)) ** 3, min_norm)


def _cosine(activations: Tensor, change: Callable[[Tensor], Tensor], least: float) -> Measure:
    images = torch.arange(len(activations), device=activations.device)
    changed = change(activations)
    units = (changed / _norms(changed, least)).t()

    def finish(scores: Tensor) -> Tensor:
        changed = change(scores)
        return (units @ changed) / _norms(changed, least)

    return Measure(images, None, 4 * len(images) + 2 * len(units), finish)


def _norms(columns: Tensor, least: float) -> Tensor:
    return torch.linalg.vector_norm(columns, dim=0).clamp(min=least)


MEASURES: dict[str, Callable[..., Measure]] = {
    "soft_wpmi": soft_wpmi,
    "wpmi": wpmi,
    "rank_reorder": rank_reorder,
    "cosine": cosine,
    "cosine_cubed": cosine_cubed,
}
"""What prepares the units for each similarity, from (N, U) activations and options."""


def fewest_images(name: str) -> int:
    """Return how many images a similarity needs, with its published options.

    Examples
    --------
    >>> fewest_images("soft_wpmi"), fewest_images("rank_reorder")
    (1, 40)
    """
    return _fewest(_TOP_FRACTION) if name == "rank_reorder" else 1


def _fewest(top_fraction: float) -> int:
    return math.ceil(_ORDERED / top_fraction)
