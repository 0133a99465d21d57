"""Threads that share the work on one batch between two passes of the network."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

__all__ = ["Crew"]

T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """As many threads as the network has on the CPU, each of which runs its operations alone.

    What numpy does in one thread would leave the others of the network idle.

    Parameters
    ----------
    device : torch.device
        Of the network; on another than the CPU there is one thread, the caller's.
    """

    def __init__(self, device: torch.device) -> None:
        self.threads = torch.get_num_threads() if device.type == "cpu" else 1
        self._pool: ThreadPoolExecutor | None = None
        if self.threads > 1:
            self._pool = ThreadPoolExecutor(self.threads, "crew")
            together = Barrier(self.threads + 1)
            try:
                for _ in range(self.threads):
                    self._pool.submit(_work_alone, together)
                together.wait()
            except BaseException:
                # else those that were started would wait for those that cannot be
                together.abort()
                raise
            # what one thread sets is also what later threads and other libraries begin with
            torch.set_num_threads(self.threads)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the results of a function in the order of its items, in inference mode."""
        if self._pool is None:
            return list(map(function, items))

        def inferring(item: T) -> R:
            with torch.inference_mode():
                return function(item)

        return list(self._pool.map(inferring, items))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def _work_alone(together: Barrier) -> None:
    # a thread that was never asked takes the number that holds when it first computes
    torch.get_num_threads()
    torch.set_num_threads(1)
    together.wait()
