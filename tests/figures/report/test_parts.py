"""What the page is made of: thumbnails, masks, rows of units, summary tables."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dissection.results.scores import tops
from figures.report import browser, page, tables, thumbnails
from figures.report.thumbnails import Thumbnails, runs
from figures.verdict import verdict, verdict_by_clip
from tests.figures.drawable import given, labelling


def decoded(text, grid):
    """Return the mask of some runs, as the page's script does."""
    flat, on = [], False
    for length in text.split():
        flat += [on] * int(length, 36)
        on = not on
    flat += [False] * (grid[0] * grid[1] - len(flat))
    return np.array(flat).reshape(grid)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_runs_are_the_mask(share):
    mask = np.random.default_rng(3).random((19, 23)) < share
    np.testing.assert_array_equal(decoded(runs(mask), mask.shape), mask)


def test_a_photograph_is_made_small_once(photograph):
    small, asked = Thumbnails(), []

    def take(number):
        asked.append(number)
        return photograph

    assert [small.add("d", 7, take), small.add("d", 8, take), small.add("d", 7, take)] == [0, 1, 0]
    assert small.add("other", 7, take) == 2
    assert asked == [7, 8, 7]
    assert small.sizes == [(64, 48)] * 3


def test_few_thumbnails_are_in_the_page_and_many_beside_it(photograph, tmp_path, monkeypatch):
    small = Thumbnails()
    for number in range(3):
        small.add("d", number, lambda _: photograph)
    assert all(s.startswith("data:image/webp;base64,") for s in small.sources(tmp_path))
    assert not (tmp_path / "thumbnails").exists()
    monkeypatch.setattr(thumbnails, "EMBEDDED", 10)
    sources = small.sources(tmp_path)
    assert sources == [f"thumbnails/{i}.webp" for i in range(3)]
    picture = np.asarray(Image.open(io.BytesIO((tmp_path / sources[1]).read_bytes())), int)
    assert np.abs(picture - photograph).mean() < 4
    monkeypatch.setattr(thumbnails, "EMBEDDED", 1 << 20)
    small.sources(tmp_path)
    assert not list((tmp_path / "thumbnails").iterdir())


def test_every_unit_of_every_layer_has_a_row(inputs, runs):
    found = browser.units(inputs, Thumbnails())
    rows = pd.DataFrame(found["units"], columns=found["fields"])
    assert len(rows) == 2 * (128 + 256)
    for name, folder in zip(("mini_scenes", "mini_objects"), runs, strict=True):
        units = pd.read_csv(folder / "units.csv", keep_default_na=False)
        said = pd.read_csv(folder / "descriptions.csv", keep_default_na=False)
        mine = rows[rows["network"] == name]
        assert mine["label"].tolist() == units["label"].tolist()
        assert mine["description"].tolist() == said["description"].tolist()
        np.testing.assert_allclose(mine["iou"].astype(float), units["iou"], rtol=1e-3)
        assert mine["detector"].tolist() == units["detector"].tolist()
        check = pd.read_csv(folder / "crosscheck.csv")
        assert (mine["agrees"] == 2).sum() == check["exact"].sum()


def test_rows_hold_the_units_own_masks(inputs, runs):
    found = browser.units(inputs, Thumbnails())
    row = dict(zip(found["fields"], found["units"][130], strict=True))
    top = tops(runs[0], row["layer"])
    for place, (_, text) in enumerate(row["tops"]):
        mask = top.mask(row["unit"], place)
        np.testing.assert_array_equal(decoded(text, found["grids"]["mini_scenes"]), mask)


def test_the_summary_counts_detectors():
    one = labelling("one", {"l": ["o car"] * 3 + ["s sea"]}, {"l": [0.5, 0.2, 0.01, 0.3]})
    detectors = next(tables.tables(given(one)))
    row = dict(zip(detectors.columns, detectors.rows[0], strict=True))
    assert row["detectors"] == "3 (75%)"
    assert row["unique (best)"] == "2"
    assert row["object"] == "2 (1)"
    assert tables.statements(given(one)) == [
        "one: 3 of 4 units are detectors, of 2 different concepts, most often o car (2), s sea (1)."
    ]


def test_data_cannot_end_its_element():
    text = page._data({"label": "</script><script>alert(1)</script> & <!--"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"label": "</script><script>alert(1)</script> & <!--"}


def test_the_summary_says_what_chance_and_other_bases_give(sure):
    part = sure.by("iou")[0]
    table = next(tables.tables(sure))
    for values, layer in zip(table.rows, ("l3", "l4"), strict=True):
        row, counts = dict(zip(table.columns, values, strict=True)), part.counts[layer]
        given = counts["expected_by_chance"]
        assert row["layer"] == layer
        assert row["expected by chance"] == f"{given['mean']:.1f} ± {given['sd']:.1f}"
        both = counts["significant_detectors"]
        assert row["significant"] == f"{both} ({counts['significant']})"
        means = [
            np.mean([one[name] for one in counts["rotated"]])
            for name in ("detectors", "unique_best")
        ]
        assert row["rotated basis"] == f"{means[0]:g} / {means[1]:g}"
    total = sum(part.counts[layer]["expected_by_chance"]["mean"] for layer in ("l3", "l4"))
    assert f"are detectors ({total:.0f} expected by chance), of" in tables.statements(sure)[0]
    assert "mean ± sd" in table.note


def test_an_earlier_run_beside_a_believed_one_has_empty_cells(sure):
    old = labelling("old", {"l": ["o car"]})
    table = next(tables.tables(given(old, *sure.by("iou"))))
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert [first[n] for n in ("expected by chance", "significant", "rotated basis")] == [""] * 3
    assert "expected by chance" not in next(tables.tables(given(old))).columns


def test_rows_say_how_far_a_label_can_be_believed(sure, unsure):
    found = browser.units(sure, Thumbnails())
    rows = pd.DataFrame(found["units"], columns=found["fields"])
    units = sure.by("iou")[0].units
    assert rows["verdict"].tolist() == [verdict(one) for _, one in units.iterrows()]
    assert rows["verdict"].str.contains("chance").all()
    found = browser.units(unsure, Thumbnails())
    rows = pd.DataFrame(found["units"], columns=found["fields"])
    assert set(rows["verdict"]) == {""}


def test_descriptions_say_how_far_they_can_be_believed(inputs, runs):
    found = browser.units(inputs, Thumbnails())
    rows = pd.DataFrame(found["units"], columns=found["fields"])
    clips = pd.concat([part.units for part in inputs.by("clip")])
    assert rows["worth"].tolist() == [verdict_by_clip(one) for _, one in clips.iterrows()]
    table = next(t for t in tables.tables(inputs) if t.title == "Different concepts (CLIP)")
    for values in table.rows:
        row = dict(zip(table.columns, values, strict=True))
        part = next(p for p in inputs.by("clip") if p.name == row["network"])
        told = part.counts.get(row["layer"], {}).get("descriptions_significant", "")
        assert row["significant"] == str(told)
