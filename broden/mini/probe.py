"""Writing of the set: images drawn in several processes, one probe file, a cache of the default."""

from __future__ import annotations

import pickle
import re
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from broden.defaults import MINI_IMAGES
from broden.mini import numbering as naming
from broden.mini.compose import compose
from broden.mini.drawing import camera
from broden.mini.drawing.canvas import GRID, SIDE
from broden.reader import ProbeSet
from broden.records import LabelledImage, labelled
from broden.schema import GENERATED, ProbeSetError
from broden.system.files import cache_folder, inside, sweep
from broden.system.processes import processors, started
from broden.system.progress import bar
from broden.system.text import nearest
from broden.writer import ProbeWriter

#: Raised whenever the pictures change, so that a cached set of an older kind is not reused.
VERSION = 3
IMAGES, SEED = MINI_IMAGES, 0
MINI = "mini"
# Below this many images a process, starting it takes longer than it saves.
_WORTHWHILE = 40


def image(seed: int, index: int) -> LabelledImage:
    """Draw one image with its labels; equal arguments give an equal picture."""
    from broden.images import decode

    drawn = compose(seed, index)
    data = camera.jpeg(drawn.rgb, drawn.caption)
    planes, categories = naming.planes(drawn, decode(data))
    name = f"mini/{drawn.kind}/{index:05d}.jpg"
    return labelled(name, "train", data, (SIDE, SIDE), planes, categories, naming.whole(drawn))


def build(
    path: str | Path,
    images: int = IMAGES,
    seed: int = SEED,
    progress: bool = False,
    processes: int | None = None,
) -> str:
    """Write a set and return its digest: 224x224 images, grid 112x112, captions in the JPEGs.

    Image `i` of a seed is the same in a set of any size. Labels that no image holds are left out.

    Parameters
    ----------
    path : Path
        The probe file to write.
    images, seed : int
        How many, and of which seed.
    progress : bool
        Whether to show bars.
    processes : int, optional
        How many draw; as many as there are processors unless given.

    Raises
    ------
    ValueError
        When `images` is not above 0 or `seed` is negative.
    """
    if images < 1 or seed < 0:
        raise ValueError(f"images is {images}, seed {seed}; expected at least 1 and at least 0")
    frequency, pixels = np.zeros((2, len(naming.HOME)), np.int64)
    any_label = np.minimum(np.arange(len(naming.HOME)), 1)
    every, grid = naming.table(any_label, any_label), (GRID, GRID)
    with ProbeWriter(path, every, grid, name=MINI, source=f"{GENERATED}{seed}") as writer:
        drawn = _drawn(seed, images, processes)
        with closing(drawn), bar(drawn, images, "draw", progress) as todo:
            for one in todo:
                writer.add(one)
                frequency[one.contents.label] += 1
                pixels[one.contents.label] += one.contents.pixels
        writer.describe(naming.table(frequency, pixels / GRID**2))
        return writer.finish(progress)


def default_probe(progress: bool = True) -> Path:
    """Return the path of the default set in the user's cache, built there on first use."""
    from filelock import FileLock

    path = cache_folder() / f"mini-v{VERSION}-seed{SEED}-{IMAGES}.h5"
    sweep(path.parent, re.compile(r"mini-.+\.h5").fullmatch)
    # a set that is there needs no lock, which a cache that can only be read would refuse
    if _is_whole(path):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(inside(path.parent, f"{path.name}.lock")):
        if not _is_whole(path):
            build(path, IMAGES, SEED, progress)
    return path


def _is_whole(path: Path) -> bool:
    """Tell whether a probe file can be opened."""
    try:
        ProbeSet(path).close()
    except (FileNotFoundError, ProbeSetError):
        return False
    return True


def located(name: str | Path, progress: bool = False) -> Path:
    """Return where a probe set is: a path, or that of the default set by its name.

    Parameters
    ----------
    name : str or Path
        ``mini`` for the default set, built on first use; else a file or folder.
    progress : bool
        Whether to show bars while it is built.

    Raises
    ------
    FileNotFoundError
        If there is neither; says so where `name` is nearly ``mini``.
    """
    if str(name) == MINI:
        return default_probe(progress)
    path = Path(name)
    if not path.exists():
        hint = "; did you mean mini, the generated set?" if nearest(str(name), [MINI]) else ""
        raise FileNotFoundError(
            f"{name}: no such probe file or folder{hint or '; make one with dissect-probe'}"
        )
    return path


def _drawn(seed: int, images: int, processes: int | None) -> Generator[LabelledImage, None, None]:
    """Yield the images in order, drawn by several processes if that is worthwhile."""
    processes = processes or min(processors(), images // _WORTHWHILE)
    if processes < 2:
        yield from (image(seed, index) for index in range(images))
        return
    with ExitStack() as stack:
        workers = []
        for first in range(processes):
            job = (seed, first, images, processes)
            workers.append(stack.enter_context(started("broden.mini.worker", *job)).stdout)
        for index in range(images):
            yield _received(workers[index % processes])


def _received(pipe) -> LabelledImage:
    """Return the next image that a process of ours has drawn."""
    try:
        return pickle.load(pipe)
    except EOFError as error:
        raise RuntimeError("a process that drew images ended early; see its message") from error
