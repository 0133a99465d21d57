"""Work in threads, in order, with a bounded number of results waiting."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R], items: Iterable[T], threads: int, under_way: int
) -> Generator[R, None, None]:
    """Apply a function in threads and yield the results in the order of the items.

    Closing the iterator cancels what has not begun.

    Parameters
    ----------
    function : callable
        Applied to each item.
    items : iterable
        Taken as they are needed.
    threads : int
        How many work.
    under_way : int
        Items begun or finished but not yet asked for, at most.
    """
    todo = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending = deque(pool.submit(function, item) for item in islice(todo, under_way))
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in islice(todo, 1))
        finally:
            for future in pending:
                future.cancel()
