"""Decoded batches of a probe set, made ahead of the network by threads."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from broden.images import decode
from broden.probe import Probe
from broden.system.parallel import in_order
from dissection.networks.preprocessing import Preprocessing

Images = Sequence[int] | np.ndarray
Share = Callable[[Callable[[int], None], range], Iterable[None]]

AHEAD = 3
"""Batches begun before they are asked for, at least; one more than workers if that is more."""


def batches(
    probe: Probe,
    cuts: Sequence[Images],
    preprocessing: Preprocessing,
    workers: int = 0,
    share: Share = map,
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
    share : callable
        How the images of a batch are decoded when it is asked for, as `map` does it.
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
        how = share if workers == 0 else map
        return _decoded(probe, images, preprocessing, how, pinned)

    if workers == 0:
        yield from map(decoded, cuts)
        return
    with closing(in_order(decoded, cuts, workers, max(AHEAD, workers + 1))) as results:
        yield from results


def _decoded(
    probe: Probe, images: Images, preprocessing: Preprocessing, share: Share, pinned: bool
) -> Tensor:
    shape = (len(images), *preprocessing.size, 3)
    result = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
    batch = result.numpy()
    stored = probe.jpegs(images)

    def decode_into(place: int) -> None:
        image = images[place]
        name = f"{probe.path}: image {image} ({probe.names[image]})"
        batch[place] = decode(stored[place], preprocessing.size, preprocessing.resample, name)

    list(share(decode_into, range(len(images))))
    return result
