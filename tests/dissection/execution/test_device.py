"""The engine on a device that is not the CPU, on machines that have no other.

Torch's fake tensors know shapes and devices but no values, so they run what does not depend on
values. What does runs on `Far` tensors: computed on the CPU, but of a device of their own.
"""

from concurrent.futures import Future

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from dissection.activations.cells import neighbourhood, where
from dissection.activations.collect import Collector
from dissection.activations.quantile import Tail, place
from dissection.activations.ranking import kth_largest, largest_first
from dissection.activations.shards import Shard, ShardStore
from dissection.networks.layouts import LayerInfo
from dissection.overlap.assign import best, detectors
from dissection.overlap.iou import UNIONS, iou
from dissection.overlap.stencils import Axis, Stencils, evaluate, masks, stencils
from dissection.overlap.tally import Counts, Labels, add, merge, no_counts, overlapped
from tests.dissection import references
from tests.dissection.probes import GRID, corner_images, counted, layer, write_probe

UNITS, CELLS, LABELS, K = 6, (3, 5), 9, 4
aten = torch.ops.aten


@pytest.fixture
def fake():
    """Tensors made meanwhile are fake, and there is a fake CUDA device."""
    shapes = ShapeEnv(allow_scalar_outputs=True, allow_dynamic_output_shape_ops=True)
    with FakeTensorMode(shape_env=shapes) as mode:
        try:
            cuda(1, 1)[:, 0]
        except RuntimeError as error:
            # older builds of torch for CUDA look for a driver even so
            pytest.skip(f"no fake CUDA device: {str(error).splitlines()[0]}")
        yield mode


def cuda(*shape, dtype=torch.float32):
    return torch.zeros(shape, dtype=dtype, device="cuda")


def cuda_stencils(mode):
    with torch.utils._python_dispatch._disable_current_modes():
        on = stencils(CELLS, GRID)
    axes = (Axis(*(mode.from_tensor(part).to("cuda") for part in ax)) for ax in on[:2])
    return Stencils(*axes, *on[2:])


def fake_counted(mode, other):
    """Count in fake images, whose pixels have up to two labels."""

    def whole(*shape, kind=torch.int64):
        return torch.zeros(shape, dtype=kind, device="cuda")

    code = whole(2, GRID[0] * GRID[1], 1, kind=torch.uint8)
    sets = (whole(2, 1), whole(2, 3, 4, kind=torch.float64), whole(2, 4), whole(2, K))
    labels = Labels(code, *sets, torch.zeros(LABELS, dtype=torch.int64, device=other))
    image = torch.arange(2, device="cuda")
    runs = evaluate(cuda(2, *CELLS, UNITS), cuda(UNITS), cuda_stencils(mode))
    return add(overlapped(runs, image, UNITS, labels), labels, cuda_counts())


def cuda_counts():
    return no_counts(UNITS, LABELS, K, "cuda")


def fake_placed(_mode, other):
    buffer, unit = cuda(UNITS, 20), torch.zeros(7, dtype=torch.int64, device="cuda")
    counts = torch.bincount(unit, minlength=UNITS)
    fill = torch.zeros(UNITS, dtype=torch.int64, device=other)
    place(buffer, fill, cuda(7), unit, counts)
    return buffer


def fake_largest(_mode, _other):
    values = cuda(UNITS, 20)
    largest_first(values, 3)
    return values


def fake_iou(rule):
    def run(_mode, other):
        pixels, primary = (
            torch.zeros(LABELS, dtype=torch.int64, device=d) for d in (other, "cuda")
        )
        return iou(cuda_counts(), pixels, primary, rule)

    return run


FAKE = {
    "where": lambda mode, other: where(cuda(2, *CELLS, UNITS) > 0),
    "neighbourhood": lambda mode, other: neighbourhood(cuda(2, *CELLS, UNITS) > 0),
    "evaluate": lambda mode, other: evaluate(
        cuda(2, *CELLS, UNITS), torch.zeros(UNITS, device=other), cuda_stencils(mode)
    ),
    "masks": lambda mode, other: masks(
        cuda(2, *CELLS, UNITS), torch.zeros(UNITS, device=other), cuda_stencils(mode), GRID
    ),
    "kth largest": lambda mode, other: kth_largest(
        cuda(UNITS, 20),
        [3],
        lambda counts: counts,
        torch.zeros(UNITS, device=other),
        torch.zeros(UNITS, dtype=torch.int64, device="cuda"),
    ),
    "largest first": fake_largest,
    "place": fake_placed,
    "count": fake_counted,
    "merge": lambda mode, other: merge(cuda_counts(), no_counts(UNITS, LABELS, K, other)),
    **{f"iou {rule}": fake_iou(rule) for rule in UNIONS},
}


@pytest.mark.parametrize("name", FAKE)
def test_numerics_stay_on_a_fake_cuda_device(name, fake):
    parts, _ = tree_flatten(FAKE[name](fake, "cuda"))
    assert parts
    for part in parts:
        assert part.device.type == "cuda"


@pytest.mark.parametrize("name", sorted(FAKE.keys() - {"where", "neighbourhood", "largest first"}))
def test_fake_devices_cannot_be_mixed(name, fake):
    with pytest.raises(Exception, match="device"):
        FAKE[name](fake, "cpu")


def test_fake_masks_have_the_shape_of_real_ones(fake):
    assert masks(cuda(2, *CELLS, UNITS), cuda(UNITS), cuda_stencils(fake), GRID).shape == (
        2,
        UNITS,
        *GRID,
    )


class Far(torch.Tensor):
    """A tensor of another device, whose values are those of a tensor of this one."""

    DEVICE = "lazy"  # a device type of which torch asks no driver

    @staticmethod
    def __new__(cls, near):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=cls.DEVICE,
        )

    def __init__(self, near):
        self.near = near

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func} outside the mode")


class FarDevice(TorchDispatchMode):
    """Compute on `Far` tensors, and refuse to do so together with others."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        far = [isinstance(t, Far) for t in given if isinstance(t, Far) or t.dim()]
        if func not in (aten._to_copy.default, aten.copy_.default) and len(set(far)) > 1:
            raise RuntimeError(f"{func} on two devices")
        target = kwargs.get("device")
        stays = any(far) if target is None else torch.device(target).type == Far.DEVICE
        if target is not None:
            kwargs["device"] = "cpu"
        args, kwargs = tree_map(lambda t: t.near if isinstance(t, Far) else t, (args, kwargs))
        found = func(*args, **kwargs)
        if func._schema.is_mutable:
            return given[0]
        return tree_map(lambda t: Far(t) if stays and isinstance(t, torch.Tensor) else t, found)


class SameThread:
    """A pool whose work is done in this thread, where the mode is."""

    def __init__(self, *_args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_exc_info):
        pass

    def submit(self, function, item):
        done = Future()
        done.set_result(function(item))
        return done


def test_far_tensors_compute_and_do_not_mix():
    with FarDevice():
        near = torch.tensor([1.0, 2.0])
        far = near.to(Far.DEVICE)
        assert far.device.type == Far.DEVICE
        assert (far * 3).cpu().tolist() == [3.0, 6.0]
        far[1:] += 5
        assert far.cpu().tolist() == [1.0, 7.0]
        assert near.tolist() == [1.0, 2.0]
        with pytest.raises(RuntimeError, match="on two devices"):
            far + near
        with pytest.raises((RuntimeError, TypeError)):
            far.numpy()


IMAGES = corner_images(7, more=14)
SHARDS = [[4, 2], [6], [5], [1, 2]]
QUANTILE = 0.05


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    with write_probe(tmp_path_factory.mktemp("device") / "tiny.h5", IMAGES) as opened:
        yield opened


def dissected(device, probe, folder):
    """Do all that a run does after the network, and bring it to the CPU."""
    maps = layer(8, len(IMAGES), UNITS, CELLS)
    size = references.rank(QUANTILE, len(IMAGES) * CELLS[0] * CELLS[1])
    info = LayerInfo("conv", "Conv2d", UNITS, CELLS)
    store, collector, first = ShardStore(folder, "key"), Collector(UNITS, size, device), 0
    for number, batches in enumerate(SHARDS):
        start = first
        for images in batches:
            collector(torch.from_numpy(maps[start : start + images]).to(device))
            start += images
        store.write(number, Shard(np.arange(first, start), {"conv": collector.take(CELLS)}))
        first = start
    again = Collector(UNITS, size, device)
    for number in range(len(SHARDS)):
        again.restore(store.read(number).layers["conv"], CELLS)
    threshold = collector.tail.select() + 0.0
    resumed = again.tail.threshold(lambda counts: counts)
    fold, tops = counted(store, range(len(SHARDS)), probe, [info], {"conv": threshold})
    counts = fold.counts
    labels = (probe.labels.pixels, probe.labels.primary, probe.labels.known)
    pixels, primary, known = (torch.as_tensor(part, device=device) for part in labels)
    by_rule = {rule: iou(counts["conv"], pixels, primary, rule) for rule in UNIONS}
    chosen = best(by_rule["category"], known, primary, len(probe.categories))
    parts = (threshold, resumed, *counts["conv"], *by_rule.values(), *chosen)
    for part in parts:
        assert part.device.type == torch.device(device).type
    shards = [store.path(number).read_bytes() for number in range(len(SHARDS))]
    seen = [*tops["conv"], fold.masks["conv"]]
    return [part.cpu().numpy() for part in parts], shards, seen, detectors(chosen)


def assert_same(found, wanted):
    for a, b in zip(found[0], wanted[0], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    for a, b in zip(found[2], wanted[2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[3] == wanted[3]


def test_engine_gives_the_same_numbers_on_another_device(probe, tmp_path, monkeypatch):
    wanted = dissected("cpu", probe, tmp_path / "near")
    monkeypatch.setattr("broden.system.parallel.ThreadPoolExecutor", SameThread)
    with FarDevice():
        found = dissected(Far.DEVICE, probe, tmp_path / "far")
    assert_same(found, wanted)
    assert found[1] == wanted[1]
    assert Counts(*wanted[0][2:6]).intersection.any()


def test_tail_grows_and_forgets_on_another_device():
    values = np.random.default_rng(0).integers(-9, 9, (3, 400)).astype(np.float32)
    unit = np.random.default_rng(1).permutation(np.arange(3).repeat(400))
    flat = values[unit, np.concatenate([np.arange(400)] * 3)]
    wanted = [sorted(flat[unit == u].tolist(), reverse=True)[19] for u in range(3)]
    with FarDevice():
        tail = Tail(3, 20, Far.DEVICE)
        for part in np.array_split(np.arange(1200), 60):
            tail.add(*(torch.from_numpy(a[part]).to(Far.DEVICE) for a in (flat, unit)))
        assert tail.select().cpu().tolist() == wanted


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_engine_gives_the_same_numbers_on_a_gpu(probe, tmp_path):
    found = dissected("cuda", probe, tmp_path / "gpu")
    assert_same(found, dissected("cpu", probe, tmp_path / "cpu"))
