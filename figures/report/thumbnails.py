"""Small versions of photographs: inside the page while they are few, else in a folder beside it."""

import base64
import io
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from broden.system.files import atomic, inside, sweep

__all__ = ["BESIDE", "EMBEDDED", "SIDE", "Thumbnails", "runs"]

SIDE = 112
"""Pixels of the longer side."""

EMBEDDED = 12 << 20
"""Bytes of thumbnails that a page carries itself; of more a browser is slow to start."""

BESIDE = "thumbnails"
"""Folder of those that are too many, beside the page."""

_QUALITY = 58
# Photographs that wait to be made small, at most; two threads keep up with whoever decodes them
_WAITING, _THREADS = 16, 2
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Thumbnails:
    """The photographs of a page, each once, in the order in which they are first needed."""

    def __init__(self) -> None:
        self._place: dict[tuple[str, int], int] = {}
        self._made: list[Future[tuple[bytes, tuple[int, int]]]] = []
        self._pool = ThreadPoolExecutor(_THREADS, "thumbnails")

    def __len__(self) -> int:
        return len(self._made)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Return (width, height) of each in pixels."""
        return [made.result()[1] for made in self._made]

    def add(self, probe: str, number: int, photograph: Callable[[int], np.ndarray]) -> int:
        """Return the place of a photograph, which is made small when it is new.

        Parameters
        ----------
        probe : str
            Digest of the probe set.
        number : int
            Of the image in it.
        photograph : callable
            Returns it as (h, w, 3) uint8.
        """
        key = (probe, number)
        if key not in self._place:
            self._place[key] = len(self._made)
            self._made.append(self._pool.submit(_small, photograph(number)))
            if len(self._made) > _WAITING:
                self._made[-_WAITING].result()
        return self._place[key]

    def sources(self, folder: Path) -> list[str]:
        """Return what each image's ``src`` is; writes the files if they are too many for the page.

        Parameters
        ----------
        folder : Path
            Of the page. Thumbnails of an earlier page there are deleted.

        Raises
        ------
        OSError
            If a file cannot be written.
        ValueError
            If their folder is a link.
        """
        beside = inside(folder, BESIDE)
        sweep(beside, re.compile(r"[0-9]+\.webp").fullmatch)
        for old in beside.glob("*.webp"):
            if old.stem.isdecimal():
                old.unlink()
        pictures = [made.result()[0] for made in self._made]
        if sum(map(len, pictures)) <= EMBEDDED:
            return [
                f"data:image/webp;base64,{base64.b64encode(data).decode()}" for data in pictures
            ]
        beside.mkdir(exist_ok=True)
        for number, data in enumerate(pictures):
            with atomic(beside / f"{number}.webp", sync=False) as handle:
                handle.write(data)
        return [f"{BESIDE}/{number}.webp" for number in range(len(pictures))]


def _small(photograph: np.ndarray) -> tuple[bytes, tuple[int, int]]:
    """Return a photograph as a small WebP, and its size."""
    picture = Image.fromarray(photograph)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    picture.save(memory, "WEBP", quality=_QUALITY, method=4)
    return memory.getvalue(), picture.size


def runs(mask: np.ndarray) -> str:
    """Return a mask as the lengths of its runs, off and on in turn, row by row, in base 36.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool.

    Examples
    --------
    >>> runs(np.array([[False, False, True], [True, False, True]]))
    '2 2 1 1'
    >>> runs(np.array([[True, False]]))
    '0 1'
    """
    flat = mask.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *ends, len(flat)]).tolist()
    if flat[0]:
        lengths.insert(0, 0)
    # what follows the last run that is on is off
    if len(lengths) % 2:
        lengths.pop()
    return " ".join(map(_base36, lengths))


def _base36(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return text
