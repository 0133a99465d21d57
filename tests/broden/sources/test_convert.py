import csv
import os
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from broden.reader import ProbeSet
from broden.schema import ProbeSetError
from broden.sources.convert import BadRowsError, convert
from broden.verification import verify
from tests.broden.layout import (
    CATEGORIES,
    GRID,
    LABELS,
    PRIMARY,
    SIZE,
    Photo,
    corner_photos,
    jpeg,
    label_png,
    pixel_sets,
    plane,
    write_layout,
    zipped,
)


def check_against(probe, sets):
    """Compare masses, contents and presence with pixel sets."""
    mass = dict.fromkeys(LABELS, 0)
    for i, held in enumerate(sets):
        image, label, pixels = probe.contents(i, i + 1)
        assert image.tolist() == [i] * len(held)
        assert label.tolist() == sorted(held)
        assert pixels.tolist() == [len(held[n]) for n in sorted(held)]
        present = {PRIMARY[n] for n in held}
        assert [c in present for c in probe.categories] == probe.presence[i].tolist()
        for n in held:
            mass[n] += len(held[n])
    assert {n: int(probe.labels.pixels[n]) for n in LABELS} == mass


def test_masses_contents_and_presence_equal_the_pixel_sets(probe_path, corner_sets):
    check_against(ProbeSet(probe_path), corner_sets)


def test_photographs_are_kept_byte_for_byte(corners, probe_path):
    with ProbeSet(probe_path) as probe:
        assert probe.names == [photo.name for photo in corner_photos()]
        assert probe.splits == [photo.split for photo in corner_photos()]
        for i, name in enumerate(probe.names):
            assert probe.jpeg(i) == (corners / "images" / name).read_bytes()
        assert (probe.image_size, probe.grid, probe.name) == (SIZE, GRID, "tiny")


def test_zip_gives_the_same_digest_as_the_folder(corners, probe_path, tmp_path):
    done = convert(zipped(corners, tmp_path / "broden1_12.zip"), tmp_path / "z.h5")
    with ProbeSet(tmp_path / "z.h5") as probe:
        assert probe.digest == done.digest == ProbeSet(probe_path).digest
        assert (probe.name, probe.source) == ("broden1_12", "broden1_12.zip")


def test_zip_without_a_top_folder_is_read_too(corners, probe_path, tmp_path):
    done = convert(zipped(corners, tmp_path / "flat.zip", top=""), tmp_path / "z.h5")
    assert done.digest == ProbeSet(probe_path).digest


def test_same_input_gives_the_same_bytes(corners, probe_path, tmp_path):
    time.sleep(1.1)
    target = tmp_path / "deep" / "again.h5"
    convert(corners, target)
    assert target.read_bytes() == probe_path.read_bytes()


def test_digest_ignores_where_and_when_but_not_what(corners, probe_path, tmp_path):
    root = tmp_path / "elsewhere"
    shutil.copytree(corners, root)
    assert convert(root, tmp_path / "a.h5").digest == ProbeSet(probe_path).digest
    name = next((root / "images").rglob("*_color_0.png"))
    changed = plane(99, 0, 1, 2)
    name.write_bytes(label_png(changed))
    assert convert(root, tmp_path / "b.h5").digest != ProbeSet(probe_path).digest


@pytest.mark.parametrize("map_mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_colour_modes_and_line_ends_change_nothing(newline, map_mode, probe_path, tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos(), newline=newline, map_mode=map_mode)
    assert convert(root, tmp_path / "o.h5").digest == ProbeSet(probe_path).digest


@pytest.mark.parametrize("mode", ["L", "I;16", "1", "P"])
def test_single_channel_maps_hold_the_label_itself(mode, tmp_path):
    labels = (0, 1) if mode == "1" else (0, 1, 2)
    planes = [plane(1, *labels), plane(2, *labels)]
    photos = [Photo(f"{k}.jpg", {"color": [p]}) for k, p in enumerate(planes)]
    root = write_layout(tmp_path / "tiny", photos, map_mode=mode)
    done = convert(root, tmp_path / "o.h5")
    with ProbeSet(tmp_path / "o.h5") as probe:
        assert done.palettes == probe.palette_maps == (2 if mode == "P" else 0)
        for i, expected in enumerate(planes):
            np.testing.assert_array_equal(probe.maps(i)["color"][0], expected)


def test_palette_map_with_other_numbers_says_how_it_was_read(tmp_path):
    photos = [Photo("a.jpg", {"color": [plane(1, 0, 77)]})]
    root = write_layout(tmp_path / "tiny", photos, map_mode="P")
    reason = r"a_color_0.png \(color, a palette image read by index\) holds 77, not in label.csv"
    with pytest.raises(BadRowsError) as caught:
        convert(root, tmp_path / "o.h5")
    assert re.search(reason, caught.value.details[0])


def test_columns_may_come_in_any_order_with_a_bom_and_unknown_ones(probe_path, tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos(), columns=CATEGORIES[::-1])
    index = root / "index.csv"
    lines = index.read_text().splitlines()
    text = "\n".join(f"{line},{'notes' if k == 0 else 'x'}" for k, line in enumerate(lines))
    index.write_text("\ufeff" + text, encoding="utf-8")
    done = convert(root, tmp_path / "o.h5")
    assert done.ignored == ("notes",)
    assert done.digest == ProbeSet(probe_path).digest


@pytest.mark.parametrize("categories", [("color",), ("object", "weather"), CATEGORIES[::-1]])
def test_any_set_of_categories(categories, tmp_path):
    photos = [Photo("a.jpg", {categories[0]: [plane(1, 0, 3)], categories[-1]: [5]})]
    root = write_layout(tmp_path / "tiny", photos, categories=categories)
    convert(root, tmp_path / "o.h5")
    with ProbeSet(tmp_path / "o.h5") as probe:
        assert probe.categories == categories
        sets = pixel_sets(root, categories)
        assert probe.contents(0, 1)[2].tolist() == [len(sets[0][n]) for n in sorted(sets[0])]


@pytest.mark.parametrize(
    ("size", "grid"), [((9, 31), (5, 3)), ((40, 20), (1, 1)), ((8, 8), (8, 8))]
)
def test_any_image_size_and_grid(size, grid, tmp_path):
    photos = [
        Photo(
            f"{k}.jpg", {"object": [plane(k, 0, 3, 5, grid=grid)][: grid[0] - 1]}, "RGB", size, grid
        )
        for k in range(3)
    ]
    photos[1].size = (size[0] + 1, size[1])
    root = write_layout(tmp_path / "tiny", photos)
    convert(root, tmp_path / "o.h5")
    with ProbeSet(tmp_path / "o.h5") as probe:
        assert (probe.image_size, probe.grid) == (size, grid)
        check_against(probe, pixel_sets(root))


def edit_index(root, line, **fields):
    """Change fields of one line (the header is line 1) of index.csv."""
    with open(root / "index.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    rows[line - 2].update(fields)
    with open(root / "index.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _cut(name, keep=0.6):
    def apply(root):
        path = root / "images" / name
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return apply


def _write(name, data):
    return lambda root: (root / "images" / name).write_bytes(data)


def _link_outside(root):
    secret = root.parent / "secret.jpg"
    secret.write_bytes(jpeg(0))
    (root / "images/a/colour.jpg").unlink()
    (root / "images/a/colour.jpg").symlink_to(secret)


def _link_folder(root):
    shutil.move(root / "images/a", root.parent / "a")
    (root / "images/a").symlink_to(root.parent / "a")


def _pipe(root):
    (root / "images/a/colour.jpg").unlink()
    os.mkfifo(root / "images/a/colour.jpg")


def _edit(**fields):
    return lambda root: edit_index(root, 2, **fields)


BAD = {
    "missing image": (lambda r: (r / "images/a/colour.jpg").unlink(), "a/colour.jpg is missing"),
    "missing map": (
        lambda r: (r / "images/a/colour_color_0.png").unlink(),
        "label map a/colour_color_0.png is missing",
    ),
    "cut image": (_cut("a/colour.jpg"), "cannot be decoded.*(?i:truncated)"),
    "empty image": (_write("a/colour.jpg", b""), "cannot be decoded"),
    "text image": (_write("a/colour.jpg", b"hello"), "cannot be decoded"),
    "cut map": (_cut("a/colour_color_0.png"), "colour_color_0.png cannot be decoded"),
    "cut map head": (_cut("a/colour_color_0.png", 0.1), "colour_color_0.png cannot be decoded"),
    "map is a jpeg": (_write("a/colour_color_0.png", jpeg(0)), "cannot be decoded as PNG"),
    "map of other size": (
        _write("a/colour_color_0.png", label_png(plane(0, 0, 1, grid=(8, 6)))),
        "PNG of 8x6, expected the label grid 6x8",
    ),
    "unknown label in a map": (
        _write("a/colour_color_0.png", label_png(plane(0, 0, 1, 4, 301))),
        r"colour_color_0.png \(color\) holds 4, 301, not in label.csv",
    ),
    "unknown whole label": (_edit(scene="4"), r"label number 4 \(scene\) is not in label.csv"),
    "huge label": (_edit(scene="9" * 5000), "not in label.csv|cannot be used|integer string"),
    "negative label": (_edit(scene="-3"), "label map -3 is missing"),
    "parent path": (_edit(image="../tiny/images/a/none.jpg"), r"'\.\.' is not allowed"),
    "parent path of a map": (_edit(color="a/../../x.png"), r"'\.\.' is not allowed"),
    "absolute path": (_edit(image="/etc/passwd"), "unsafe path"),
    "backslash": (_edit(image="a\\colour.jpg"), "unsafe path"),
    "drive": (_edit(image="C:colour.jpg"), "unsafe path"),
    "empty name": (_edit(image=""), "path is empty"),
    "link out of the folder": (_link_outside, "a link leads out of the folder"),
    "folder link out": (_link_folder, "a link leads out of the folder"),
    "folder": (_edit(image="a"), "cannot be read"),
    "named pipe": (_pipe, "not a plain file"),
    "twice": (_edit(image="a/none.jpg"), None),
    "no number": (_edit(sh="six"), "sh, sw are .*whole numbers above 0"),
    "zero": (_edit(sw="0"), "sh, sw are"),
    "fraction": (_edit(ih="12.5"), "ih, iw are"),
    "half a size": (_edit(ih=""), "ih, iw are"),
    "other grid": (_edit(sh="5"), "label grid 5x8, but most of the set has 6x8"),
    "huge grid": (_edit(sh="5000"), "at most 4096"),
    "size is not the photo's": (_edit(ih="13"), "is 12x16, but ih, iw say 13x16"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_row_is_named_and_can_be_left_out(case, tmp_path):
    spoil, reason = BAD[case]
    root = write_layout(tmp_path / "tiny", corner_photos())
    spoil(root)
    target = tmp_path / "o.h5"
    with pytest.raises(BadRowsError, match="of 7 rows of index.csv cannot be used") as caught:
        convert(root, target)
    assert len(caught.value.details) == len(caught.value.bad) >= 1
    assert os.listdir(tmp_path).count("o.h5") == 0
    done = convert(root, target, skip_bad=True)
    with ProbeSet(target) as probe:
        assert len(probe) == done.images == 7 - len(done.skipped)
        assert probe.skipped == done.skipped == caught.value.bad
    if reason:
        assert done.skipped[0].row == 2
        assert re.search(reason, done.skipped[0].reason), done.skipped[0].reason
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_second_row_of_an_image_is_bad(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    edit_index(root, 4, image="a/./colour.jpg")
    done = convert(root, tmp_path / "o.h5", skip_bad=True)
    assert [(b.row, b.reason.split(";")[0]) for b in done.skipped] == [
        (4, "the image is listed twice")
    ]


def test_every_bad_row_is_listed_in_order(tmp_path):
    root = write_layout(tmp_path / "tiny", [Photo(f"{k:03}.jpg") for k in range(120)])
    for k in range(0, 120, 2):
        (root / f"images/{k:03}.jpg").write_bytes(b"broken")
    edit_index(root, 3, sh="x")
    with pytest.raises(BadRowsError, match="61 of 120 rows") as caught:
        convert(root, tmp_path / "o.h5")
    assert [bad.row for bad in caught.value.bad] == sorted([3, *range(2, 122, 2)])


def test_short_and_long_rows_are_bad(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos(), newline="\n")
    lines = (root / "index.csv").read_text().split("\n")
    lines[1], lines[2] = "a/colour.jpg,train,12", lines[2] + ",more"
    (root / "index.csv").write_text("\n".join(lines))
    with pytest.raises(BadRowsError) as caught:
        convert(root, tmp_path / "o.h5")
    assert [bad.row for bad in caught.value.bad] == [2, 3]


def test_link_inside_the_folder_is_followed(corners, probe_path, tmp_path):
    root = tmp_path / "tiny"
    shutil.copytree(corners, root)
    (root / "images/a/colour.jpg").rename(root / "images/real.jpg")
    (root / "images/a/colour.jpg").symlink_to("../real.jpg")
    assert convert(root, tmp_path / "o.h5").digest == ProbeSet(probe_path).digest


def test_bomb_of_pixels_is_a_bad_row(monkeypatch, tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    large = jpeg(0, (40, 50))
    (root / "images/a/colour.jpg").write_bytes(large)
    monkeypatch.setattr("broden.sources.convert.MAX_PIXELS", 1999)
    with pytest.raises(BadRowsError) as caught:
        convert(root, tmp_path / "o.h5")
    assert "40x50 pixels, at most 1999" in caught.value.bad[0].reason


def test_pillow_bomb_warning_does_not_escape(monkeypatch, tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    assert convert(root, tmp_path / "o.h5").images == 7
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90)
    with pytest.raises(BadRowsError, match="7 of 7"):
        convert(root, tmp_path / "p.h5")


def test_nothing_left_is_a_failure(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos()[:1])
    (root / "images/a/colour.jpg").unlink()
    with pytest.raises(ValueError, match="no image is left"):
        convert(root, tmp_path / "o.h5", skip_bad=True)
    assert os.listdir(tmp_path) == ["tiny"]


def test_source_is_never_overwritten(corners, tmp_path):
    packed = zipped(corners, tmp_path / "a.zip")
    with pytest.raises(ValueError, match="is the source itself"):
        convert(packed, packed)


def test_interrupt_leaves_nothing(corners, monkeypatch, tmp_path):
    def interrupt(self, image):
        raise KeyboardInterrupt

    monkeypatch.setattr("broden.writer.ProbeWriter.add", interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(corners, tmp_path / "o.h5")
    assert os.listdir(tmp_path) == []


def test_failed_verification_leaves_the_old_file(corners, monkeypatch, tmp_path):
    target = tmp_path / "o.h5"
    target.write_bytes(b"old")
    monkeypatch.setattr("broden.verification.verify", lambda *a, **k: iter(["planes differ"]))
    with pytest.raises(ProbeSetError, match="was not written correctly: planes differ"):
        convert(corners, target)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["o.h5"]


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from broden.sources.convert import convert
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    convert(sys.argv[1], sys.argv[2])
except OSError as error:
    print(error.errno, error.filename)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on file sizes")
def test_full_disk_is_one_failure_and_leaves_nothing(corners, probe_path, tmp_path):
    size = probe_path.stat().st_size
    for limit in (512, size // 2, size - 3000, size - 1):
        command = [sys.executable, "-c", FULL_DISK, corners, tmp_path / "o.h5", limit]
        done = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, cwd=Path(__file__).parents[3]
        )
        assert done.stdout == f"27 {tmp_path / 'o.h5'}\n", done.stderr
        assert done.stderr == ""
        assert os.listdir(tmp_path) == []


def test_written_file_verifies(probe_path):
    assert list(verify(probe_path)) == []


def _appended(root, rows):
    index = root / "index.csv"
    with index.open("a") as file:
        file.write("x,y\n" * rows)


def test_no_more_than_a_thousand_bad_rows_are_listed(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    _appended(root, 200_000)
    with pytest.raises(BadRowsError, match="at least 1000 rows .* first 1000 are listed") as caught:
        convert(root, tmp_path / "o.h5")
    assert len(caught.value.details) == len(caught.value.bad) == 1000
    with pytest.raises(BadRowsError, match="at most 100000 can be left out") as caught:
        convert(root, tmp_path / "o.h5", skip_bad=True)
    assert len(caught.value.details) == 1000


def test_no_more_than_a_thousand_missing_images_are_listed(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    index = root / "index.csv"
    row = index.read_text().splitlines()[1]
    with index.open("a") as file:
        file.writelines(row.replace("a/none.jpg", f"{n}.jpg") + "\n" for n in range(3000))
    with pytest.raises(BadRowsError, match="at least 1000 rows") as caught:
        convert(root, tmp_path / "o.h5")
    assert len(caught.value.details) == 1000
    assert len(convert(root, tmp_path / "o.h5", skip_bad=True).skipped) == 3000


def test_a_small_zip_that_unpacks_to_millions_of_bad_rows_is_refused_in_bounded_memory(tmp_path):
    root = write_layout(tmp_path / "tiny", corner_photos())
    _appended(root, 5_000_000)
    path = tmp_path / "tiny.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(root))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(BadRowsError, match="at least 1000 rows"):
            convert(path, tmp_path / "o.h5")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # the table itself as bytes and, while it is checked, as text
    assert most < 100 << 20


def test_a_named_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(ValueError, match="is a named pipe, .* expected a folder or zip"):
        convert(tmp_path / "a.zip", tmp_path / "o.h5")
