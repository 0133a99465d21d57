import pytest

from broden.system.processes import processors
from dissection.config import ClipConfig, Execution


@pytest.mark.parametrize("sharpness", [0, -1, float("nan"), float("inf")])
def test_a_sharpness_is_above_0(sharpness):
    with pytest.raises(ValueError, match="sharpness must be above 0"):
        ClipConfig(sharpness=sharpness)


def test_only_a_softmax_has_a_sharpness():
    with pytest.raises(ValueError, match="similarity cosine has no softmax"):
        ClipConfig(similarity="cosine", sharpness=1)


def test_the_cpu_decodes_between_passes_and_a_gpu_has_a_thread_a_core(monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert Execution().decoders("cpu") == 0
    assert Execution().decoders("cuda") == processors()
    assert [Execution(workers=3).decoders(kind) for kind in ("cpu", "cuda")] == [3, 3]
    assert Execution(workers=0).decoders("cuda") == 0


def test_processes_on_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr("dissection.config.processors", lambda: 16)
    for processes, threads in (("1", 16), ("4", 4), ("5", 3), ("64", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert Execution().decoders("cuda") == threads


def test_a_gpu_takes_a_whole_shard_at_once_unless_told():
    assert [Execution().images_at_once(kind) for kind in ("cpu", "cuda")] == [32, 64]
    assert [Execution(batch_size=5).images_at_once(kind) for kind in ("cpu", "cuda")] == [5, 5]


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": -1}, {"workers": -1}])
def test_what_is_out_of_range_is_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be at least"):
        Execution(**options)


@pytest.mark.parametrize(("shifts", "images", "found"), [(5, 100, 5), (5, 3, 2), (5, 1, 0)])
def test_descriptions_have_no_more_shifts_than_there_are_other_images(shifts, images, found):
    assert ClipConfig(shifts=shifts).shifts_of(images) == found


def test_fewer_shifts_than_none_are_refused():
    with pytest.raises(ValueError, match="shifts must be at least 0, got -1"):
        ClipConfig(shifts=-1)
