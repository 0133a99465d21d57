"""Cells of a batch chosen and packed on a device, without asking it how many there are."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["chosen", "packed", "running"]


def packed(keep: Tensor) -> Tensor:
    """Return the bits of (N, B) bool as (N, ceil(B / 8)) uint8, as ``numpy.packbits`` has them."""
    images, bits = keep.shape
    whole = functional.pad(keep.to(torch.uint8), (0, -bits % 8)).view(images, -1, 8)
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=keep.device)
    return (whole << shifts).sum(2, dtype=torch.uint8)


def running(mask: Tensor) -> Tensor:
    """Return how many are true up to each place of a flattened bool tensor, int32 or int64."""
    wide = mask.numel() >= 2**31
    return torch.cumsum(mask.view(-1), 0, dtype=torch.int64 if wide else torch.int32)


def chosen(before: Tensor, count: int) -> Tensor:
    """Return the places that are true, int64 and ascending.

    Parameters
    ----------
    before : Tensor
        From `running`.
    count : int
        How many are true, its last value.
    """
    ordinal = torch.arange(1, count + 1, dtype=before.dtype, device=before.device)
    return torch.searchsorted(before, ordinal)
