"""Safe reading of the original layout, unpacked or in the zip as published.

A source answers ``read(name)`` with the bytes of a member below the folder that holds index.csv.
Nothing outside that folder is ever opened, whatever the index or the archive says.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from broden.system.files import regular_file

#: No picture or table of the published sets comes near this; a larger member is taken for a bomb.
MAX_MEMBER_BYTES = 256 * 2**20

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
)
_TABLES = "index.csv, label.csv, category.csv and c_<category>.csv"


class DamagedArchiveError(ValueError):
    """The archive itself is broken or hostile, so no row of it can be trusted."""


def safe_name(name: str) -> str:
    r"""Return a member name in normal form.

    Raises
    ------
    ValueError
        When it is empty, absolute, holds a backslash, a drive, a NUL or ``..``.

    Examples
    --------
    >>> safe_name("dtd/./a.jpg")
    'dtd/a.jpg'
    """
    if not name:
        raise ValueError("the path is empty")
    if "\\" in name or "\0" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise ValueError(f"unsafe path {name!r}: only relative paths with / are allowed")
    if ".." in name.split("/"):
        raise ValueError(f"unsafe path {name!r}: '..' is not allowed")
    return posixpath.normpath(name)


class DirectorySource:
    """The unpacked layout.

    Raises
    ------
    FileNotFoundError
        When the folder holds no index.csv.
    ValueError
        When its images are elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name
        self._root = os.path.realpath(path)
        self._folders: dict[str, str] = {}
        if not (path / "index.csv").is_file():
            below = sorted(str(child.parent) for child in path.glob("*/index.csv"))
            hint = f"did you mean {below[0]}?" if below else f"the layout has {_TABLES}"
            raise FileNotFoundError(f"{path}: index.csv is missing; {hint}")
        if not self._holds(os.path.realpath(path / "images")):
            raise ValueError(f"{path}: images is a link out of the folder; move it into the folder")

    def read(self, name: str) -> bytes:
        """Return the content of a member.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When the path is unsafe, leaves the folder, is no plain file or too large.
        """
        path = self._inside(safe_name(name))
        with open(path, "rb", opener=_open_plain) as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise ValueError("is not a plain file")
            data = handle.read(MAX_MEMBER_BYTES + 1)
        if len(data) > MAX_MEMBER_BYTES:
            raise ValueError(f"is larger than the {MAX_MEMBER_BYTES} bytes allowed")
        return data

    def close(self) -> None:
        """Release nothing; the archive has the same method."""

    def _inside(self, name: str) -> str:
        """Resolve links and refuse what they lead to outside the folder."""
        folder, base = posixpath.split(name)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(os.path.join(self._root, folder))
        path = os.path.join(real, base)
        if os.path.islink(path):
            path = os.path.realpath(path)
        if not self._holds(path):
            raise ValueError(f"unsafe path {name!r}: a link leads out of the folder")
        return path

    def _holds(self, path: str) -> bool:
        return os.path.commonpath((self._root, path)) == self._root


def _open_plain(path: str, flags: int) -> int:
    # A named pipe would otherwise wait for a writer for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class ZipSource:
    """The layout in a zip, below at most one top folder; read without unpacking.

    Raises
    ------
    DamagedArchiveError
        When the file is no whole zip, or has unsafe, encrypted or oversized members.
    FileNotFoundError
        When it holds no index.csv.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise DamagedArchiveError(f"{path}: not a whole zip file ({error})") from error
        try:
            self._top = self._checked_top()
        except BaseException:
            self._zip.close()
            raise

    def read(self, name: str) -> bytes:
        """Return the content of a member.

        Raises
        ------
        FileNotFoundError
            When there is no such member.
        DamagedArchiveError
            When the member is damaged.
        """
        member = self._top + safe_name(name)
        try:
            return self._zip.read(member)
        except KeyError:
            raise FileNotFoundError(f"{member}: no such member") from None
        except _ZIP_ERRORS as error:
            raise DamagedArchiveError(
                f"{self.path}: member {member!r} is damaged ({error}); download the zip again"
            ) from error

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()

    def _checked_top(self) -> str:
        """Check every member and return the folder of index.csv with its slash, or ''."""
        tops = set()
        for member in self._zip.infolist():
            self._check(member)
            folder, base = posixpath.split(member.filename)
            if base == "index.csv" and "/" not in folder and folder != "__MACOSX":
                tops.add(f"{folder}/" if folder else "")
        if len(tops) != 1:
            found = f"index.csv is in {sorted(tops)}" if tops else "index.csv is missing"
            raise FileNotFoundError(
                f"{self.path}: {found}; expected one folder at the top with {_TABLES}"
            )
        return tops.pop()

    def _check(self, member: zipfile.ZipInfo) -> None:
        try:
            safe_name(member.orig_filename)
        except ValueError as error:
            raise DamagedArchiveError(f"{self.path}: {error}") from None
        reason = None
        if stat.S_ISLNK(member.external_attr >> 16):
            reason = "is a link"
        elif member.flag_bits & 1:
            reason = "is encrypted"
        elif member.file_size > MAX_MEMBER_BYTES:
            # Reading stops at the declared size, so a member that lies ends in a CRC error.
            reason = f"unpacks to {member.file_size} bytes, at most {MAX_MEMBER_BYTES} are allowed"
        if reason:
            raise DamagedArchiveError(f"{self.path}: member {member.filename!r} {reason}")


Source = DirectorySource | ZipSource


def open_source(path: str | Path) -> Source:
    """Open a folder or a zip in the original layout.

    Raises
    ------
    FileNotFoundError
        When the path or its index.csv does not exist.
    DamagedArchiveError
        When it is a file but no safe and whole zip.
    ValueError
        When it is a named pipe or a device.
    """
    path = Path(path)
    if path.is_dir():
        return DirectorySource(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder or zip; give the original layout")
    return ZipSource(regular_file(path, "folder or zip"))
