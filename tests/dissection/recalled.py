"""A network that gives maps we choose, image by image, and runs of it in one process or two."""

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from dissection.activations.forward import Plan
from dissection.activations.shards import ShardStore
from dissection.config import Execution
from dissection.execution.job import Job
from dissection.execution.ranks import Ranks
from dissection.networks.loading import Network, probed
from dissection.networks.preprocessing import Preprocessing

PLAIN = Preprocessing(size=(1, 1), mean=(0, 0, 0), std=(1, 1, 1), interpolation="nearest")


class Numbered:
    """N images of one pixel whose colour is their number."""

    labels = None
    path = Path("numbered")

    def __init__(self, images: int) -> None:
        self.names = [str(number) for number in range(images)]

    def __len__(self) -> int:
        return len(self.names)

    def jpegs(self, images: Sequence[int]) -> list[bytes]:
        return [self._png(int(number)) for number in images]

    def _png(self, number: int) -> bytes:
        stream = io.BytesIO()
        Image.new("RGB", (1, 1), (number % 256, number // 256, 0)).save(stream, "PNG")
        return stream.getvalue()


class Recalled(nn.Module):
    """Gives each numbered image the maps that are stored for it, (N, U, h, w) of each layer."""

    def __init__(self, maps: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.stored = {name: torch.from_numpy(part) for name, part in maps.items()}
        for name in maps:
            self.add_module(name, nn.Identity())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = (images[:, :2, 0, 0] * 255).round().to(torch.int64)
        # what the layers are probed with is no image
        number = (pixels[:, 0] + 256 * pixels[:, 1]).clamp(
            0, len(next(iter(self.stored.values()))) - 1
        )
        for name, stored in self.stored.items():
            result = getattr(self, name)(stored[number])
        return result


class Two(Ranks):
    """One of two threads that stand for two ranks."""

    def __init__(self, rank: int, barrier: threading.Barrier, shared: list) -> None:
        self.rank, self.world = rank, 2
        self.barrier, self._shared = barrier, shared

    def all(self, value):
        self._shared[self.rank] = value
        self.barrier.wait()
        result = list(self._shared)
        self.barrier.wait()
        return result

    def total(self, values: torch.Tensor) -> torch.Tensor:
        return torch.stack(self.all(values)).sum(0)


def job(
    maps: Mapping[str, np.ndarray], folder: Path, quantile: float, batch: int = 3, ranks=None
) -> Job:
    """Return the job of running the maps' images, whose shards go to a folder."""
    network = Network("recalled", Recalled(maps).eval(), PLAIN, "recalled")
    probe = Numbered(len(next(iter(maps.values()))))
    layers = probed(network, list(maps))
    device = torch.device("cpu")
    plan = Plan(network, probe, layers, quantile, True, "fp32", device, batch, 0)
    store = ShardStore(folder, "key")
    return Job(plan, store, Execution("cpu"), ranks or Ranks(), lambda *_: nullcontext(), {})


def over_two(work: Callable[[Ranks], object]) -> list:
    """Do the work of two ranks, each in a thread; what ends one ends both."""
    barrier, shared = threading.Barrier(2, timeout=300), [None, None]

    def run(rank: int) -> object:
        try:
            with torch.inference_mode():
                return work(Two(rank, barrier, shared))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(2) as pool:
        return [one.result() for one in [pool.submit(run, rank) for rank in range(2)]]
