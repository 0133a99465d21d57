"""How often the host waits for a device: counted on `Far` tensors, call by call.

One more call that waits, in a batch or a shard, fails here.
"""

from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from dissection.activations import forward
from dissection.activations.cells import unpack
from dissection.activations.collect import Collector
from dissection.activations.device.collector import DeviceCollector
from dissection.activations.device.unpacking import unpacked
from dissection.activations.forward import Plan, run_images
from dissection.activations.shards import ShardStore
from dissection.execution.passes import fold_shards
from dissection.networks.layouts import LayerInfo
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.overlap.counting import Counting
from tests.dissection.execution.test_device import Far, FarDevice, SameThread
from tests.dissection.probes import corner_images, layer, own, write_probe

aten = torch.ops.aten
TOTAL = torch.clone
GRID, IMAGES, SHARD = (3, 5), 22, 4

#: What asks a device how much there is before it can go on. `repeat_interleave` need not where it
#: is told the size of what it returns.
ASKING = {
    aten._local_scalar_dense: "item", aten.nonzero: "nonzero", aten.masked_select: "masked_select",
    aten.bincount: "bincount", aten._unique2: "unique", aten.unique_dim: "unique",
    aten.unique_consecutive: "unique", aten.equal: "equal", aten.histc: "histc",
    aten.is_nonzero: "is_nonzero",
}  # fmt: skip


class Waits(FarDevice):
    """Count the calls that wait for the device, by name."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        # in inference mode what consists of other calls comes whole
        with self:
            found = func.decompose(*args, **(kwargs or {}))
        if found is not NotImplemented:
            return found
        given = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        if any(isinstance(t, Far) for t in given) or "device" in (kwargs or {}):
            name = _waits(func, args, kwargs or {})
            if name is not None:
                self.calls[name] += 1
        return super().__torch_dispatch__(func, types, args, kwargs)


def _waits(func, args, kwargs):
    packet = func.overloadpacket
    if packet in ASKING:
        return ASKING[packet]
    if packet is aten.repeat_interleave and kwargs.get("output_size") is None:
        return "repeat_interleave"
    if packet in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_):
        places = [t for t in tree_flatten(args[1])[0] if t is not None]
        if any(t.dtype in (torch.bool, torch.uint8) for t in places):
            return "index by bool"
    if packet is aten._to_copy and kwargs.get("device") is not None:
        far, there = isinstance(args[0], Far), torch.device(kwargs["device"]).type == Far.DEVICE
        if far != there and not (there and not args[0].dim()):
            return "copy to the device" if there else "copy from the device"
    if packet is aten.copy_ and isinstance(args[0], Far) != isinstance(args[1], Far):
        return "copy from the device" if isinstance(args[1], Far) else "copy to the device"
    return None


class Pooling(nn.Module):
    """A network without weights, whose layers are of other sizes and ranges."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.AvgPool2d(2), nn.Identity()

    def forward(self, images):
        coarse = self.first(images)
        return self.second((coarse - coarse.mean((2, 3), keepdim=True)).relu_())


NETWORK = Network("pooling", Pooling().eval(), Preprocessing(size=(6, 10)), "none")
LAYERS = [LayerInfo(name, "AvgPool2d", 3, GRID, "NCHW") for name in ("first", "second")]


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    images = corner_images(7, more=IMAGES - 6)
    with write_probe(tmp_path_factory.mktemp("waiting") / "tiny.h5", images) as opened:
        yield opened


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(forward, "SHARD_IMAGES", SHARD)
    with torch.inference_mode():
        yield


def passed(device, probe, folder, quantile=0.1, batch=2, numbers=None, floors=None):
    plan = Plan(NETWORK, probe, LAYERS, quantile, True, "fp32", torch.device(device), batch, 0)
    store = ShardStore(folder, "key")
    numbers = plan.shards() if numbers is None else numbers
    found = run_images(plan, store, numbers, int, floors)
    return plan, store, found


def test_a_pass_on_a_device_finds_what_the_cpu_finds(probe, tmp_path):
    plan, near, wanted = passed("cpu", probe, tmp_path / "near")
    with FarDevice():
        _, far, found = passed(Far.DEVICE, probe, tmp_path / "far")
        for info in LAYERS:
            a, b = (one.collectors[info.name].tail.threshold(TOTAL) for one in (found, wanted))
            assert a.cpu().numpy().tobytes() == b.numpy().tobytes()
            for one, other in zip(found.tops[info.name], wanted.tops[info.name], strict=True):
                np.testing.assert_array_equal(one, other)
    for number in plan.shards():
        one, other = far.read(number), near.read(number)
        np.testing.assert_array_equal(one.images, other.images)
        for name, cells in one.layers.items():
            np.testing.assert_array_equal(cells.mean, other.layers[name].mean)
            assert not (other.layers[name].above & ~cells.above).any()


def test_a_pass_on_a_device_is_resumed(probe, tmp_path):
    _, _, wanted = passed("cpu", probe, tmp_path / "near", quantile=0.3)
    with FarDevice():
        _, store, _ = passed(Far.DEVICE, probe, tmp_path / "far", 0.3, numbers=[1, 3])
        _, _, found = passed(Far.DEVICE, probe, tmp_path / "far", 0.3)
        assert found.restored == 8
        for name, one in found.collectors.items():
            there = wanted.collectors[name].tail.threshold(TOTAL)
            assert one.tail.threshold(TOTAL).cpu().tolist() == there.tolist()


@pytest.mark.parametrize("quantile", [0.1, None])
def test_a_batch_waits_once_for_all_layers(probe, tmp_path, quantile):
    with Waits() as waits:
        passed(Far.DEVICE, probe, tmp_path / "far", quantile)
    batches = IMAGES // 2 + 1
    # on a GPU neither waits: to it from pinned memory, and from it behind the next batch
    constants = 2
    assert waits.calls["copy to the device"] <= batches + constants
    # the last batch's cells follow in a copy of their own
    assert waits.calls["copy from the device"] <= batches + 1
    assert waits.calls.keys() <= {"copy to the device", "copy from the device"}


@pytest.mark.parametrize("batch", [1, 4])
def test_the_waits_of_a_batch_do_not_grow_with_its_images(probe, tmp_path, batch):
    with Waits() as waits:
        passed(Far.DEVICE, probe, tmp_path / "far", batch=batch)
    assert waits.calls["copy from the device"] <= -(-IMAGES // batch) + SHARD
    assert waits.calls.keys() <= {"copy to the device", "copy from the device"}


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("item", lambda t: t[0].item()),
        ("item", lambda t: bool((t > 0).any())),
        ("nonzero", lambda t: t.nonzero()),
        ("masked_select", lambda t: t.masked_select(t > 1)),
        ("index by bool", lambda t: t[t > 1]),
        ("bincount", lambda t: t.long().bincount()),
        ("unique", lambda t: t.unique()),
        ("repeat_interleave", lambda t: t.repeat_interleave(t.long())),
        ("copy from the device", lambda t: t.cpu()),
        ("copy to the device", lambda t: torch.ones(2).to(t.device)),
    ],
)
def test_every_kind_of_wait_is_seen(name, asks):
    with Waits() as waits:
        asks(torch.tensor([1.0, 2.0]).to(Far.DEVICE))
        # the tensor itself was copied there
        assert waits.calls[name] == 1 + (name == "copy to the device")


def counted_on(device, probe, folder):
    """Count what a pass on the CPU left, on a device."""
    plan, store, found = passed("cpu", probe, folder)
    thresholds = {n: one.tail.threshold(TOTAL).to(device) for n, one in found.collectors.items()}
    fold = Counting(probe, LAYERS, own(thresholds), found.tops)
    fold_shards(store, plan.shards(), [fold], torch.device(device), lambda number: None)
    return fold


@pytest.fixture
def same_thread(monkeypatch):
    monkeypatch.setattr("broden.system.parallel.ThreadPoolExecutor", SameThread)


def test_a_device_counts_what_the_cpu_counts(probe, tmp_path, same_thread):
    wanted = counted_on("cpu", probe, tmp_path / "near")
    with FarDevice():
        found = counted_on(Far.DEVICE, probe, tmp_path / "far")
        for name, counts in wanted.counts.items():
            for one, other in zip(found.counts[name], counts, strict=True):
                assert one.device.type == Far.DEVICE
                np.testing.assert_array_equal(one.cpu(), other)
            np.testing.assert_array_equal(found.masks[name], wanted.masks[name])
    assert all(counts.intersection.any() for counts in wanted.counts.values())


#: Calls that wait, of a shard and layer, as they are now; none may be more. Labels are copied once
#: for both layers, and copies to a GPU do not wait.
COUNTING = {
    "nonzero": 5, "repeat_interleave": 5, "bincount": 3, "item": 3,
    "copy from the device": 2, "copy to the device": 8,
}  # fmt: skip


def test_the_waits_of_counting_a_shard_are_few(probe, tmp_path, same_thread):
    with Waits() as waits:
        plan, store, found = passed("cpu", probe, tmp_path)
        thresholds = {
            n: one.tail.threshold(TOTAL).to(Far.DEVICE) for n, one in found.collectors.items()
        }
        fold = Counting(probe, LAYERS, own(thresholds), found.tops)
        waits.calls.clear()
        fold_shards(store, plan.shards(), [fold], torch.device(Far.DEVICE), lambda number: None)
    shards = len(plan.shards()) * len(LAYERS)
    each = {name: number / shards for name, number in waits.calls.items()}
    assert each.keys() <= COUNTING.keys(), each
    assert all(number <= COUNTING[name] for name, number in each.items()), each


@pytest.mark.parametrize("quantile", [0.02, 0.9])
def test_maps_are_unpacked_on_a_device_without_waiting(probe, tmp_path, quantile):
    plan, store, _ = passed("cpu", probe, tmp_path, quantile)
    for number in plan.shards():
        shard = store.read(number)
        for images in (np.arange(len(shard.images)), np.array([1, 0]), np.array([2])):
            for cells in shard.layers.values():
                with Waits() as waits:
                    far = unpacked(cells, GRID, images, torch.device(Far.DEVICE))
                    # two go there; the shifts are made there
                    assert waits.calls == {"copy to the device": 2}
                    assert far.device.type == Far.DEVICE
                    found = far.cpu().numpy()
                np.testing.assert_array_equal(found, unpack(cells, GRID, images))


def test_floors_are_the_bounds_of_a_pass_that_runs_again(probe, tmp_path):
    _, _, wanted = passed("cpu", probe, tmp_path / "near")
    exact = {n: one.tail.threshold(TOTAL) for n, one in wanted.collectors.items()}
    with FarDevice():
        floors = {name: floor.to(Far.DEVICE) for name, floor in exact.items()}
        _, _, found = passed(Far.DEVICE, probe, tmp_path / "far", floors=floors)
        for name, one in found.collectors.items():
            assert one.tail.threshold(TOTAL).cpu().tolist() == exact[name].tolist()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_collects_what_the_cpu_collects():
    maps = [layer(seed, 64, 6, (14, 14)) for seed in range(6)]
    near = Collector(6, 60, "cpu")
    far = DeviceCollector(6, 60, "cuda")
    with torch.inference_mode():
        for part in maps:
            for one, there in ((near, "cpu"), (far, "cuda")):
                one(torch.from_numpy(part).to(there, memory_format=torch.channels_last))
            far.close_shard()
            wanted, found = near.take((14, 14)), far.take((14, 14))
            np.testing.assert_array_equal(found.maximum, wanted.maximum)
            np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-5, atol=1e-6)
            images = np.arange(len(part))
            there = unpacked(found, (14, 14), images, torch.device("cuda")).cpu().numpy()
            here = unpack(found, (14, 14), images)
            np.testing.assert_array_equal(there, here)
            kept = np.isfinite(unpack(wanted, (14, 14), images))
            np.testing.assert_array_equal(here[kept], part.transpose(0, 2, 3, 1)[kept])
        thresholds = [one.tail.threshold(TOTAL).cpu().numpy() for one in (near, far)]
    assert thresholds[0].tobytes() == thresholds[1].tobytes()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_waited_for_by_events_alone(probe, tmp_path):
    """Once its constants are there, nothing that CUDA calls synchronizing runs in a pass."""
    passed("cuda", probe, tmp_path / "warm")
    torch.cuda.set_sync_debug_mode("error")
    try:
        passed("cuda", probe, tmp_path / "far")
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_nan_on_a_device_names_layer_unit_and_image(probe, tmp_path):
    class Broken(Pooling):
        seen = 0

        def forward(self, images):
            coarse = self.first(images).clone()
            Broken.seen += 1
            if Broken.seen == 4:
                coarse[1, 2, 0, 0] = torch.nan
            return self.second(coarse)

    network = Network("broken", Broken().eval(), Preprocessing(size=(6, 10)), "none")
    plan = partial(Plan, network, probe, LAYERS[1:], 0.1, True, "fp32", torch.device(Far.DEVICE))
    store = ShardStore(tmp_path, "key")
    with FarDevice(), pytest.raises(ValueError, match="NaN") as caught:
        run_images(plan(2, 0), store, plan(2, 0).shards(), int)
    # the fourth batch of two is the second half of shard 1
    image = plan(2, 0).images_of(1)[3]
    assert f"layer second, unit 2: NaN or infinite activation for image {image} (" in str(
        caught.value
    )
    assert store.finished(plan(2, 0).shards()) in ([], [0])
