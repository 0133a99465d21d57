"""The benchmark runs on a small probe set and prints what its help says it prints."""

import json
import threading

import benchmark
import numpy as np
import pytest
import torch

from broden import mini

RATIOS = ("ratio", "ratio_to_last_layer", "cpu_ratio", "cpu_ratio_to_last_layer")


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "mini.h5"
    mini.build(path, 20, seed=9)
    return path


@pytest.fixture(scope="module")
def command(probe):
    return ["--model", "mini_random", "--layers", "layer4", "--probe", str(probe)]


@pytest.fixture(scope="module")
def printed(command):
    with pytest.MonkeyPatch.context() as patch:
        texts = []
        patch.setattr("builtins.print", lambda text, **_: texts.append(text))
        asked = [*command, "--rounds", "2", "--device", "cpu", "--images", "30"]
        assert benchmark.main(asked) == 0
    (text,) = texts
    return json.loads(text)


def test_ratio_memory_and_bytes_on_disk_are_printed(printed):
    assert printed["images"] == 30
    assert all(printed[name] > 0 for name in RATIOS)
    assert printed["peak_rss_bytes"] > 1e7
    assert 0 < printed["shard_bytes"]
    assert printed["dense_bytes"] == 30 * 256 * 7 * 7 * 4


def test_every_ratio_is_the_median_of_its_rounds(printed):
    assert len(printed["ratios"]) == 2
    for name in RATIOS:
        first, second = (one[name] for one in printed["ratios"])
        assert printed[name] == pytest.approx((first + second) / 2, abs=0.002)


def test_seconds_are_of_the_clock_and_of_the_processors(printed):
    assert [*printed["seconds"]] == ["network", "to_last_layer", "decoding", "run"]
    for took in printed["seconds"].values():
        assert took["wall"] > 0
        assert took["cpu"] > 0


def test_every_part_of_a_run_is_measured(printed):
    from _parts import NETWORK, PARTS

    parts = printed["parts"]
    # neither a small set nor one run from its beginning needs these
    never = {"restoring shards"}
    ran = {name for path in parts for name in path.split("/")}
    assert ran - {"none of these"} == {name for name, _, _ in PARTS} - never
    assert "counting/stencils" in parts
    assert parts[NETWORK]["of_network"] == 1
    assert parts["tables"]["calls"] == 1


def test_a_part_that_does_not_exist_is_said_before_anything_runs(command, monkeypatch, capsys):
    import _parts

    monkeypatch.setattr(_parts, "PARTS", (("part", "dissection.overlap.tally", "Counts.gone"),))
    assert benchmark.main(command) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: dissection.overlap.tally has no Counts.gone")
    assert captured.err.count("\n") == 1


def test_a_part_counts_without_the_parts_inside_it():
    from _parts import Clocks

    clocks = Clocks()
    inner = clocks.clocked("stencils", lambda: sum(range(200_000)))

    def body():
        inner()
        inner()

    outer = clocks.clocked("counting", body)
    outer()
    other = threading.Thread(target=inner)
    other.start()
    other.join()
    found = clocks.parts()
    assert [*found] == ["counting", "counting/stencils", "stencils"]
    assert found["counting/stencils"].calls == 2
    assert found["counting"].cpu < found["counting/stencils"].cpu


def test_parts_leave_no_trace():
    from _parts import clocks

    from dissection.overlap import counting

    before = counting.evaluate_levels, counting.Counting.part
    with clocks():
        assert counting.evaluate_levels is not before[0]
    assert (counting.evaluate_levels, counting.Counting.part) == before


def test_the_bare_pass_ends_behind_the_last_layer(probe):
    import _measuring as m

    from broden.reader import ProbeSet
    from dissection import load
    from dissection.config import Execution

    network, ran = load("mini_random"), []
    for name, module in network.module.named_modules():
        module.register_forward_hook(lambda *now, name=name: ran.append((name, now[2].dtype)))
    with ProbeSet(probe) as opened:
        plan = m.planned(network, ["layer2"], opened, "bf16", Execution("cpu", 8))
        pixels = next(iter(m.decoded(plan, [range(20)])))
    ran.clear()
    m.bare(plan, pixels, 20, False)
    # rounded as the run rounds, in as many batches
    assert ran.count(("layer2.1.conv2", torch.bfloat16)) == 3
    assert not [name for name, _ in ran if name.startswith("layer3")]
    m.bare(plan, pixels, 20, True)
    assert [name for name, _ in ran].count("") == 3


def test_the_bare_pass_has_the_batches_of_a_run(probe):
    import _measuring as m
    from _arranged import Repeated

    from broden.reader import ProbeSet
    from dissection import load
    from dissection.config import Execution

    with ProbeSet(probe) as opened:
        many = Repeated(opened, 150)
        plan = m.planned(load("mini_random"), ["layer2"], many, "fp32", Execution("cpu", 48))
        assert [len(cut) for cut in m.cuts(plan, 140)] == [48, 2, 48, 2, 40]
        shown = np.concatenate(m.cuts(plan, 150))
        assert sorted(shown.tolist()) == list(range(150))
