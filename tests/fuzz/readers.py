"""Every reader of the project, each with small valid files that are made once."""

import contextlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from broden.photographs import Photographs
from broden.reader import ProbeSet
from broden.sources.convert import convert
from dissection.activations.shards import Shard, ShardStore
from dissection.clip import concepts, encoder
from dissection.comparison.differences import differences
from dissection.crosscheck import findings
from dissection.crosscheck.check import crosscheck
from dissection.networks.weights import checkpoints, torchscript
from dissection.results import validity
from dissection.results.dissection import Dissection
from dissection.results.folder import RunFolder
from dissection.results.photographs import source
from dissection.results.reading import read_all
from dissection.results.scores import top_concepts, tops
from dissection.results.tables import read_table, read_tally
from dissection.summary import summary
from figures import catalogue
from figures.inputs import read as inputs_of
from figures.options import Options
from figures.report import browser, tables
from figures.report.thumbnails import Thumbnails
from tests.broden.layout import corner_photos, jpeg, write_layout, zipped
from tests.dissection import believed, grouped, labelled
from tests.dissection.activations.test_shards import some_cells
from tests.dissection.clip import test_encoder as clips
from tests.dissection.networks.weights.test_checkpoints import FORMS, STATE
from tests.dissection.results.cards.test_card_schema import CARD

UNITS = 8


class Case(NamedTuple):
    """One reader and what it reads."""

    files: dict[Path, tuple[str, ...]]
    """Those that are damaged, and the formats they have beside bytes."""
    read: Callable[[], object]
    allowed: tuple[type[Exception], ...] = ()
    """What else a caller of this reader turns into one line."""


def _run(folder: Path) -> Path:
    """A run with everything in it that a run of both methods has."""
    run = labelled.run(folder / "run", UNITS)
    (run / "run.json").write_text(json.dumps(CARD))
    with h5py.File(run / "scores.h5", "r+") as file:
        file["layers/fc/top/image"] = np.arange(UNITS * 2).reshape(UNITS, 2) % 9
        file["layers/fc/top/value"] = np.ones((UNITS, 2), np.float32)
        file["layers/fc/top/mask"] = np.ones((UNITS, 2, 7), np.uint8)
        file["layers/fc/top/mask"].attrs["grid"] = np.array([7, 7])
        file["layers/fc/threshold"] = np.ones(UNITS, np.float32)
    with h5py.File(run / "clip.h5", "r+") as file:
        file["layers/fc/top/concept"] = np.arange(UNITS * 2).reshape(UNITS, 2) % 5
        file["layers/fc/top/similarity"] = np.ones((UNITS, 2), np.float32)
    findings.write(crosscheck(*read_all([run]), permutations=3), run)
    return run


def _whole_run(run: Path) -> None:
    """Read a run as the summary, the comparison and the page do."""
    result = Dissection.read(run)
    repr(result)
    summary(result)
    inputs = inputs_of([run], lambda one: source(one, None))
    list(tables.tables(inputs))
    list(tables.cards(inputs))
    tables.statements(inputs)
    browser.units(inputs, Thumbnails())


def card(folder: Path) -> Case:
    run = _run(folder)

    def read() -> None:
        RunFolder(run).claim(CARD["settings"])
        _whole_run(run)

    return Case({run / "run.json": ("json",)}, read)


def run_tables(folder: Path) -> Case:
    run = _run(folder)
    names = ("units.csv", "concepts.csv", "descriptions.csv")
    return Case({run / name: ("csv",) for name in names}, lambda: _whole_run(run))


def cross_check(folder: Path) -> Case:
    run = _run(folder)
    files = {run / "crosscheck.json": ("json",), run / "crosscheck.csv": ("csv",)}
    return Case(files, lambda: _whole_run(run))


def _arrays(run: Path) -> None:
    for side in read_all([run]):
        side.scores.layer("fc", UNITS)
    tops(run, "fc", UNITS, 9)
    tops(run, "fc")
    top_concepts(run, "fc", UNITS)
    result = Dissection.read(run)
    result.similarity("fc")
    for name in ("iou/all", "threshold", "top/image", "top/mask"):
        result.scores("fc", name)


def scores(folder: Path) -> Case:
    run = _run(folder)
    return Case({run / "scores.h5": ("hdf5",)}, lambda: _arrays(run))


def believed_run(folder: Path) -> Case:
    run = believed.run(folder / "run", {"fc": UNITS})

    def read() -> None:
        inputs = inputs_of([run], lambda one: None)
        validity.null(run, "fc", UNITS)
        validity.sensitivity(run, "fc", UNITS)
        validity.without_label(run, "fc", UNITS, 600)
        list(tables.tables(inputs))
        list(catalogue.drawings(inputs, Options()))
        browser.units(inputs, Thumbnails())

    files = {"run.json": ("json",), "units.csv": ("csv",), "scores.h5": ("hdf5",)}
    return Case({run / name: forms for name, forms in files.items()}, read)


def grouped_counts(folder: Path) -> Case:
    rotated = {"seed": np.arange(2), "iou": np.full((2, UNITS), 0.5)}
    rotated["label"] = np.ones((2, UNITS), int)
    counted = [grouped.drawn(1, UNITS, 6)] * 2
    run = grouped.run(folder / "run", counted, "d", "net", ("fc", "head"), rotated=rotated)
    return Case({run / "scores.h5": ("hdf5",)}, lambda: differences(read_all([run])))


def clip_scores(folder: Path) -> Case:
    run = _run(folder)
    return Case({run / "clip.h5": ("hdf5",)}, lambda: _arrays(run))


def tally(folder: Path) -> Case:
    path = labelled.tally(folder / "netdissect-net-fc.csv", ["x", "y"], [0.1, 0.2])

    def read() -> None:
        inputs = inputs_of([path], lambda one: None)
        list(tables.tables(inputs))
        read_tally(path)
        read_table(path)

    return Case({path: ("csv",)}, read)


def descriptions(folder: Path) -> Case:
    path = labelled.descriptions(folder / "clip_dissect-net.csv", {"fc": ["a", "b"], "x": ["c"]})
    return Case({path: ("csv",)}, lambda: list(tables.tables(inputs_of([path], lambda one: None))))


def shards(folder: Path) -> Case:
    store = ShardStore(folder / "shards", "key")
    store.write(0, Shard(np.arange(4), {"fc": some_cells(1)[0]}))
    return Case({store.path(0): ("zip",)}, lambda: store.read(0))


def probe_file(folder: Path) -> Case:
    path = folder / "tiny.h5"
    convert(write_layout(folder / "tiny", corner_photos()), path)

    def read() -> None:
        with ProbeSet(path) as probe:
            probe.label_block(range(len(probe)))
            probe.contents(0, len(probe))
            probe.jpegs(range(len(probe)))
            _ = probe.names, probe.splits, probe.skipped, probe.image_digests, probe.facts()
        with ProbeSet(path, 1) as first:
            first.stored(0)

    return Case({path: ("hdf5",)}, read)


def data_set(folder: Path) -> Case:
    root = write_layout(folder / "tiny", corner_photos())
    files = {root / f"{name}.csv": ("csv",) for name in ("index", "label", "category", "c_color")}
    files |= {root / "images/a/colour.jpg": (), root / "images/a/colour_color_0.png": ()}

    def read() -> None:
        with contextlib.suppress(ValueError):
            convert(root, folder / "out.h5")
        convert(root, folder / "out.h5", skip_bad=True)

    return Case(files, read)


def data_set_in_a_zip(folder: Path) -> Case:
    path = zipped(write_layout(folder / "tiny", corner_photos()), folder / "tiny.zip")
    return Case({path: ("zip",)}, lambda: convert(path, folder / "out.h5", skip_bad=True))


def photographs(folder: Path) -> Case:
    root = folder / "photos"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.jpg").write_bytes(jpeg(number))

    def read() -> None:
        for skip_bad in (True, False):
            found = Photographs(root, skip_bad=skip_bad)
            found.jpegs(range(len(found)))

    return Case(dict.fromkeys(sorted(root.iterdir()), ()), read)


def weights(folder: Path) -> Case:
    paths = {}
    for name, write in FORMS.items():
        path = folder / f"{name.replace(' ', '_')}.pth"
        write(path, STATE)
        paths[path] = ("zip",) if name == "zip" else ()

    def read() -> None:
        refused = None
        for path in paths:
            try:
                checkpoints.read(path)
            except ValueError as error:
                refused = error
        if refused is not None:
            raise refused

    return Case(paths, read)


def torch_script(folder: Path) -> Case:
    path = folder / "net.pt"
    with warnings.catch_warnings():
        # the form is an old one, and torch says so
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(nn.Linear(3, 2), torch.zeros(1, 3)), path)

    def read() -> None:
        torchscript.is_torchscript(path)
        torchscript.read(path)

    return Case({path: ("zip",)}, read)


def concept_list(folder: Path) -> Case:
    path = folder / "words.txt"
    path.write_text("dog\ncat\nnight sky\n\nüber\n", encoding="utf-8")
    return Case({path: ()}, lambda: concepts.read(path))


def encoder_directory(folder: Path) -> Case:
    name = clips.write_config(folder / "clip")
    weights = folder / "clip" / "open_clip_model.safetensors"
    save_file(clips.network().state_dict(), weights)

    def read() -> None:
        encoder.load(name, device="cpu").texts(["dog"])

    # the command expects it of an encoder
    config = folder / "clip" / "open_clip_config.json"
    return Case({weights: (), config: ("json",)}, read, (RuntimeError,))


READERS: dict[str, Callable[[Path], Case]] = {
    "run card": card,
    "tables of a run": run_tables,
    "cross-check": cross_check,
    "scores.h5": scores,
    "believed run": believed_run,
    "counts by groups of images": grouped_counts,
    "clip.h5": clip_scores,
    "tally": tally,
    "descriptions": descriptions,
    "shard": shards,
    "probe file": probe_file,
    "data set": data_set,
    "data set in a zip": data_set_in_a_zip,
    "photographs": photographs,
    "weights": weights,
    "TorchScript": torch_script,
    "concept list": concept_list,
    "encoder directory": encoder_directory,
}
