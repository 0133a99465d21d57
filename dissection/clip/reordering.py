"""The errors of rank_reorder: a unit's highest activations, put in the order of a concept's scores.

What is sorted are integers that hold place and rank, which is many times as fast as a stable sort
of the scores.
"""

import torch
from torch import Tensor

__all__ = ["errors_by_chance", "places", "reordering_errors"]


def errors_by_chance(highest: Tensor, p: float, seed: int) -> Tensor:
    """Return the (U,) mean error of five random orders, the same five for every unit."""
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(highest.shape[1], generator=generator) for _ in range(5)]
    errors = [(highest - highest[:, o.to(highest.device)]).abs().pow(p).mean(1) for o in orders]
    return torch.stack(errors).mean(0)


def places(scores: Tensor, k: int) -> Tensor:
    """Return each concept's order of all images, as `reordering_errors` takes it.

    Parameters
    ----------
    scores : Tensor
        (n, m).
    k : int
        Images of a unit.

    Returns
    -------
    Tensor
        (m, n) integers: the place of each image by its score, from 0 for the lowest, times a power
        of 2 that is at least k. Equal scores have the same place.

    Examples
    --------
    >>> places(torch.tensor([[0.3], [0.1], [0.3]]), 2).tolist()
    [[2, 0, 2]]
    """
    step = 1 << (k - 1).bit_length()
    dtype = torch.int32 if len(scores) * step < 1 << 31 else torch.int64
    ordered, images = _sort(scores.t().contiguous())
    place = torch.zeros_like(ordered, dtype=dtype)
    torch.cumsum(ordered[:, 1:] != ordered[:, :-1], 1, dtype=dtype, out=place[:, 1:])
    return torch.empty_like(place).scatter_(1, images, place.mul_(step))


def _sort(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's values in order, and where they were."""
    if scores.device.type != "cpu":
        return scores.sort(1)
    # numpy sorts several times as fast
    images = torch.from_numpy(scores.numpy().argsort(1))
    return scores.gather(1, images), images


def reordering_errors(
    places: Tensor, rows: Tensor, highest: Tensor, chance: Tensor, p: float
) -> Tensor:
    """Return how wrong each concept's order of each unit's images is, relative to chance.

    Parameters
    ----------
    places : Tensor
        (m, n) from `places`.
    rows : Tensor
        (u, k): of each unit, which of the n images, highest activation first.
    highest : Tensor
        (u, k), their activations.
    chance : Tensor
        (u,) from `errors_by_chance`.
    p : float
        Power of the errors.

    Returns
    -------
    Tensor
        (u, m); 1 where chance makes no error.
    """
    k = rows.shape[1]
    # the rank by activation in the lowest bits: no two are equal, and equal scores keep its order
    keys = places.index_select(1, rows.flatten()).view(len(places), *rows.shape)
    keys += torch.arange(k, dtype=keys.dtype, device=keys.device)
    if keys.device.type == "cpu":
        keys.numpy().sort(2)
    else:
        keys = keys.sort(2).values
    keys &= (1 << (k - 1).bit_length()) - 1
    keys += torch.arange(0, rows.numel(), k, dtype=keys.dtype, device=keys.device)[:, None]
    moved = highest.flatten().index_select(0, keys.flatten()).view(keys.shape)
    error = moved.sub_(highest.flip(1)).abs_().pow_(p).mean(2)
    return torch.where(chance > 0, error / chance, torch.ones_like(error)).t()
