"""Similarity of units and concepts from CLIP features, in bounded memory.

Concepts are streamed: for a block of them the scores of the images that matter are computed, used
and forgotten, so no more of the images-by-concepts matrix exists than may be kept between the two
passes of a softmax. How, is in `dissection.clip.blocks`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dissection.clip.blocks import BUDGET, Progress, Scores, stream
from dissection.clip.measures import MEASURES, named

KEEP = 1 << 30
"""Bytes of scores kept from the first of two passes: to multiply anew is most of the second."""


def score(
    image_features: Tensor,
    text_features: Tensor,
    activations: Tensor,
    similarity: str = "soft_wpmi",
    *,
    options: Mapping[str, float] | None = None,
    budget: int = BUDGET,
    keep: int = KEEP,
    progress: Progress | None = None,
) -> Tensor:
    """Return how similar every unit is to every concept.

    The same as ``similarity(image_features @ text_features.T, activations)`` with the published
    defaults, up to rounding. 63,305 images, 20,000 concepts and 512 units of 512 features take
    less than 2.5 GB in all, the process included.

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
    options : mapping, optional
        Of the similarity, in place of the published ones.
    budget : int
        Bytes for the arrays of all blocks of concepts under way; changes memory and time only.
    keep : int
        Bytes of scores that may be kept between two passes; likewise.
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
    measure = prepare(activations.to(dtype), **(options or {}))
    rows, texts = image_features[measure.images].to(dtype), text_features.to(dtype)
    scores = Scores(
        len(texts),
        dtype,
        lambda span: rows[span] @ texts.t(),
        lambda part, out: torch.mm(rows, texts[part].t(), out=out),
    )
    return stream(measure, scores, budget, keep, progress)


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
