"""What makes numbers mean little, or not the same, is said."""

from dataclasses import replace

import pytest

from dissection.results import caveats
from dissection.results.reading import read, read_all
from tests.dissection import labelled


@pytest.mark.parametrize(
    ("images", "start"),
    [(1, "only 1 image was shown"), (99, "only 99 images were shown"), (100, None), (5000, None)],
)
def test_few_images_are_said(images, start):
    found = caveats.few_images(images)
    assert [text.startswith(str(start)) for text in found] == [True] * (start is not None)


def test_a_card_tells_its_caveats_and_an_early_one_is_judged_by_its_images():
    settings = {"settings": {"probe": {"images": 7}}}
    few = tuple(caveats.few_images(7))
    assert caveats.of_card(settings) == few
    assert caveats.of_card(settings | {"caveats": ["other", *few]}) == ("other", *few)
    assert caveats.of_card({}) == caveats.of_card({"caveats": 3, "settings": []}) == ()


def run(folder, name, method="both", **settings):
    labelled.run(folder / name, digest=name)
    labelled.card(
        folder / name, name, method, name, **({"min_iou": 0.1, "union": "all"} | settings)
    )
    return folder / name


def probe(digest, images=500):
    return {"name": "mini", "images": images, "digest": digest * 64}


def clip(encoder, template="{}"):
    return {"encoder": {"name": encoder}, "concepts": {"template": template}}


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"probe": probe("1")}, {"probe": probe("2")}, ["different probe sets: mini (500 images,"]),
        (
            {"probe": probe("1", 1)},
            {"probe": probe("1", 1000)},
            ["different numbers of images: 1 of a; 1,000 of b", "a: only 1 image was shown"],
        ),
        ({"quantile": 0.005}, {"quantile": 0.01}, ["different quantiles: 0.005 of a; 0.01 of b"]),
        ({"union": "all"}, {"union": "mask"}, ["different union rules: all of a; mask of b"]),
        ({"min_iou": 0.1}, {"min_iou": 0.04}, ["different minimal IoU of a detector: 0.1 of a;"]),
        ({"precision": "fp32"}, {"precision": "bf16"}, ["different precisions: fp32 of a; bf16"]),
        (
            {"clip": clip("mini")},
            {"clip": clip("B", "a {}")},
            ["different settings of CLIP, encoder name: mini of a", "CLIP, concepts template: {}"],
        ),
    ],
)
def test_runs_that_differ_say_so_once(tmp_path, one, other, words):
    found = caveats.of_all(read_all([run(tmp_path, "a", **one), run(tmp_path, "b", **other)]))
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))
    assert all("\n" not in text for text in found)


def test_runs_that_do_not_differ_and_tables_without_cards_say_nothing(tmp_path):
    same = {"probe": probe("1"), "quantile": 0.005, "precision": "fp32", "clip": clip("mini")}
    table = labelled.descriptions(tmp_path / "x.csv", {"fc": ["a"]})
    fewer = same | {"clip": same["clip"] | {"shifts": 2}}
    paths = [run(tmp_path, "a", **same), run(tmp_path, "b", **fewer), table]
    assert caveats.of_all(read_all(paths)) == []


def test_files_in_one_layer_without_a_name_are_said(tmp_path):
    paths = [labelled.tally(tmp_path / f"{name}.csv", ["x"], [0.1]) for name in ("one", "other")]
    (text,) = caveats.of_names(read_all(paths))
    assert "one.csv, " in text
    assert "give NAME:LAYER=FILE" in text
    assert caveats.of_names(read(paths[0])) == []


def test_layers_that_only_a_shared_stem_tells_are_said(tmp_path):
    paths = [labelled.tally(tmp_path / f"m_{x}.csv", ["x"], [0.1]) for x in ("early", "late")]
    (text,) = caveats.of_names(read_all(paths))
    assert "m_early.csv, m_late.csv are taken for layers of one network, m," in text


def test_a_table_without_scores_is_said(tmp_path):
    (part,) = read(labelled.descriptions(tmp_path / "net_layer1.csv", {"layer1": ["a"]}))
    assert caveats.of_names([part]) == []
    part = replace(part, units=part.units.assign(score=float("nan")))
    (text,) = caveats.of_names([part])
    assert text.endswith("net_layer1.csv has no scores; what needs them is left out")
