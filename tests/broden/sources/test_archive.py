import os
import stat
import struct
import zipfile

import pytest

from broden.sources import archive as source
from broden.sources.archive import DamagedArchiveError, open_source, safe_name
from broden.sources.convert import convert
from tests.broden.layout import corner_photos, write_layout, zipped


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "a/..", "..", "a\\b", "C:x", "c:/x", "a\0b", "//x"],
)
def test_unsafe_names_are_refused(name):
    with pytest.raises(ValueError, match="unsafe path|path is empty"):
        safe_name(name)


@pytest.mark.parametrize(("name", "normal"), [("a//b.jpg", "a/b.jpg"), ("./..a/b", "..a/b")])
def test_safe_names_are_normalised(name, normal):
    assert safe_name(name) == normal


def test_missing_source_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing: no such folder or zip"):
        open_source(tmp_path / "nothing")


def test_folder_above_the_layout_gets_a_hint(corners):
    with pytest.raises(FileNotFoundError, match=r"index.csv is missing; did you mean .*tiny\?"):
        open_source(corners.parent)


def test_images_may_not_be_elsewhere(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos()[:1])
    (root / "images").rename(tmp_path / "images")
    (root / "images").symlink_to(tmp_path / "images")
    with pytest.raises(ValueError, match="images is a link out of the folder"):
        open_source(root)


def test_too_large_member_of_a_folder(corners, monkeypatch):
    monkeypatch.setattr(source, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(ValueError, match="larger than the 100 bytes allowed"):
        open_source(corners).read("label.csv")


def _add(name, data=b"x", mode=0o100644, **fields):
    def spoil(path):
        with zipfile.ZipFile(path, "a") as archive:
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, data, **fields)

    return spoil


def _cut(keep):
    return lambda path: os.truncate(path, int(path.stat().st_size * keep))


def _flip_data(path):
    """Damage the stored bytes of label.csv, so that its CRC fails."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("broden1_12/label.csv").header_offset
    start = offset + 30 + len("broden1_12/label.csv") + 5
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)


def _patch_directory(name, offset, code, value):
    """Overwrite a field of a member's entry in the central directory."""

    def spoil(path):
        data = bytearray(path.read_bytes())
        place = data.rindex(name.encode()) - 46 + offset
        struct.pack_into(code, data, place, value)
        path.write_bytes(data)

    return spoil


def _bomb(path):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("broden1_12/images/bomb.png", bytes(300_000))


def _second_top(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/index.csv", "image\n")


BAD = {
    "parent": (_add("broden1_12/../../evil"), r"'\.\.' is not allowed"),
    "absolute": (_add("/etc/evil"), "unsafe path '/etc/evil'"),
    "backslash": (_add("broden1_12\\..\\evil"), "unsafe path"),
    "drive": (_add("C:evil"), "unsafe path"),
    "link": (_add("broden1_12/link", b"/etc/passwd", stat.S_IFLNK | 0o777), "is a link"),
    "cut in half": (_cut(0.5), "not a whole zip file"),
    "cut at the end": (_cut(0.99), "not a whole zip file"),
    "empty": (_cut(0), "not a whole zip file"),
    "crc": (_flip_data, "label.csv' is damaged.*download the zip again"),
    "encrypted": (_patch_directory("broden1_12/label.csv", 8, "<H", 1), "is encrypted"),
    "unknown compression": (_patch_directory("broden1_12/label.csv", 10, "<H", 77), "damaged"),
    "bomb": (_bomb, "unpacks to 300000 bytes, at most 200000 are allowed"),
    "lying size": (_patch_directory("broden1_12/label.csv", 24, "<I", 40), "damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_hostile_or_damaged_zip_stops_the_conversion(case, corners, monkeypatch, tmp_path):
    spoil, reason = BAD[case]
    path = zipped(corners, tmp_path / "a.zip")
    spoil(path)
    monkeypatch.setattr(source, "MAX_MEMBER_BYTES", 200_000)
    with pytest.raises(DamagedArchiveError, match=reason):
        convert(path, tmp_path / "o.h5", skip_bad=True)
    assert os.listdir(tmp_path) == ["a.zip"]


def test_damaged_image_in_a_zip_stops_the_conversion(corners, tmp_path):
    path = zipped(corners, tmp_path / "a.zip")
    name = "broden1_12/images/b/beside.jpg"
    _patch_directory(name, 16, "<I", 0x12345678)(path)
    with pytest.raises(DamagedArchiveError, match="beside.jpg' is damaged .Bad CRC"):
        convert(path, tmp_path / "o.h5", skip_bad=True)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_second_top, r"index.csv is in \['broden1_12/', 'other/'\]"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "index.csv is missing"),
    ],
    ids=["two", "none"],
)
def test_zip_needs_one_index(spoil, reason, corners, tmp_path):
    path = zipped(corners, tmp_path / "a.zip")
    spoil(path)
    with pytest.raises(FileNotFoundError, match=reason):
        open_source(path)


def test_litter_of_archivers_is_ignored(corners, probe_path, tmp_path):
    path = zipped(corners, tmp_path / "a.zip")
    _add("__MACOSX/index.csv")(path)
    assert convert(path, tmp_path / "o.h5").images == len(corner_photos())


def test_index_may_not_reach_out_of_a_zip(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    text = (root / "index.csv").read_text().replace("a/none.jpg", "../label.csv")
    (root / "index.csv").write_text(text)
    done = convert(zipped(root, tmp_path / "a.zip"), tmp_path / "o.h5", skip_bad=True)
    assert [(bad.row, bad.image) for bad in done.skipped] == [(3, "../label.csv")]
