import numpy as np
import pytest
import torch

from dissection.activations.cells import CANDIDATES, Cells
from dissection.activations.shards import Shard, ShardError, ShardStore
from dissection.execution.passes import fold_shards

CPU = torch.device("cpu")


class Summing:
    """A fold that notes what it is given, and sums one array."""

    def __init__(self, layer, *arrays):
        self.wanted, self.layer = {layer: arrays}, layer
        self.given, self.order, self.total = [], [], 0.0

    def part(self, shard):
        return shard.images[0], shard.layers

    def add(self, part):
        self.order.append(part[0])
        self.given.append(part[1])
        self.total += part[1][self.layer].mean.sum()


@pytest.fixture
def cells():
    rng = np.random.default_rng(3)
    return {
        name: Cells(
            np.full((2, 1), 255, np.uint8),
            np.full(2, 4),
            rng.random(8).astype(np.float32),
            rng.random((2, 1)).astype(np.float32),
            rng.random((2, 1)).astype(np.float32),
            np.zeros(1, np.float32),
            np.zeros(1, np.int64),
        )
        for name in ("low", "high")
    }


@pytest.fixture
def store(cells, tmp_path):
    made = ShardStore(tmp_path / "shards", "key")
    for number in range(4):
        made.write(number, Shard(np.array([2 * number, 2 * number + 1]), cells))
    return made


def test_every_fold_gets_every_shard_in_order(store, cells):
    seen, folds = [], [Summing("low", "mean"), Summing("high", "mean")]
    fold_shards(store, [0, 1, 2, 3], folds, CPU, seen.append)
    assert seen == [0, 1, 2, 3]
    for fold in folds:
        assert fold.order == [0, 2, 4, 6]
        assert fold.total == pytest.approx(4 * cells[fold.layer].mean.sum())


def test_each_shard_is_read_once_and_only_what_is_wanted(store, monkeypatch):
    read, original = [], ShardStore.read

    def noted(self, number, wanted=None):
        read.append((number, {layer: set(names) for layer, names in wanted.items()}))
        return original(self, number, wanted)

    monkeypatch.setattr(ShardStore, "read", noted)
    folds = [Summing("low", "mean"), Summing("low", *CANDIDATES)]
    fold_shards(store, [0, 1, 2, 3], folds, CPU, lambda number: None)
    assert sorted(number for number, _ in read) == [0, 1, 2, 3]
    assert all(wanted == {"low": {"mean", *CANDIDATES}} for _, wanted in read)
    layers = folds[0].given[0]
    assert list(layers) == ["low"]
    assert layers["low"].maximum.size == 0
    assert layers["low"].values.size == 8


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_torch_keeps_its_threads(store):
    fold_shards(store, range(4), [Summing("low", "mean")], CPU, lambda number: None)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_missing_shard_stops_the_count(store):
    with pytest.raises(ShardError, match="000009"):
        fold_shards(store, [0, 9], [Summing("low", "mean")], CPU, lambda number: None)
    assert torch.get_num_threads() == 3
