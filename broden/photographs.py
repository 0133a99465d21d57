"""Take the images of a plain folder, without labels, as a probe for the CLIP labeler.

`Photographs` has what running images through a network needs of `broden.reader.ProbeSet`.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from broden.images import DECODE_ERRORS, FORMATS, MAX_PIXELS, explain
from broden.system.parallel import in_order
from broden.system.progress import bar

__all__ = ["Photographs"]

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 28
"""Of one file; larger ones are no photographs."""

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_ALL_FORMATS = (*FORMATS, "WEBP", "BMP")
_KINDS = "JPEG, PNG, WebP or BMP"


class _File(NamedTuple):
    """What is known of an image once it has been read."""

    name: str
    path: Path
    digest: bytes
    size: tuple[int, int]


class Photographs:
    """The images in a folder and the folders inside it, sorted by name.

    JPEG, PNG, WebP and BMP files count, by their content. Hidden files, and files that neither are
    images nor are called so, are passed over. Every image is read once when the folder is opened,
    so that broken ones show at once. An EXIF orientation is ignored, as `broden.images` does.

    Parameters
    ----------
    folder : str or Path
        The folder. Links inside it may not lead out of it; those to folders are not followed.
    limit : int, optional
        Use the first `limit` images only; `digest` is that of the subset.
    skip_bad : bool
        Leave out what is broken, with a warning, instead of refusing the folder.
    workers : int
        Threads that read; 0 reads in this one.
    progress : bool
        Whether to show a bar while the images are read.

    Attributes
    ----------
    path, name : Path, str
        The folder, and its last part.
    names : list of str
        Path of each image inside the folder, with `/`.
    digest : str
        SHA-256 of names and contents.
    image_size : tuple of int or None
        (h, w) in pixels if all images have the same, else None.
    skipped : list of str
        Why each broken file was left out.

    Raises
    ------
    FileNotFoundError
        When there is no such folder.
    ValueError
        When it holds no image or a broken one, or `limit` is below 1.
    """

    def __init__(
        self,
        folder: str | Path,
        limit: int | None = None,
        *,
        skip_bad: bool = False,
        workers: int = 0,
        progress: bool = False,
    ) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}, expected at least 1 image")
        self.path, self.limit = Path(folder), limit
        if not self.path.is_dir():
            raise FileNotFoundError(f"no folder {folder} to take images from")
        self.name = self.path.resolve().name
        self.skipped: list[str] = []
        self._files: list[_File] = []
        self._read_all(skip_bad, workers, progress)
        # A file name can be any bytes; what is written about it is text.
        encoded = [os.fsencode(file.name) for file in self._files]
        self.names = [name.decode("utf-8", "backslashreplace") for name in encoded]
        sizes = {file.size for file in self._files}
        self.image_size = sizes.pop() if len(sizes) == 1 else None
        sha = hashlib.sha256(b"photographs/1")
        for name, file in zip(encoded, self._files, strict=True):
            sha.update(name + b"\0" + file.digest)
        self.digest = sha.hexdigest()

    def __len__(self) -> int:
        return len(self._files)

    def __enter__(self) -> Photographs:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: no file stays open."""

    @property
    def labels(self) -> None:
        """None: nothing in a folder of images is labelled."""
        return None

    @property
    def generated(self) -> bool:
        """False: where the images are from is not known."""
        return False

    def facts(self) -> dict[str, object]:
        """Return what a run card says of the set, as JSON knows it."""
        return {"images": len(self), "skipped": len(self.skipped)}

    def jpeg(self, i: int) -> bytes:
        """Return the bytes of image `i`."""
        return self.jpegs([i])[0]

    def jpegs(self, images: Sequence[int] | np.ndarray) -> list[bytes]:
        """Return the bytes of some images, as JPEG or PNG.

        Raises
        ------
        ValueError
            When a file has changed since the folder was opened.
        """
        if len(images) and not 0 <= min(images) <= max(images) < len(self):
            raise IndexError(f"images {min(images)} to {max(images)} of a folder of {len(self)}")
        return [_bytes(self._files[i]) for i in images]

    def _read_all(self, skip_bad: bool, workers: int, progress: bool) -> None:
        """Read the files in order until there are as many images as wanted."""
        found = sorted(_listed(self.path), key=lambda entry: os.fsencode(entry[0]))
        root = self.path.resolve()

        def read(entry: tuple[str, Path]) -> _File | str | None:
            return _read(*entry, root)

        def results() -> Generator[_File | str | None, None, None]:
            yield from in_order(read, found, workers, 4 * workers) if workers else map(read, found)

        with closing(results()) as ended, bar(ended, len(found), "read", progress) as todo:
            for one in todo:
                if isinstance(one, str) and not skip_bad:
                    raise ValueError(
                        f"{one}; repair or remove it, or leave such files out "
                        "(--skip-bad, skip_bad=True)"
                    )
                if isinstance(one, str):
                    log.warning("left out: %s", one)
                    self.skipped.append(one)
                elif one is not None:
                    self._files.append(one)
                if len(self._files) == self.limit:
                    break
        if not self._files:
            broken = f", but {len(self.skipped)} broken ones" if self.skipped else ""
            raise ValueError(f"{self.path} holds no images ({_KINDS}){broken}")


def _listed(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every file, and of every link to a folder, that is not hidden."""

    def refuse(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read ({error.strerror})") from error

    for here, inner, files in os.walk(folder, onerror=refuse):
        inner[:] = [name for name in inner if not name.startswith(".")]
        links = [name for name in inner if (Path(here) / name).is_symlink()]
        for name in (*files, *links):
            if not name.startswith("."):
                path = Path(here) / name
                yield path.relative_to(folder).as_posix(), path


def _read(name: str, path: Path, root: Path) -> _File | str | None:
    """Return what is known of an image, why it is broken, or None if it is not one."""
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            return f"{path} is a link that leads out of the folder"
        facts = path.stat()
        # Opening a pipe would wait for ever.
        if not stat.S_ISREG(facts.st_mode):
            return None
        called = path.suffix.lower() in _SUFFIXES
        if not called and not _looks(path):
            return None
        if facts.st_size > MAX_BYTES:
            return f"{path} has {facts.st_size} bytes, at most {MAX_BYTES} allowed"
        data = path.read_bytes()
        return _File(name, path, hashlib.sha256(data).digest(), _checked(data))
    # A RuntimeError is a link that leads to itself.
    except (*DECODE_ERRORS, RuntimeError) as error:
        return f"{path} cannot be decoded ({explain(error)})"


def _looks(path: Path) -> bool:
    """Tell whether a file begins as an image does."""
    with path.open("rb") as file:
        head = file.read(16)
    riff, bitmap = head[:4] + head[8:12], head[:2] + head[6:10]
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
        or riff == b"RIFFWEBP"
        or bitmap == b"BM\0\0\0\0"
    )


def _checked(data: bytes) -> tuple[int, int]:
    """Decode an image to the end, and return its height and width."""
    image = Image.open(io.BytesIO(data), formats=_ALL_FORMATS)
    size = image.height, image.width
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"{size[0] * size[1]} pixels, at most {MAX_PIXELS} allowed")
    # A JPEG is read to its end at an eighth of its size too, three times as fast.
    image.draft("RGB", (1, 1))
    image.load()
    return size


def _bytes(file: _File) -> bytes:
    """Return an image as JPEG or PNG, which is what `broden.images.decode` takes."""
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise ValueError(f"{file.path} cannot be read any more ({explain(error)})") from error
    if hashlib.sha256(data).digest() != file.digest:
        raise ValueError(f"{file.path} has changed while in use; start again")
    image = Image.open(io.BytesIO(data), formats=_ALL_FORMATS)
    if image.format in FORMATS:
        return data
    png = io.BytesIO()
    image.convert("RGB").save(png, "PNG", compress_level=0)
    return png.getvalue()
