"""Shards: what a run keeps of one block of images, one file each, the only state on disk.

A shard holds, for every layer, the pooled mean and maximum of each map and the cells that may
matter once the thresholds are known. It is an uncompressed npz: plain arrays, with a checksum each
that reading verifies, and nothing in it can execute. A shard is complete when it has its name.
Of the bits that tell which cells are above the bound, few once it has risen, the bytes that are 0
are left out.
"""

import io
import json
import math
import re
import zipfile
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tokenize import TokenError
from typing import NamedTuple

import numpy as np

from broden.system.files import atomic
from broden.system.processes import processors
from dissection.activations.cells import Cells

__all__ = ["FORMAT", "Shard", "ShardError", "ShardStore", "ShardWriter", "Wanted"]

FORMAT = "shard/2"

WRITERS = 8
"""Threads that write shards of a device, at most; those of the CPU are busy with the network."""

LARGE_SHARD_BYTES = 1 << 24
"""A shard above this is written before the network goes on."""

_SIZE = 16  # bytes of two integers

Wanted = Mapping[str, Collection[str]]
"""Names of the arrays of `Cells` that are to be read, by layer."""


_NAME = re.compile(r"[0-9]+-?\.npz(\.[0-9]+\.part)?")


class ShardError(ValueError):
    """A shard file that is not what this run wrote."""


class Shard(NamedTuple):
    """A block of images that has been through the network."""

    images: np.ndarray
    """(N,) int64, their numbers in the probe set, ascending."""
    layers: dict[str, Cells]


class ShardStore:
    """The shards of one run in a directory.

    Parameters
    ----------
    folder : Path
        Where the shards are; made when the first is written.
    key : str
        Content key of the run. A shard with another key is not this run's and never used.
    """

    def __init__(self, folder: Path, key: str):
        self.folder = folder
        self.key = key

    def path(self, number: int) -> Path:
        """Return where shard ``number`` is or will be."""
        path = self.folder / f"{number:06d}.npz"
        # a directory of that name is not ours, and no file can take its place
        return path.with_name(f"{number:06d}-.npz") if path.is_dir() else path

    def finished(self, numbers: Sequence[int]) -> list[int]:
        """Return which of these shards are complete."""
        return [number for number in numbers if self.path(number).is_file()]

    def size(self) -> int:
        """Return the bytes of all complete shards."""
        return sum(path.stat().st_size for path in self.folder.glob("*.npz") if path.is_file())

    def write(self, number: int, shard: Shard) -> None:
        """Write a shard so that it is either complete or absent.

        Raises
        ------
        OSError
            If it cannot be written; no part of it is left.
        """
        header = {"format": FORMAT, "key": self.key, "layers": list(shard.layers)}
        arrays = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
        arrays["images"] = shard.images
        for position, cells in enumerate(shard.layers.values()):
            parts = cells._replace(above=_without_zeros(cells.above))
            arrays |= {f"{position}/{name}": part for name, part in parts._asdict().items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic(self.path(number)) as handle:
            # its own parameters are no names of ours; the stubs cannot know
            np.savez(handle, **arrays)  # type: ignore[arg-type]

    def read(self, number: int, wanted: Wanted | None = None) -> Shard:
        """Read a shard, and verify what is read of it.

        Parameters
        ----------
        number : int
            Which shard.
        wanted : Wanted, optional
            The layers and arrays to read, all unless given; other arrays of these layers are
            empty, other layers absent.

        Raises
        ------
        ShardError
            If the file is damaged, or of another run.
        """
        path = self.path(number)
        try:
            with zipfile.ZipFile(path) as members:
                header = json.loads(bytes(_array(members, "header")))
                if (header["format"], header["key"]) != (FORMAT, self.key):
                    raise ShardError(f"{path} belongs to a run with other settings")
                images = _array(members, "images")
                if images.dtype != np.int64 or images.ndim != 1:
                    raise ValueError("the numbers of its images are no row of integers")
                if wanted is None:
                    wanted = dict.fromkeys(header["layers"], Cells._fields)
                layers = {
                    layer: _cells(members, header["layers"].index(layer), names)
                    for layer, names in wanted.items()
                }
        except ShardError:
            raise
        except _DAMAGE as error:
            raise ShardError(f"{path} is damaged ({error})") from error
        return Shard(images, layers)

    def discard(self, number: int) -> None:
        """Delete a shard, whose images are to run again."""
        self.path(number).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all shards, and what a kill left of any, as far as the disk can be written."""
        # what lies behind a link, and something foreign, is not ours to delete
        if self.folder.is_symlink():
            return
        for path in self.folder.glob("*.npz*"):
            if _NAME.fullmatch(path.name):
                with suppress(OSError):
                    path.unlink()
        with suppress(OSError):
            self.folder.rmdir()


#: Whatever a file that was cut off or written over makes its readers raise.
_DAMAGE = (
    OSError, ValueError, KeyError, IndexError, TypeError, EOFError, RuntimeError,
    NotImplementedError, AttributeError, SyntaxError, TokenError, zipfile.BadZipFile,
)  # fmt: skip


def _cells(members: zipfile.ZipFile, position: int, names: Collection[str]) -> Cells:
    """Read some of a layer's arrays; the others are empty."""
    nothing = np.empty(0, np.float32)
    cells = Cells(
        *(_array(members, f"{position}/{n}") if n in names else nothing for n in Cells._fields)
    )
    return cells._replace(above=_with_zeros(cells.above)) if "above" in names else cells


def _without_zeros(bits: np.ndarray) -> np.ndarray:
    """Return (N, B) uint8 as N and B, the bits of which bytes are not 0, and those bytes."""
    flat = bits.ravel()
    some = flat != 0
    size = np.array(bits.shape, "<i8").view(np.uint8)
    return np.concatenate([size, np.packbits(some), flat[some]])


def _with_zeros(stored: np.ndarray) -> np.ndarray:
    """Undo `_without_zeros`; raise ValueError where it cannot have been made by that."""
    shape = stored[:_SIZE].view("<i8").tolist()
    cells = math.prod(shape)
    bits = stored[_SIZE : _SIZE - (-cells // 8)]
    # at most 8 times what was read is taken of the memory
    if len(shape) != 2 or min(shape) < 0 or 8 * len(bits) < cells:
        raise ValueError("the bits of which cells are above are cut off")
    some = np.unpackbits(bits, count=cells).view(bool)
    above = np.zeros(cells, np.uint8)
    above[some] = stored[_SIZE + len(bits) :]
    return above.reshape(shape)


def _array(members: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read one array to its end, at which its checksum is verified."""
    entry = members.getinfo(f"{name}.npy")
    # what is stored as it is cannot be larger than the file
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    data = io.BytesIO(members.read(entry))
    if np.lib.format.read_magic(data) != (1, 0):
        raise ValueError(f"{name} is no array of this format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(data)
    values = data.getbuffer()[data.tell() :]
    if dtype.hasobject or len(values) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} has {len(values)} bytes for {dtype} of shape {shape}")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if by_columns else "C")


class ShardWriter:
    """Write shards behind the network's back.

    Parameters
    ----------
    store : ShardStore
        Where they go.
    beside : bool
        Whether the network runs beside the processor: then several are written at a time, else one.
    """

    def __init__(self, store: ShardStore, beside: bool):
        self._store = store
        self._most = min(WRITERS, processors()) if beside else 1
        self._pool = ThreadPoolExecutor(self._most, "shards")
        self._pending: deque[Future] = deque()

    def write(self, number: int, shard: Shard) -> None:
        """Write a shard while the network goes on; raise what an earlier write raised."""
        self._wait(self._most - 1)
        self._pending.append(self._pool.submit(self._store.write, number, shard))
        # the first shards keep nearly every cell; two of those need not be in memory
        if sum(part.values.nbytes for part in shard.layers.values()) > LARGE_SHARD_BYTES:
            self._wait(0)

    def close(self) -> None:
        """Finish the last writes."""
        try:
            self._wait(0)
        finally:
            self._pool.shutdown()

    def _wait(self, most: int) -> None:
        """Wait until no more than so many are being written."""
        while len(self._pending) > most:
            self._pending.popleft().result()
