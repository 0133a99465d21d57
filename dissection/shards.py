"""Shards: what a run keeps of one block of images, one file each, the only state on disk.

A shard holds, for every layer, the pooled mean and maximum of each map and the cells that may
matter once the thresholds are known. It is an uncompressed npz: plain arrays, with a checksum each
that reading verifies, and nothing in it can execute. A shard is complete when it has its name.
"""

import json
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dissection.stencils import neighbourhood, where

FORMAT = "shard/1"

PRUNE_CHUNK = 8
"""Images pruned at once."""


class ShardError(ValueError):
    """A shard file that is not what this run wrote."""


class Cells(NamedTuple):
    """What is kept of one layer for a block of N images."""

    known: np.ndarray
    """(N, ceil(h·w·U / 8)) uint8, a bit for each cell in the order (h, w, U): 1 if it is kept."""
    kept: np.ndarray
    """(N,) int64 cells kept of each image."""
    values: np.ndarray
    """(M,) float32 values of the kept cells, in that order, image after image."""
    mean: np.ndarray
    """(N, U) float32 mean of each map."""
    maximum: np.ndarray
    """(N, U) float32 maximum of each map."""
    bound: np.ndarray
    """(U,) float32 lower bound of the thresholds when the block ended."""


class Shard(NamedTuple):
    """A block of images that has been through the network."""

    first: int
    """Number of its first image in the probe set."""
    layers: dict[str, Cells]


def pack(cells: Tensor, keep: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``known``, ``kept`` and ``values`` of `Cells`.

    Parameters
    ----------
    cells : Tensor
        (N, h, w, U) float32, contiguous.
    keep : Tensor
        (N, h, w, U) bool.
    """
    values = cells.view(-1).index_select(0, where(keep))
    flat = keep.flatten(1)
    known = np.packbits(flat.cpu().numpy(), axis=1)
    return known, flat.sum(1).cpu().numpy(), values.cpu().numpy()


def unpack(cells: Cells, grid: tuple[int, int], images: np.ndarray) -> np.ndarray:
    """Return the maps of some images, -inf where a cell was not kept, as (n, h, w, U) float32.

    Parameters
    ----------
    cells : Cells
        Of N images.
    grid : (int, int)
        (h, w) of the layer.
    images : ndarray
        (n,) int64 places in the block.
    """
    shape = (*grid, cells.mean.shape[1])
    ends = np.cumsum(cells.kept)
    starts = ends - cells.kept
    known = np.unpackbits(cells.known[images], axis=1, count=math.prod(shape)).view(bool)
    maps = np.full(known.shape, -np.inf, np.float32)
    maps[known] = np.concatenate([cells.values[starts[i] : ends[i]] for i in images])
    return maps.reshape(-1, *shape)


def prune(cells: Cells, bound: np.ndarray, grid: tuple[int, int]) -> Cells:
    """Return the cells without those that no stencil above a risen bound needs.

    Parameters
    ----------
    cells : Cells
        Of one layer.
    bound : ndarray
        (U,) float32 lower bound of the thresholds.
    grid : (int, int)
        (h, w) of the layer.
    """
    parts = []
    for images in np.array_split(np.arange(len(cells.mean)), -(-len(cells.mean) // PRUNE_CHUNK)):
        maps = torch.from_numpy(unpack(cells, grid, images))
        parts.append(pack(maps, neighbourhood(maps > torch.from_numpy(bound))))
    known, kept, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    bound = np.maximum(cells.bound, bound)
    return cells._replace(known=known, kept=kept, values=values, bound=bound)


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
        return self.folder / f"{number:06d}.npz"

    def finished(self, numbers: Sequence[int]) -> list[int]:
        """Return which of these shards are complete."""
        return [number for number in numbers if self.path(number).exists()]

    def size(self) -> int:
        """Return the bytes of all complete shards."""
        return sum(path.stat().st_size for path in self.folder.glob("*.npz"))

    def write(self, number: int, shard: Shard) -> None:
        """Write a shard so that it is either complete or absent.

        Raises
        ------
        OSError
            If it cannot be written; no part of it is left.
        """
        header = {"format": FORMAT, "key": self.key, "first": shard.first}
        header["layers"] = list(shard.layers)
        arrays = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
        for position, cells in enumerate(shard.layers.values()):
            arrays |= {f"{position}/{name}": part for name, part in cells._asdict().items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic(self.path(number)) as handle:
            np.savez(handle, **arrays)

    def read(self, number: int) -> Shard:
        """Read a shard and verify it.

        Raises
        ------
        ShardError
            If the file is damaged, or of another run.
        """
        path = self.path(number)
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                # numpy reads no further than an array's header says, so it may miss the checksum
                if name := arrays.zip.testzip():
                    raise zipfile.BadZipFile(f"wrong checksum of {name}")
                header = json.loads(bytes(arrays["header"]))
                if (header["format"], header["key"]) != (FORMAT, self.key):
                    raise ShardError(f"{path} belongs to a run with other settings")
                layers = {
                    layer: Cells(*(arrays[f"{position}/{name}"] for name in Cells._fields))
                    for position, layer in enumerate(header["layers"])
                }
        except ShardError:
            raise
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise ShardError(f"{path} is damaged ({error})") from error
        return Shard(header["first"], layers)

    def prune(self, number: int, bounds: dict[str, np.ndarray], grids: dict) -> None:
        """Write a shard again without the cells that no map above the risen bounds needs.

        Parameters
        ----------
        number : int
            A complete shard.
        bounds : dict of str to ndarray
            (U,) float32 lower bound of the thresholds of each layer.
        grids : dict of str to (int, int)
            (h, w) of each layer.
        """
        shard = self.read(number)
        layers = {
            name: prune(cells, bounds[name], grids[name]) for name, cells in shard.layers.items()
        }
        self.write(number, Shard(shard.first, layers))

    def clear(self) -> None:
        """Delete all shards."""
        for path in self.folder.glob("*.npz*"):
            path.unlink(missing_ok=True)
        # something foreign in it is not ours to delete
        with suppress(OSError):
            self.folder.rmdir()


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name, complete and on disk, when the block ends well.

    Raises
    ------
    OSError
        If it cannot be written; names the file, of which no part is left.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(partial, "w+b") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"{os.strerror(error.errno)}; what is finished stays, run again to continue"
            raise OSError(error.errno, reason, str(path)) from error
        raise
