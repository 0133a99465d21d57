"""Attributes that are data change the digest of a network; where they are kept does not."""

import argparse
import enum
import functools
import subprocess
import sys
import types
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from dissection.networks.fingerprint import digest


class Holding(nn.Module):
    def __init__(self, value, hidden=False):
        super().__init__()
        setattr(self, "_held" if hidden else "held", value)


@dataclass
class Settings:
    dilation: int = 1
    inside: list = field(default_factory=list)


class Plain:
    def __init__(self, **fields):
        vars(self).update(fields)


class Slotted:
    __slots__ = ("dilation",)

    def __init__(self, dilation):
        self.dilation = dilation


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def scaled(x, by):
    return x * by


def closed(by):
    return lambda x: x * by


def conv(value):
    module = nn.Conv2d(1, 1, 1, bias=False)
    module.weight.data.fill_(value)
    return module


CHANGES = [
    ([1], [4]),
    ([[1], [2]], [[1], [3]]),
    ([1, 2], [2, 1]),
    ([1, [2]], [[1], 2]),
    ({"dilation": 1}, {"dilation": 4}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, 2}, {1, 3}),
    (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    (np.array([1, 2]), np.array([1, 2], np.int32)),
    (np.float64(0.5), np.float64(0.25)),
    (torch.tensor([1.0]), torch.tensor([2.0])),
    (torch.zeros(2, 3), torch.zeros(3, 2)),
    (torch.zeros(2), torch.zeros(2, dtype=torch.float16)),
    (
        (torch.zeros(2000), 1),
        (torch.zeros(1999).new_zeros(2000).index_fill(0, torch.tensor(900), 1), 1),
    ),
    (Settings(1), Settings(4)),
    (Settings(inside=[Settings(1)]), Settings(inside=[Settings(2)])),
    (argparse.Namespace(d=1), argparse.Namespace(d=4)),
    (types.SimpleNamespace(d=[1]), types.SimpleNamespace(d=[4])),
    (Plain(model=Plain(d=1)), Plain(model=Plain(d=2))),
    (Slotted(1), Slotted(2)),
    (Colour.RED, Colour.BLUE),
    (torch.float32, torch.float16),
    (functools.partial(scaled, by=1), functools.partial(scaled, by=2)),
    (closed(1), closed(2)),
    (torch.relu, torch.sigmoid),
    ([conv(1)], [conv(2)]),
    ([nn.Conv2d(1, 1, 1, dilation=1)], [nn.Conv2d(1, 1, 1, dilation=2)]),
    (1, 4),
    ("a", "b"),
    (b"a", b"b"),
]


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_a_module_holds_changes_its_digest(before, after, hidden):
    assert digest(Holding(before, hidden)) != digest(Holding(after, hidden))


def test_modes_hooks_and_gradients_change_nothing():
    module = Holding([1])
    before = digest(module)
    module.register_forward_hook(lambda *_: None)
    module.train()
    assert digest(module) == before


def test_data_in_a_loop_is_digested_once():
    loop: list = [1]
    loop.append(loop)
    other: list = [2]
    other.append(other)
    assert digest(Holding(loop)) != digest(Holding(other))
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    digest(Holding(deep))


CODE = """
import sys, torch
from torch import nn
from dissection.networks.fingerprint import digest
class Held(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = {"a", "b", "c", "d", "e"}
        self.function = lambda x: x in {"x", "y", "z"}
        self.thing = object()
        self.table = {"k": [1, {"n": None}], "f": torch.relu}
print(digest(Held()))
"""


def test_the_digest_is_the_same_in_every_process(tmp_path):
    path = tmp_path / "held.py"
    path.write_text(CODE)
    found = set()
    for seed in ("0", "1"):
        ran = subprocess.run(
            [sys.executable, path],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(ran.stdout)
    assert len(found) == 1
