"""Progress bars on stderr, for steps long enough to need one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["advancing", "bar", "byte_bar"]

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
    with _shown(iterable=items, total=total, desc=text, unit=unit) as shown:
        yield shown


@contextmanager
def advancing(
    text: str, total: int, done: int, show: bool, unit: str = "image"
) -> Iterator[Callable[[int], object]]:
    """Hand out what is told how many more are done, with a bar of all of them if `show`."""
    if not show:
        yield lambda _more: None
        return
    with _shown(total=total, initial=done, desc=text, unit=unit) as shown:
        yield shown.update


def byte_bar(total: int | None, done: int, text: str, show: bool) -> tqdm:
    """Return a bar over bytes, moved by ``update(count)``; silent unless `show`."""
    scaled = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
    return _shown(total=total, initial=done, desc=text, disable=not show, **scaled)


def _shown(**options: Any) -> tqdm:
    from tqdm import tqdm

    return tqdm(dynamic_ncols=True, mininterval=0.5, **options)
