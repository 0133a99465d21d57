import os
import subprocess
import sys

import numpy as np
import pytest

from broden.labels import LabelTable
from broden.reader import ProbeSet
from broden.records import labelled
from broden.schema import Skipped
from broden.writer import ProbeWriter
from tests.broden.layout import GRID, SIZE, jpeg, plane


@pytest.fixture
def table():
    ones = np.ones((2, 1))
    return LabelTable.from_rows(("object",), [1, 3], ["car", "tree"], [(), ("oak",)], ones, ones)


def image(seed, *numbers, grid=GRID):
    planes = plane(seed, 0, *numbers, grid=grid)[None]
    return labelled(f"{seed}.jpg", "train", jpeg(seed), SIZE, planes, (0,), ())


def writer(path, table):
    return ProbeWriter(path, table, GRID, name="set", source="test")


def test_many_images_cross_the_blocks_of_the_writer(table, tmp_path):
    images = [image(seed, 1, 3) for seed in range(100)]
    with writer(tmp_path / "o.h5", table) as opened:
        for item in images:
            opened.add(item)
        opened.skip(Skipped(5, "x.jpg", "broken"))
        digest = opened.finish()
    with ProbeSet(tmp_path / "o.h5") as probe:
        assert probe.jpegs(range(0, 100)) == [item.data for item in images]
        expected = np.concatenate([item.planes for item in images])
        np.testing.assert_array_equal(probe.label_block(range(0, 100)).planes, expected)
        assert probe.skipped == [Skipped(5, "x.jpg", "broken")]
        assert probe.digest == digest
        assert probe.labels.synonyms[3] == ("oak",)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (image(1, 2), "1.jpg: holds a label number that the table lacks"),
        (image(1, 4), "label number"),
        (image(1, 1, grid=(3, 3)), r"1.jpg: planes are \(1, 3, 3\), grid \(6, 8\)"),
    ],
)
def test_image_that_does_not_fit_is_refused(wrong, reason, table, tmp_path):
    with writer(tmp_path / "o.h5", table) as opened, pytest.raises(ValueError, match=reason):
        opened.add(wrong)
    assert list(tmp_path.iterdir()) == []


def test_set_without_labels_or_planes_is_possible(table, tmp_path):
    bare = labelled("a.jpg", "", jpeg(1), SIZE, np.zeros((0, *GRID), np.uint16), (), ())
    with writer(tmp_path / "o.h5", table) as opened:
        opened.add(bare)
        opened.finish()
    with ProbeSet(tmp_path / "o.h5") as probe:
        assert probe.label_block(range(0, 1)).planes.shape == (0, *GRID)
        assert probe.maps(0) == {}
        assert not probe.presence.any()


def test_empty_set_is_refused(table, tmp_path):
    with writer(tmp_path / "o.h5", table) as opened, pytest.raises(ValueError, match="no image"):
        opened.finish()
    assert list(tmp_path.iterdir()) == []


def test_folder_as_target_is_refused(table, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; give a file name"):
        writer(tmp_path, table)


def test_target_below_a_file_is_refused(table, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        writer(tmp_path / "file" / "o.h5", table)


def test_unfinished_file_is_removed_and_the_old_one_kept(table, tmp_path):
    (tmp_path / "o.h5").write_text("old")
    with writer(tmp_path / "o.h5", table) as opened:
        opened.add(image(1, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]
    assert (tmp_path / "o.h5").read_text() == "old"


def test_what_a_kill_left_of_the_file_goes_at_the_next_start(table, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living, other = f".o.h5.{os.getppid()}.part", f".p.h5.{dead.pid}.part"
    for name in (f".o.h5.{dead.pid}.part", living, other):
        (tmp_path / name).touch()
    with writer(tmp_path / "o.h5", table) as opened:
        opened.add(image(1, 1))
        opened.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"o.h5", living, other}


def test_a_link_in_place_of_the_file_is_replaced(table, tmp_path):
    (tmp_path / "mine").write_text("mine")
    for name in ("o.h5", f".o.h5.{os.getpid() + 10**8}.part"):
        (tmp_path / name).symlink_to(tmp_path / "mine")
    with writer(tmp_path / "o.h5", table) as opened:
        opened.add(image(1, 1))
        opened.finish()
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "o.h5").is_symlink()
    assert [*tmp_path.glob(".*.part")] == []
