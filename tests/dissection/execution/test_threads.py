import threading

import pytest
import torch

from dissection.execution.threads import each, small_operations

CPU = torch.device("cpu")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(threads):
    assert list(each(lambda item: item * item, range(20), threads)) == [i * i for i in range(20)]


def test_one_thread_is_the_callers():
    assert set(each(lambda _: threading.get_ident(), range(3), 1)) == {threading.get_ident()}


def test_operations_in_threads_run_alone():
    before = torch.get_num_threads()
    with small_operations(CPU) as threads:
        assert threads == before
        assert set(each(lambda _: torch.get_num_threads(), range(8), 2)) == {1}
    assert torch.get_num_threads() == before


def test_an_error_restores_the_threads():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), small_operations(CPU):
        list(each({}.__getitem__, [1], 2))
    assert torch.get_num_threads() == before


def test_other_devices_need_one_thread():
    with small_operations(torch.device("cuda")) as threads:
        assert threads == 1
