"""Checkpoints that hold more than weights: tensors are read, nothing is executed."""

import argparse
import collections
import io
import pathlib
import pickle
import pickletools
import struct
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from dissection.networks.weights import inert
from dissection.networks.weights.checkpoints import read
from tests.dissection.weightfiles import Harmful

STATE = {
    "conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "conv.bias": torch.tensor([1.5, -2.5], dtype=torch.float16),
    "bn.num_batches_tracked": torch.tensor(7),
    "empty": torch.zeros(0, 3),
    "turned": torch.arange(6.0).reshape(2, 3).t(),
}
forms = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


class Own:
    """A class of somebody's."""

    def __init__(self):
        self.content = {"a": [1, {2}]}


BESIDE = {
    "args": argparse.Namespace(lr=0.1, milestones=[1, 2]),
    "best": np.float64(0.5),
    "counts": np.arange(3),
    "path": pathlib.PurePosixPath("/x/y"),
    "lists": collections.defaultdict(list, {"a": [1]}),
    "counter": collections.Counter("aab"),
    "queue": collections.deque([1, 2]),
    "own": Own(),
    "generator": torch.Generator().get_state(),
    "kind": Own,
    "function": print,
}


@forms
@pytest.mark.parametrize("name", BESIDE)
def test_tensors_are_read_whatever_lies_beside_them(tmp_path, new, name):
    content = {name: BESIDE[name], "state_dict": collections.OrderedDict(STATE)}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
    got = read(tmp_path / "w.pth")
    assert list(got) == list(STATE)
    assert all(torch.equal(got[key], STATE[key]) for key in STATE)
    assert all(got[key].dtype == STATE[key].dtype for key in STATE)


@forms
def test_weights_among_the_options_of_a_script_are_found(tmp_path, new):
    content = {**STATE, "epoch": 3, "args": argparse.Namespace(lr=0.1)}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
    assert set(read(tmp_path / "w.pth")) == set(STATE)


@forms
def test_parameters_and_shared_storages_are_tensors(tmp_path, new):
    weight = nn.Parameter(torch.randn(3, 3))
    content = {"model": {"a.b": weight, "c.d": weight.detach()[1:]}, "own": Own()}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
    got = read(tmp_path / "w.pth")
    assert torch.equal(got["a.b"], weight)
    assert torch.equal(got["c.d"], weight[1:])


@forms
@pytest.mark.parametrize("where", ["beside", "inside"])
def test_nothing_in_a_checkpoint_is_executed(tmp_path, new, where):
    made, path = tmp_path / "made", tmp_path / "evil.pth"
    state = dict(STATE)
    if where == "inside":
        state["x.y"] = Harmful(made)
    content = {"state_dict": state, "extra": Harmful(made)}
    torch.save(content, path, _use_new_zipfile_serialization=new)
    assert set(read(path)) == set(STATE)
    assert not made.exists()


class Calls:
    """A pickle that calls what a call returned, builds on it, and fills it."""

    def __reduce__(self):
        return eval, ("__import__('os')",), {"state": 1}, iter([1, 2]), iter([("a", 1)])


@forms
def test_shells_take_whatever_is_done_to_them(tmp_path, new):
    torch.save(
        {"model": STATE, "calls": [Calls()]}, tmp_path / "w", _use_new_zipfile_serialization=new
    )
    assert set(read(tmp_path / "w")) == set(STATE)


def rewritten(path, change):
    """Write a zip again with its pickle changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, change(data) if name.endswith("/data.pkl") else data)


def wild(path, old, new):
    """Save a checkpoint that only the inert reader takes, with a number in its pickle changed."""
    content = {"model": {"a.b": torch.arange(7.0)}, "own": Own()}
    torch.save(content, path)

    def change(data):
        assert old in data
        return data.replace(old, new)

    rewritten(path, change)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # the count of a storage, the shape and the stride of a tensor: K is a byte, J four
        (b"K\x07tq", b"J\xff\xff\xff\x7ftq"),
        (b"K\x07\x85q", b"J\xff\xff\xff\x7f\x85q"),
    ],
)
def test_sizes_that_the_file_does_not_have_are_refused(tmp_path, old, new):
    wild(tmp_path / "w", old, new)
    with pytest.raises(ValueError, match="w is not a weight file"):
        read(tmp_path / "w")
    with pytest.raises((EOFError, ValueError)):
        inert.read(tmp_path / "w")


def test_a_view_that_repeats_a_number_without_end_is_refused():
    storage = inert._Storage(torch.float32, 1)
    storage.load = lambda: bytes(4)
    assert inert._View(storage, 0, (1,), (1,)).tensor().shape == (1,)
    for size, stride in (((2**40,), (0,)), ((2,), (1,)), ((-1,), (1,)), ((1,), (-1,))):
        with pytest.raises(ValueError, match="lies beyond"):
            inert._View(storage, 0, size, stride).tensor()


@pytest.mark.parametrize("data", [
    b"\x80\x02" + b"r" + struct.pack("<I", 2**31) + b".",
    b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    b"\x80\x02]q\x00" + b"(h\x00h\x00e" * 100 + b".",
    b"\x80\x02" + b"(" * 100_000 + b".",
    b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
])  # fmt: skip
def test_pickles_that_would_take_memory_or_the_stack_are_refused(tmp_path, data):
    with zipfile.ZipFile(tmp_path / "w", "w") as archive:
        archive.writestr("w/data.pkl", data)
        archive.writestr("w/version", b"3\n")
    with pytest.raises(ValueError, match="w is not a weight|w holds no state dict") as raised:
        read(tmp_path / "w")
    assert "\n" not in str(raised.value)


def test_a_compressed_member_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "w", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", bytes(1 << 20))
        archive.writestr("w/version", b"3\n")
    with pytest.raises(ValueError, match="w is not a weight file"):
        read(tmp_path / "w")


def test_no_name_in_a_pickle_is_looked_up():
    shells = inert._Inert(io.BytesIO(), lambda pid: None)
    for name in ("builtins.eval", "os.system", "posix.system", "builtins.getattr", "torch.load"):
        found = shells.find_class(*name.rsplit(".", 1))
        assert issubclass(found, inert.Shell)
    assert pickle.EXT1[0] not in inert.Unpickler.dispatch
    assert {op.code for op in pickletools.opcodes} > {"\x96"}
