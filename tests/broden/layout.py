"""Small data sets in the original Broden layout, and a slow independent reading of them."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

CATEGORIES = ("color", "object", "part", "scene", "material")
#: Numbers with gaps, one above 255; name and synonyms.
LABELS = {
    1: ("black-c", ""),
    2: ("white-c", ""),
    3: ("car", "auto;automobile"),
    5: ("wheel", "tyre"),
    6: ("glass", ""),
    9: ("street-s", ""),
    300: ("wood", "timber"),
}
#: Coverage by category: glass is mostly a material, wheel ties and goes to the later category.
COVERAGE = {
    "color": {1: 2.0, 2: 3.0},
    "object": {3: 2.5, 6: 0.5, 5: 1.0},
    "part": {5: 1.0},
    "scene": {9: 4.0},
    "material": {6: 1.5, 300: 0.25},
}
#: Primary category by the rule, worked out by hand.
PRIMARY = {
    1: "color",
    2: "color",
    3: "object",
    5: "part",
    6: "material",
    9: "scene",
    300: "material",
}
GRID, SIZE = (6, 8), (12, 16)


@dataclass
class Photo:
    """One image of a layout: maps are arrays (H, W), numbers are whole-image labels."""

    name: str
    labels: dict[str, list] = field(default_factory=dict)
    mode: str = "RGB"
    size: tuple[int, int] = SIZE
    grid: tuple[int, int] = GRID
    split: str = "train"


def jpeg(seed: int, size: tuple[int, int] = SIZE, mode: str = "RGB") -> bytes:
    """Return a JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG")
    return stream.getvalue()


def label_png(plane: np.ndarray, mode: str = "RGB") -> bytes:
    """Return a PNG that carries label numbers in the given mode."""
    plane = np.asarray(plane, np.uint16)
    if mode in ("L", "1"):
        image = Image.fromarray(plane.astype(np.uint8) * (255 if mode == "1" else 1)).convert(mode)
    elif mode == "P":
        image = Image.fromarray(plane.astype(np.uint8)).convert("P")
        # colours as of a map by an annotation tool: none tells the label
        image.putpalette([(37 * n + k) % 256 for n in range(256) for k in (0, 80, 160)])
    elif mode == "I;16":
        image = Image.fromarray(plane)
    else:
        rgb = np.stack([plane & 255, plane >> 8, np.full_like(plane, 7)], -1).astype(np.uint8)
        image = Image.fromarray(rgb)
        image = image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def write_table(path: Path, header: tuple[str, ...], rows: list[tuple], newline: str) -> None:
    """Write a CSV file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=newline)
    writer.writerows([header, *rows])
    path.write_bytes(stream.getvalue().encode())


def write_layout(
    root: Path,
    photos: list[Photo],
    *,
    categories: tuple[str, ...] = CATEGORIES,
    columns: tuple[str, ...] | None = None,
    newline: str = "\r\n",
    map_mode: str = "RGB",
) -> Path:
    """Write a data set; `columns` orders the categories in index.csv."""
    (root / "images").mkdir(parents=True)
    columns = columns or categories
    rows = []
    for seed, photo in enumerate(photos):
        path = root / "images" / photo.name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(jpeg(seed, photo.size, photo.mode))
        fields = []
        for category in columns:
            values = []
            for k, entry in enumerate(photo.labels.get(category, ())):
                if isinstance(entry, np.ndarray):
                    name = f"{photo.name[:-4]}_{category}_{k}.png"
                    (root / "images" / name).write_bytes(label_png(entry, map_mode))
                    entry = name
                values.append(str(entry))
            fields.append(";".join(values))
        rows.append((photo.name, photo.split, *photo.size, *photo.grid, *fields))
    header = ("image", "split", "ih", "iw", "sh", "sw", *columns)
    write_table(root / "index.csv", header, rows, newline)
    write_vocabulary(root, categories, newline)
    return root


def write_vocabulary(root: Path, categories: tuple[str, ...], newline: str = "\n") -> None:
    """Write category.csv, label.csv and the c_<category>.csv tables."""
    rows = [(name, 1, 9, 3, 5) for name in categories]
    write_table(
        root / "category.csv", ("name", "first", "last", "count", "frequency"), rows, newline
    )
    rows = [(n, name, "x(1)", 1, 1.0, syns) for n, (name, syns) in LABELS.items()]
    header = ("number", "name", "category", "frequency", "coverage", "syns")
    write_table(root / "label.csv", header, rows, newline)
    for category in categories:
        rows = [
            (code, n, LABELS[n][0], 4, coverage)
            for code, (n, coverage) in enumerate(COVERAGE.get(category, {}).items(), start=1)
        ]
        header = ("code", "number", "name", "frequency", "coverage")
        write_table(root / f"c_{category}.csv", header, rows, newline)


def plane(seed: int, *labels: int, grid: tuple[int, int] = GRID) -> np.ndarray:
    """Return a random plane of the given labels, each of them on at least one pixel."""
    flat = np.random.default_rng(seed).choice(labels, grid[0] * grid[1]).astype(np.uint16)
    flat[: len(labels)] = labels[: flat.size]
    return flat.reshape(grid)


def corner_photos() -> list[Photo]:
    """Return photos that meet every corner of the format at least once."""
    return [
        Photo("a/colour.jpg", {"color": [plane(1, 0, 1, 2)]}),
        Photo("a/none.jpg", {}, split="val"),
        Photo("a/whole.jpg", {"scene": [9], "material": [300, 6]}, mode="L"),
        # A number beside maps that hold the same label.
        Photo("b/beside.jpg", {"object": [plane(2, 0, 3, 6)], "material": [6]}, mode="CMYK"),
        # One label in two channels and two categories.
        Photo(
            "b/twice.jpg",
            {
                "color": [plane(3, 1, 2)],
                "object": [plane(4, 0, 3, 5)],
                "part": [plane(5, 0, 5), plane(6, 5, 6)],
            },
        ),
        Photo("c/empty_map.jpg", {"object": [np.zeros(GRID, np.uint16)], "scene": [0, 9, 9]}),
        Photo("c/large.jpg", {"material": [plane(7, 0, 300)]}, split=""),
    ]


def zipped(root: Path, target: Path, top: str = "broden1_12/") -> Path:
    """Pack a layout below one folder, as published."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, top + path.relative_to(root).as_posix())
    return target


def pixel_sets(root: Path, categories: tuple[str, ...] = CATEGORIES) -> list[dict[int, set]]:
    """Read the layout pixel by pixel: for each image, the pixels of each label."""
    found = []
    with open(root / "index.csv", newline="", encoding="utf-8-sig") as handle:
        for row in csv.DictReader(handle):
            height, width = int(row["sh"]), int(row["sw"])
            held: dict[int, set] = {}
            for category in categories:
                for value in filter(None, row[category].split(";")):
                    image = None
                    if not value.isdigit():
                        image = Image.open(root / "images" / value).convert("RGB")
                    for y in range(height):
                        for x in range(width):
                            label = int(value) if image is None else _label(image, x, y)
                            if label:
                                held.setdefault(label, set()).add((y, x))
            found.append(held)
    return found


def _label(image: Image.Image, x: int, y: int) -> int:
    red, green, _ = image.getpixel((x, y))
    return red + 256 * green
