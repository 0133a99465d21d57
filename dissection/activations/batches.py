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

Images = Sequence[int] | np.ndarray

AHEAD = 3
"""Batches begun before they are asked for, at least; one more than workers if that is more."""


def batches(
    probe: Probe,
    cuts: Sequence[Images],
    preprocessing: Preprocessing,
    workers: int = 0,
    pinned: bool = False,
) -> Generator[Tensor, None, None]:
    """Yield the images of each batch, whole and at the network's input size.

    Parameters
    ----------
    probe : Probe
        Where the images are.
    cuts : sequence of sequence of int
        The images of each batch.
    preprocessing : Preprocessing
        Size and interpolation.
    workers : int
        Threads; 0 decodes when a batch is asked for.
    pinned : bool
        Whether they are to be in memory that a GPU reads by itself.

    Yields
    ------
    Tensor
        (N, h, w, 3) uint8 on the CPU.

    Raises
    ------
    ValueError
        If an image cannot be decoded.
    """

    def decoded(images: Images) -> Tensor:
        return _decoded(probe, images, preprocessing, pinned)

    if workers == 0:
        yield from map(decoded, cuts)
        return
    with closing(in_order(decoded, cuts, workers, max(AHEAD, workers + 1))) as results:
        yield from results


def _decoded(probe: Probe, images: Images, preprocessing: Preprocessing, pinned: bool) -> Tensor:
    shape = (len(images), *preprocessing.size, 3)
    result = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
    batch = result.numpy()
    for place, (image, data) in enumerate(zip(images, probe.jpegs(images), strict=True)):
        name = f"{probe.path}: image {image} ({probe.names[image]})"
        batch[place] = decode(data, preprocessing.size, preprocessing.resample, name)
    return result
