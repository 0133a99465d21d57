"""The value of a rank in each row of a matrix, exactly, in one process or over many."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

SELECT_CHUNK = 1 << 21
"""Values selected from at once: bounds the index memory of a selection to 16 MiB."""


def largest_first(values: Tensor, count: int) -> None:
    """Move the largest values of each row to its front, in no order.

    On the CPU numpy partitions, several times faster than `torch.topk`.

    Parameters
    ----------
    values : Tensor
        (U, M), reordered in place.
    count : int
        How many, at most M.
    """
    if values.device.type == "cpu":
        rows = values.numpy()
        np.negative(rows, out=rows)
        rows.partition(count - 1, axis=1)
        np.negative(rows, out=rows)
        return
    for part in values.split(max(1, SELECT_CHUNK // values.shape[1])):
        part[:, :count] = torch.topk(part, count, dim=1, sorted=False).values


def nth_largest(values: Tensor, rank: int) -> Tensor:
    """Return the value of a rank, 1 for the largest, in each row of (U, M), left as it is."""
    found = []
    for part in values.split(max(1, SELECT_CHUNK // values.shape[1])):
        if values.device.type == "cpu":
            place = part.shape[1] - rank
            found.append(torch.from_numpy(np.partition(part.numpy(), place, axis=1)[:, place]))
        else:
            found.append(torch.topk(part, rank, dim=1, sorted=False).values.amin(1))
    return torch.cat(found)


def kth_largest(
    values: Tensor,
    ranks: Sequence[int],
    total: Callable[[Tensor], Tensor],
    bound: Tensor,
    ties: Tensor,
) -> Tensor:
    """Return the largest value that at least so many values of the unit reach, over all ranks.

    Bisects the bits of the float, which in the order of `ordered` sort as the numbers do, so the
    result is exact after 32 sums over the ranks, whatever the values are.

    Parameters
    ----------
    values : Tensor
        (U, M) float32, this process's share.
    ranks : sequence of int
        T of them, 1 for the largest value.
    total : callable
        Sums an int64 tensor over the ranks.
    bound, ties : Tensor
        (U,) float32, and int64: as often the bound stands for the values that equal it.

    Returns
    -------
    Tensor
        (T, U) float32, -inf where there are fewer.
    """
    keys, tied = ordered(values), ordered(bound)
    # those equal to the bound are among the ties
    keys = _sorted(torch.where(keys == tied[:, None], torch.iinfo(torch.int32).min, keys))
    tied, most = tied[:, None], keys.shape[1]
    wanted = torch.tensor(ranks).to(keys.device)
    # from -inf, the value of those that are missing
    low = keys.new_full((len(keys), len(ranks)), ~0x7F800000, dtype=torch.int64)
    high = torch.full_like(low, 2**31)
    for _ in range(32):
        middle = (low + high) >> 1
        reaching = most - torch.searchsorted(keys, middle.to(torch.int32))
        reached = total(reaching + ties[:, None] * (tied >= middle)) >= wanted
        low, high = torch.where(reached, middle, low), torch.where(reached, high, middle)
    return unordered(low.t().contiguous())


def _sorted(keys: Tensor) -> Tensor:
    """Return the rows of a matrix, ascending; on the CPU numpy sorts them, several times faster."""
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.numpy(), axis=1))
    return torch.sort(keys, dim=1).values


def ordered(values: Tensor) -> Tensor:
    """Map float32 to int32 so that integers compare as the floats do (-0.0 just below 0.0)."""
    bits = values.contiguous().view(torch.int32)
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


def unordered(keys: Tensor) -> Tensor:
    """Undo `ordered`."""
    bits = keys.to(torch.int32)
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32)
