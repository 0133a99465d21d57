import json
import os
import socket

import numpy as np
import pytest
import torch
from torch import multiprocessing

from dissection.activations.quantile import Tail
from dissection.execution.ranks import Ranks, local_device
from tests.dissection import references

WORLD, SIZE = 2, 23


def values():
    """Return values of three units with many ties, of which rank r has every other."""
    return np.random.default_rng(0).integers(-40, 40, (3, 101)).astype(np.float32) / 8


def work(rank, port, folder):
    """Do in one process of a group everything a run does with the others."""
    os.environ |= {
        "WORLD_SIZE": str(WORLD),
        "RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    ranks = Ranks()
    mine = torch.full((2, 3), 10**12 + rank)
    tail = Tail(3, SIZE)
    tail.add_all(torch.from_numpy(values()[:, rank::WORLD].copy()))
    found = {
        "leads": ranks.leads,
        "rank": [ranks.rank, ranks.world],
        "share": list(ranks.share(range(7))),
        "empty share": list(ranks.share(range(1))),
        "total": ranks.total(mine).tolist(),
        "all": ranks.all({"rank": rank}),
        "gathered": ranks.gather({"rank": rank}),
        "threshold": tail.threshold(ranks.total).tolist(),
    }
    ranks.wait()
    found["mine"] = mine.tolist()
    assert Ranks().world == WORLD  # a second run in the same process joins the same group
    ranks.close()
    ranks.close()
    (folder / f"{rank}.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """What each process of a group of two found."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    multiprocessing.spawn(work, (port, folder), nprocs=WORLD)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


def test_ranks_know_their_place(group):
    assert [found["rank"] for found in group] == [[0, 2], [1, 2]]
    assert [found["leads"] for found in group] == [True, False]


def test_shares_are_disjoint_and_cover_all(group):
    assert [found["share"] for found in group] == [[0, 2, 4, 6], [1, 3, 5]]
    assert [found["empty share"] for found in group] == [[0], []]


def test_totals_are_exact_sums_and_leave_the_argument_alone(group):
    for rank, found in enumerate(group):
        assert found["total"] == [[2 * 10**12 + 1] * 3] * 2
        assert found["mine"] == [[10**12 + rank] * 3] * 2


def test_values_of_all_come_in_the_order_of_ranks(group):
    assert [found["all"] for found in group] == [[{"rank": 0}, {"rank": 1}]] * 2


def test_only_the_one_that_leads_gathers(group):
    assert [found["gathered"] for found in group] == [[{"rank": 0}, {"rank": 1}], []]


def test_threshold_over_ranks_is_the_sort_of_all_values(group):
    wanted = references.kth_largest(values(), SIZE).tolist()
    assert [found["threshold"] for found in group] == [wanted] * 2


@pytest.fixture
def alone(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    return Ranks()


def test_without_torchrun_a_process_is_alone(alone):
    assert (alone.rank, alone.world, alone.leads) == (0, 1, True)
    assert alone.share("abc") == "abc"
    mine = torch.tensor([1, 2])
    assert alone.total(mine) is mine
    assert alone.all("x") == alone.gather("x") == ["x"]
    alone.wait()
    alone.close()
    assert not torch.distributed.is_initialized()


def test_device_is_the_processor_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert local_device("auto") == torch.device("cpu")
    assert local_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_process_takes_its_own_gpu(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *_, device, dtype: torch.ones(1))
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_device(name) == torch.device("cuda:3")


def test_a_device_without_float64_is_refused():
    with pytest.raises(ValueError, match="device 'meta' cannot be used"):
        local_device("meta")


@pytest.mark.parametrize("name", ["gpu", "cuda:-1", ""])
def test_unknown_device_is_refused(name):
    with pytest.raises(ValueError, match=f"device '{name}'.* give auto, cpu or cuda"):
        local_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_absent_gpu_is_refused_in_one_line():
    with pytest.raises(ValueError, match="device 'cuda' cannot be used") as caught:
        local_device("cuda")
    assert "\n" not in str(caught.value)
