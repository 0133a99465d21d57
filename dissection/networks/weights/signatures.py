"""What kind of file it is that holds no weights, by its first bytes, and what to do about it."""

from collections.abc import Callable
from pathlib import Path

__all__ = ["foreign"]

_HEAD = 4096
_EXPORT = (
    "give the PyTorch checkpoint it was made from, or convert it: torch.save(network.state_dict())"
)
_FETCH = "the download went wrong: fetch the file again, and look at what the address gives"


def foreign(path: Path) -> str:
    """Return what a file is and what to do, where it is known to be no PyTorch weights; else "".

    Examples
    --------
    >>> import tempfile, pathlib
    >>> page = pathlib.Path(tempfile.mkdtemp(), "w.pth")
    >>> _ = page.write_text("<!DOCTYPE html>")
    >>> foreign(page).split(";")[0]
    'an HTML or XML page'
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for kind, remedy, tells in _KINDS:
        if tells(head):
            return f"{kind}; {remedy}"
    return ""


def _page(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<error"))


def _torch7(head: bytes) -> bool:
    # an object of Lua: its type 4, a number, and the version string; or text with the same
    return (head[:4] == b"\x04\0\0\0" and b"V 1" in head[:32]) or head.startswith(b"4\n1\n3\nV 1")


def _onnx(head: bytes) -> bool:
    # field 1, the version of the format, then the producer, the graph or the sets of operators
    return (
        len(head) > 2 and head[0] == 8 and 0 < head[1] < 16 and head[2:3] in (b"\x12", b":", b"B")
    )


def _caffe(head: bytes) -> bool:
    # the name of the net, then its layers: protobuf fields 1 and 2 or 100
    length = head[1] if len(head) > 1 else 0
    name, rest = head[2 : 2 + length], head[2 + length : 4 + length]
    named = head[:1] == b"\n" and len(name) == length and name.isascii()
    return named and (rest[:1] == b"\x12" or rest == b"\xa2\x06" or rest[:1] == b"\x1a")


def _json(head: bytes) -> bool:
    return head.lstrip()[:1] in (b"{", b"[") and head.lstrip()[1:2] in b'"{[ \r\n\t]}'


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


_KINDS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    (
        "a git-lfs pointer, not the file itself",
        "fetch what it points to with: git lfs pull",
        _starts(b"version https://git-lfs"),
    ),
    ("an HTML or XML page", _FETCH, _page),
    ("a JSON text", f"{_FETCH}; an index of parts is no weights either", _json),
    ("a Lua file of Torch 7", f"it is no PyTorch; {_EXPORT}", _torch7),
    (
        "a Keras or other HDF5 file",
        _EXPORT,
        _starts(b"\x89HDF\r\n\x1a\n"),
    ),
    ("an ONNX graph", _EXPORT, _onnx),
    ("a Caffe model", _EXPORT, _caffe),
    ("a NumPy array", "save the weights with torch.save", _starts(b"\x93NUMPY")),
    ("a TensorFlow Lite model", _EXPORT, lambda head: head[4:8] == b"TFL3"),
    ("a GGUF model", _EXPORT, _starts(b"GGUF")),
    (
        "a compressed file",
        "unpack it first, and give the weight file inside",
        _starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"Rar!"),
    ),
    ("an image", "give the weights", _starts(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")),
    ("a PDF", "give the weights", _starts(b"%PDF")),
)
