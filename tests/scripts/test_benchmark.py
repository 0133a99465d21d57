"""The benchmark runs on a small probe set and prints what the README says it prints."""

import json

import benchmark
import pytest

from broden import mini


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, 20, seed=9)
    return path


def test_ratio_memory_and_bytes_on_disk_are_printed(probe, capsys):
    command = ["--model", "mini_random", "--layers", "layer4", "--probe", str(probe)]
    assert benchmark.main([*command, "--rounds", "1", "--device", "cpu", "--images", "30"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 30
    assert found["ratio"] > 0
    assert found["peak_rss_bytes"] > 1e7
    assert 0 < found["shard_bytes"]
    assert found["dense_bytes"] == 30 * 256 * 7 * 7 * 4
