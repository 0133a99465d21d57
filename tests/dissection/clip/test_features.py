import logging
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from broden.photographs import Photographs
from dissection.clip import features
from dissection.clip.concepts import Concepts
from dissection.clip.features import image_features, text_features
from dissection.networks.preprocessing import Preprocessing
from tests.broden.layout import jpeg
from tests.dissection.probes import corner_images, write_probe

D = 5


@dataclass
class FakeEncoder:
    """Encode by numbers anyone can compute, and count the calls."""

    digest: str = "encoder"
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(size=8))
    dimension: int = D
    context_length: int = 4
    calls: int = 0

    def images(self, batch):
        self.calls += 1
        assert batch.shape[1:] == (*self.preprocessing.size, 3)
        sums = batch.reshape(len(batch), -1).float()
        return F.normalize(sums[:, : self.dimension] + 1, dim=1)

    def texts(self, prompts):
        self.calls += 1
        seeds = [sum(map(ord, text)) for text in prompts]
        rows = [np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds]
        return F.normalize(torch.tensor(np.array(rows), dtype=torch.float32), dim=1)

    def too_long(self, prompts):
        return [text for text in prompts if len(text.split()) > self.context_length]


@dataclass(frozen=True)
class Part:
    """A source that gives another number of images, or another digest, than it has."""

    source: Photographs
    count: int = 3
    digest: str = "probe"
    path: Path = Path("part")

    def __len__(self):
        return self.count

    def jpegs(self, images):
        return self.source.jpegs(images)

    @property
    def names(self):
        return self.source.names


CONCEPTS = Concepts(("dog", "cat"), ("a dog", "a cat"), "list", "digest")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    return Photographs(folder)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "deep" / "cache"


def test_images_are_encoded_in_order_whatever_the_batch(source):
    found = image_features(FakeEncoder(), source, cache=None, batch_size=2)
    assert found.shape == (5, D)
    for options in ({"batch_size": 1}, {"batch_size": 64}, {"workers": 2, "batch_size": 2}):
        assert torch.equal(image_features(FakeEncoder(), source, cache=None, **options), found)
    one = image_features(FakeEncoder(), Part(source, 1), cache=None)
    assert torch.equal(one, found[:1])


class FakeRanks:
    """Two processes of which the one that does not lead has been here already."""

    world = 2

    def __init__(self, rank, others=()):
        self.rank, self.leads, self.given = rank, rank == 0, others

    def share(self, items):
        return items[self.rank :: 2]

    def all(self, value):
        return [value]

    def gather(self, value):
        if self.leads:
            return [value, self.given]
        self.given = value
        return []


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_ranks_encode_each_batch_once(source, cache, batch_size):
    alone, shared = FakeEncoder(), FakeEncoder()
    wanted = image_features(alone, source, cache=None, batch_size=batch_size)
    options = {"cache": cache, "batch_size": batch_size}
    second = FakeRanks(1)
    assert image_features(shared, source, ranks=second, **options) is None
    first = FakeRanks(0, second.given)
    assert torch.equal(image_features(shared, source, ranks=first, **options), wanted)
    assert shared.calls == alone.calls
    assert torch.equal(image_features(shared, source, ranks=FakeRanks(0), **options), wanted)
    assert shared.calls == alone.calls


def test_images_of_a_probe_file_are_encoded_too(tmp_path):
    with write_probe(tmp_path / "probe.h5", corner_images()) as probe:
        found = image_features(FakeEncoder(), probe, cache=None)
        assert found.shape == (len(probe), D)


def test_equal_input_is_answered_from_the_file(source, cache):
    encoder = FakeEncoder()
    images = image_features(encoder, source, cache=cache, batch_size=2)
    texts = text_features(encoder, CONCEPTS, cache=cache)
    assert encoder.calls == 4
    assert sorted(path.name.split("-")[0] for path in cache.iterdir()) == ["images", "texts"]
    # Another object, another source of the same concepts, another batch size: the same features.
    again = FakeEncoder()
    assert torch.equal(image_features(again, source, cache=cache, batch_size=3), images)
    renamed = replace(CONCEPTS, source="elsewhere", categories=("x", "y"))
    assert torch.equal(text_features(again, renamed, cache=str(cache)), texts)
    assert again.calls == 0


@pytest.mark.parametrize(
    "change", ["encoder", "size", "mean", "filter", "probe", "count", "format"]
)
def test_changing_any_ingredient_never_answers_with_old_image_features(
    change, source, cache, monkeypatch
):
    encoder, part = FakeEncoder(), Part(source)
    image_features(encoder, part, cache=cache)
    (old,) = cache.iterdir()
    if change == "encoder":
        encoder.digest = "another"
    elif change == "probe":
        part = replace(part, digest="another")
    elif change == "count":
        part = replace(part, count=4)
    elif change == "format":
        monkeypatch.setattr(features, "FORMAT", "features/0")
    else:
        fields = {
            "size": {"size": 9},
            "mean": {"mean": (0.0,) * 3},
            "filter": {"interpolation": "box"},
        }
        encoder.preprocessing = replace(encoder.preprocessing, **fields[change])
    encoder.calls = 0
    found = image_features(encoder, part, cache=cache)
    assert encoder.calls == 1
    assert torch.equal(found, image_features(encoder, part, cache=None))
    assert len(set(cache.iterdir()) - {old}) == 1


@pytest.mark.parametrize(
    "changed",
    [
        replace(CONCEPTS, names=("cat", "dog"), prompts=("a cat", "a dog")),
        replace(CONCEPTS, prompts=("dog", "cat")),
        replace(CONCEPTS, names=("hound", "cat")),
        replace(CONCEPTS, names=("dog", "cat", "bird"), prompts=("a dog", "a cat", "a bird")),
        replace(CONCEPTS, names=("dog",), prompts=("a dog",)),
    ],
    ids=["order", "prompts", "names", "more", "fewer"],
)
def test_changing_the_concepts_never_answers_with_old_text_features(changed, cache):
    encoder = FakeEncoder()
    text_features(encoder, CONCEPTS, cache=cache)
    found = text_features(encoder, changed, cache=cache)
    assert encoder.calls == 2
    assert torch.equal(found, encoder.texts(changed.prompts))
    encoder.digest = "another"
    encoder.calls = 0
    text_features(encoder, changed, cache=cache)
    assert encoder.calls == 1


def damage(path, how):
    """Make a file of features one that must not be used."""
    data = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(data[:-3])
    elif how == "bit":
        data[-1] ^= 1
        path.write_bytes(data)
    elif how == "header":
        data[0] = 255
        path.write_bytes(data)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "plain":
        save_file(load_file(path), path)
    elif how == "shape":
        features._keep(path.parent, path.stem, torch.zeros(2, D + 1))
    elif how == "type":
        features._keep(path.parent, path.stem, torch.zeros(2, D, dtype=torch.float64))


@pytest.mark.parametrize(
    "how", ["cut", "bit", "header", "empty", "plain", "shape", "type", "folder"]
)
def test_a_damaged_file_is_made_again(how, cache, caplog):
    encoder = FakeEncoder()
    whole = text_features(encoder, CONCEPTS, cache=cache)
    (path,) = cache.iterdir()
    damage(path, how)
    with caplog.at_level(logging.WARNING):
        found = text_features(encoder, CONCEPTS, cache=cache)
    assert encoder.calls == 2
    assert torch.equal(found, whole)
    assert "is damaged" in caplog.text
    if how != "folder":
        text_features(encoder, CONCEPTS, cache=cache)
        assert encoder.calls == 2


def test_a_file_under_another_ones_name_is_not_used(cache):
    encoder, other = FakeEncoder(), replace(CONCEPTS, prompts=("one", "two"))
    text_features(encoder, CONCEPTS, cache=cache)
    (first,) = cache.iterdir()
    wanted = text_features(encoder, other, cache=cache)
    (second,) = set(cache.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert torch.equal(text_features(encoder, other, cache=cache), wanted)
    assert encoder.calls == 3


def test_a_stopped_write_leaves_no_file(cache, source, monkeypatch):
    def stop(batch):
        raise KeyboardInterrupt

    encoder = FakeEncoder()
    monkeypatch.setattr(encoder, "images", stop)
    with pytest.raises(KeyboardInterrupt):
        image_features(encoder, source, cache=cache)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_does_not_stop_a_run(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        found = text_features(FakeEncoder(), CONCEPTS, cache=tmp_path / "file" / "cache")
    assert found.shape == (2, D)
    assert "features cannot be kept" in caplog.text


def test_no_cache_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text_features(FakeEncoder(), CONCEPTS, cache=None)
    assert list(tmp_path.iterdir()) == []
    assert features.default_cache() == tmp_path / "network-dissection" / "clip"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert features.default_cache() == Path.home() / ".cache" / "network-dissection" / "clip"


def test_kept_features_are_ones_own(cache):
    text_features(FakeEncoder(), CONCEPTS, cache=cache)
    first = text_features(FakeEncoder(), CONCEPTS, cache=cache)
    kept = first.clone()
    first.zero_()
    assert torch.equal(text_features(FakeEncoder(), CONCEPTS, cache=cache), kept)


def test_truncated_concepts_are_named_even_if_features_are_kept(cache, caplog):
    long = replace(CONCEPTS, prompts=("a dog", "a cat that sits on a mat"))
    text_features(FakeEncoder(), long, cache=cache)
    with caplog.at_level(logging.WARNING):
        text_features(FakeEncoder(), long, cache=cache)
    assert "truncated: 'a cat that sits on a mat'" in caplog.text


def test_what_killed_starts_left_in_the_cache_goes(source, cache):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    image_features(FakeEncoder(), Part(source), cache=cache)
    (kept,) = cache.iterdir()
    stay = [f"{kept.name}.{os.getppid()}.part", f"mine.{dead.pid}.part"]
    for name in (f"{kept.name}.{dead.pid}.part", *stay):
        (cache / name).touch()
    image_features(FakeEncoder(), Part(source), cache=cache)
    assert {path.name for path in cache.iterdir()} == {kept.name, *stay}
