"""Whole runs in which images run again, or would have to: their files are those of any other."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import dissection
from dissection import pipeline
from dissection.activations import forward, shards
from dissection.config import Execution, IouConfig
from dissection.execution import thresholds
from dissection.networks.loading import Network
from tests.dissection import planted, references
from tests.dissection.test_pipeline import Killed, files, killed_at

QUANTILE, SHARD = 0.2, 4
CONFIG = IouConfig(quantile=QUANTILE)
LAYERS = ["maps", "coarse"]


class Brightness(nn.Module):
    """Units that answer to how bright a place is, each in its own way, on two grids."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            self.maps = nn.Conv2d(3, 6, 5, padding=2, padding_mode="replicate", bias=False)
            self.coarse = nn.Conv2d(6, 5, 4, stride=4, bias=False)
            for layer in (self.maps, self.coarse):
                nn.init.uniform_(layer.weight, 0, 1)

    def forward(self, images):
        return self.coarse(self.maps(images * 255)).relu()


def network():
    return Network("brightness", Brightness().eval(), planted.PLAIN, "seed 2")


def shaded(images, bright, seed=0):
    """Return planes of the labels 1 and 2, which are dark, or 5 and 6."""
    rng = np.random.default_rng(seed)
    return [
        rng.choice(np.array([5, 6] if number in bright else [1, 2], np.uint16), planted.GRID)
        for number in range(images)
    ]


def run(probe, out, batch=2, keep=False, config=CONFIG):
    execution = Execution("cpu", batch, 0, keep_shards=keep)
    return dissection.dissect(network(), LAYERS, probe, out=out, config=config, execution=execution)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    for module in (forward, pipeline.card):
        monkeypatch.setattr(module, "SHARD_IMAGES", SHARD)


@pytest.fixture
def passes(monkeypatch):
    """How many images each pass was to run."""
    seen, original = [], thresholds.run_images

    def spied(plan, store, mine, *more):
        seen.append(plan.images(mine) - plan.images(store.finished(mine)))
        return original(plan, store, mine, *more)

    monkeypatch.setattr(thresholds, "run_images", spied)
    return seen


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "p.h5"
    with planted.write(path, shaded(22, range(0, 22, 3))) as probe:
        yield probe


@pytest.fixture(scope="module")
def unbroken(probe, tmp_path_factory):
    """The files of a run in which no bound is presumed."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (forward, pipeline.card):
            patch.setattr(module, "SHARD_IMAGES", SHARD)
        presume(patch, 10**9)
        folder = tmp_path_factory.mktemp("unbroken") / "run"
        run(probe, folder)
    return files(folder)


def presume(patch, rank):
    patch.setattr(forward, "presumed_size", lambda *_args, **_more: rank)


def all_maps(probe):
    """Return (N, U, h, w) maps of each layer, without the engine."""
    module, stored = Brightness().eval(), probe.jpegs(range(len(probe)))
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in stored])
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
        maps = module.maps(images * 255)
        return {"maps": maps.numpy(), "coarse": module.coarse(maps).numpy()}


@pytest.mark.parametrize("rank", [1, 2, 30, 300])
@pytest.mark.parametrize("batch", [2, 64])
def test_files_are_the_same_whatever_is_presumed(
    rank, batch, probe, tmp_path, unbroken, monkeypatch
):
    presume(monkeypatch, rank)
    run(probe, tmp_path / "run", batch)
    assert files(tmp_path / "run") == unbroken


def test_images_of_a_rank_that_is_far_too_small_run_again(
    probe, tmp_path, unbroken, monkeypatch, passes, caplog
):
    caplog.set_level("INFO", "dissection")
    presume(monkeypatch, 1)
    result = run(probe, tmp_path / "run")
    assert passes == [22, 22]
    assert "a bound was presumed too high: 22 images run again" in caplog.text
    assert "earlier start" not in result.message
    assert files(tmp_path / "run") == unbroken


def test_images_run_again_however_many_threads_the_network_has(
    probe, tmp_path, unbroken, monkeypatch
):
    presume(monkeypatch, 1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run(probe, tmp_path / "run")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert files(tmp_path / "run") == unbroken


POINTS = [
    # 11 batches of two layers a pass
    *[(forward.Collector, "__call__", call) for call in (1, 7, 22, 23, 24, 30, 43)],
    *[(forward.Collector, "take", call) for call in (2, 12, 13, 15, 23)],
    *[(shards.ShardStore, "discard", call) for call in (1, 2, 4, 6)],
    *[(shards.ShardStore, "read", call) for call in (1, 4, 7, 10)],
    *[(thresholds, "run_images", call) for call in (1, 2)],
    *[(thresholds, "_levels", call) for call in (1, 2)],
]


@pytest.mark.parametrize(
    ("module", "name", "call"), POINTS, ids=lambda p: getattr(p, "__name__", p)
)
@pytest.mark.parametrize("later", [1, None])
def test_a_run_killed_before_between_and_after_both_passes_gives_the_same_files(
    probe, tmp_path, unbroken, monkeypatch, module, name, call, later
):
    with monkeypatch.context() as patch:
        presume(patch, 1)
        killed_at(patch, module, name, call)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    if later is not None:
        presume(monkeypatch, later)
    run(probe, tmp_path / "run")
    assert files(tmp_path / "run") == unbroken


def test_shards_that_stay_and_shards_that_run_again_give_the_same_files(
    probe, tmp_path, unbroken, monkeypatch, passes
):
    ranks = itertools.chain([10**9] * 6, itertools.repeat(40))
    monkeypatch.setattr(forward, "presumed_size", lambda *_args, **_more: next(ranks))
    run(probe, tmp_path / "run")
    assert len(passes) == 2
    assert 0 < passes[1] < 22
    assert files(tmp_path / "run") == unbroken


@pytest.mark.parametrize(
    "quantile", [0.0, 0.005, 0.5, 0.95, 0.999], ids=lambda quantile: str(quantile)
)
def test_every_quantile_has_the_thresholds_of_a_sort(quantile, probe, tmp_path):
    result = run(probe, tmp_path / "run", config=IouConfig(quantile))
    for layer, maps in all_maps(probe).items():
        wanted = references.thresholds(maps, quantile)
        np.testing.assert_allclose(result.scores(layer, "threshold"), wanted, rtol=1e-5)


SORTED, HALF = 240, 120
#: In a random basis brightness alone decides, the worst that a presumed bound can meet.
UNTURNED = IouConfig(quantile=QUANTILE, rotations=0)


@pytest.fixture(scope="module", params=["dark first", "bright first"])
def by_content(request, tmp_path_factory):
    """A set of which one half is darker, everywhere, than the other."""
    bright = range(HALF, SORTED) if request.param == "dark first" else range(HALF)
    path = tmp_path_factory.mktemp("sorted") / "p.h5"
    with planted.write(path, shaded(SORTED, bright)) as probe:
        yield request.param, probe


def in_order(images, most):
    """Return the images of each shard as they come."""
    return tuple(np.arange(at, min(at + most, images)) for at in range(0, images, most))


def test_a_set_sorted_by_content_runs_once_and_gives_the_files_of_no_presuming(
    by_content, tmp_path, monkeypatch, passes
):
    order, probe = by_content
    maps = all_maps(probe)
    dark, bright = (slice(HALF), slice(HALF, None))[:: 1 if order == "dark first" else -1]
    assert all((m[dark].max((0, 2, 3)) < m[bright].min((0, 2, 3))).all() for m in maps.values())
    for module in (forward, pipeline.card):
        monkeypatch.setattr(module, "SHARD_IMAGES", 16)
    result = run(probe, tmp_path / "drawn", 8, config=UNTURNED)
    assert passes == [SORTED]
    for layer, values in maps.items():
        wanted = references.thresholds(values, QUANTILE)
        np.testing.assert_allclose(result.scores(layer, "threshold"), wanted, rtol=1e-5)
    with monkeypatch.context() as patch:
        presume(patch, 10**9)
        run(probe, tmp_path / "held", 8, config=UNTURNED)
    assert files(tmp_path / "drawn") == files(tmp_path / "held")
    del passes[:]
    with monkeypatch.context() as patch:
        patch.setattr(forward, "shards_of", in_order)
        run(probe, tmp_path / "in order", 8, config=UNTURNED)
    # most of what is bright is seen before anything dark: more of it seems to be above
    assert len(passes) == (2 if order == "bright first" else 1)
    assert files(tmp_path / "in order") == files(tmp_path / "held")
