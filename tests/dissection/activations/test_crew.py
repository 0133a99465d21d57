import threading

import numpy as np
import pytest
import torch

from dissection.activations.collect import Collector
from dissection.activations.crew import Crew
from tests.dissection import references
from tests.dissection.probes import layer

CPU = torch.device("cpu")


@pytest.fixture
def three():
    """Three threads for the network, as on a machine with three cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def crew(three):
    crew = Crew(CPU)
    yield crew
    crew.close()


def members():
    return [thread for thread in threading.enumerate() if thread.name.startswith("crew")]


def test_there_are_as_many_threads_as_the_network_has(crew):
    assert crew.threads == 3
    assert len(members()) == 3


def test_results_come_in_the_order_of_the_items(crew):
    first = threading.Event()

    def square(number):
        if number == 0:
            # the first is done after the second
            assert first.wait(60)
        if number == 1:
            first.set()
        return number * number

    assert crew.map(square, range(20)) == [n * n for n in range(20)]
    assert crew.map(square, []) == []


def test_items_are_worked_on_together_and_not_by_the_caller(crew):
    together = threading.Barrier(3, timeout=60)

    def meet(_):
        together.wait()
        return threading.current_thread()

    found = crew.map(meet, range(3))
    assert sorted(found, key=id) == sorted(members(), key=id)


class Stopped(BaseException):
    """Stands for what nothing may catch."""


@pytest.mark.parametrize("kind", [ValueError, Stopped])
def test_what_one_raises_reaches_the_caller_and_the_crew_goes_on(kind, crew):
    def fail(number):
        if number == 2:
            raise kind("number 2")
        return number

    with pytest.raises(kind, match="number 2"):
        crew.map(fail, range(5))
    assert crew.map(fail, range(2)) == [0, 1]


def test_threads_end_with_the_crew(three):
    crew = Crew(CPU)
    assert members()
    crew.close()
    assert members() == []
    crew.close()


def test_each_works_alone_and_all_others_as_before(crew):
    assert crew.map(lambda _: torch.get_num_threads(), range(12)) == [1] * 12
    assert torch.get_num_threads() == 3
    found = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [3]


def test_closing_leaves_the_number_of_threads(three):
    Crew(CPU).close()
    assert torch.get_num_threads() == 3


def test_tensors_of_inference_mode_can_be_worked_on(crew):
    with torch.inference_mode():
        made = torch.zeros(3)
        crew.map(lambda place: made[place : place + 1].add_(place), range(3))
        assert crew.map(lambda _: torch.is_inference_mode_enabled(), range(3)) == [True] * 3
    assert made.tolist() == [0, 1, 2]


@pytest.mark.parametrize("device", ["cpu", "cuda", "meta"])
def test_one_thread_is_the_callers(device, three):
    if device == "cpu":
        torch.set_num_threads(1)
    crew = Crew(torch.device(device))
    assert crew.threads == 1
    assert members() == []
    assert (
        crew.map(lambda _: threading.current_thread(), range(2)) == [threading.current_thread()] * 2
    )
    with pytest.raises(ValueError, match="nobody"):
        crew.map(_refuse, range(2))
    crew.close()


def _refuse(_):
    raise ValueError("nobody")


@pytest.mark.parametrize("quantile", [0.005, 0.2])
def test_a_crew_keeps_the_same_cells(quantile, crew):
    grid, images = (3, 5), 30
    maps = layer(12, images, 6, grid)
    size = references.rank(quantile, images * 15)
    kept = []

    def presumed(seen):
        return max(1, size * seen // 20)

    for each in (crew, None):
        collector = Collector(6, size, "cpu", presumed, each)
        for start in range(0, images, 7):
            collector(torch.from_numpy(maps[start : start + 7]))
        cells = collector.take(grid)
        # as many as the threshold can depend on
        cells = cells._replace(ties=np.minimum(cells.ties, size))
        kept.append([*cells, collector.tail.threshold(lambda values: values)])
    for first, second in zip(*kept, strict=True):
        np.testing.assert_array_equal(first, second)
