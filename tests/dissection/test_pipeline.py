"""Whole runs: planted answers, interruption at any point, ranks, and directories that resist."""

import errno
import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import dissection
from broden.system import files as written
from dissection import pipeline
from dissection.activations import forward, shards
from dissection.activations.sampling import shards_of
from dissection.config import UNIONS, Execution, IouConfig
from dissection.overlap import counting, storing
from dissection.results import schema
from tests.dissection import planted, references

QUANTILE = 0.2
CONFIG = IouConfig(quantile=QUANTILE)
EXECUTION = Execution(device="cpu", batch_size=2, workers=0)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    for module in (forward, pipeline.card):
        monkeypatch.setattr(module, "SHARD_IMAGES", 4)


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    with planted.write(tmp_path_factory.mktemp("probe") / "p.h5", planted.drawn()) as probe:
        yield probe


@pytest.fixture(scope="module")
def truth():
    """What a slow reading of the planted maps counts."""
    planes, network = planted.drawn(), planted.Detectors()
    active = np.stack([network.fires(plane) for plane in planes])
    shown = [
        references.Shown([(0, plane)], [(2, 7)] if number % 2 else [])
        for number, plane in enumerate(planes)
    ]
    primary = [planted.CONCEPTS.get(label, ("", 2))[1] for label in range(planted.LABELS)]
    labelled = [references.label_masks(image, planted.GRID) for image in shown]
    return references.count(active, labelled, primary, 3), primary


def run(probe, out, config=CONFIG, execution=EXECUTION, layers="maps"):
    return dissection.dissect(
        planted.network(), layers, probe, out=out, config=config, execution=execution
    )


def files(folder: Path) -> dict[str, bytes]:
    """Return every result file's bytes; of the run card, all but times and host."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    card = json.loads(found["run.json"])
    del card["times"], card["host"]
    return found | {"run.json": json.dumps(card).encode()}


@pytest.fixture(scope="module")
def unbroken(probe, tmp_path_factory):
    """The files of a run that nothing disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (forward, pipeline.card):
            patch.setattr(module, "SHARD_IMAGES", 4)
        folder = tmp_path_factory.mktemp("unbroken") / "run"
        run(probe, folder)
    return files(folder)


def test_planted_units_are_named(probe, tmp_path):
    units = run(probe, tmp_path / "run").units
    expected = [planted.CONCEPTS[c][0] for c in planted.Detectors.CONCEPT if c]
    assert list(units["label"][:-1]) == expected
    assert units["detector"][:-1].all()


@pytest.mark.parametrize("union", UNIONS)
def test_counts_and_iou_are_the_planted_ones(probe, tmp_path, truth, union):
    counted, primary = truth
    result = run(probe, tmp_path / "run", IouConfig(QUANTILE, union))
    np.testing.assert_array_equal(result.scores("maps", "intersection"), counted.intersection)
    np.testing.assert_array_equal(result.scores("maps", "area/all"), counted.all)
    np.testing.assert_array_equal(result.scores("maps", "area/category"), counted.category)
    np.testing.assert_array_equal(result.scores("maps", "area/mask"), counted.mask)
    for rule in UNIONS:
        expected = references.iou(counted, primary, rule)
        np.testing.assert_allclose(result.scores("maps", f"iou/{rule}"), expected, rtol=1e-15)
    best = references.iou(counted, primary, union).max(1)
    np.testing.assert_allclose(result.units["iou"], best, rtol=1e-15)


def test_thresholds_leave_the_quantile_active(probe, tmp_path):
    result = run(probe, tmp_path / "run")
    np.testing.assert_array_equal(result.units["threshold"], -1.0)


def test_scores_have_the_documented_layout(probe, tmp_path):
    run(probe, tmp_path / "run")
    units, labels, kinds = len(planted.Detectors.CONCEPT), planted.LABELS, 3
    shapes = {
        "categories": (kinds,),
        "labels/name": (labels,),
        "labels/category": (labels,),
        "labels/pixels": (labels,),
        "layers/maps/threshold": (units,),
        "layers/maps/intersection": (units, labels),
        "layers/maps/area/category": (units, kinds),
        "layers/maps/area/mask": (units, kinds),
        "layers/maps/area/all": (units,),
        "layers/maps/iou/category": (units, labels),
        "layers/maps/iou/mask": (units, labels),
        "layers/maps/iou/all": (units, labels),
        "layers/maps/top/image": (units, 10),
        "layers/maps/top/value": (units, 10),
        "layers/maps/top/mask": (units, 10, 32),
    }
    groups, shifts, seeds, quantiles, cuts = planted.IMAGES, 20, 1, 6, 10
    validity = {
        **dict.fromkeys(("chance", "images"), (units, labels)),
        **dict.fromkeys(("p", "q", "stability", "low", "high", "average_precision"), (units,)),
        "null": (shifts, units),
        "candidate": (units, 5),
        **dict.fromkeys(("candidate_intersection", "candidate_area"), (groups, units, 5)),
        **dict.fromkeys(("without_image", "without_value"), (units, 10)),
    }
    shapes |= {f"layers/maps/validity/{name}": shape for name, shape in validity.items()}
    grid = {
        "quantile": (quantiles,),
        "cut": (cuts,),
        **dict.fromkeys(("detectors", "unique", "expected"), (quantiles, cuts)),
        "shifts": (quantiles,),
    }
    shapes |= {f"layers/maps/sensitivity/{name}": shape for name, shape in grid.items()}
    rotated = {"seed": (seeds,), "iou": (seeds, units), "label": (seeds, units)}
    shapes |= {f"layers/maps/rotated/{name}": shape for name, shape in rotated.items()}
    shapes |= {"validity/group": (planted.IMAGES,), "validity/label_pixels": (groups, labels)}
    with h5py.File(tmp_path / "run" / "scores.h5") as file:
        found = {}
        file.visititems(
            lambda name, item: (
                found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
            )
        )
        assert found == shapes
        assert file["layers/maps/intersection"].dtype == np.int64


def test_without_validity_nothing_of_it_is_written(probe, tmp_path):
    result = run(probe, tmp_path / "run", IouConfig(QUANTILE, validity="none"))
    full = run(probe, tmp_path / "full")
    assert not set(schema.VALIDITY_COLUMNS) & set(result.units)
    assert list(full.units) == [*result.units, *schema.VALIDITY_COLUMNS]
    assert full.units[list(result.units)].equals(result.units)
    counts = result.card["counts"]["maps"]
    assert not {"expected_by_chance", "rotated", "alone"} & set(counts)
    assert counts.items() <= full.card["counts"]["maps"].items()
    with h5py.File(tmp_path / "run" / "scores.h5") as file:
        members = []
        file.visit(members.append)
        assert not [name for name in members if "validity" in name or "rotated" in name]


def test_masks_on_top_images_are_those_that_were_counted(probe, tmp_path):
    run(probe, tmp_path / "run")
    planes, network = planted.drawn(), planted.Detectors()
    active = np.stack([network.fires(plane) for plane in planes])
    with h5py.File(tmp_path / "run" / "scores.h5") as file:
        packed, image = (file[f"layers/maps/top/{name}"] for name in ("mask", "image"))
        assert packed.attrs["grid"].tolist() == [16, 16]
        masks = np.unpackbits(packed[()], axis=2).reshape(8, 10, 16, 16).astype(bool)
        threshold, image = file["layers/maps/threshold"][()], image[()]
    # a unit that fires too often has a threshold of 0, the value it fires with
    for unit in np.flatnonzero(threshold < 0):
        np.testing.assert_array_equal(masks[unit], active[image[unit], unit])
    assert masks[threshold >= 0].sum() == 0
    assert masks.any()


def test_card_defines_its_numbers(probe, tmp_path):
    card = run(probe, tmp_path / "run").card
    assert card["settings"]["quantile"] == QUANTILE
    assert "category" in card["definitions"]["union"]
    assert card["settings"]["probe"]["digest"] == probe.digest
    assert card["settings"]["layers"]["maps"] == {"units": 8, "grid": [16, 16], "layout": "NCHW"}
    shards_used = card["host"]["shards"]
    assert 0 < shards_used["bytes"]
    assert shards_used["dense_bytes"] == 4 * planted.IMAGES * 8 * 256


def test_batch_size_workers_and_limits_of_shards_change_nothing(probe, tmp_path, unbroken):
    for batch, workers in ((1, 1), (3, 2), (64, 0)):
        folder = tmp_path / f"{batch}"
        run(probe, folder, execution=Execution("cpu", batch, workers))
        assert files(folder) == unbroken


class Killed(BaseException):
    """Stands for a kill: nothing in the run may catch it."""


def killed_at(monkeypatch, module, name, call):
    """Make the given call of a function die before it does anything."""
    original, calls = getattr(module, name), []

    def dying(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, dying)


POINTS = [
    *[(forward.Collector, "__call__", call) for call in (1, 2, 3, 5, 8, 11)],
    *[(forward.Collector, "take", call) for call in (1, 3, 6)],
    *[(written.os, "replace", call) for call in (2, 4, 7, 8, 9, 11, 12)],
    *[(counting, "overlapped", call) for call in (1, 4)],
    (storing, "write_scores", 1),
]


@pytest.mark.parametrize(
    ("module", "name", "call"), POINTS, ids=lambda p: getattr(p, "__name__", p)
)
def test_a_run_killed_anywhere_and_resumed_gives_the_same_files(
    probe, tmp_path, unbroken, monkeypatch, module, name, call
):
    with monkeypatch.context() as patch:
        killed_at(patch, module, name, call)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
    run(probe, tmp_path / "run")
    assert files(tmp_path / "run") == unbroken


def test_a_resumed_run_says_what_it_found(probe, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "dissection")
    with monkeypatch.context() as patch:
        killed_at(patch, forward.Collector, "__call__", 9)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    assert "8 of them from an earlier start" in run(probe, tmp_path / "run").message
    assert "found 8 of 22 images finished by an earlier start" in caplog.text


def test_shards_of_a_resumed_run_are_those_of_an_unbroken_one(probe, tmp_path, monkeypatch):
    keep = Execution("cpu", 2, 0, keep_shards=True)
    run(probe, tmp_path / "whole", execution=keep)
    with monkeypatch.context() as patch:
        killed_at(patch, forward.Collector, "__call__", 6)
        with pytest.raises(Killed):
            run(probe, tmp_path / "broken", execution=keep)
    run(probe, tmp_path / "broken", execution=keep)
    assert files(tmp_path / "broken") == files(tmp_path / "whole")


def test_a_damaged_shard_is_computed_again(probe, tmp_path, unbroken, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        killed_at(patch, counting, "overlapped", 1)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    shard = tmp_path / "run" / "shards" / "000002.npz"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    run(probe, tmp_path / "run")
    assert "damaged" in caplog.text
    assert files(tmp_path / "run") == unbroken


def test_a_complete_run_is_left_alone(probe, tmp_path):
    run(probe, tmp_path / "run")
    # taking the lock may touch its file
    kept = [path for path in (tmp_path / "run").rglob("*") if path.name != ".lock"]
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert "nothing to do" in run(probe, tmp_path / "run").message
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_a_kill_left_behind_goes(probe, tmp_path, monkeypatch, unbroken):
    with monkeypatch.context() as patch:
        killed_at(patch, shards.ShardStore, "clear", 1)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    (tmp_path / "run" / "units.csv.123.part").touch()
    assert "nothing to do" in run(probe, tmp_path / "run").message
    assert files(tmp_path / "run") == unbroken


def test_a_complete_run_on_a_disk_that_can_only_be_read_is_left_alone(
    probe, tmp_path, monkeypatch, unbroken
):
    run(probe, tmp_path / "run")
    (tmp_path / "run" / "units.csv.123.part").touch()
    opened = os.open

    def refuse(path, flags=0, *more, **others):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **others)

    def never(path, *_args, **_others):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        for name in ("unlink", "rmdir", "replace", "rename"):
            patch.setattr(os, name, never)
        assert "nothing to do" in run(probe, tmp_path / "run").message
        assert len(dissection.read(tmp_path / "run").units) == len(planted.Detectors.CONCEPT)
    (tmp_path / "run" / "units.csv.123.part").unlink()
    assert files(tmp_path / "run") == unbroken


def test_a_directory_called_as_a_shard_changes_no_result(probe, tmp_path, monkeypatch, unbroken):
    with monkeypatch.context() as patch:
        killed_at(patch, shards.ShardStore, "write", 2)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    mine = tmp_path / "run" / "shards" / "000001.npz"
    mine.mkdir()
    (mine / "mine").write_text("mine")
    assert "4 of them" in run(probe, tmp_path / "run").message
    assert (mine / "mine").read_text() == "mine"
    shutil.rmtree(tmp_path / "run" / "shards")
    assert files(tmp_path / "run") == unbroken


@pytest.mark.parametrize("name", ["shards", "tally"])
def test_a_linked_directory_in_a_run_is_refused_before_the_pass(name, probe, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed_at(patch, shards.ShardStore, "write", 1)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run")
    mine = tmp_path / "mine"
    mine.mkdir()
    for file in ("000000.npz", "000000.npz.1.part", "maps.csv"):
        (mine / file).write_text("mine")
    link = tmp_path / "run" / name
    if link.is_dir():
        link.rmdir()
    link.symlink_to(mine)
    with pytest.raises(ValueError, match=f"run/{name} is a link, and nothing is written through"):
        run(probe, tmp_path / "run")
    assert [path.read_text() for path in mine.iterdir()] == ["mine"] * 3


def test_a_directory_of_other_settings_is_refused(probe, tmp_path):
    run(probe, tmp_path / "run")
    with pytest.raises(ValueError, match=r"other settings: quantile is 0.2 there and 0.1 here"):
        run(probe, tmp_path / "run", IouConfig(0.1))


def test_a_full_disk_keeps_what_was_finished(probe, tmp_path, unbroken, monkeypatch):
    def full(descriptor, calls=[]):  # noqa: B006 - counts the calls
        calls.append(1)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(written.os, "fsync", full)
        with pytest.raises(OSError, match="No space left .*; what is finished stays") as caught:
            run(probe, tmp_path / "run")
    assert caught.value.filename.endswith("000002.npz")
    kept = sorted(path.name for path in (tmp_path / "run" / "shards").iterdir())
    assert kept == ["000000.npz", "000001.npz"]
    assert "8 of them" in run(probe, tmp_path / "run").message
    assert files(tmp_path / "run") == unbroken


def test_nan_names_layer_unit_and_image(probe, tmp_path):
    network = planted.network()
    network.module.maps.register_forward_hook(_spoil)
    image = np.concatenate(shards_of(planted.IMAGES, 4))[17]
    text = rf"layer maps, unit 3: NaN .* image {image} \({image}.png\)"
    with pytest.raises(ValueError, match=text):
        dissection.dissect(
            network, "maps", probe, out=tmp_path / "run", config=CONFIG, execution=EXECUTION
        )
    assert len(list((tmp_path / "run" / "shards").iterdir())) == 4


def _spoil(_module, _inputs, output, seen=[]):  # noqa: B006 - counts the images
    seen.append(len(output))
    # what the layers were probed with, and the trial, come first
    place = 17 + 2 + 5 + 4 - (sum(seen) - len(output))
    if 0 <= place < len(output):
        output[place, 3, 4, 5] = torch.nan
    return output


def dissected(module, probe, **options):
    return dissection.dissect(
        module, "maps", probe, preprocessing=planted.PLAIN, execution=EXECUTION, **options
    )


def test_training_modes_are_given_back(probe):
    module = planted.Detectors().train()
    module.after.eval()
    dissected(module, probe)
    assert module.training
    assert module.maps.training
    assert not module.after.training


class Trained(planted.Detectors):
    """A planted network with a parameter that a channels_last copy replaces."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1, 8, 1, 1))

    def forward(self, images):
        return super().forward(images) * self.scale


def test_a_dissected_module_can_still_be_trained(probe):
    module = Trained()
    dissected(module, probe)
    module(torch.zeros(1, 3, 16, 16)).sum().backward()
    assert module.scale.grad is not None


def test_a_network_whose_code_differs_is_another_one(probe, tmp_path):
    module = planted.Detectors()
    module.gain = 1.0
    dissected(module, probe, out=tmp_path / "run")
    module.gain = 5.0
    with pytest.raises(ValueError, match=r"other settings: model.digest"):
        dissected(module, probe, out=tmp_path / "run")


def test_preprocessing_of_a_named_network_is_its_own(probe):
    with pytest.raises(ValueError, match="preprocessing goes with an nn.Module"):
        dissection.dissect(planted.network(), "maps", probe, preprocessing=planted.PLAIN)


def test_what_is_no_network_is_refused_in_words(probe):
    with pytest.raises(TypeError, match="got tuple; give the preprocessing of a module as"):
        dissection.dissect(planted.factory(), "maps", probe)


def test_unknown_scores_name_what_there_is(probe, tmp_path):
    result = run(probe, tmp_path / "run")
    with pytest.raises(ValueError, match="no layer 'fc'; one of maps"):
        result.scores("fc", "threshold")
    with pytest.raises(ValueError, match="no array 'iou'; such as threshold"):
        result.scores("maps", "iou")


def test_a_start_that_finished_nothing_blocks_nothing(probe, tmp_path, monkeypatch, unbroken):
    with monkeypatch.context() as patch:
        killed_at(patch, forward.Collector, "__call__", 1)
        with pytest.raises(Killed):
            run(probe, tmp_path / "run", IouConfig(0.1))
    run(probe, tmp_path / "run")
    assert files(tmp_path / "run") == unbroken


def test_layers_called_by_numbers_stay_text(probe, tmp_path):
    module = torch.nn.Sequential(torch.nn.Sequential(planted.Detectors()))
    result = dissection.dissect(
        module, "0.0", probe, preprocessing=planted.PLAIN, execution=EXECUTION
    )
    assert set(result.units["layer"]) == set(result.concepts["layer"]) == {"0.0"}


def test_the_whole_map_can_be_active_where_k_is_0(probe, tmp_path):
    result = run(probe, tmp_path / "run", IouConfig(quantile=0))
    assert result.scores("maps", "area/all").sum() == 0
    assert (result.units["iou"] == 0).all()
    assert set(result.units["label"]) == {"cat"}


def test_one_image_is_enough(tmp_path):
    with planted.write(tmp_path / "one.h5", planted.drawn(3, 1)) as probe:
        units = run(probe, tmp_path / "run").units
    assert len(units) == 8
