"""Similarity of units and concepts from CLIP features, in bounded memory.

Concepts are streamed: for a block of them the scores of the images that matter are computed, used
and forgotten, so the images-by-concepts matrix never exists. The softmax of an image runs over all
concepts; its normaliser comes from a first pass over blocks of images.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from dissection.clip.measures import MEASURES, TILE, Measure, named

BUDGET = 1 << 26
"""Bytes for the arrays of a block of concepts, beside inputs and result: 64 MiB.

More is slower: larger arrays leave the caches and are returned to the system after every block.
"""

Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


def score(
    image_features: Tensor,
    text_features: Tensor,
    activations: Tensor,
    similarity: str = "soft_wpmi",
    *,
    budget: int = BUDGET,
    progress: Progress | None = None,
) -> Tensor:
    """Return how similar every unit is to every concept.

    The same as ``similarity(image_features @ text_features.T, activations)`` with the published
    defaults, up to rounding. 63,305 images, 20,000 concepts and 512 units of 512 features take
    less than 2 GB in all, the process included.

    Parameters
    ----------
    image_features : Tensor
        (N, D) floating, one row an image; of length 1 where scores are to be cosines.
    text_features : Tensor
        (M, D) floating, likewise for the concepts.
    activations : Tensor
        (N, U) floating, the pooled activation of each unit on each image.
    similarity : str
        A name in `dissection.clip.similarity.SIMILARITIES`.
    budget : int
        Bytes for the arrays of a block of concepts; changes memory and time only.
    progress : callable, optional
        Called with (done, total) after every block, in concepts; soft_wpmi and wpmi pass twice.

    Returns
    -------
    Tensor
        (U, M), larger is more similar; float64 where an input is, else float32.

    Raises
    ------
    ValueError
        If the name is unknown, shapes do not fit, a value is not finite, or not even one concept
        fits the budget.

    Examples
    --------
    >>> images, concepts = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.eye(2)
    >>> score(images, concepts, torch.tensor([[0.0], [2.0]]), "cosine")
    tensor([[0., 1.]])
    """
    prepare = named(similarity, MEASURES)
    check("image features", image_features, ("image", "feature"))
    check("text features", text_features, ("concept", "feature"))
    check("activations", activations, ("image", "unit"))
    width = image_features.shape[1], text_features.shape[1]
    check_same("features", ("image features", width[0]), ("text features", width[1]))
    images = len(image_features), len(activations)
    check_same("images", ("image features", images[0]), ("activations", images[1]))
    dtype = working_dtype(image_features, text_features, activations)
    measure = prepare(activations.to(dtype))
    rows, texts = image_features[measure.images].to(dtype), text_features.to(dtype)
    scores = Scores(
        len(texts), dtype, lambda span: rows[span] @ texts.t(), lambda part: rows @ texts[part].t()
    )
    return stream(measure, scores, budget, progress)


class Scores(NamedTuple):
    """The scores of a measure's n images and M concepts, a part at a time."""

    concepts: int
    """M."""
    dtype: torch.dtype
    """Of the parts."""
    rows: Callable[[slice], Tensor]
    """Some of the n images -> (b, M)."""
    columns: Callable[[slice], Tensor]
    """Some of the concepts -> (n, m)."""


def stream(
    measure: Measure, scores: Scores, budget: int = BUDGET, progress: Progress | None = None
) -> Tensor:
    """Return (U, M) of a measure, a block of concepts after the other.

    Parameters
    ----------
    measure : Measure
        With the units prepared.
    scores : Scores
        Of its images; not changed here.
    budget : int
        Bytes for the arrays of a block.
    progress : callable, optional
        Called with (done, total), in concepts.

    Raises
    ------
    ValueError
        If one concept, or one image where there is a softmax, does not fit the budget.
    """
    concepts = scores.concepts
    # an image has its scores, their exponentials and a copy
    least = max(measure.width, 0 if measure.a is None else 3 * concepts) * scores.dtype.itemsize
    if budget < least:
        raise ValueError(
            f"a budget of {budget} bytes does not hold one concept; it must be at least {least}"
        )
    report = progress or (lambda done, total: None)
    first = 0 if measure.a is None else concepts
    block = scores.columns
    step = budget // (measure.width * scores.dtype.itemsize)
    if measure.a is not None:
        block = _probabilities(
            measure, scores, budget, min(step, concepts), lambda done: report(done, 2 * concepts)
        )
    found = []
    for start in range(0, concepts, step):
        part = slice(start, min(start + step, concepts))
        found.append(measure.finish(block(part)))
        report(first + part.stop, first + concepts)
    return torch.cat(found, 1)


def _probabilities(
    measure: Measure, scores: Scores, budget: int, step: int, report: Callable[[int], None]
) -> Callable[[slice], Tensor]:
    """Return what gives the softmax probabilities of at most `step` concepts, (n, m)."""
    normaliser = _normaliser(measure, scores, budget, report)
    # one array for all blocks: the system would clear a new one for each
    buffer = normaliser.new_empty(len(normaliser) * step)

    def block(part: slice) -> Tensor:
        raw = scores.columns(part)
        out = buffer[: raw.numel()].view(raw.shape)
        return torch.add(-normaliser[:, None], raw, alpha=measure.a, out=out).exp_()

    return block


def _normaliser(
    measure: Measure, scores: Scores, budget: int, report: Callable[[int], None]
) -> Tensor:
    """Return (n,), the logarithm of the sum of exp(a · score) over all concepts."""
    images, concepts = len(measure.images), scores.concepts
    step = budget // (3 * concepts * scores.dtype.itemsize)
    tile = max(1, TILE // concepts)
    found = []
    for start in range(0, images, step):
        rows = scores.rows(slice(start, start + step))
        found += [(part * measure.a).logsumexp(1) for part in rows.split(tile)]
        report(min(start + step, images) * concepts // images)
    return torch.cat(found)


def working_dtype(*inputs: Tensor) -> torch.dtype:
    """Return float64 where an input is, else float32: what half precision is computed in."""
    wide = any(array.dtype == torch.float64 for array in inputs)
    return torch.float64 if wide else torch.float32


def check(what: str, array: Tensor, axes: tuple[str, str]) -> None:
    """Refuse what is no matrix of finite numbers.

    Parameters
    ----------
    what : str
        What to call it, in the plural.
    array : Tensor
        Two axes, at least one row and one column.
    axes : tuple of str
        What a row and a column stand for.

    Raises
    ------
    ValueError
        Names the first row and column that is not finite.
    """
    if array.ndim != 2 or not array.numel() or not array.is_floating_point():
        raise ValueError(
            f"{what} must be floating-point, ({axes[0]}s, {axes[1]}s) with at least one of each; "
            f"got {array.dtype} of shape {tuple(array.shape)}"
        )
    # unlike isfinite over everything, this needs no memory
    if all(bound.isfinite() for bound in array.aminmax()):
        return
    row, column = (~array.isfinite()).nonzero()[0].tolist()
    raise ValueError(
        f"{what} must be finite: {axes[0]} {row}, {axes[1]} {column} is {array[row, column]}; "
        "look for what made it, or leave it out"
    )


def check_same(axis: str, first: tuple[str, int], second: tuple[str, int]) -> None:
    """Refuse two inputs whose lengths of a common axis differ.

    Raises
    ------
    ValueError
        Names both inputs and lengths.
    """
    if first[1] != second[1]:
        raise ValueError(
            f"{first[0]} have {first[1]} {axis} and {second[0]} {second[1]}; "
            f"they must be the same {axis}, in the same order"
        )
