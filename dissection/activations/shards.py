"""Shards: what a run keeps of one block of images, one file each, the only state on disk.

A shard holds, for every layer, the pooled mean and maximum of each map and the cells that may
matter once the thresholds are known. It is an uncompressed npz: plain arrays, with a checksum each
that reading verifies, and nothing in it can execute. A shard is complete when it has its name.
"""

import json
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from broden.system.files import atomic
from dissection.activations.cells import Cells, prune

FORMAT = "shard/1"


class ShardError(ValueError):
    """A shard file that is not what this run wrote."""


class Shard(NamedTuple):
    """A block of images that has been through the network."""

    first: int
    """Number of its first image in the probe set."""
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
