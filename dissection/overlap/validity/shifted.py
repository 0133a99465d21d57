"""What units would overlap by chance: their active pixels laid over the labels of other images."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dissection.activations.cells import repeat, where
from dissection.activations.device.uploading import sent
from dissection.overlap.stencils import Runs
from dissection.overlap.validity.labelsets import LabelSets

__all__ = ["Partners", "add_found", "by_image", "count_shifted", "partners_of", "rows"]


class Partners(NamedTuple):
    """The labels of R images each, of which each of n images is laid over the r-th on shift r."""

    code: Tensor
    """(n, H·W, R) uint8 or int16, which set of the partner's each pixel lies on."""
    partner: Tensor
    """(n, R) int64, place of the partner among D different images."""
    member: Tensor
    """(D, C, l) float64, 1 where a set of the image holds its label."""
    label: Tensor
    """(D, l) int64 label number of each of the image's labels, 0 where it has fewer."""


def partners_of(
    images: np.ndarray, sets: Sequence[LabelSets], device: torch.device | str
) -> Partners:
    """Return the labels of the partners of n images.

    Parameters
    ----------
    images : ndarray
        (n, R) int64 the partner of each image on each shift.
    sets : sequence of LabelSets
        Of the different images among them, ascending.
    device : torch.device or str
        Where the counts will be taken.
    """
    _, place = np.unique(images, return_inverse=True)
    place = place.reshape(images.shape)
    most = max(len(one.member) for one in sets), max(len(one.label) for one in sets)
    member, label = np.zeros((len(sets), *most)), np.zeros((len(sets), most[1]), np.int64)
    for at, one in enumerate(sets):
        member[at, : len(one.member), : len(one.label)] = one.member
        label[at, : len(one.label)] = one.label
    code: np.ndarray = np.empty((len(images), len(sets[0].code), images.shape[1]), _narrow(most[0]))
    for row, own in zip(code, place, strict=True):
        for shift, at in enumerate(own):
            row[:, shift] = sets[at].code
    return Partners(*(sent(part, device) for part in (code, place, member, label)))


def _narrow(sets: int) -> type:
    return np.uint8 if sets <= 256 else np.int16


def count_shifted(runs: Runs, image: Tensor, units: int, partners: Partners, total: Tensor) -> None:
    """Add the active pixels of some images under their partners' labels to a total, in place.

    Parameters
    ----------
    runs : Runs
        Where the maps of n images exceed their thresholds.
    image : Tensor
        (n,) int64 which images of the block they are.
    units : int
        U.
    partners : Partners
        Of a block of images.
    total : Tensor
        (R, U, L) int32, the pixels of each unit under each label on each shift.
    """
    pixels, shifts = partners.code.shape[1:]
    sets = partners.member.shape[1]
    active, row = rows(runs, len(image) * units)
    of_row = image.index_select(0, active // units)
    place = runs.pixels((of_row * pixels).index_select(0, row))
    base = repeat((row * (shifts * sets)).to(torch.int32), runs.length)
    found = partners.code.view(-1, shifts).index_select(0, place)
    steps = torch.arange(0, shifts * sets, sets, dtype=torch.int32, device=found.device)
    bins = (base[:, None] + steps).add_(found)
    hits = torch.bincount(bins.view(-1), minlength=len(active) * shifts * sets)
    hits = hits.view(len(active), shifts, sets)
    unit = active % units
    for which, overlap, label in by_image(hits, of_row, partners):
        add_found(total, unit[which], overlap, label)


def rows(runs: Runs, maps: int) -> tuple[Tensor, Tensor]:
    """Return the maps with an active pixel, (A,) int64 ascending, and of each run which it is."""
    there = torch.zeros(maps, dtype=torch.bool, device=runs.map.device)
    there[runs.map] = True
    active = where(there)
    number = torch.zeros(maps, dtype=torch.int64, device=there.device)
    number[active] = torch.arange(len(active), device=there.device)
    return active, number.index_select(0, runs.map)


def by_image(
    hits: Tensor, image: Tensor, partners: Partners
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield what the maps of each image overlap of its partners' labels.

    Parameters
    ----------
    hits : Tensor
        (A, R, C) int64 pixels of A maps under the sets of their image's partners.
    image : Tensor
        (A,) int64 of each map; the maps of an image are neighbours.
    partners : Partners
        Of a block of images.

    Yields
    ------
    which : slice
        The maps of the image, a of them.
    found : Tensor
        (R, a, l) float64 pixels under each label, whole numbers.
    label : Tensor
        (R, l) int64.
    """
    kept, counts = torch.unique_consecutive(image, return_counts=True)
    at = 0
    for one, count in zip(kept.tolist(), counts.tolist(), strict=True):
        partner = partners.partner[one]
        which = slice(at, at + count)
        member = partners.member.index_select(0, partner)
        yield which, hits[which].transpose(0, 1).double() @ member, partners.label[partner]
        at += count


def add_found(total: Tensor, unit: Tensor, found: Tensor, label: Tensor) -> None:
    """Add what `by_image` found of some units, (a,) int64, to (R, U, L) int32, in place."""
    shifts, units, labels = total.shape
    step = torch.arange(shifts, device=total.device)[:, None, None] * (units * labels)
    cell = step + unit[:, None] * labels + label[:, None, :]
    total.view(-1).index_add_(0, cell.view(-1), found.to(total.dtype).view(-1))
