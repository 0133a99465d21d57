"""Threads that each run their operations alone, for work that is many short operations."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from broden.system.parallel import in_order

__all__ = ["each", "small_operations"]

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def small_operations(device: torch.device) -> Iterator[int]:
    """Yield how many threads to work with, each of which runs its operations alone.

    Sharing a short operation between threads gains little and, where other programs keep a core
    busy, costs a wait for it thousands of times a second. Only threads begun inside are meant.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu":
        yield 1
        return
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def each(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """Yield the results of a function in the order of its items; one thread is the caller's.

    Examples
    --------
    >>> list(each(abs, [-1, -2, -3], 1))
    [1, 2, 3]
    """

    def alone(item: T) -> R:
        # a thread whose first operation is a product of matrices would share it with others
        torch.set_num_threads(1)
        return function(item)

    if threads == 1:
        yield from map(function, items)
    else:
        yield from in_order(alone, items, threads, 2 * threads)
