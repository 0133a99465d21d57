"""How the files of a run are written: each complete under its name, or not at all."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from broden.system.files import atomic

__all__ = ["texts", "write_json", "write_table", "written_hdf5"]


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV table.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    """
    with atomic(path) as handle:
        table.to_csv(handle, index=False, lineterminator="\n")


def write_json(path: Path, content: dict) -> None:
    """Write a JSON object, in UTF-8 and one entry a line.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    ValueError
        If a number in it is not finite.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic(path) as handle:
        handle.write(text.encode() + b"\n")


@contextmanager
def written_hdf5(path: Path) -> Iterator[h5py.File]:
    """Hand out an HDF5 file that appears under its name when the block ends well.

    It is made in memory: HDF5 cannot close a file that it could not write, so a full disk must not
    meet it.

    Raises
    ------
    OSError
        If it cannot be written; no part of it is left.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        yield file
    with atomic(path) as handle:
        handle.write(memory.getbuffer())


def texts(names: object) -> np.ndarray:
    """Return names as an array that HDF5 stores as text."""
    return np.array(names, dtype=h5py.string_dtype())
