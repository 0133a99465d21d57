"""The one pass over the shards of a finished forward pass, which feeds any number of folds."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Protocol

import torch

from broden.system.parallel import in_order
from broden.system.processes import processors
from dissection.activations.shards import Shard, ShardStore, Wanted
from dissection.execution.threads import small_operations

__all__ = ["Fold", "fold_shards"]

FEEDERS = 6
"""Threads that read shards and prepare labels for a device, at most: while it computes for one of
them the others go on, and each takes some of its memory."""


class Fold(Protocol):
    """Something that is added up over the images of a run, shard by shard.

    What it holds in the end must not depend on how the images are cut into shards.
    """

    @property
    def wanted(self) -> Wanted:
        """The layers and arrays it looks at."""

    # what a part is, is between `part` and `add` of the same fold
    def part(self, shard: Shard) -> Any:
        """Return what a shard adds, changing nothing; called in any order, by several threads."""

    def add(self, part: Any) -> None:
        """Add what `part` returned; called in the order of the shards, by one thread."""


def fold_shards(
    store: ShardStore,
    numbers: Sequence[int],
    folds: Sequence[Fold],
    device: torch.device,
    advance: Callable[[int], object],
) -> None:
    """Read each shard once, verified, and give it to every fold.

    Parameters
    ----------
    store : ShardStore
        Where the shards are.
    numbers : sequence of int
        Which shards.
    folds : sequence of Fold
        What is added up; only the arrays that one of them wants are read.
    device : torch.device
        Where the folds compute.
    advance : callable
        Told the number of a shard whenever it has been added.

    Raises
    ------
    ShardError
        If a shard is damaged.
    """
    wanted = _together([fold.wanted for fold in folds])

    def parts(number: int) -> tuple[int, list]:
        with torch.inference_mode():
            shard = store.read(number, wanted)
            return number, [fold.part(shard) for fold in folds]

    with small_operations(device) as threads:
        workers = threads if device.type == "cpu" else min(FEEDERS, processors())
        with closing(in_order(parts, numbers, workers, workers + 1)) as results:
            for number, found in results:
                for fold, part in zip(folds, found, strict=True):
                    fold.add(part)
                advance(number)


def _together(several: Sequence[Wanted]) -> dict[str, set[str]]:
    """Return all that is wanted, by layer."""
    wanted: dict[str, set[str]] = {}
    for one in several:
        for layer, names in one.items():
            wanted.setdefault(layer, set()).update(names)
    return wanted
