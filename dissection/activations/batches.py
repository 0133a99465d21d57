"""Decoded batches of a probe set, made ahead of the network by threads."""

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from broden.images import decode
from broden.probe import Probe
from broden.system.parallel import in_order
from dissection.networks.preprocessing import Preprocessing

AHEAD = 3
"""Batches begun before they are asked for, at least; one more than workers if that is more."""


def batches(
    probe: Probe,
    spans: Sequence[tuple[int, int]],
    preprocessing: Preprocessing,
    workers: int = 0,
) -> Generator[Tensor, None, None]:
    """Yield the images of each span, whole and at the network's input size.

    Parameters
    ----------
    probe : Probe
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

    def decoded(span: tuple[int, int]) -> Tensor:
        return _decoded(probe, span, preprocessing)

    if workers == 0:
        yield from map(decoded, spans)
        return
    with closing(in_order(decoded, spans, workers, max(AHEAD, workers + 1))) as results:
        yield from results


def _decoded(probe: Probe, span: tuple[int, int], preprocessing: Preprocessing) -> Tensor:
    first, last = span
    batch = np.empty((last - first, *preprocessing.size, 3), np.uint8)
    for place, data in enumerate(probe.jpegs(first, last)):
        name = f"{probe.path}: image {first + place} ({probe.names[first + place]})"
        batch[place] = decode(data, preprocessing.size, preprocessing.resample, name)
    return torch.from_numpy(batch)
