"""Runs of several processes: the files of one, whatever becomes of the processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import dissection
from dissection import pipeline
from dissection.activations import forward
from dissection.config import Execution, IouConfig
from tests.dissection import planted
from tests.dissection.test_pipeline import files

FEW = 10


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    with planted.write(tmp_path_factory.mktemp("probe") / "p.h5", planted.drawn()) as probe:
        yield probe


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    path = tmp_path_factory.mktemp("few") / "p.h5"
    with planted.write(path, planted.drawn(images=FEW)) as probe:
        yield probe


def alone(probe, out, shard_images, method="iou"):
    """Run in this process and return the files."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (forward, pipeline.card):
            patch.setattr(module, "SHARD_IMAGES", shard_images)
        dissection.dissect(
            planted.network(),
            "maps",
            probe,
            method=method,
            out=out,
            config=IouConfig(quantile=0.2),
            execution=Execution("cpu", 2, 0),
        )
    return files(out)


@pytest.fixture
def ranks(started):
    """Return what starts the run as several processes, of which each may have its own settings."""

    def start(world, probe, out, **of_rank):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        group = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        path = os.pathsep.join(p for p in sys.path if p)
        script = Path(__file__).with_name("ranks_run.py")
        return [
            started(
                [sys.executable, script, probe.path, out],
                env={**os.environ, **group, "PYTHONPATH": path}
                | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                | of_rank.get(f"rank{rank}", of_rank.get("all", {})),
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(world)
        ]

    return start


def ended_well(processes):
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors


def test_two_ranks_give_the_files_of_one(probe, tmp_path, ranks):
    ended_well(ranks(2, probe, tmp_path / "two"))
    assert files(tmp_path / "two") == alone(probe, tmp_path / "one", 4)


def test_two_ranks_describe_units_and_judge_the_descriptions_as_one(probe, tmp_path, ranks):
    pytest.importorskip("open_clip")
    ended_well(ranks(2, probe, tmp_path / "two", all={"METHOD": "both"}))
    two, one = files(tmp_path / "two"), alone(probe, tmp_path / "one", 4, "both")
    assert {"descriptions.csv", "clip.h5"} <= two.keys()
    # the verdict names its directory
    del two["crosscheck.json"], one["crosscheck.json"]
    assert two == one


def test_two_ranks_that_run_images_again_give_the_files_of_one(probe, tmp_path, ranks):
    ended_well(ranks(2, probe, tmp_path / "two", all={"PRESUMED": "1"}))
    assert files(tmp_path / "two") == alone(probe, tmp_path / "one", 4)


@pytest.mark.parametrize("shard_images", [4, 64])
def test_three_ranks_share_ten_images_or_have_none(few, tmp_path, ranks, shard_images):
    size = {"SHARD_IMAGES": str(shard_images)}
    ended_well(ranks(3, few, tmp_path / "three", all=size))
    assert files(tmp_path / "three") == alone(few, tmp_path / "one", shard_images)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_rank_ends_the_others_and_all_go_on_when_started_again(
    probe, tmp_path, ranks, lost
):
    processes = ranks(2, probe, tmp_path / "run", **{f"rank{lost}": {"KILLED": "1"}})
    errors = [process.communicate()[1] for process in processes]
    assert processes[lost].returncode == 9
    assert processes[1 - lost].returncode == 1
    assert "another process of this run ended before its work was done" in errors[1 - lost]
    ended_well(ranks(2, probe, tmp_path / "run"))
    times = json.loads((tmp_path / "run" / "run.json").read_text())["times"]
    assert times["images_resumed"] > 0
    assert files(tmp_path / "run") == alone(probe, tmp_path / "one", 4)
