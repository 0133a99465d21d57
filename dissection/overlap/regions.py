"""Where units are active on their top images, kept for pictures."""

import math

import numpy as np
import torch

from dissection.activations.cells import Cells, unpack
from dissection.execution.job import Run
from dissection.overlap.results import LayerResult
from dissection.overlap.stencils import Stencils, masks, stencils


def regions(run: Run, results: list[LayerResult]) -> dict[str, np.ndarray]:
    """Return the mask of every unit on each of its top images, from the shards of a run.

    Parameters
    ----------
    run : Run
        Whose shards are all there.
    results : list of LayerResult
        With thresholds and top images.

    Returns
    -------
    dict of str to ndarray
        By layer, uint8 (U, n, ceil(H·W / 8)): a bit for each pixel of the label grid, row by row,
        the first in the highest bit, as ``numpy.packbits`` has it.

    Raises
    ------
    ShardError
        If a shard is damaged.
    """
    grid = run.plan.probe.grid
    size = -(-math.prod(grid) // 8)
    found = {r.info.name: np.zeros((*r.top_image.shape, size), np.uint8) for r in results}
    on = {result.info.name: stencils(result.info.grid, grid) for result in results}
    for number in run.plan.shards():
        first, last = run.plan.span(number)
        here = [r for r in results if ((r.top_image >= first) & (r.top_image < last)).any()]
        shard = run.store.read(number) if here else None
        for result in here:
            name = result.info.name
            _add(shard.layers[name], result, first, on[name], grid, found[name])
    return found


def _add(
    cells: Cells,
    result: LayerResult,
    first: int,
    on: Stencils,
    grid: tuple[int, int],
    found: np.ndarray,
) -> None:
    """Fill in the masks on the images of one shard, image by image with all units it is top for."""
    for place in range(len(cells.mean)):
        unit, rank = np.nonzero(result.top_image == first + place)
        if not len(unit):
            continue
        maps = unpack(cells, result.info.grid, np.array([place]))[..., unit]
        threshold = torch.from_numpy(result.threshold[unit])
        active = masks(torch.from_numpy(np.ascontiguousarray(maps)), threshold, on, grid)[0]
        found[unit, rank] = np.packbits(active.flatten(1).numpy(), axis=1)
