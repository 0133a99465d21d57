import json

import benchmark_clip
import pytest
import torch

from dissection.clip.similarity import soft_wpmi

SMALL = ["--images=300", "--concepts=50", "--units=6", "--features=32"]


def report(capsys, *options):
    assert benchmark_clip.main([*SMALL, *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_loop_gives_the_labels_of_the_similarity(capsys):
    found = report(capsys)
    assert found["labels_equal"]
    assert found["units_with_equal_label"] == 6
    assert found["largest_difference"] < 1e-2
    for name in ("ratio", "streamed_ratio"):
        assert len(found[f"{name}s"]) == found["rounds"] == 3
        assert sorted(found[f"{name}s"])[1] == found[name]
    assert found["peak_rss_bytes"] >= found["inputs_rss_bytes"] > 1 << 20
    assert found["matrix_bytes"] == 300 * 50 * 4


def test_loop_is_soft_wpmi():
    draw = torch.Generator().manual_seed(0)
    scores = torch.rand(150, 9, generator=draw, dtype=torch.float64)
    activations = torch.rand(150, 4, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(
        benchmark_clip._loop(scores, activations),
        soft_wpmi(scores, activations),
        rtol=1e-5,
        atol=1e-4,
    )


def test_medians_are_over_the_rounds():
    found = benchmark_clip._times(
        [(1.0, 9.0, 1.0, 2.0), (1.0, 8.0, 4.0, 3.0), (2.0, 9.0, 3.0, 1.0)]
    )
    assert found["ratios"] == [9.0, 2.0, 3.0]
    assert found["streamed_ratios"] == [5.0, 3.0, 11.0]
    assert (found["ratio"], found["streamed_ratio"]) == (3.0, 5.0)
    assert (found["loop_seconds"], found["streamed_seconds"]) == (9.0, 2.0)


def test_memory_alone_needs_no_loop(capsys, monkeypatch):
    monkeypatch.setattr(benchmark_clip, "_loop", None)
    found = report(capsys, "--memory")
    assert "ratio" not in found
    assert found["seconds_alone"] > 0


def test_failed_process_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(benchmark_clip, "__file__", "missing.py")
    assert benchmark_clip.main(SMALL) == 1
    assert "error: the streaming version failed" in capsys.readouterr().err


def test_sizes_must_be_positive(capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmark_clip.main(["--images=0"])
    assert stopped.value.code == 2
