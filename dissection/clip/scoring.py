"""Similarity of units and concepts from CLIP features, in bounded memory.

Concepts are streamed: for a block of them the scores of the images that matter are computed, used
and forgotten, so the images-by-concepts matrix never exists. The softmax of an image runs over all
concepts; its normaliser comes from a first pass over the same blocks (a streaming log-sum-exp).
"""

from collections.abc import Callable

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
    rows = image_features[measure.images].to(dtype)
    texts = text_features.to(dtype)
    return stream(measure, lambda part: rows @ texts[part].t(), len(texts), dtype, budget, progress)


def stream(
    measure: Measure,
    scores: Callable[[slice], Tensor],
    concepts: int,
    dtype: torch.dtype,
    budget: int = BUDGET,
    progress: Progress | None = None,
) -> Tensor:
    """Return (U, M) of a measure, a block of concepts after the other.

    Parameters
    ----------
    measure : Measure
        With the units prepared.
    scores : callable
        Slice of the concepts -> (n, m) scores of the measure's images; not changed here.
    concepts : int
        M.
    dtype : torch.dtype
        Of the scores.
    budget : int
        Bytes for the arrays of a block.
    progress : callable, optional
        Called with (done, total), in concepts.

    Raises
    ------
    ValueError
        If one concept does not fit the budget.
    """
    step = budget // (measure.width * dtype.itemsize)
    if step < 1:
        raise ValueError(
            f"a budget of {budget} bytes does not hold one concept; "
            f"it must be at least {measure.width * dtype.itemsize}"
        )
    parts = [slice(first, min(first + step, concepts)) for first in range(0, concepts, step)]
    total = concepts if measure.a is None else 2 * concepts
    report = progress or (lambda done, total: None)
    if measure.a is None:
        block = scores
    else:
        normaliser = _normaliser(measure, scores, parts, lambda done: report(done, total))

        def block(part: slice) -> Tensor:
            return torch.add(-normaliser[:, None], scores(part), alpha=measure.a).exp_()

    found = []
    for part in parts:
        found.append(measure.finish(block(part)))
        report(total - concepts + part.stop, total)
    return torch.cat(found, 1)


def _normaliser(
    measure: Measure,
    scores: Callable[[slice], Tensor],
    parts: list[slice],
    report: Callable[[int], None],
) -> Tensor:
    """Return (n,), the logarithm of the sum of exp(a · score) over all concepts."""
    normaliser = None
    for part in parts:
        rows = scores(part).split(max(1, TILE // (part.stop - part.start)))
        partial = torch.cat([(block * measure.a).logsumexp(1) for block in rows])
        normaliser = partial if normaliser is None else torch.logaddexp(normaliser, partial)
        report(part.stop)
    return normaliser


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
