"""Files that are complete or absent, their names and digests, and where the cache is."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from broden.system.names import flaw

__all__ = [
    "atomic",
    "cache_folder",
    "check_layer_names",
    "file_digest",
    "file_name",
    "inside",
    "naming",
    "regular_file",
    "sweep",
]

#: Characters of a name in the name of a file; with what is put before and behind it, a file
#: system takes 255 bytes.
LONGEST = 200

# Of `atomic`; those of a probe file begin with a dot.
_PARTIAL = re.compile(r"\.?(?P<name>.+)\.(?P<pid>[0-9]{1,18})\.part", re.DOTALL)


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; it need not exist."""
    # nothing else needs the package, and a check of a checkout does without it
    from platformdirs import user_cache_path

    return user_cache_path("network-dissection", appauthor=False)


@contextmanager
def atomic(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a file that appears under its name, complete and on disk, when the block ends well.

    A link of that name is replaced, not followed.

    Parameters
    ----------
    path : Path
        The file.
    sync : bool
        Whether to wait until it is on the disk, which takes its time for thousands of files.

    Raises
    ------
    OSError
        If it cannot be written; names the file, of which no part is left.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    with naming(path):
        # a link of this name would be followed; one that was there before is not ours
        partial.unlink(missing_ok=True)
        try:
            with open(partial, "x+b") as handle:
                yield handle
                handle.flush()
                if sync:
                    os.fsync(handle.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file that could not be written, whatever the system says in the block.

    Raises
    ------
    OSError
        With the name of the file.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        reason = f"{os.strerror(error.errno)}; what is finished stays, run again to continue"
        raise OSError(error.errno, reason, str(path)) from error


def sweep(folder: Path, wanted: Callable[[str], object], everyone: bool = False) -> None:
    """Delete the partial files that killed processes left in a folder, as far as that can be.

    Parameters
    ----------
    folder : Path
        Only what lies in it itself is looked at, and a link is never followed.
    wanted : callable
        Tells of the name of the complete file whether its partial ones are meant.
    everyone : bool
        Those of living processes too, where none of them can be writing.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _PARTIAL.fullmatch(entry.name)
            if found and wanted(found["name"]) and (everyone or not _alive(int(found["pid"]))):
                with suppress(OSError):
                    os.unlink(entry.path)


def _alive(process: int) -> bool:
    """Tell whether there may be a process of this number."""
    if os.name != "posix":
        # elsewhere asking would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def inside(folder: Path, name: str | Path) -> Path:
    """Return where a file or directory is in a folder that is given to be written.

    The folder itself may be a link: whoever gave it said so.

    Raises
    ------
    ValueError
        If it, or a directory between, is a link, through which what lies elsewhere would be
        written or deleted.
    """
    path = Path(folder)
    for part in Path(name).parts:
        path = path / part
        if path.is_symlink():
            raise ValueError(
                f"{path} is a link, and nothing is written through links; remove it or choose "
                "another directory"
            )
    return path


def file_name(layer: str) -> str:
    """Return a layer's name as a file name; of a very long one the end is its digest.

    Examples
    --------
    >>> file_name("blocks.2/a")
    'blocks.2_a'
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "_", layer)
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(layer.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[: LONGEST - 17]}-{digest[:16]}"


def check_layer_names(names: Sequence[str]) -> None:
    """Refuse layers whose results could not be written under their names.

    Parameters
    ----------
    names : sequence of str
        Dotted names of the layers of one run.

    Raises
    ------
    ValueError
        If a name is too long, holds a character that no name may or is no place in an HDF5 file;
        or if two layers would share a file or such a place.
    """
    taken: dict[str, str] = {}
    for name in names:
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        if len(name) > LONGEST:
            raise ValueError(
                f"layer {shown!r} has a name of {len(name)} characters, at most {LONGEST} are "
                "allowed; rename the module"
            )
        if found := flaw(name):
            raise ValueError(f"layer {shown!r} holds {found}, which no name may; rename the module")
        parts = name.split("/")
        if {"", ".", ".."} & set(parts):
            raise ValueError(f"layer {shown!r} is no name that files can have; rename the module")
        other = taken.setdefault(file_name(name), name)
        if other != name:
            raise ValueError(f"layers {other} and {name} would share a file; run them separately")
    for name in names:
        if outer := next((other for other in names if name.startswith(f"{other}/")), None):
            raise ValueError(f"layers {outer} and {name} would share a place; run them separately")


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
