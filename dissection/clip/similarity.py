"""Similarities of units and concepts: f(concept_scores (N, M), activations (N, U)) -> (U, M).

Formulas and defaults are those of CLIP-Dissect (Oikarinen and Weng, ICLR 2023, section 3 and the
file similarity.py of its repository); larger is more similar. Common to all: `concept_scores`
are the CLIP scores (cosines) of each concept on each image, (N, M) floating, and `activations` the
pooled activation of each unit on each image, (N, U) floating; images of equal activation are taken
in the order of their numbers, where the original leaves the order open; values must be finite; half
precision is computed in float32; a ValueError is raised if shapes do not fit, a value is not finite
or an option is out of range. Each works through the concepts in blocks,
so that beside inputs and result it needs `dissection.clip.blocks.BUDGET` bytes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from dissection.clip.blocks import Scores, stream
from dissection.clip.measures import MEASURES, named
from dissection.clip.scoring import check, check_same, working_dtype

Similarity = Callable[..., Tensor]
"""(N, M) concept scores and (N, U) activations -> (U, M)."""


def soft_wpmi(
    concept_scores: Tensor,
    activations: Tensor,
    *,
    top_k: int = 100,
    a: float = 10,
    lam: float = 1,
    min_prob: float = 1e-7,
    p_start: float = 0.998,
    p_end: float = 0.97,
) -> Tensor:
    """Return soft weighted pointwise mutual information, the published default.

    With P = softmax(a · concept_scores) over the concepts, and p_r falling linearly from p_start
    towards p_end over the ranks r = 0 .. top_k - 1 of a unit's images, highest activation first::

        evidence[u, m] = sum over r of log(1 + p_r (P[image_r, m] - 1) + min_prob)
        result[u, m] = evidence[u, m] - lam · log(mean over the units of exp(evidence[., m]))

    The prior, the last term, is a mean over the units given: values, and with them the best
    concept, depend on which units are given together. Give whole layers.

    Parameters
    ----------
    concept_scores, activations : Tensor
        See the module.
    top_k, a, lam, min_prob, p_start, p_end
        Of the formula. With fewer images than top_k all are used, each with the p_r of its rank
        (the original stops).

    Returns
    -------
    Tensor
        (U, M), natural logarithms; not bounded, comparable within one call only.

    Examples
    --------
    >>> import torch
    >>> scores, activations = torch.eye(3), torch.tensor([[9.0, 0], [0, 9], [1, 1]])
    >>> soft_wpmi(scores, activations, top_k=1).argmax(1).tolist()
    [0, 1]
    """
    return _apply(
        "soft_wpmi",
        concept_scores,
        activations,
        top_k=top_k,
        a=a,
        lam=lam,
        min_prob=min_prob,
        p_start=p_start,
        p_end=p_end,
    )


def wpmi(
    concept_scores: Tensor,
    activations: Tensor,
    *,
    top_k: int = 28,
    a: float = 2,
    lam: float = 0.6,
    min_prob: float = 1e-7,
) -> Tensor:
    """Return weighted pointwise mutual information: `soft_wpmi` with every p_r = 1.

    The evidence of a concept is the sum of log(P + min_prob) over a unit's top_k images.

    Parameters
    ----------
    concept_scores, activations : Tensor
        See the module.
    top_k, a, lam, min_prob
        Of the formula.

    Returns
    -------
    Tensor
        (U, M), natural logarithms; depends on which units are given together.
    """
    return _apply("wpmi", concept_scores, activations, top_k=top_k, a=a, lam=lam, min_prob=min_prob)


def rank_reorder(
    concept_scores: Tensor,
    activations: Tensor,
    *,
    p: float = 3,
    top_fraction: float = 0.05,
    scale_p: float = 0.5,
    seed: int = 0,
) -> Tensor:
    """Return how well a concept's scores put a unit's top images in order.

    Of a unit, the highest N · top_fraction activations are reordered by the concept's scores of
    their images. With e the mean of ``|reordered - activations|^p`` and e_chance the same
    for random orders, the result is -(e / e_chance) / (mean score of these images)^scale_p.

    Departures from the original: the baseline's five random orders are drawn from `seed`, once for
    all units (there: unseeded, for each unit), so a unit's values depend on no other unit; a mean
    score below 1e-6 counts as 1e-6, a heavy penalty (there: NaN, which argmax prefers, where it is
    negative); a unit whose top activations are all equal has e / e_chance = 1 (there: NaN);
    images of equal score keep the order of activations, highest first, before reordering.

    Parameters
    ----------
    concept_scores, activations : Tensor
        See the module.
    p, top_fraction, scale_p
        Of the formula.
    seed : int
        Of the baseline's orders.

    Returns
    -------
    Tensor
        (U, M), at most 0.

    Raises
    ------
    ValueError
        Also if top_fraction of the images are fewer than 2.
    """
    return _apply(
        "rank_reorder",
        concept_scores,
        activations,
        p=p,
        top_fraction=top_fraction,
        scale_p=scale_p,
        seed=seed,
    )


def cosine(concept_scores: Tensor, activations: Tensor) -> Tensor:
    """Return the cosine of a unit's activations and a concept's scores over the images.

    Parameters
    ----------
    concept_scores, activations : Tensor
        See the module.

    Returns
    -------
    Tensor
        (U, M) in [-1, 1]; 0 where a unit or concept is 0 on all images (in the original NaN).

    Examples
    --------
    >>> import torch
    >>> cosine(torch.tensor([[1.0, 0], [0, 1]]), torch.tensor([[2.0], [0]]))
    tensor([[1., 0.]])
    """
    return _apply("cosine", concept_scores, activations)


def cosine_cubed(
    concept_scores: Tensor,
    activations: Tensor,
    *,
    min_norm: float = 1e-3,
) -> Tensor:
    """Return the cosine of cubed deviations from the mean over the images.

    Parameters
    ----------
    concept_scores, activations : Tensor
        See the module.
    min_norm : float
        A smaller norm of the cubes counts as this, as in the original; it damps concepts whose
        scores hardly vary.

    Returns
    -------
    Tensor
        (U, M) in [-1, 1]; 0 where a unit or concept is constant.
    """
    return _apply("cosine_cubed", concept_scores, activations, min_norm=min_norm)


SIMILARITIES: dict[str, Similarity] = {
    function.__name__: function
    for function in (soft_wpmi, wpmi, rank_reorder, cosine, cosine_cubed)
}
"""The similarities by name, the default first."""


def similarity(name: str) -> Similarity:
    """Return the similarity of a name.

    Raises
    ------
    ValueError
        If there is none; names the nearest.

    Examples
    --------
    >>> similarity("wpmi") is wpmi
    True
    """
    return named(name, SIMILARITIES)


def _apply(name: str, concept_scores: Tensor, activations: Tensor, **options: float) -> Tensor:
    check("concept scores", concept_scores, ("image", "concept"))
    check("activations", activations, ("image", "unit"))
    images = len(concept_scores)
    check_same("images", ("concept scores", images), ("activations", len(activations)))
    dtype = working_dtype(concept_scores, activations)
    measure = MEASURES[name](activations.to(dtype), **options)
    return stream(measure, _parts(concept_scores, measure.images, dtype))


def _parts(matrix: Tensor, images: Tensor, dtype: torch.dtype) -> Scores:
    """Return the scores of some images; of all without copying them."""
    every = len(images) == len(matrix)

    def rows(span: slice) -> Tensor:
        return (matrix[span] if every else matrix.index_select(0, images[span])).to(dtype)

    def columns(part: slice, _: Tensor) -> Tensor:
        block = matrix[:, part]
        return (block if every else block.index_select(0, images)).to(dtype)

    return Scores(matrix.shape[1], dtype, rows, columns)
