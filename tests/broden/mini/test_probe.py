import errno
import io
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from broden import mini
from broden.mini import probe as probe_file
from broden.mini.compose import compose
from broden.reader import ProbeSet
from broden.verification import verify


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    target = tmp_path_factory.mktemp("mini") / "mini.h5"
    probe_file.build(target, images=30, seed=1)
    return target


def test_set_is_whole_and_has_all_categories(path):
    assert list(verify(path)) == []
    with ProbeSet(path) as probe:
        assert (len(probe), probe.image_size, probe.grid) == (30, (224, 224), (112, 112))
        assert probe.presence.any(0).all()
        assert 5 <= probe.presence[:, probe.categories.index("scene")].sum() <= 25
        assert (probe.labels.pixels[probe.labels.known] > 0).all()


def test_coverage_says_what_the_planes_hold(path):
    with ProbeSet(path) as probe:
        images = probe.labels.pixels / (112 * 112)
        np.testing.assert_allclose(probe.labels.coverage.sum(1), images, rtol=1e-9)


def test_a_part_of_the_pixels_has_a_colour_name(path):
    with ProbeSet(path) as probe:
        colours = np.array([probe.maps(i)["color"][0] for i in range(30)])
    assert np.max(colours) <= 11
    assert 0.2 < (colours > 0).mean() < 0.6


def test_set_repeats_and_smaller_sets_are_its_start(path, tmp_path):
    first = probe_file.build(tmp_path / "a.h5", 4, 1)
    again = probe_file.build(tmp_path / "b.h5", 4, 1)
    assert first == again
    assert first != probe_file.build(tmp_path / "c.h5", 4, 2)
    with ProbeSet(tmp_path / "a.h5") as few, ProbeSet(path) as many:
        assert few.jpegs(range(0, 4)) == many.jpegs(range(0, 4))


def test_several_processes_write_the_same_set(path, tmp_path):
    assert probe_file.build(tmp_path / "a.h5", 30, 1, processes=3) == ProbeSet(path).digest


def test_processes_that_fail_are_reported(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr("broden.system.processes.sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match="ended early"):
        probe_file.build(tmp_path / "a.h5", 4, 1, processes=2)
    assert not list(tmp_path.iterdir())


def test_captions_are_the_comments_of_the_files(path):
    with ProbeSet(path) as probe:
        for index, data in enumerate(probe.jpegs(range(0, 10))):
            comment = Image.open(io.BytesIO(data)).info["comment"].decode()
            assert comment == compose(1, index).caption


@pytest.mark.parametrize(("images", "seed"), [(0, 0), (-1, 0), (3, -1)])
def test_impossible_sizes_are_refused(images, seed, tmp_path):
    with pytest.raises(ValueError, match="expected at least 1 and at least 0"):
        probe_file.build(tmp_path / "a.h5", images, seed)


def _default(cache):
    import os

    os.environ["XDG_CACHE_HOME"] = cache
    probe_file.IMAGES = 3
    return str(mini.default_probe(progress=False))


def test_default_set_is_built_once_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(probe_file, "IMAGES", 3)
    path = mini.default_probe(progress=False)
    assert path == tmp_path / "network-dissection" / f"mini-v{probe_file.VERSION}-seed0-3.h5"
    before = path.stat().st_mtime_ns
    assert mini.default_probe(progress=False) == path
    assert path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes()[:1000])
    mini.default_probe(progress=False)
    assert len(ProbeSet(path)) == 3


def test_processes_that_start_together_build_one_default_set(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.map(_default, [str(tmp_path)] * 2)
    assert len(set(paths)) == 1
    assert list(verify(paths[0])) == []


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """Return a cache of its own, with a default set of few images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(probe_file, "IMAGES", 3)
    monkeypatch.setattr(probe_file, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_set_that_is_there_is_used_from_a_cache_that_can_only_be_read(cache, monkeypatch):
    path = mini.default_probe(progress=False)
    opened = os.open

    def refuse(file, flags, *more, **others):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(file))
        return opened(file, flags, *more, **others)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "mkdir", refuse)
    (cache / f"{path.name}.lock").unlink()
    assert mini.default_probe(progress=False) == path
    path.unlink()
    with pytest.raises(OSError, match="Read-only") as caught:
        mini.default_probe(progress=False)
    assert str(cache) in str(caught.value.filename)


def test_what_killed_starts_left_in_the_cache_goes(cache):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = mini.default_probe(progress=False)
    gone = [f".{path.name}.{dead.pid}.part", f".mini-v1-seed0-1000.h5.{dead.pid}.part"]
    stay = [f".{path.name}.{os.getppid()}.part", f".mine.h5.{dead.pid}.part"]
    for name in gone + stay:
        (cache / name).touch()
    mini.default_probe(progress=False)
    assert [name for name in gone + stay if (cache / name).exists()] == stay


def test_lock_of_the_cache_that_is_a_link_is_refused(cache, tmp_path):
    (tmp_path / "mine").write_text("mine")
    name = f"mini-v{probe_file.VERSION}-seed{probe_file.SEED}-3.h5.lock"
    (cache / name).symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="is a link"):
        mini.default_probe(progress=False)
    assert (tmp_path / "mine").read_text() == "mine"
