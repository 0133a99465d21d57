"""Decoded batches of a probe set, made ahead of the network by threads."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from broden.reader import ProbeSet, decode
from dissection.preprocessing import Preprocessing

AHEAD = 2
"""Batches decoded before they are asked for."""


def batches(
    probe: ProbeSet,
    spans: Sequence[tuple[int, int]],
    preprocessing: Preprocessing,
    workers: int = 0,
) -> Iterator[Tensor]:
    """Yield the images of each span, whole and at the network's input size.

    Parameters
    ----------
    probe : ProbeSet
        Where the images are.
    spans : sequence of (int, int)
        First image and one past the last of each batch.
    preprocessing : Preprocessing
        Size and interpolation.
    workers : int
        Threads; 0 decodes when a batch is asked for.

    Yields
    ------
    Tensor
        (N, h, w, 3) uint8 on the CPU.

    Raises
    ------
    ValueError
        If an image cannot be decoded.
    """
    if workers == 0:
        for span in spans:
            yield _decoded(probe, span, preprocessing)
        return
    with ThreadPoolExecutor(workers, "decode") as pool:
        waiting = deque()
        try:
            for span in spans:
                waiting.append(pool.submit(_decoded, probe, span, preprocessing))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _decoded(probe: ProbeSet, span: tuple[int, int], preprocessing: Preprocessing) -> Tensor:
    first, last = span
    batch = np.empty((last - first, *preprocessing.size, 3), np.uint8)
    for place, data in enumerate(probe.jpegs(first, last)):
        name = f"{probe.path}: image {first + place} ({probe.names[first + place]})"
        batch[place] = decode(data, preprocessing.size, preprocessing.resample, name)
    return torch.from_numpy(batch)
