"""One run as a job: what every step of it needs."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from dissection.activations.forward import Plan
from dissection.activations.shards import ShardStore
from dissection.config import Execution
from dissection.execution.ranks import Ranks

# A context whose value advances a bar, from a text, a number of images and how many are done.
Bar = Callable[[str, int, int], AbstractContextManager[Callable[[int], object]]]


class Job(NamedTuple):
    """What goes through what, where its shards are, who does it, and how long it took."""

    plan: Plan
    store: ShardStore
    execution: Execution
    ranks: Ranks
    bar: Bar
    seconds: dict[str, float]

    def shards(self) -> Sequence[int]:
        """Return the shards of this rank."""
        return self.ranks.share(self.plan.shards())

    @contextmanager
    def stage(self, name: str, text: str, done: int = 0) -> Iterator[Callable[[int], object]]:
        """Time a step and show its progress, from the images that are done on."""
        images = self.plan.images(self.shards())
        with (
            self.timed(name),
            self.bar(text, images, done) if self.ranks.leads else nullcontext(_ignore) as advance,
        ):
            yield advance

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a step."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - started


def _ignore(_images: int) -> None:
    pass
