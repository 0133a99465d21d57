"""What does not forbid a comparison is said all the same."""

import json

import pytest

from dissection.crosscheck.caveats import notes
from dissection.crosscheck.check import crosscheck
from dissection.crosscheck.findings import write
from dissection.results.reading import read, read_all
from tests.dissection import labelled


def runs(folder, *digests):
    """Two runs of both methods on one network, by the digests of their probe sets."""
    found = []
    for name, digest in zip("ab", digests, strict=True):
        labelled.run(folder / name)
        probe = {} if digest is None else {"name": name, "images": 7, "digest": digest}
        labelled.card(folder / name, min_iou=0.1, union="all", probe=probe)
        found.append(read(folder / name))
    return found[0][0], found[1][1]


def test_other_probe_sets_are_named(tmp_path):
    iou, clip = runs(tmp_path, "1" * 64, "2" * 64)
    (note,) = notes(iou, clip)
    assert note.startswith("different probe sets: ")
    assert "a (7 images, digest 111111111111)" in note
    assert "b (7 images, digest 222222222222)" in note
    assert "\n" not in note


@pytest.mark.parametrize("digests", [("1", "1"), ("1", None), (None, "1"), (None, None)])
def test_the_same_or_unknown_probe_sets_are_not(tmp_path, digests):
    assert notes(*runs(tmp_path, *digests)) == []


def test_other_precisions_are_named(tmp_path):
    for name, precision in (("a", "fp32"), ("b", "bf16")):
        labelled.run(tmp_path / name)
        labelled.card(tmp_path / name, min_iou=0.1, union="all", precision=precision)
    (note,) = notes(read(tmp_path / "a")[0], read(tmp_path / "b")[1])
    assert note.startswith("different precisions: ")


def test_layers_of_one_labelling_alone_are_named(tmp_path):
    iou = labelled.tally(tmp_path / "netdissect-net-layer4.csv", ["car"] * 2, [0.5, 0.3])
    layers = {"layer2": ["a"], "layer3": ["a"], "layer4": ["cars", "sea"]}
    clip = labelled.descriptions(tmp_path / "clip_dissect-net.csv", layers)
    assert notes(*read_all([iou, clip])) == [
        f"left out: layer2, layer3: only in {clip}, not in {iou}"
    ]


def test_notes_are_kept_with_the_cross_check(tmp_path):
    iou, clip = runs(tmp_path, "1" * 64, "2" * 64)
    result = crosscheck(iou, clip, permutations=5)
    write(result, tmp_path / "out")
    card = json.loads((tmp_path / "out" / "crosscheck.json").read_text())
    assert card["settings"]["notes"] == notes(iou, clip)
