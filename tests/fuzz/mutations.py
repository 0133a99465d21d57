"""What can be wrong with a file: damage to its bytes, and to what they mean in its format.

A strategy gives lists of small plans; `spoilt` applies them to the bytes of a file. Places are
numbers of any size, taken modulo what there is, so that each plan fits every file.
"""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

PLACES = st.integers(0, 2**32)
NESTED: Any = 1
for _ in range(60):
    NESTED = [NESTED]

_BYTES = st.tuples(
    st.sampled_from(["flip", "set", "cut", "insert", "delete", "repeat"]),
    PLACES,
    st.binary(min_size=1, max_size=8),
)
_VALUES = st.one_of(
    st.sampled_from([None, True, 0, -1, -0.5, 0.5, 2**40, 2**70, 1e308, 10**60, "", "x"]),
    st.sampled_from(["\0", "a\nb", "/dev/zero", "..", [], {}, [1], [[]], {"digest": 3}, NESTED]),
    st.sampled_from([float("nan"), float("inf"), [7, 7], [-1, 2**40], {"a": {"b": []}}]),
    st.sampled_from(["\ud800", "1", "both", "iou", "clip", "mini", "layer4", 7, 8, 1.0]),
)
_JSON = st.tuples(st.sampled_from(["set", "drop", "rename", "swap"]), PLACES, PLACES, _VALUES)
_CELLS = st.sampled_from(
    ["", " ", "nan", "inf", "-inf", "-1", "0.5", "1.5", "1e999", "9" * 30, "9" * 5000, "x", "\0"]
    + ["True", '"', "a\nb", "a,b", "\ud800", "\x1b[2J", "../x", "/etc/passwd", "é", "-", "1_0"]
)
_CSV = st.tuples(
    st.sampled_from(["cell", "drop", "add", "drop row", "repeat row", "drop column", "add column"]),
    PLACES,
    PLACES,
    _CELLS,
)
_ARRAYS: tuple[Callable[[Any], Any], ...] = (
    lambda a: None,
    lambda a: np.zeros(0, a.dtype),
    lambda a: a[:1],
    lambda a: np.concatenate([a, a]),
    lambda a: a.reshape(-1),
    lambda a: a[..., None],
    lambda a: np.float64(0.5),
    lambda a: np.full(a.shape, np.nan),
    lambda a: np.full(a.shape, -1),
    lambda a: np.full(a.shape, 2**62),
    lambda a: np.zeros(a.shape, bool),
    lambda a: np.zeros(a.shape, complex),
    lambda a: np.full(a.shape, b"x"),
    lambda a: np.full(a.shape, "x", h5py.string_dtype()),
    lambda a: np.full(a.shape, "", h5py.string_dtype()),
    lambda a: np.zeros(a.shape, [("a", int), ("b", float)]),
    lambda a: a[::-1],
    lambda a: h5py.SoftLink("/"),
    lambda a: h5py.SoftLink("/nothing"),
    lambda a: h5py.ExternalLink("/etc/hostname", "/"),
    lambda a: h5py.Empty("f"),
    "group",
    "promise",
    "promise packed",
)  # type: ignore[assignment]
_HDF5 = st.tuples(
    st.sampled_from(["member", "group", "attribute"]),
    PLACES,
    st.integers(0, len(_ARRAYS) - 1),
    _VALUES,
)
_ZIP = st.tuples(
    st.sampled_from(["member", "drop", "rename", "deflate"]),
    PLACES,
    st.lists(_BYTES, min_size=1, max_size=3),
    st.sampled_from(["", "../x", "/x", "a\\b", "index.csv", "data.pkl", "header.npy"]),
)
KINDS = {"bytes": _BYTES, "json": _JSON, "csv": _CSV, "hdf5": _HDF5, "zip": _ZIP}


def plans(*kinds: str) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """Return what gives one or two pieces of damage, more often to a format than to its bytes."""
    named = [*kinds, *kinds, "bytes"]
    one = [KINDS[kind].map(lambda plan, kind=kind: (kind, plan)) for kind in named]
    return st.lists(st.one_of(one), min_size=1, max_size=2)


def spoilt(data: bytes, plan: list[tuple[str, Any]]) -> bytes:
    """Return a damaged copy; damage to a format that the bytes no longer have is passed over."""
    for kind, change in plan:
        try:
            data = _SPOIL[kind](data, *change)
        except Exception:
            # an earlier piece of damage left nothing of the format
            continue
    return data


def _bytes(data: bytes, what: str, place: int, more: bytes) -> bytes:
    at = place % (len(data) + 1)
    if what == "flip" and at < len(data):
        return data[:at] + bytes([data[at] ^ (1 << more[0] % 8)]) + data[at + 1 :]
    if what == "cut":
        return data[:at]
    if what == "set":
        return data[:at] + more + data[at + len(more) :]
    if what == "insert":
        return data[:at] + more + data[at:]
    if what == "delete":
        return data[:at] + data[at + more[0] :]
    return data[:at] + data[at : at + more[0]] + data[at:]


def _json(data: bytes, what: str, place: int, other: int, value: Any) -> bytes:
    content = json.loads(data)
    nodes = list(_nodes(content))
    if not nodes:
        return json.dumps(value).encode()
    holder, key = nodes[place % len(nodes)]
    if what == "set":
        holder[key] = value
    elif what == "drop":
        del holder[key]
    elif what == "rename" and isinstance(holder, dict):
        holder[str(value)] = holder.pop(key)
    else:
        there, name = nodes[other % len(nodes)]
        holder[key] = json.loads(json.dumps(there[name]))
    return json.dumps(content).encode()


def _nodes(content: Any):
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(pairs):
        yield content, key
        if isinstance(value, dict | list):
            yield from _nodes(value)


def _csv(data: bytes, what: str, place: int, other: int, cell: str) -> bytes:
    rows = [line.split(",") for line in data.decode().splitlines()]
    row = rows[place % len(rows)]
    column = other % max(1, len(row))
    if what == "cell":
        row[column] = cell
    elif what == "drop":
        del row[column]
    elif what == "add":
        row.insert(column, cell)
    elif what == "drop row":
        rows.remove(row)
    elif what == "repeat row":
        rows.append(list(row))
    elif what == "drop column":
        for one in rows:
            del one[column % len(one)]
    else:
        for one in rows:
            one.append(one[column % len(one)])
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass") + b"\n"


def _hdf5(data: bytes, what: str, place: int, change: int, value: Any) -> bytes:
    memory = io.BytesIO(data)
    with h5py.File(memory, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        groups = [name for name in names if isinstance(file[name], h5py.Group)]
        if what == "attribute":
            _attribute(file, names, place, value)
            return _closed(file, memory)
        chosen = groups if what == "group" and groups else names
        name = chosen[place % len(chosen)]
        member, make = file[name], _ARRAYS[change]
        old = member[()] if isinstance(member, h5py.Dataset) else np.zeros((2, 2))
        del file[name]
        if make == "group":
            file.create_group(name)
        elif isinstance(make, str):
            packed = {"compression": "gzip"} if make == "promise packed" else {}
            shape = (1 << 40, *np.shape(old)[1:])
            chunks = (1 << 10, *np.shape(old)[1:])
            file.create_dataset(name, shape, old.dtype, chunks=chunks, **packed)
        elif (made := make(np.asarray(old))) is not None:
            file[name] = made
        return _closed(file, memory)


def _attribute(file: h5py.File, names: list[str], place: int, value: Any) -> None:
    holders = [file, *(file[name] for name in names)]
    pairs = [(holder, name) for holder in holders for name in holder.attrs]
    holder, name = pairs[place % len(pairs)]
    if value is None:
        del holder.attrs[name]
    else:
        holder.attrs[name] = value


def _closed(file: h5py.File, memory: io.BytesIO) -> bytes:
    file.close()
    return memory.getvalue()


def _zip(data: bytes, what: str, place: int, changes: list[Any], name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        members = old.infolist()
        chosen = members[place % len(members)]
        for member in members:
            content, packing = old.read(member), zipfile.ZIP_STORED
            called = member.filename
            if member is chosen:
                if what == "drop":
                    continue
                if what == "rename":
                    called = name
                elif what == "deflate":
                    packing = zipfile.ZIP_DEFLATED
                else:
                    for change in changes:
                        content = _bytes(content, *change)
            new.writestr(called, content, packing)
    return made.getvalue()


_SPOIL = {"bytes": _bytes, "json": _json, "csv": _csv, "hdf5": _hdf5, "zip": _zip}
