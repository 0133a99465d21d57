"""A small generated probe set: shapes with parts, textures, materials and scenes, known exactly.

Labels are drawn with the pixels, so they are known. Image `i` of a seed is the same in any set.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from broden.images import decode
from broden.labels import LabelTable
from broden.progress import bar
from broden.reader import ProbeSet
from broden.records import LabelledImage, labelled
from broden.schema import ProbeSetError
from broden.writer import ProbeWriter

#: Raised whenever the pictures change, so that a cached set of an older kind is not reused.
VERSION = 1
IMAGES, SEED = 200, 0
_SIDE = 224
_CATEGORIES = ("color", "object", "part", "material", "scene", "texture")
_HEX = {"black": "0f0f0f", "blue": "325ac8", "brown": "784b28", "grey": "808080"}
_HEX |= {"green": "3c963c", "orange": "f08c28", "pink": "f096b4", "purple": "823c96"}
_HEX |= {"red": "cd2323", "white": "f5f5f5", "yellow": "f5d732"}
_COLOURS = {name: tuple(bytes.fromhex(code)) for name, code in _HEX.items()}
_NAMES = {
    "color": tuple(f"{name}-c" for name in _COLOURS),
    "object": ("sky", "ground", "car", "house", "tree"),
    "part": ("wheel", "window", "roof", "door", "trunk", "crown"),
    "material": ("brick", "wood", "metal"),
    "scene": ("street-s", "meadow-s", "desert-s"),
    "texture": ("striped", "dotted", "chequered", "zigzagged"),
}
_ALL = [name for category in _CATEGORIES for name in _NAMES[category]]
_NUMBERS = {name: number for number, name in enumerate(_ALL, start=1)}
_GROUNDS = {"street-s": "grey", "meadow-s": "green", "desert-s": "yellow"}
_Y, _X = np.mgrid[:_SIDE, :_SIDE]


class _Canvas:
    """An image and its label maps, painted together so that they cannot disagree."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.rgb = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        self.maps = {
            c: np.zeros((_SIDE, _SIDE), np.uint16) for c in _CATEGORIES[1:] if c != "scene"
        }

    def paint(self, mask: np.ndarray, colour: str | np.ndarray, **labels: str) -> None:
        """Fill a mask with a colour name or picture; what it covers loses its other labels."""
        fill = np.asarray(_COLOURS[colour]) if isinstance(colour, str) else colour[mask]
        noise = self.rng.normal(0, 6, (int(mask.sum()), 1))
        self.rgb[mask] = np.clip(fill + noise, 0, 255).astype(np.uint8)
        for category, plane in self.maps.items():
            plane[mask] = _NUMBERS[labels[category]] if category in labels else 0


def _box(x: float, y: float, w: float, h: float) -> np.ndarray:
    return (x <= _X) & (x + w > _X) & (y <= _Y) & (y + h > _Y)


def _disc(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    return ((_X - x) / rx) ** 2 + ((_Y - y) / ry) ** 2 <= 1


def _car(canvas: _Canvas, x: int, y: int, s: int, colour: str) -> None:
    canvas.paint(_box(x, y - s // 4, s, s // 4), colour, object="car")
    canvas.paint(_box(x + s // 5, y - s // 2, 3 * s // 5, s // 4), colour, object="car")
    for left in (x + s // 4, x + 11 * s // 20):
        window = _box(left, y - 9 * s // 20, s // 5, s // 6)
        canvas.paint(window, "white", object="car", part="window")
    for centre in (x + s // 4, x + 3 * s // 4):
        canvas.paint(_disc(centre, y, s / 9, s / 9), "black", object="car", part="wheel")


def _house(canvas: _Canvas, x: int, y: int, s: int, colour: str) -> None:
    material = ("brick", "wood", "metal")[canvas.rng.integers(3)]
    wall = _box(x, y - s // 2, s, s // 2)
    canvas.paint(wall, _MATERIALS[material], object="house", material=material)
    roof = (_Y >= y - s) & (y - s // 2 > _Y) & (np.abs(_X - x - s / 2) <= (_Y - y + s) * 1.1)
    canvas.paint(roof, "red", object="house", part="roof")
    door = _box(x + s // 8, y - s // 3, s // 5, s // 3)
    canvas.paint(door, "brown", object="house", part="door")
    window = _box(x + s // 2, y - 2 * s // 5, s // 3, s // 5)
    canvas.paint(window, "blue", object="house", part="window")


def _tree(canvas: _Canvas, x: int, y: int, s: int, colour: str) -> None:
    trunk = _box(x + 2 * s // 5, y - s // 2, s // 5, s // 2)
    canvas.paint(trunk, "brown", object="tree", part="trunk")
    crown = _disc(x + s / 2, y - 0.7 * s, s / 2.2, s / 2.6)
    canvas.paint(crown, "green", object="tree", part="crown")


def _two(pattern: np.ndarray, one: str, other: str) -> np.ndarray:
    """Return a float picture with one colour where the pattern holds."""
    return np.where(pattern[..., None], _COLOURS[one], _COLOURS[other]).astype(np.float64)


_MATERIALS = {
    "brick": _two((_Y % 10 < 2) | ((_X + 9 * (_Y // 10 % 2)) % 18 < 2), "grey", "red"),
    "wood": _two(np.sin(_X / 2.5 + np.sin(_Y / 23) * 3) > 0.2, "brown", "orange"),
    "metal": 130.0 + 90.0 * np.sin(_Y / 9.0)[..., None] * np.ones(3),
}
_TEXTURES = {
    "striped": lambda p: (_X + _Y) // p % 2 == 0,
    "dotted": lambda p: (_X % (2 * p) - p) ** 2 + (_Y % (2 * p) - p) ** 2 < (0.6 * p) ** 2,
    "chequered": lambda p: (_X // p + _Y // p) % 2 == 0,
    "zigzagged": lambda p: (_Y + np.abs(_X % (4 * p) - 2 * p)) // p % 2 == 0,
}
_THINGS = (_car, _house, _tree)


def _image(seed: int, i: int) -> LabelledImage:
    """Draw one image; equal arguments give equal bytes."""
    rng = np.random.default_rng((seed, i))
    canvas, colours = _Canvas(rng), tuple(_COLOURS)
    scene, horizon = _NAMES["scene"][rng.integers(3)], int(rng.integers(80, 140))
    canvas.paint(horizon > _Y, "blue" if rng.random() < 0.6 else "white", object="sky")
    canvas.paint(horizon <= _Y, _GROUNDS[scene], object="ground")
    for thing in rng.permutation(len(_THINGS))[: rng.integers(1, 4)]:
        size, colour = int(rng.integers(60, 110)), colours[rng.integers(len(colours))]
        x, y = int(rng.integers(0, _SIDE - size)), int(rng.integers(horizon, _SIDE - 10))
        _THINGS[thing](canvas, x, y, size, colour)
    if rng.random() < 0.7:
        texture = _NAMES["texture"][rng.integers(4)]
        one, other = rng.choice(len(colours), 2, replace=False)
        pattern = _TEXTURES[texture](int(rng.integers(5, 12)))
        place = _box(*rng.integers(0, 140, 2), *rng.integers(50, 90, 2))
        canvas.paint(place, _two(pattern, colours[one], colours[other]), texture=texture)
    stream = io.BytesIO()
    Image.fromarray(canvas.rgb).save(stream, "JPEG", quality=92)
    maps = {"color": _colour_names(decode(stream.getvalue()))}
    maps |= {c: plane[::2, ::2] for c, plane in canvas.maps.items() if plane[::2, ::2].any()}
    categories = tuple(_CATEGORIES.index(c) for c in maps)
    whole = ((_CATEGORIES.index("scene"), _NUMBERS[scene]),) if rng.random() < 0.5 else ()
    planes = np.stack([*maps.values()])
    name = f"mini/{i:05d}.jpg"
    return labelled(name, "train", stream.getvalue(), (_SIDE, _SIDE), planes, categories, whole)


def _colour_names(rgb: np.ndarray) -> np.ndarray:
    """Name the mean colour of each grid pixel: the nearest of the eleven."""
    blocks = rgb.reshape(_SIDE // 2, 2, _SIDE // 2, 2, 3).mean((1, 3))
    anchors = np.array([*_COLOURS.values()], np.float64)
    distance = ((blocks[:, :, None] - anchors) ** 2).sum(-1)
    first = _NUMBERS[_NAMES["color"][0]]
    return (distance.argmin(-1) + first).astype(np.uint16)


def _table(images: int, seed: int, progress: bool) -> LabelTable:
    """Draw all images once to learn how often and how widely each label occurs."""
    count = len(_ALL)
    frequency, coverage = np.zeros((count, 6), np.int64), np.zeros((count, 6))
    home = np.repeat(np.arange(6), [len(_NAMES[category]) for category in _CATEGORIES])
    with bar(range(images), images, "count", progress) as todo:
        for i in todo:
            label, pixels, _ = _image(seed, i).contents
            frequency[label - 1, home[label - 1]] += 1
            coverage[label - 1, home[label - 1]] += pixels / (_SIDE // 2) ** 2
    return LabelTable.from_rows(
        _CATEGORIES, range(1, count + 1), _ALL, [()] * count, frequency, coverage
    )


def build(path: str | Path, images: int = IMAGES, seed: int = SEED, progress: bool = False) -> str:
    """Write a set of 224x224 images, grid 112x112; ValueError unless images > 0, seed >= 0."""
    if images < 1 or seed < 0:
        raise ValueError(f"images is {images}, seed {seed}; expected at least 1 and at least 0")
    table, grid = _table(images, seed, progress), (_SIDE // 2, _SIDE // 2)
    with ProbeWriter(path, table, grid, name="mini", source=f"seed {seed}") as writer:
        with bar(range(images), images, "draw", progress) as todo:
            for i in todo:
                writer.add(_image(seed, i))
        return writer.finish(progress)


def default_probe(progress: bool = True) -> Path:
    """Return the path of the default set in the user's cache, built there on first use."""
    from filelock import FileLock

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "network-dissection" / f"mini-v{VERSION}-seed{SEED}-{IMAGES}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        try:
            ProbeSet(path).close()
        except (FileNotFoundError, ProbeSetError):
            build(path, IMAGES, SEED, progress)
    return path
