"""Counts to intersection over union."""

from torch import Tensor

from dissection.config import UNIONS
from dissection.overlap.tally import Counts


def activation_area(counts: Counts, primary: Tensor, union: str) -> Tensor:
    """Return the active pixels of each unit that the union of each label counts, (U, L) int64.

    Parameters
    ----------
    counts : Counts
        Over the whole probe set.
    primary : Tensor
        (L,) int64 primary category of each label.
    union : str
        One of `config.UNIONS`.
    """
    if union not in UNIONS:
        raise ValueError(f"unknown union rule {union!r}; one of {', '.join(UNIONS)}")
    if union == "all":
        return counts.all[:, None].expand_as(counts.intersection)
    return getattr(counts, union).index_select(1, primary)


def iou(counts: Counts, pixels: Tensor, primary: Tensor, union: str) -> Tensor:
    """Return I / (A + T - I), (U, L) float64 in [0, 1]; 0 where nothing is active or labelled.

    Parameters
    ----------
    counts : Counts
        Over the whole probe set.
    pixels : Tensor
        (L,) int64 pixels T of each label.
    primary : Tensor
        (L,) int64 primary category of each label.
    union : str
        Which active pixels A count, one of `config.UNIONS`.

    Examples
    --------
    One unit with 6 active pixels, 4 of them in images that hold the category of label 1:

    >>> import torch
    >>> counts = Counts(*map(torch.tensor, ([[0, 3]], [6], [[4]], [[3]])))
    >>> rules = [iou(counts, torch.tensor([0, 5]), torch.tensor([0, 0]), rule) for rule in UNIONS]
    >>> [round(float(value[0, 1]), 3) for value in rules]
    [0.5, 0.6, 0.375]
    """
    union_pixels = activation_area(counts, primary, union) + pixels - counts.intersection
    return counts.intersection / union_pixels.clamp(min=1).double()
