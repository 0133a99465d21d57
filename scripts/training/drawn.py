"""Draw many compositions of mini-Broden in several processes, into memory.

Knows nothing of torch, so that the processes start fast.
"""

import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from broden.mini import numbering
from broden.mini.compose import Composition, compose
from broden.mini.scenes import SCENES
from broden.mini.things.catalogue import THINGS
from broden.mini.vocabulary import MAIN, TEXTURES

#: What a label column names, in the order of the columns.
CLASSES = (tuple(SCENES), tuple(MAIN), tuple(TEXTURES))
SCENE, THING, TEXTURE = range(3)
#: What a map of surfaces names, and of how many kinds each is: pixels of none are 0.
SURFACES = ("color", "texture", "material")
KINDS = tuple(len(numbering.NAMES[category]) + 1 for category in SURFACES)
_FIRST = [numbering.NUMBERS[c, numbering.NAMES[c][0]] for c in SURFACES]
#: What may stand in an image, in the order of `Drawn.things`.
STANDING = tuple(THINGS)
# Cells of the label grid that a thing has to have to count: 0.2% of them.
_SEEN = 25
_CHUNK = 32


class Order(NamedTuple):
    """What to draw.

    seed, images : of the renderer, and how many from index 0 on; plan : kind and hardness of the
    images, taken in turn; sides : of how many of the first images to keep pixels at which size;
    resample : Pillow's filter; surfaces : side of the maps of surfaces to keep, 0 for neither them
    nor the things that stand in each image.
    """

    seed: int
    images: int
    plan: tuple[tuple[str, bool], ...]
    sides: Mapping[int, int]
    resample: Image.Resampling = Image.Resampling.BOX
    surfaces: int = 0


class Drawn(NamedTuple):
    """What was drawn.

    pixels : side -> uint8 (n, side, side, 3); labels : int64 (N, 3), the columns of `CLASSES`, -1
    where an image has none; captions : N texts; surfaces : uint8 (N, 3, g, g), for each place and
    each of `SURFACES` its kind from 1 on, 0 for none; things : bool (N, T), which of `STANDING` can
    be seen. g and T are 0 unless they were ordered.
    """

    pixels: dict[int, np.ndarray]
    labels: np.ndarray
    captions: list[str]
    surfaces: np.ndarray
    things: np.ndarray


def draw(order: Order, cores: int, text: str) -> Drawn:
    """Draw an order, the same whatever the number of processes, with a bar on stderr."""
    pixels = {
        side: np.empty((min(count, order.images), side, side, 3), np.uint8)
        for side, count in order.sides.items()
    }
    maps = np.empty((order.images, len(SURFACES), order.surfaces, order.surfaces), np.uint8)
    things = np.empty((order.images, len(STANDING) if order.surfaces else 0), bool)
    drawn = Drawn(pixels, np.empty((order.images, len(CLASSES)), np.int64), [], maps, things)
    numbers = range(order.images)
    tasks = [(order, numbers[first : first + _CHUNK]) for first in numbers[::_CHUNK]]
    with tqdm(total=order.images, desc=text, unit="image", mininterval=1) as shown:
        for (_, indices), chunk in zip(tasks, _chunks(tasks, cores), strict=True):
            for side, block in chunk.pixels.items():
                pixels[side][indices.start : indices.start + len(block)] = block
            drawn.labels[indices.start : indices.stop] = chunk.labels
            drawn.captions.extend(chunk.captions)
            maps[indices.start : indices.stop] = chunk.surfaces
            things[indices.start : indices.stop] = chunk.things
            shown.update(len(indices))
    return drawn


def _chunks(tasks: Sequence[tuple[Order, range]], cores: int) -> Iterator[Drawn]:
    if cores == 1:
        yield from map(_chunk, tasks)
        return
    # A forked process would inherit torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    # Not multiprocessing's own pool, which starts processes for ever if they die at once.
    with ProcessPoolExecutor(cores, context, _leave_interrupts) as pool:
        yield from pool.map(_chunk, tasks)


def _leave_interrupts() -> None:
    """Let Ctrl-C end the parent only, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _chunk(task: tuple[Order, range]) -> Drawn:
    order, indices = task
    kept: dict[int, list[np.ndarray]] = {side: [] for side in order.sides}
    labels, captions, maps, things = [], [], [], []
    for index in indices:
        kind, hard = order.plan[index % len(order.plan)]
        made = compose(order.seed, index, kind=kind, hard=hard)
        for side, count in order.sides.items():
            if index < count:
                kept[side].append(_resized(made.rgb, side, order.resample))
        names = zip(CLASSES, (made.scene, made.thing, made.texture), strict=True)
        labels.append([-1 if name is None else classes.index(name) for classes, name in names])
        captions.append(made.caption)
        surfaces, standing = _labels(made, order.surfaces)
        maps.append(surfaces)
        things.append(standing)
    pixels = {side: np.stack(images) for side, images in kept.items() if images}
    return Drawn(pixels, np.array(labels), captions, np.stack(maps), np.stack(things))


def _labels(made: Composition, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the map of surfaces at the middles of side x side squares, and which things there are.

    They are uint8 (3, side, side) and bool (T); empty if side is 0.
    """
    maps = np.zeros((len(SURFACES), side, side), np.uint8)
    if not side:
        return maps, np.empty(0, bool)
    planes, held = numbering.planes(made, made.rgb)
    by_category = {numbering.CATEGORIES[n]: plane for n, plane in zip(held, planes, strict=True)}
    for out, category, first in zip(maps, SURFACES, _FIRST, strict=True):
        if category in by_category:
            plane = by_category[category]
            step = len(plane) // side
            chosen = plane[step // 2 :: step, step // 2 :: step].astype(np.int64)
            out[:] = np.maximum(chosen - first + 1, 0)
    if made.texture is not None:
        maps[SURFACES.index("texture")] = CLASSES[TEXTURE].index(made.texture) + 1
    cells = np.bincount(by_category.get("object", np.zeros(1, int)).ravel(), minlength=1 << 10)
    numbers = [numbering.NUMBERS["object", name] for name in STANDING]
    return maps, cells[numbers] >= _SEEN


def _resized(rgb: np.ndarray, side: int, resample: Image.Resampling) -> np.ndarray:
    if rgb.shape[0] == side:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((side, side), resample))
