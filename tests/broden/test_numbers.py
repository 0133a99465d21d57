"""Images asked for by number: any of them, in any order, as each alone."""

import numpy as np
import pytest

from broden.photographs import Photographs
from broden.probe import opened
from broden.reader import ProbeSet
from tests.broden.layout import jpeg

ASKED = [
    [],
    [0],
    [6],
    [0, 1, 2, 3, 4, 5, 6],
    [6, 5, 4, 3, 2, 1, 0],
    [0, 2, 4, 6],
    [1, 4],
    [5, 2, 3],
    [3, 3, 2, 3],
]


@pytest.fixture
def probe(probe_path):
    with ProbeSet(probe_path) as opened:
        assert len(opened) == 7
        yield opened


@pytest.fixture
def folder(tmp_path):
    for number in range(7):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    with Photographs(tmp_path) as opened:
        yield opened


def forms(images):
    """Return the same numbers as everything that may give them."""
    yield images
    yield tuple(images)
    for kind in (np.int64, np.int32, np.uint16):
        yield np.array(images, kind)


@pytest.mark.parametrize("images", ASKED, ids=str)
def test_photographs_are_those_of_each_number(images, probe, folder):
    for source in (probe, folder):
        alone = [source.jpeg(i) for i in images]
        for asked in forms(images):
            assert source.jpegs(asked) == alone


@pytest.mark.parametrize("images", ASKED, ids=str)
def test_labels_are_those_of_each_image_alone(images, probe):
    single = [probe.label_block([i]) for i in images]
    for asked in forms(images):
        block = probe.label_block(asked)
        for place, one in enumerate(single):
            np.testing.assert_array_equal(block.planes[block.image == place], one.planes)
            np.testing.assert_array_equal(
                block.whole_label[block.whole_image == place], one.whole_label
            )
        assert len(block.planes) == len(block.image) == sum(len(one.planes) for one in single)
        assert len(block.whole_image) == sum(len(one.whole_label) for one in single)
        assert block.planes.dtype == np.uint16
        assert block.image.dtype == block.whole_image.dtype == block.whole_label.dtype == np.int64
        # as counting takes them: of one image behind those of the one before
        assert (np.diff(block.image) >= 0).all()
        assert (np.diff(block.whole_image) >= 0).all()


@pytest.mark.parametrize("images", ASKED, ids=str)
def test_labels_count_each_pixel_of_an_image_once(images, probe, corner_sets):
    block = probe.label_block(images)
    area = block.planes.shape[1] * block.planes.shape[2]
    for place, image in enumerate(images):
        counts = np.bincount(block.planes[block.image == place].ravel(), minlength=301)
        counts[0] = 0
        counts[block.whole_label[block.whole_image == place]] += area
        held = {n: c for n, c in enumerate(counts.tolist()) if c}
        assert held == {n: len(pixels) for n, pixels in corner_sets[image].items()}


def test_the_corners_have_what_can_go_wrong(probe):
    stored = [probe.stored(i) for i in range(7)]
    assert any(one.repeats.any() for one in stored)
    assert any(one.whole for one in stored)
    assert any(len(one.planes) == 0 for one in stored)


@pytest.mark.parametrize("images", [[-1], [7], [0, 7], [6, -1], [-7], [2**40]], ids=str)
def test_numbers_outside_are_refused_in_one_line(images, probe, folder):
    for source, kind in ((probe, "set"), (folder, "folder")):
        for asked in (images, np.array(images)):
            with pytest.raises(IndexError, match=f"of a {kind} of 7") as caught:
                source.jpegs(asked)
            assert "\n" not in str(caught.value)
    for asked in (images, np.array(images)):
        with pytest.raises(
            IndexError, match=f"images {min(images)} to {max(images)} of a set of 7"
        ):
            probe.label_block(asked)


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (0, 8), (3, 2), (8, 8), (-1, -1)])
def test_contents_outside_are_refused_in_one_line(first, last, probe):
    with pytest.raises(IndexError, match=f"images {first} to {last} of a set of 7"):
        probe.contents(first, last)


def test_a_limit_ends_the_numbers(probe_path, folder):
    for path, whole in ((probe_path, None), (folder.path, folder)):
        with opened(path, limit=3) as source:
            assert len(source.jpegs(np.array([2, 0]))) == 2
            with pytest.raises(IndexError, match="of 3"):
                source.jpegs([3])
            if whole is not None:
                assert source.jpegs([2, 0]) == whole.jpegs([2, 0])
