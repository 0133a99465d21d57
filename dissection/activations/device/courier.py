"""What a device found of a batch, brought to the host in one copy behind the next batch's work."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["Courier"]

Receive = Callable[[np.ndarray], None]


class _Item(NamedTuple):
    """Something on its way."""

    tensor: Tensor
    receive: Receive


class _Parcel(NamedTuple):
    """One copy: the bytes of all items, and what tells that it has arrived."""

    host: Tensor
    arrived: "torch.cuda.Event | None"
    items: list[tuple[tuple[int, ...], np.dtype, Receive]]


class Courier:
    """Collect what is to be on the host, send it together, and hand it over when it is there.

    Handing over waits for the copy before the last, which has nothing in front of it but work that
    was given to the device a batch ago; meanwhile the device has this batch to work on.

    Parameters
    ----------
    device : torch.device
        Where things come from.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._items: list[_Item] = []
        self._under_way: _Parcel | None = None

    def add(self, tensor: Tensor, receive: Receive) -> None:
        """Send a tensor, which nobody may write any more, with the next parcel.

        Parameters
        ----------
        tensor : Tensor
            On the device.
        receive : callable
            Given the array on arrival; may add to the parcel that leaves then.
        """
        self._items.append(_Item(tensor, receive))

    def send(self) -> None:
        """Hand over what was sent before; send what was added meanwhile."""
        parcel, self._under_way = self._under_way, None
        if parcel is not None:
            _hand_over(parcel)
        if self._items:
            self._under_way, self._items = self._sent(self._items), []

    def flush(self) -> None:
        """Hand over everything."""
        while self._items or self._under_way:
            self.send()

    def _sent(self, items: list[_Item]) -> _Parcel:
        flat = torch.cat([item.tensor.reshape(-1).view(torch.uint8) for item in items])
        host = torch.empty(flat.shape, dtype=torch.uint8, pin_memory=self._side is not None)
        arrived = None
        if self._side is None:
            host.copy_(flat)
        else:
            self._side.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._side):
                host.copy_(flat, non_blocking=True)
            flat.record_stream(self._side)
            arrived = self._side.record_event()
        parts = [
            (tuple(item.tensor.shape), _NUMPY[item.tensor.dtype], item.receive) for item in items
        ]
        return _Parcel(host, arrived, parts)


_NUMPY: dict[torch.dtype, np.dtype] = {
    torch.uint8: np.dtype("u1"),
    torch.int32: np.dtype("i4"),
    torch.float32: np.dtype("f4"),
}


def _hand_over(parcel: _Parcel) -> None:
    if parcel.arrived is not None:
        parcel.arrived.synchronize()
    found, start = parcel.host.numpy(), 0
    for shape, dtype, receive in parcel.items:
        stop = start + math.prod(shape) * dtype.itemsize
        receive(found[start:stop].view(dtype).reshape(shape))
        start = stop
