"""Fetching the published zip: resumed after any break, verified before it gets its name.

No checksum of the published files was ever released. So the zip's own CRCs are checked, and the
SHA-256 found is written beside the file and demanded from then on.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from broden.system.files import atomic, inside, naming, sweep
from broden.system.progress import bar, byte_bar

SIZES = (224, 227, 384)
_URL = "http://netdissect.csail.mit.edu/data/broden1_{}.zip"
_BLOCK = 256 * 1024
_LONGEST_PAUSE = 60.0
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
# Worth another try: timeouts, too many requests, and the server's own trouble.
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(OSError):
    """The file cannot be had, or is not what it should be; the text is one line."""


class _Broken(Exception):
    """One attempt ended early; another may do better."""


@dataclass
class _State:
    """What is known of a partial file; kept beside it so that a later call can resume."""

    url: str
    total: int | None = None
    validator: str | None = None


def published_url(size: int) -> str:
    """Return the address of the published set with images of `size` pixels (224, 227 or 384)."""
    if size not in SIZES:
        raise ValueError(f"size is {size}, published are {', '.join(map(str, SIZES))}")
    return _URL.format(size)


def download(
    url: str,
    folder: str | Path = ".",
    *,
    retries: int = 8,
    backoff: float = 1.0,
    timeout: float = 60.0,
    progress: bool = False,
) -> Path:
    """Fetch a zip into a folder and return its path; a file fetched earlier is only checked.

    Parameters
    ----------
    url : str
        An http or https address.
    folder : str or Path
        Where the file goes, with ``FILE.sha256`` beside it; ``FILE.part`` until verified.
    retries : int
        Attempts in a row that may bring nothing new before giving up.
    backoff : float
        Seconds before the second attempt; doubled after each that brings nothing new.
    timeout : float
        Seconds without a byte after which a connection counts as broken.
    progress : bool
        Show bars on stderr.

    Raises
    ------
    DownloadError
        When the server refuses, gives up too often, or sends something else than a whole zip, or
        when the file is not the one whose SHA-256 was recorded.
    ValueError
        When the address is not http or https, or a file to be written is a link.
    """
    parsed = urllib.parse.urlsplit(url)
    name = Path(urllib.parse.unquote(parsed.path)).name
    if parsed.scheme not in ("http", "https") or not name:
        raise ValueError(f"{url!r} is no http or https address of a file")
    target = Path(folder) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{name}.part")
    written = [path.name for path in (part, _state_file(part), _record_file(target))]
    for one in written:
        inside(target.parent, one)
    sweep(target.parent, written.__contains__)
    loaded = target if target.exists() else part
    if loaded is part:
        _fetch(url, part, retries, backoff, timeout, progress)
    try:
        _settle(loaded, target, progress)
    except _Unusable as error:
        _forget(part)
        advice = "what was loaded is deleted, try again" if loaded is part else "delete it"
        raise DownloadError(f"{target} from {url}: {error}; {advice}") from error
    if loaded is part:
        os.replace(part, target)
        _forget(part)
    return target


class _Unusable(DownloadError):
    """The loaded file is no whole zip, so resuming it is of no use."""


def _settle(file: Path, target: Path, progress: bool) -> None:
    """Check a complete file against its recorded SHA-256; record one if there is none."""
    record = _record_file(target)
    if not record.exists():
        _check_zip(file, progress)
    found = _sha256(file)
    if not record.exists():
        with atomic(record) as written:
            written.write(f"{found}  {target.name}\n".encode())
    elif record.read_text(encoding="utf-8").split()[:1] != [found]:
        raise DownloadError(
            f"{file}: SHA-256 is {found}, not the one in {record.name}; delete the file to load it"
            f" again, or delete {record.name} to accept it"
        )


def _record_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_zip(file: Path, progress: bool) -> None:
    """Read every member, which checks its CRC."""
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
            with bar(listed, len(listed), "check", progress, unit="file") as members:
                for member in members:
                    with archive.open(member) as handle:
                        while handle.read(_BLOCK):
                            pass
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise _Unusable(f"not a whole zip ({error})") from error


def _fetch(
    url: str, part: Path, retries: int, backoff: float, timeout: float, progress: bool
) -> None:
    """Load until the file is complete, resuming after each break."""
    state = _load_state(url, part)
    failures, furthest = 0, _size(part)
    while state.total is None or _size(part) != state.total:
        try:
            _attempt(part, state, timeout, progress)
            return
        except (_Broken, *_NETWORK_ERRORS) as error:
            reason = getattr(error, "reason", None) or error
        failures = 0 if _size(part) > furthest else failures + 1
        furthest = max(furthest, _size(part))
        if failures > retries:
            kept = f"what was loaded is kept in {part.name}, " if _size(part) else ""
            raise DownloadError(
                f"{url}: gave up after {failures} attempts without progress ({reason}); "
                f"{kept}run the same command to try again, or name a mirror with --url"
            )
        pause = min(_LONGEST_PAUSE, backoff * 2 ** max(0, failures - 1))
        if progress:
            print(f"{reason}; trying again in {pause:.0f} s", file=sys.stderr)
        time.sleep(pause)


def _attempt(part: Path, state: _State, timeout: float, progress: bool) -> None:
    """Make one request and append what it brings; return only when the file is complete."""
    offset = _size(part)
    request = urllib.request.Request(state.url, headers={"User-Agent": "network-dissection"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if state.validator:
            request.add_header("If-Range", state.validator)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and _ends_at(error.headers, offset):
                return
            if error.code == 416:
                _forget(part)
            elif error.code not in _PASSING:
                raise DownloadError(f"{state.url}: {error.code} {error.reason}") from error
            raise _Broken(f"{error.code} {error.reason}") from error
    with response:
        offset = _start(response, part, state, offset)
        _save_state(part, state)
        _receive(response, part, state, offset, progress)


def _start(response, part: Path, state: _State, offset: int) -> int:
    """Take lengths and validator from the head of an answer; return where its body belongs."""
    total = _whole(response.headers.get("Content-Length"))
    if response.status == 206:
        first, total = _content_range(response.headers)
        if first != offset or (total is None) or state.total not in (None, total):
            _forget(part)
            state.total = state.validator = None
            raise _Broken(
                f"asked for bytes from {offset}, got {response.headers.get('Content-Range')!r}"
            )
    elif response.status == 200:
        offset = 0
    else:
        raise DownloadError(f"{state.url}: unexpected answer {response.status} {response.reason}")
    etag = response.headers.get("ETag", "")
    strong = etag if etag.startswith('"') else None
    state.total, state.validator = total, strong or response.headers.get("Last-Modified")
    return offset


def _receive(response, part: Path, state: _State, offset: int, progress: bool) -> None:
    """Write the body of an answer behind `offset`."""
    with open(part, "r+b" if offset else "wb") as file:
        file.seek(offset)
        file.truncate()
        with byte_bar(state.total, offset, part.stem, progress) as shown:
            while block := response.read(_BLOCK):
                with naming(part):
                    file.write(block)
                shown.update(len(block))
        with naming(part):
            file.flush()
            os.fsync(file.fileno())
        end = file.tell()
    if state.total is None:
        state.total = end
    if end != state.total:
        raise _Broken(f"connection ended at byte {end} of {state.total}")


def _content_range(headers) -> tuple[int | None, int | None]:
    """Return the first byte and the total of a Content-Range, None where not given."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", "").strip())
    return (int(match[1]), int(match[3])) if match else (None, None)


def _ends_at(headers, offset: int) -> bool:
    """Whether a 416 says that the file ends where ours does."""
    return headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{offset}"


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _state_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _load_state(url: str, part: Path) -> _State:
    """Return what is known of a partial file; one of another address is dropped."""
    try:
        state = _State(**json.loads(_state_file(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        state = _State("")
    if state.url == url and part.exists():
        return state
    _forget(part)
    return _State(url)


def _save_state(part: Path, state: _State) -> None:
    with atomic(_state_file(part)) as file:
        file.write(json.dumps(asdict(state)).encode())


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state_file(part).unlink(missing_ok=True)
