"""HDF5 files that another may have made: what they hold is in them, and as large as they say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from broden.system.files import regular_file

__all__ = ["RefusedError", "array", "check_links", "check_size", "opened", "texts"]

#: Whatever a file that was cut off or written over makes HDF5 raise.
ERRORS = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    NotImplementedError,
)

#: Of deflate, the most that a byte can unpack to; shuffle and checksums change no size.
_RATIO = 1100
_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_MOST_CHUNK = 1 << 28
_BLOCK = 256
_MOST_ARRAY = 1 << 32


class RefusedError(ValueError):
    """An HDF5 file that reaches outside itself or is not what it should be; one line."""


@contextmanager
def opened(path: str | Path, what: str) -> Iterator[h5py.File]:
    """Open an HDF5 file to be read, without any link, and say in one line what is wrong with it.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What it should be, for messages.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no HDF5 file or a damaged one, or has links; or as the block raises.
    """
    regular_file(path, what)
    try:
        # the file does not change, and some network file systems cannot lock
        with h5py.File(path, "r", locking=False) as file:
            check_links(file)
            yield file
    except RefusedError as error:
        raise ValueError(f"{path}: {error}; make it again") from error
    except ERRORS as error:
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is not a whole {what} ({text}); make it again") from error


def check_links(file: h5py.File) -> None:
    """Refuse whatever would read outside the file or run in circles.

    Raises
    ------
    RefusedError
        On a link, virtual or external storage, or a group within itself.
    """
    seen: set[int] = {h5py.h5o.get_info(file.id).addr}
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in group:
            path = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
                raise RefusedError(f"member {path!r} is {kind} link; links are refused")
            member = group[name]
            if isinstance(member, h5py.Group):
                address = h5py.h5o.get_info(member.id).addr
                if address in seen:
                    raise RefusedError(f"group {path!r} is linked twice; links are refused")
                seen.add(address)
                groups.append(member)
            elif isinstance(member, h5py.Dataset):
                _check_storage(path, member)


def _check_storage(path: str, dataset: h5py.Dataset) -> None:
    """Refuse data that live in other files."""
    if dataset.is_virtual:
        raise RefusedError(f"dataset {path!r} is virtual; all data must be in the file itself")
    if dataset.external:
        raise RefusedError(f"dataset {path!r} is stored in another file; that is refused")


def check_size(dataset: h5py.Dataset, most: int | None = None) -> None:
    """Refuse a dataset that says it is larger than what is stored of it can be.

    Parameters
    ----------
    dataset : h5py.Dataset
        What is to be read.
    most : int, optional
        The most bytes to which it may unpack; any number that is not packed may be there.

    Raises
    ------
    RefusedError
        If it is, or is packed in another way than ours.
    """
    create = dataset.id.get_create_plist()
    filters = [create.get_filter(i)[0] for i in range(create.get_nfilters())]
    packed = [kind for kind in filters if kind not in _FILTERS]
    if packed not in ([], [h5py.h5z.FILTER_DEFLATE]):
        raise RefusedError(f"dataset {dataset.name!r} is packed otherwise than by gzip, once")
    # Python's whole numbers: a declared size may be beyond 64 bits
    size = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    many = bool(packed) and most is not None and size > most
    if many or size > stored * (_RATIO if packed else 1) or (size and chunk > _MOST_CHUNK):
        raise RefusedError(
            f"dataset {dataset.name!r} says it has {size} bytes, of which {stored} are there"
        )


def array(
    file: h5py.File, name: str, kinds: str, shape: Sequence[int | None], most: int | None = None
) -> np.ndarray:
    """Return a dataset that has the type and shape it should have, nothing read before.

    Parameters
    ----------
    file : h5py.File
        From `opened`.
    name : str
        Path of the dataset.
    kinds : str
        Kinds of numbers it may have, as `numpy.dtype.kind` has them.
    shape : sequence of int or None
        Length of each axis; None where it may have any.
    most : int, optional
        The most that an axis without a length may have.

    Raises
    ------
    RefusedError
        If it is missing or another.
    """
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise RefusedError(f"dataset {name!r} is missing")
    if found.dtype.kind not in kinds or found.dtype.fields or found.dtype.subdtype:
        words = " or ".join(_KINDS[kind] for kind in kinds)
        raise RefusedError(f"dataset {name!r} has type {found.dtype}, expected {words}")
    given = found.shape
    if given is None or len(given) != len(shape) or not all(map(_fits, given, shape)):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise RefusedError(f"dataset {name!r} has shape {given}, expected ({wanted})")
    free = [have for have, want in zip(given, shape, strict=True) if want is None]
    if most is not None and max(free, default=0) > most:
        raise RefusedError(f"dataset {name!r} has shape {given}, of which at most {most} can be")
    check_size(found, _MOST_ARRAY)
    return found[()]


_KINDS = {"f": "floating numbers", "i": "whole numbers", "u": "whole numbers above 0"}


def _fits(have: int, want: int | None) -> bool:
    return want is None or have == want


def texts(file: h5py.File, name: str) -> list[str]:
    """Return a list of texts.

    Raises
    ------
    RefusedError
        If it is missing, is something else, or is more than the file can hold.
    """
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise RefusedError(f"dataset {name!r} is missing")
    if h5py.check_string_dtype(found.dtype) is None or len(found.shape or ()) != 1:
        raise RefusedError(f"dataset {name!r} is {found.dtype} of shape {found.shape}, not texts")
    check_size(found)
    # texts of any length lie elsewhere in the file, and many may name the same place
    room = file.id.get_filesize()
    result: list[str] = []
    for first in range(0, len(found), _BLOCK):
        block = found.asstr()[first : first + _BLOCK].tolist()
        room -= sum(map(len, block))
        if room < 0:
            raise RefusedError(f"dataset {name!r} says it has more text than the file holds")
        result += block
    return result
