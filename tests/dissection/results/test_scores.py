"""Arrays of a run that are missing, of another type or shape, or elsewhere, are refused."""

import os

import h5py
import numpy as np
import pytest

from dissection.results.dissection import Dissection
from dissection.results.reading import read
from dissection.results.scores import top_concepts, tops
from tests.dissection import labelled

UNITS, IMAGES = 8, 9


@pytest.fixture
def folder(tmp_path):
    """A run whose files have top images, masks and concepts."""
    folder = labelled.run(tmp_path / "run", UNITS)
    with h5py.File(folder / "scores.h5", "r+") as file:
        file["layers/fc/top/image"] = np.arange(UNITS * 2).reshape(UNITS, 2) % IMAGES
        file["layers/fc/top/value"] = np.ones((UNITS, 2), np.float32)
        file["layers/fc/top/mask"] = np.ones((UNITS, 2, 7), np.uint8)
        file["layers/fc/top/mask"].attrs["grid"] = np.array([7, 7])
    with h5py.File(folder / "clip.h5", "r+") as file:
        file["layers/fc/top/concept"] = np.arange(UNITS * 2).reshape(UNITS, 2) % 5
        file["layers/fc/top/similarity"] = np.ones((UNITS, 2), np.float32)
    return folder


def everything(folder):
    """Read all that is read of the arrays of a run."""
    for side in read(folder):
        side.scores.layer("fc", UNITS)
    tops(folder, "fc", UNITS, IMAGES)
    top_concepts(folder, "fc", UNITS)
    result = Dissection.read(folder)
    result.similarity("fc")
    for name in ("iou/all", "top/image"):
        result.scores("fc", name)


def put(member, make):
    """Return what puts something else in place of a member."""

    def change(file):
        del file[member]
        made = make(file)
        if made is not None:
            file[member] = made

    return change


def elsewhere(file):
    return h5py.ExternalLink("/etc/hostname", "/")


def stored_elsewhere(member, shape):
    def change(file):
        del file[member]
        file.create_dataset(member, shape, float, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])

    return change


def virtual(member, shape):
    def change(file):
        layout = h5py.VirtualLayout(shape, float)
        layout[:] = h5py.VirtualSource("other.h5", "a", shape)
        del file[member]
        file.create_virtual_dataset(member, layout)

    return change


def promised(member, shape, dtype, **options):
    """Return what makes an array of which next to nothing is there."""

    def change(file):
        del file[member]
        file.create_dataset(member, shape, dtype, **options)

    return change


IOU, SIM = "layers/fc/iou/all", "layers/fc/similarity"
TYPES = np.dtype([("a", float), ("b", int)])
SCORES = {
    "missing": (put(IOU, lambda f: None), "has no iou/all of layer fc"),
    "group": (
        put("labels/name", lambda f: f.create_group("labels/name") and None),
        "'labels/name' is missing",
    ),
    "numbers for names": (put("labels/name", lambda f: np.ones(6)), "is float64 .* not texts"),
    "no names": (put("labels/name", lambda f: None), "'labels/name' is missing"),
    "fewer categories": (
        put("labels/category", lambda f: np.array(["a"], labelled.TEXT)),
        "'labels/name' has 6 texts, 'labels/category' 1",
    ),
    "whole numbers": (put(IOU, lambda f: np.ones((UNITS, 6), int)), "type int64, expected float"),
    "texts": (put(IOU, lambda f: np.full((UNITS, 6), "a", labelled.TEXT)), "type object, expected"),
    "compound": (put(IOU, lambda f: np.zeros((UNITS, 6), TYPES)), "type .* expected floating"),
    "complex": (put(IOU, lambda f: np.zeros((UNITS, 6), complex)), "type complex128, expected"),
    "scalar": (put(IOU, lambda f: 0.5), "not a whole file of score arrays"),
    "one axis": (put(IOU, lambda f: np.ones(UNITS)), r"has shape \(8,\), expected \(8, 6\)"),
    "labels": (put(IOU, lambda f: np.ones((UNITS, 5))), r"has shape \(8, 5\), expected \(8, 6\)"),
    "units": (put(IOU, lambda f: np.ones((7, 6))), "has 7 units of fc, not 8"),
    "nan": (put(IOU, lambda f: np.full((UNITS, 6), np.nan)), "has nan in unit 0, expected an IoU"),
    "above 1": (put(IOU, lambda f: np.full((UNITS, 6), 1.5)), "has 1.5 in unit 0, expected an IoU"),
    "below 0": (put(IOU, lambda f: np.full((UNITS, 6), -1.0)), "has -1.0 in unit 0, expected an"),
    "promised": (promised(IOU, (UNITS, 1 << 40), float), r"expected \(8, 6\)"),
    "promised labels": (
        promised("labels/name", (1 << 40,), labelled.TEXT, chunks=(1 << 10,)),
        "'/labels/name' says it has .* bytes, of which 0 are there",
    ),
    "soft link": (put(IOU, lambda f: h5py.SoftLink("/labels")), "is a soft link; links are"),
    "external link": (put("layers", elsewhere), "'/layers' is an external link"),
    "external storage": (stored_elsewhere(IOU, (UNITS, 6)), "is stored in another file"),
    "virtual": (virtual(IOU, (UNITS, 6)), "is virtual"),
    "packed twice": (
        promised(IOU, (UNITS, 6), float, compression="lzf"),
        "is packed otherwise than by gzip",
    ),
    "image": (put("layers/fc/top/image", lambda f: np.full((UNITS, 2), 9)), "has 9, expected num"),
    "image below": (put("layers/fc/top/image", lambda f: np.full((UNITS, 2), -1)), "has -1, expec"),
    "image text": (
        put("layers/fc/top/image", lambda f: np.full((UNITS, 2), "a", labelled.TEXT)),
        "top/image' has type object, expected whole numbers",
    ),
    "images": (
        promised("layers/fc/top/image", (UNITS, 1 << 40), int),
        r"top/image' has shape \(8, 1099511627776\)",
    ),
    "values": (
        put("layers/fc/top/value", lambda f: np.ones((UNITS, 3))),
        r"top/value' has shape \(8, 3\), expected \(8, 2\)",
    ),
    "masks": (
        put("layers/fc/top/mask", lambda f: np.ones((UNITS, 2, 7), np.uint8)),
        "top/mask' has no grid of two sizes",
    ),
    "grid": (
        lambda f: f["layers/fc/top/mask"].attrs.__setitem__("grid", [1 << 40, 1]),
        "has the grid 1099511627776x1, at most 4096",
    ),
    "grid text": (
        lambda f: f["layers/fc/top/mask"].attrs.__setitem__("grid", "large"),
        "top/mask' has no grid of two sizes",
    ),
    "other grid": (
        lambda f: f["layers/fc/top/mask"].attrs.__setitem__("grid", [8, 8]),
        r"top/mask' has shape \(8, 2, 7\), expected \(8, 2, 8\)",
    ),
}
CLIP = {
    "missing": (put(SIM, lambda f: None), "has no similarity of layer fc"),
    "no concepts": (put("concepts", lambda f: None), "'concepts' is missing"),
    "nan": (put(SIM, lambda f: np.full((UNITS, 5), np.nan)), "has nan in unit 0, expected a num"),
    "concepts": (put(SIM, lambda f: np.ones((UNITS, 4))), r"shape \(8, 4\), expected \(8, 5\)"),
    "concept": (put("layers/fc/top/concept", lambda f: np.full((UNITS, 2), 5)), "has 5, expected"),
    "no similarities": (put("layers/fc/top/similarity", lambda f: None), "similarity' is missing"),
    "external": (put("concepts", elsewhere), "'/concepts' is an external link"),
}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        *(("scores.h5", *case) for case in SCORES.values()),
        *(("clip.h5", *case) for case in CLIP.values()),
    ],
    ids=[*(f"iou {name}" for name in SCORES), *(f"clip {name}" for name in CLIP)],
)
def test_what_cannot_be_is_refused_in_one_line(folder, name, change, message):
    everything(folder)
    with h5py.File(folder / name, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=message) as caught:
        everything(folder)
    assert str(folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["scores.h5", "clip.h5"])
def test_what_is_no_hdf5_file_is_refused(folder, name):
    path = folder / name
    data = path.read_bytes()
    for content in (b"", b"text", data[: len(data) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a whole file of score arrays"):
            everything(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is a named pipe"):
        everything(folder)


def test_texts_that_share_a_place_do_not_become_more_than_the_file(folder):
    """The same text is written once and named very often, as only a made file can."""
    path = folder / "clip.h5"
    with h5py.File(path, "r+") as file:
        del file["concepts"]
        kept = file.create_dataset("concepts", (4000,), h5py.string_dtype(), track_times=False)
        kept[0] = "x" * 60_000
    data = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        start = file["concepts"].id.get_offset()
    for place in range(1, 4000):
        data[start + 16 * place : start + 16 * place + 16] = data[start : start + 16]
    path.write_bytes(data)
    with pytest.raises(ValueError, match="says it has more text than the file holds"):
        everything(folder)
