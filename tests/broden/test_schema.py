import os
import shutil

import h5py
import numpy as np
import pytest

from broden import schema
from broden.reader import ProbeSet, ProbeSetError
from broden.verification import verify


@pytest.fixture
def path(probe_path, tmp_path):
    """A copy of the probe file that a test may break."""
    return shutil.copy(probe_path, tmp_path / "broken.h5")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.h5: no such probe file"):
        ProbeSet(tmp_path / "no.h5")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" * 50])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    with pytest.raises(ProbeSetError, match="x.h5: not a whole probe file"):
        ProbeSet(path)


def test_folder_is_refused(tmp_path):
    with pytest.raises(ProbeSetError, match="is a directory, expected a probe file"):
        ProbeSet(tmp_path)


def test_a_named_pipe_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "x.h5")
    with pytest.raises(ProbeSetError, match="is a named pipe, .* expected a probe file"):
        ProbeSet(tmp_path / "x.h5")


@pytest.mark.parametrize("keep", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_cut_file_is_refused(keep, path):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ProbeSetError, match="not a whole probe file") as caught:
        ProbeSet(path)
    assert "\n" not in str(caught.value)


def replace(file, member, data, **options):
    """Put other data in place of a member."""
    del file[member]
    file.create_dataset(member, data=data, **options)


def _soft(file):
    file["presence2"] = h5py.SoftLink("/presence")


def _soft_inside(file):
    del file["labels/pixels"]
    file["labels/pixels"] = h5py.SoftLink("/contents/pixels")


def _external_link(file):
    del file["planes"]
    file["planes"] = h5py.ExternalLink("/etc/hostname", "/planes")


def _unused_external_link(file):
    file["labels/more"] = h5py.ExternalLink("other.h5", "/")


def _virtual(file):
    layout = h5py.VirtualLayout(file["presence"].shape, bool)
    layout[:] = h5py.VirtualSource("other.h5", "presence", file["presence"].shape)
    del file["presence"]
    file.create_virtual_dataset("presence", layout)


def _external_storage(file):
    size = file["images/bytes"].shape
    del file["images/bytes"]
    files = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("images/bytes", size, np.uint8, external=files)


def _promised(**options):
    """Return what makes a table of which next to nothing is there."""

    def change(file):
        del file["contents/pixels"]
        file.create_dataset("contents/pixels", (1 << 45,), np.int64, **options)

    return change


def _large_grid(file):
    replace(file, "planes/data", np.zeros((len(file["planes/data"]), 4097, 2), np.uint16))
    file.attrs["grid"] = [4097, 2]


def _cycle(file):
    file["labels/again"] = file["labels"]


def _column(member, place, value):
    def change(file):
        file[member][place] = value

    return change


def _attribute(name, value):
    def change(file):
        file.attrs[name] = value

    return change


def _without(member):
    def change(file):
        del file[member]

    return change


BROKEN = {
    "other schema": (_attribute("schema", "broden/2"), "schema is 'broden/2'.*reads 'broden/1'"),
    "no schema": (lambda f: f.attrs.__delitem__("schema"), "schema is None"),
    "no digest": (lambda f: f.attrs.__delitem__("digest"), "attribute 'digest' is missing"),
    "digest no text": (_attribute("digest", 5), "attribute 'digest' is missing or no text"),
    "grid": (_attribute("grid", [6, 9]), r"label grid is \(6, 9\), but planes are 6x8"),
    "size": (_attribute("image_size", [6, 0]), "'image_size' is .6, 0., expected two sizes"),
    "size text": (_attribute("image_size", "large"), "'image_size'"),
    "soft link": (_soft, "'/presence2' is a soft link; links are refused"),
    "soft member": (_soft_inside, "'/labels/pixels' is a soft link"),
    "external link": (_external_link, "'/planes' is an external link"),
    "unused external link": (_unused_external_link, "'/labels/more' is an external link"),
    "virtual": (_virtual, "'/presence' is virtual"),
    "external storage": (_external_storage, "'/images/bytes' is stored in another file"),
    "promised": (_promised(), "'/contents/pixels' says it has .* bytes, of which 0 are there"),
    "promised chunks": (
        _promised(chunks=(1 << 20,), compression="gzip"),
        "'/contents/pixels' says it has .* bytes, of which 0 are there",
    ),
    "other packing": (
        lambda f: replace(f, "presence", f["presence"][()], compression="lzf"),
        "'/presence' is packed otherwise than by gzip",
    ),
    "large grid": (_large_grid, r"label grid is \(4097, 2\), at most 4096 a side"),
    "cycle": (_cycle, "is linked twice"),
    "missing": (_without("planes/repeats"), "dataset 'planes/repeats' is missing"),
    "missing group": (_without("contents"), "dataset 'contents/offsets' is missing"),
    "group": (
        lambda f: (f.__delitem__("presence"), f.create_group("presence")),
        "dataset 'presence' is missing",
    ),
    "type": (
        lambda f: replace(f, "planes/data", f["planes/data"][()].astype(np.int32)),
        "'planes/data' has type int32, expected uint16",
    ),
    "names no text": (
        lambda f: replace(f, "images/names", np.zeros(7, np.int64)),
        "'images/names' has type int64, expected str",
    ),
    "axes": (
        lambda f: replace(f, "planes/data", f["planes/data"][0]),
        "'planes/data' has 2 axes",
    ),
    "length": (
        lambda f: replace(f, "presence", f["presence"][:6]),
        "'presence' has shape .6, 5., but axis N is 7",
    ),
    "offsets": (_column("images/offsets", 2, 10**9), "'images/offsets' does not rise"),
    "offsets down": (_column("contents/offsets", 3, 0), "'contents/offsets' does not rise"),
    "plane of no image": (_column("planes/image", -1, 7), "'planes/image' is not a rising list"),
    "planes in disorder": (_column("planes/image", 0, 6), "'planes/image' is not a rising list"),
    "whole of no image": (_column("whole/image", 0, -1), "'whole/image' is not a rising list"),
    "category": (_column("planes/category", 0, 5), "names a category beyond the 5"),
    "primary": (_column("labels/primary", 0, 9), "names a category beyond the 5"),
    "other primary": (_column("labels/primary", 0, 3), "do not follow from the coverage"),
    "numbers": (_column("labels/number", 0, 3), "not a rising list of numbers from 1"),
    "zero": (_column("labels/number", 0, 0), "not a rising list of numbers from 1"),
    "unknown whole": (_column("whole/label", 0, 4), "'whole/label' holds a number"),
    "name": (_column("labels/name", 1, "traffic\u00a0light"), r"U.00A0 .NO-BREAK SPACE., which no"),
    "mark": (_column("categories", 0, "co\u202elor"), "RIGHT-TO-LEFT OVERRIDE"),
    "blank": (_column("labels/name", 0, " "), "labels/name: ' ' is no name; convert"),
    "unknown content": (_column("contents/label", 0, 301), "'contents/label' holds a number"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_refused_with_one_line(case, path):
    change, reason = BROKEN[case]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ProbeSetError, match=reason) as caught:
        ProbeSet(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(list(verify(path))) == 1


def test_impossible_label_in_a_plane_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["planes/data"][0, 0, 0] = 301
    with (
        ProbeSet(path) as probe,
        pytest.raises(ProbeSetError, match="a plane holds a label number"),
    ):
        probe.label_block(range(0, 7))


def test_damaged_chunk_is_a_probe_set_error(path):
    with h5py.File(path, "r+") as file:
        offset = file["planes/data"].id.get_chunk_info(0).byte_offset
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(8))
    with ProbeSet(path) as probe, pytest.raises(ProbeSetError, match="not a whole probe file"):
        probe.label_block(range(0, 7))


def test_every_member_is_described(probe_path):
    found = []
    with h5py.File(probe_path) as file:
        file.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
    assert sorted(found) == sorted(schema.MEMBERS)


def test_planes_are_compressed_one_chunk_a_plane(probe_path):
    with h5py.File(probe_path) as file:
        data = file["planes/data"]
        assert data.chunks == (1, *data.shape[1:])
        assert data.compression == "gzip"
