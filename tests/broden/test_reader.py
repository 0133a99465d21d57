import multiprocessing
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from broden.digest import probe_digest
from broden.reader import ProbeSet, ProbeSetError
from broden.sources.convert import convert
from tests.broden.layout import GRID, corner_photos, write_layout

AREA = GRID[0] * GRID[1]


@pytest.fixture
def probe(probe_path):
    with ProbeSet(probe_path) as opened:
        yield opened


def counted(block, image):
    """Count the labels of one image of a block, each nonzero pixel once."""
    counts = np.bincount(block.planes[block.image == image].ravel(), minlength=301)
    counts[0] = 0
    np.add.at(counts, block.whole_label[block.whole_image == image], AREA)
    return {n: c for n, c in enumerate(counts.tolist()) if c}


@pytest.mark.parametrize(
    ("first", "last"), [(0, 7), (0, 1), (1, 3), (3, 6), (6, 7), (4, 4), (7, 7)]
)
def test_blocks_count_each_pixel_once_a_label(first, last, probe, corner_sets):
    block = probe.label_block(range(first, last))
    assert block.planes.dtype == np.uint16
    assert block.planes.shape[1:] == GRID
    for array in block[1:]:
        assert array.dtype == np.int64
    assert (np.diff(block.image) >= 0).all()
    for i in range(first, last):
        held = {n: len(pixels) for n, pixels in corner_sets[i].items()}
        assert counted(block, i - first) == held


def test_whole_labels_of_a_block_are_distinct(probe):
    block = probe.label_block(range(0, 7))
    pairs = list(zip(block.whole_image.tolist(), block.whole_label.tolist(), strict=True))
    assert pairs == [(2, 6), (2, 9), (2, 300), (3, 6), (5, 9)]


def test_maps_are_as_stored(probe):
    for i, photo in enumerate(corner_photos()):
        found = probe.maps(i)
        expected = {
            c: [e for e in entries if not isinstance(e, int) or e]
            for c, entries in photo.labels.items()
        }
        assert set(found) == {c for c, entries in expected.items() if entries}
        for category, entries in found.items():
            for entry, wanted in zip(entries, expected[category], strict=True):
                np.testing.assert_array_equal(entry, wanted)


def test_masses_from_blocks_equal_the_stored(probe):
    total = np.zeros(len(probe.labels), np.int64)
    for first in range(0, 7, 3):
        block = probe.label_block(range(first, min(first + 3, 7)))
        total += np.bincount(block.planes.ravel(), minlength=len(total))
        np.add.at(total, block.whole_label, AREA)
    total[0] = 0
    np.testing.assert_array_equal(total, probe.labels.pixels)


def test_jpegs_in_one_read_equal_single_ones(probe):
    assert probe.jpegs(range(1, 5)) == [probe.jpeg(i) for i in range(1, 5)]
    assert probe.jpegs(range(3, 3)) == []


@pytest.mark.parametrize("call", ["jpegs", "label_block", "contents"])
@pytest.mark.parametrize(("first", "last"), [(-1, 2), (0, 8)])
def test_images_beyond_the_set_are_refused(call, first, last, probe):
    with pytest.raises(IndexError, match="of a set of 7"):
        probe.contents(first, last) if call == "contents" else getattr(probe, call)([first, last])


@pytest.mark.parametrize("limit", range(1, 7))
def test_limit_is_the_set_of_the_first_images(limit, probe, probe_path, corner_sets):
    with ProbeSet(probe_path, limit) as part:
        assert len(part) == len(part.names) == len(part.splits) == len(part.presence) == limit
        mass = np.zeros(301, np.int64)
        for held in corner_sets[:limit]:
            for n, pixels in held.items():
                mass[n] += len(pixels)
        np.testing.assert_array_equal(part.labels.pixels, mass)
        assert part.digest != probe.digest
        digests = probe.image_digests[:limit]
        assert part.digest == probe_digest(part.labels, part.image_size, part.grid, digests)
        with pytest.raises(IndexError):
            part.jpeg(limit)


def test_limits_have_different_digests(probe_path):
    assert len({ProbeSet(probe_path, limit).digest for limit in (1, 2, 3, 7)}) == 4


@pytest.mark.parametrize("limit", [7, 8, 1000])
def test_limit_beyond_the_set_is_the_set(limit, probe, probe_path):
    part = ProbeSet(probe_path, limit)
    assert (len(part), part.digest) == (7, probe.digest)


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_below_one_is_refused(limit, probe_path):
    with pytest.raises(ValueError, match="at least 1 image"):
        ProbeSet(probe_path, limit)


def test_set_of_the_first_images_alone_has_the_digest_of_the_limit(probe_path, tmp_path):
    convert(write_layout(tmp_path / "few", corner_photos()[:3]), tmp_path / "few.h5")
    assert ProbeSet(tmp_path / "few.h5").digest == ProbeSet(probe_path, 3).digest


def whole_reading(probe):
    block = probe.label_block(range(len(probe)))
    return probe.digest, probe.jpegs(range(len(probe))), [array.tolist() for array in block]


def test_pickled_set_reads_the_same(probe_path):
    with ProbeSet(probe_path, 5) as probe:
        again = pickle.loads(pickle.dumps(probe))
        assert whole_reading(again) == whole_reading(probe)
        again.close()


def test_pickled_set_of_a_replaced_file_is_refused(probe_path, tmp_path):
    path = tmp_path / "p.h5"
    shutil.copy(probe_path, path)
    data = pickle.dumps(ProbeSet(path))
    convert(write_layout(tmp_path / "few", corner_photos()[:2]), path)
    with pytest.raises(ProbeSetError, match="was replaced while in use"):
        pickle.loads(data)


def test_spawned_workers_read_the_same(probe):
    probe.jpeg(0)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(whole_reading, [probe] * 4)
    assert results == [whole_reading(probe)] * 4


FORK = """
import multiprocessing, sys
from broden.reader import ProbeSet
probe = ProbeSet(sys.argv[1])
def read(k):
    return [probe.jpeg(i) for i in range(7)] + [a.tolist() for a in probe.label_block(range(0, 7))]
expected = read(0)
with multiprocessing.get_context("fork").Pool(3) as pool:
    results = pool.map_async(read, range(60), chunksize=1)
    here = [read(0) for _ in range(60)]
    assert results.get() == here == [expected] * 60
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_forked_workers_read_the_same_beside_their_parent(probe_path):
    command = [sys.executable, "-c", FORK, str(probe_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_share_one_set(probe):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: whole_reading(probe), range(40)))
    assert results == [whole_reading(probe)] * 40


def test_set_reads_again_after_it_was_closed(probe):
    before = whole_reading(probe)
    probe.close()
    assert whole_reading(probe) == before
