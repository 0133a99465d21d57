"""Files that are complete or absent, their names and digests, and where the cache is."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_cache_path

__all__ = ["atomic", "cache_folder", "file_digest", "file_name", "regular_file"]


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; it need not exist."""
    return user_cache_path("network-dissection", appauthor=False)


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


def file_name(layer: str) -> str:
    """Return a layer's name as a file name.

    Examples
    --------
    >>> file_name("blocks.2/a")
    'blocks.2_a'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", layer)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def regular_file(path: str | Path, what: str) -> Path:
    """Return a path that leads to a plain file, which can be opened without waiting for ever.

    Parameters
    ----------
    path : str or Path
        Where it should be; a link to a plain file is one.
    what : str
        What it should be, for messages.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ValueError
        If it is a directory, a named pipe, a device or a socket.
    OSError
        If the system does not let us look.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such {what}") from None
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is no possible path of a {what} ({error})") from error
    if stat.S_ISREG(mode):
        return Path(path)
    kind = "a directory" if stat.S_ISDIR(mode) else "a named pipe, a socket or a device"
    raise ValueError(f"{path} is {kind}, expected a {what}; give a plain file")
