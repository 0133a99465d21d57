"""Writing of a probe file: streamed, verified, then renamed into place."""

from __future__ import annotations

import errno
import io
import os
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np

from broden import schema
from broden.digest import probe_digest
from broden.labels import LabelTable
from broden.records import Columns, LabelledImage
from broden.system.files import naming, sweep

# Bytes and planes are handed to HDF5 in blocks of about this size.
_BYTES_CHUNK = 256 * 1024
_PLANES_BLOCK = 32
# gzip-1 without shuffle reads as fast as lzf on label planes and takes 40% less space.
_COMPRESSION = {"compression": "gzip", "compression_opts": 1}


class _DiskFile(io.FileIO):
    """A file for HDF5 that keeps the first failure to write to itself.

    HDF5 cannot close a file it could not write: it prints tracebacks and leaves the file open. So
    it is told that all went well, and whoever drives it calls `check`.
    """

    def __init__(self, path: Path, target: Path) -> None:
        try:
            super().__init__(path, "x+")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target)) from error
        self._target = target
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failure is not None:
            code = self._failure.errno or errno.EIO
            raise OSError(code, f"cannot be written ({os.strerror(code)})", str(self._target))

    def write(self, data) -> int:
        """Write all of `data`, or remember why not."""
        rest = memoryview(data).cast("B")
        total = len(rest)
        try:
            while rest and self._failure is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._failure = error
        return total

    def truncate(self, size: int | None = None) -> int:
        """Set the length, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._failure = self._failure or error
            return size or 0


class ProbeWriter:
    """Write a probe file image by image, in memory bounded by one block and the tables.

    The file appears under its name only when `finish` has verified it. Used as a context manager,
    whatever ends the block before that removes the partial file.

    Parameters
    ----------
    path : Path
        The file to write; an existing one is replaced at the end.
    table : LabelTable
        The vocabulary; its masses are counted here.
    grid : tuple of int
        (H, W) of the label planes.
    name, source : str
        What the set is called and what it was made from.

    Raises
    ------
    OSError
        When the file cannot be written.
    """

    def __init__(
        self, path: str | Path, table: LabelTable, grid: tuple[int, int], *, name: str, source: str
    ) -> None:
        self._target = Path(path)
        if self._target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder; give a file name", str(path))
        self._target.parent.mkdir(parents=True, exist_ok=True)
        sweep(self._target.parent, self._target.name.__eq__)
        self._part = self._target.with_name(f".{self._target.name}.{os.getpid()}.part")
        self._attributes: dict[str, object] = {schema.NAME: name, schema.SOURCE: source}
        self._columns = Columns(table, grid)
        self._bytes = bytearray()
        self._planes: list[np.ndarray] = []
        self._disk = _DiskFile(self._part, self._target)
        self._file = h5py.File(self._disk, "w", libver=("v108", "v110"))
        self._create_stream(schema.PLANE_DATA, (1, *grid), **_COMPRESSION)
        self._create_stream(schema.IMAGE_BYTES, (_BYTES_CHUNK,))

    def __enter__(self) -> ProbeWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Remove what is not finished; a finished file has left this name."""
        self._file.close()
        self._disk.close()
        self._part.unlink(missing_ok=True)

    def add(self, image: LabelledImage) -> None:
        """Append one image.

        Raises
        ------
        ValueError
            When it holds a label the table lacks, or its planes have another grid.
        OSError
            When the disk is full.
        """
        self._columns.add(image)
        self._bytes += image.data
        self._planes.extend(image.planes)
        self._flush(final=False)

    def skip(self, skipped: schema.Skipped) -> None:
        """Record a row that was left out."""
        self._columns.skip(skipped)

    def record_palettes(self, maps: int) -> None:
        """Record how many label maps were palette images, read by index."""
        if maps:
            self._attributes[schema.PALETTE_MAPS] = maps

    def describe(self, table: LabelTable) -> None:
        """Replace the table by one of the labels that were added, with their frequencies."""
        self._columns.table = table

    def finish(self, progress: bool = False) -> str:
        """Complete the file, verify it, and move it to its name; return the digest.

        With `progress`, verification shows a bar.

        Raises
        ------
        ValueError
            When no image was added.
        OSError
            When the disk is full.
        ProbeSetError
            When what was written does not read back.
        """
        from broden.verification import verify

        if not self._columns.names:
            raise ValueError("no image is left, so there is no probe set to write")
        self._flush(final=True)
        digest = self._write_tables()
        self._file.close()
        self._disk.check()
        with naming(self._target):
            os.fsync(self._disk.fileno())
        for failure in verify(self._part, decode=False, progress=progress):
            raise schema.ProbeSetError(f"{self._target}: was not written correctly: {failure}")
        os.replace(self._part, self._target)
        _sync(self._target.parent)
        return digest

    def _create_stream(self, path: str, chunk: tuple[int, ...], **options: object) -> None:
        """Create a member that grows along its first axis."""
        self._file.create_dataset(
            path,
            (0, *chunk[1:]),
            schema.MEMBERS[path][0],
            chunks=chunk,
            maxshape=(None, *chunk[1:]),
            track_times=False,
            **options,
        )

    def _flush(self, final: bool) -> None:
        """Write whole blocks of what is pending, or all of it at the end."""
        if self._planes and (final or len(self._planes) >= _PLANES_BLOCK):
            _append(self._file[schema.PLANE_DATA], np.stack(self._planes))
            self._planes.clear()
        ready = len(self._bytes) if final else len(self._bytes) // _BYTES_CHUNK * _BYTES_CHUNK
        if ready:
            _append(self._file[schema.IMAGE_BYTES], np.frombuffer(self._bytes[:ready], np.uint8))
            del self._bytes[:ready]
        self._disk.check()

    def _write_tables(self) -> str:
        """Write every other member and the attributes; return the digest."""
        members, columns = self._columns.members(), self._columns
        for path in schema.MEMBERS:
            if path in members:
                dtype = h5py.string_dtype() if schema.MEMBERS[path][0] == "str" else None
                self._file.create_dataset(path, data=members[path], dtype=dtype, track_times=False)
        digests = np.asarray(members[schema.IMAGE_DIGESTS])
        digest = probe_digest(columns.table, columns.image_size, columns.grid, digests)
        self._attributes |= {
            schema.SCHEMA: schema.VERSION,
            schema.CREATED_BY: f"network-dissection {_version()}",
            schema.DIGEST: digest,
            schema.IMAGE_SIZE: np.array(columns.image_size, np.int64),
            schema.GRID: np.array(columns.grid, np.int64),
        }
        for name, value in self._attributes.items():
            self._file.attrs[name] = value
        return digest


def _append(dataset: h5py.Dataset, rows: np.ndarray) -> None:
    start = len(dataset)
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows


def _sync(path: Path) -> None:
    """Wait until the entries of a folder are on the disk, where the system can tell."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot sync a folder.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _version() -> str:
    try:
        return metadata.version("network-dissection")
    except metadata.PackageNotFoundError:
        return "unknown"
