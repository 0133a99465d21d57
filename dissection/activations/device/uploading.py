"""What is brought to a device while it works on something else."""

from collections.abc import Generator, Iterable

import numpy as np
import torch
from torch import Tensor

__all__ = ["pinned", "sent", "uploaded"]


def pinned(device: torch.device) -> bool:
    """Tell whether what goes to a device is best made in memory that it reads by itself."""
    return device.type == "cuda"


def sent(array: np.ndarray, device: torch.device | str) -> Tensor:
    """Return an array on a device; to a GPU it goes when what was asked of that is done."""
    there = torch.device(device)
    if pinned(there):
        return torch.from_numpy(array).pin_memory().to(there, non_blocking=True)
    return torch.from_numpy(array).to(there)


def uploaded(batches: Iterable[Tensor], device: torch.device) -> Generator[Tensor, None, None]:
    """Yield batches on a device; to a GPU each is copied beside the work on the one before.

    Parameters
    ----------
    batches : iterable of Tensor
        On the CPU, in pinned memory if they are for a GPU.
    device : torch.device
        Where they are wanted.
    """
    if device.type != "cuda":
        yield from (images.to(device) for images in batches)
        return
    side = torch.cuda.Stream(device)
    ahead: tuple[Tensor, torch.cuda.Event] | None = None
    for images in batches:
        with torch.cuda.stream(side):
            copied = images.to(device, non_blocking=True)
            event = side.record_event()
        if ahead is not None:
            yield _usable(*ahead)
        ahead = copied, event
    if ahead is not None:
        yield _usable(*ahead)


def _usable(images: Tensor, copied: "torch.cuda.Event") -> Tensor:
    """Let the network's stream wait for a copy, and the copy's memory for the network."""
    stream = torch.cuda.current_stream(images.device)
    stream.wait_event(copied)
    images.record_stream(stream)
    return images
