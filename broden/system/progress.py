"""Progress bars on stderr, for steps long enough to need one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def bar(
    items: Iterable[T], total: int, text: str, show: bool, unit: str = "image"
) -> Iterator[Iterable[T]]:
    """Hand out `items`, with a bar of rate and time left while they are consumed if `show`.

    However the block ends, the bar is closed first, so that a message starts on its own line.
    """
    if not show:
        yield items
        return
    from tqdm import tqdm

    with tqdm(
        items, total=total, desc=text, unit=unit, dynamic_ncols=True, mininterval=0.5
    ) as shown:
        yield shown


def byte_bar(total: int | None, done: int, text: str, show: bool):
    """Return a bar over bytes, moved by ``update(count)``; silent unless `show`."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        initial=done,
        desc=text,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        dynamic_ncols=True,
        disable=not show,
    )
