"""Fetch published weight files into torch.hub's cache, checked."""

import os
import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from torch import Tensor

from broden.system.files import file_digest, sweep
from broden.system.progress import byte_bar
from broden.system.text import one_line
from dissection.networks.weights import checkpoints

_TIMEOUT = 60  # seconds without a byte


def fetch(url: str) -> dict[str, Tensor]:
    """Return the state dict in a published weight file, downloading it the first time.

    The file is kept in torch.hub's cache, where torchvision keeps its own.

    Raises
    ------
    RuntimeError
        If it cannot be downloaded, or what came is cut off, has another checksum than its name
        says, or is no weight file. Nothing is left in the cache then.
    ValueError
        If the file in the cache is damaged.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        try:
            return checkpoints.read(path)
        except ValueError as error:
            raise ValueError(f"{error}; delete it to have it downloaded again") from error
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name.__eq__)
        _download(url, part)
        state = checkpoints.read(part)
        part.replace(path)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            # the refusal itself is a response that holds its connection
            error.close()
        raise RuntimeError(
            f"cannot download {url}, {one_line(error)}; get it elsewhere and pass --weights FILE"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return state


def _download(url: str, part: Path) -> None:
    """Copy what lies at a URL, with a progress bar; check length and checksum."""
    name = url.rpartition("/")[2]
    request = Request(url, headers={"User-Agent": "torch.hub"})
    # a link of that name would be followed
    part.unlink(missing_ok=True)
    with urlopen(request, timeout=_TIMEOUT) as response, part.open("xb") as file:
        length = int(response.headers.get("Content-Length") or 0)
        with byte_bar(length or None, 0, name, show=True) as shown:
            while block := response.read(1 << 20):
                file.write(block)
                shown.update(len(block))
        if length and file.tell() != length:
            raise OSError(f"cut off after {file.tell()} of {length} bytes")
    # torchvision's file names end with the first digits of the SHA-256.
    expected = re.search(r"-([0-9a-f]{8})\.pth$", name)
    if expected and not file_digest(part).startswith(expected[1]):
        raise OSError("its checksum is not the published one")
