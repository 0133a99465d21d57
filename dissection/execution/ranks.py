"""Several processes working on one run: sums and merges that do not depend on how many they are."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

Item = TypeVar("Item")

_SETTLING = 0.1  # seconds
_DEVICES = "give auto, cpu or cuda (cuda:1 for the second GPU)"


class RankLostError(RuntimeError):
    """Another process of the run is gone."""


@contextmanager
def _reaching_others() -> Iterator[None]:
    """Say what it means where the others cannot be reached."""
    try:
        yield
    except RuntimeError as error:
        raise RankLostError(
            "another process of this run ended before its work was done; what it printed says "
            "why; start the same command again: finished images are kept"
        ) from error


class Ranks:
    """Know this process among those that `torchrun` started; one alone without it.

    Attributes
    ----------
    rank, world : int
        Number of this process and how many there are.
    """

    def __init__(self, rank: int | None = None, world: int | None = None) -> None:
        self.world = int(os.environ.get("WORLD_SIZE", "1")) if world is None else world
        self.rank = int(os.environ.get("RANK", "0")) if rank is None else rank
        if self.world > 1 and not distributed.is_initialized():
            # ranks meet only when all images are through, which may be hours apart
            distributed.init_process_group("gloo", timeout=timedelta(days=30))

    @classmethod
    def alone(cls) -> "Ranks":
        """Return a process that works for itself, whatever others there are."""
        return cls(0, 1)

    @property
    def leads(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return every world-th item, this process's part of the work."""
        return items[self.rank :: self.world]

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of an int64 tensor over all processes, on the same device."""
        if self.world == 1:
            return values
        total = values.to("cpu", copy=True)
        with _reaching_others():
            distributed.all_reduce(total)
        return total.to(values.device)

    def gather(self, value: Item) -> list[Item]:
        """Return the value of every process, by rank, to the one that leads; to others nothing."""
        if self.world == 1:
            return [value]
        values: list = [None] * self.world if self.leads else []
        with _reaching_others():
            distributed.gather_object(value, values if self.leads else None)
        return values

    def all(self, value: Item) -> list[Item]:
        """Return the value of every process, by rank."""
        if self.world == 1:
            return [value]
        values: list = [None] * self.world
        with _reaching_others():
            distributed.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            with _reaching_others():
                distributed.barrier()

    def close(self) -> None:
        """Leave the group."""
        if self.world > 1 and distributed.is_initialized():
            distributed.barrier()
            # A thread of the group may still be giving a tensor back, which takes the interpreter
            # that destroying holds while it waits for the thread (seen with torch 2.6).
            time.sleep(_SETTLING)
            distributed.destroy_process_group()


def local_device(name: str) -> torch.device:
    """Return the device to use: ``auto`` is the process's own GPU where there is one, else the CPU.

    Raises
    ------
    ValueError
        If the device is unknown or not on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"unknown device {name!r}; {_DEVICES}") from error
    if name == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    try:
        # counting needs float64, which not every device has
        torch.zeros(1, dtype=torch.float64, device=device).item()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used ({reason}); {_DEVICES}") from error
    return device
