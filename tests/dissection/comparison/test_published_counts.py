"""Published counts stand in the table as they were published, and beside a run's own."""

import pytest

from dissection.comparing import compare
from dissection.comparison.published_counts import beside, published
from dissection.results.reading import read_all
from tests.dissection import labelled

UNIQUE = {
    "caffe_reference_imagenet": 61,
    "caffe_reference_places205": 79,
    "caffe_reference_places365": 91,
    "resnet-152-torch-imagenet": 242,
    "resnet-152-torch-places365": 347,
}


def _run(folder, name="Caffe-Reference ImageNet", layers=("conv5",)):
    folder.mkdir(exist_ok=True)
    labels, kinds = ["car", "car", "sea-s", "dog"], ["object", "object", "scene", "object"]
    return [
        f"{name}:{layer}="
        f"{labelled.tally(folder / f'{layer}.csv', labels, [0.3, 0.2, 0.1, 0.01], kinds)}"
        for layer in layers
    ]


def test_there_are_27_networks_and_the_papers_figures():
    table = published()
    whole = table[table["category"] == "all"].set_index("network")
    assert len(whole) == 27
    assert {name: whole.loc[name, "unique"] for name in UNIQUE} == UNIQUE


def test_unique_detectors_add_up_over_categories():
    table = published()
    parts = table[table["category"] != "all"].groupby("network")["unique"].sum()
    whole = table[table["category"] == "all"].set_index("network")["unique"]
    assert parts.to_dict() == whole.to_dict()
    assert set(table["category"]) == {
        *("all", "object", "part", "scene", "material", "texture", "color"),
    }


def test_a_run_stands_beside_the_network_of_its_name(tmp_path):
    found = compare(_run(tmp_path), published="cvpr2017")
    table = found.published.set_index(["category", "count"])
    assert table.loc[("object", "unique"), ["ours", "published", "difference"]].tolist() == [
        *(1, 21, -20),
    ]
    assert table.loc[("all", "detectors"), ["ours", "published"]].tolist() == [3, 97]
    assert table.loc[("color", "unique"), "ours"] == 0
    assert "scene -3 (1 and 4)" in found.summary()
    found.write(tmp_path / "out")
    assert (tmp_path / "out" / "iou-published.csv").exists()


def test_the_published_layer_is_taken_of_several(tmp_path):
    table = beside(read_all(_run(tmp_path, layers=("conv4", "conv5"))))
    assert set(table["layer"]) == {"conv5"}


def test_what_was_not_published_is_told_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="other is none of the 27 networks of cvpr2017"):
        beside(read_all(_run(tmp_path, "other")))
    layers = read_all(_run(tmp_path, layers=("conv3", "conv4")))
    with pytest.raises(ValueError, match="conv3 and conv4, and published is conv5"):
        beside(layers)
    with pytest.raises(ValueError, match="no published counts are called 'x'; there are cvpr2017"):
        compare(_run(tmp_path), published="x")
