"""A cross-check of a run is read as it was written, or refused in one line."""

import json
import os

import pandas as pd
import pytest

from dissection.crosscheck import findings
from dissection.crosscheck.check import crosscheck
from dissection.results.reading import read
from tests.dissection import labelled


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = labelled.run(tmp_path_factory.mktemp("run"), units=12)
    found = crosscheck(*read(folder), permutations=5)
    findings.write(found, folder)
    return folder, found


@pytest.fixture
def folder(written, tmp_path):
    for name in ("crosscheck.json", "crosscheck.csv"):
        (tmp_path / name).write_bytes((written[0] / name).read_bytes())
    return tmp_path


def test_what_is_read_is_what_was_found(written, folder):
    found, wanted = findings.read(folder, "net"), findings.findings(written[1])
    pd.testing.assert_frame_equal(found.units, wanted.units, check_dtype=False)
    pd.testing.assert_frame_equal(found.agreement, wanted.agreement, check_dtype=False)
    assert found.definitions == wanted.definitions


def put(value, *names):
    def change(card):
        for name in names[:-1]:
            card = card[name]
        card[names[-1]] = value

    return change


ROW = {"layer": "fc", "group": "all", "measure": "rank", "units": 1, "value": None}
ROW |= {"chance": 1.0, "low": 1.0, "high": 1.0, "p": 1.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("format"), "format None, expected crosscheck/1"),
        (put([1], "format"), "expected crosscheck/1"),
        (lambda card: card.pop("definitions"), "lacks definitions"),
        (put([], "definitions"), r"definitions is \[\], expected an object"),
        (put(1, "definitions", "exact"), "definitions.exact is 1, expected text"),
        (lambda card: card.pop("agreement"), "lacks agreement"),
        (put({}, "agreement"), "agreement is {}, expected a list"),
        (put([3], "agreement"), "agreement.1 is 3, expected an object"),
        (put([], "agreement"), "agreement lacks the measure exact of all units"),
        (put([ROW], "agreement"), "agreement lacks the measure exact of all units"),
        (put([ROW, ROW], "agreement"), "agreement of fc all rank is there twice"),
        (lambda card: card["agreement"][1].pop("low"), "lacks agreement.2.low"),
        (put("1", "agreement", 0, "value"), 'agreement.1.value is "1", expected a number'),
        (put([], "agreement", 0, "layer"), r"agreement.1.layer is \[\], expected text"),
        (put(0.5, "agreement", 0, "units"), "agreement.1.units is 0.5, expected a whole"),
    ],
)
def test_a_damaged_card_is_said(folder, change, message):
    path = folder / "crosscheck.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=message) as caught:
        findings.read(folder, "net")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("exact", None, "lacks the column exact"),
        ("layer", None, "lacks the column layer"),
        ("unit", "x", "column unit holds no number, row 1 holds 'x'"),
        ("unit", "-1", "units must count from 0"),
        ("unit", "0.5", "units must count from 0"),
        ("exact", "maybe", "column exact must hold True or False; row 1 holds 'maybe'"),
        ("confident", "1", "column confident must hold True or False"),
        ("iou", "1.5", "row 1, column iou is 1.5, expected a number from 0 to 1"),
        ("similarity", "inf", "row 1, column similarity is inf"),
        ("spearman", "high", "column spearman holds no number, row 1 holds 'high'"),
        ("spearman", "inf", "row 1, column spearman is not finite"),
    ],
)
def test_a_damaged_table_is_said(folder, column, cell, message):
    path = folder / "crosscheck.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if cell is None:
        del table[column]
    else:
        table.loc[0, column] = cell
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=message) as caught:
        findings.read(folder, "net")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_unit_twice_and_no_unit_are_said(folder):
    path = folder / "crosscheck.csv"
    lines = path.read_text().splitlines(keepends=True)
    for text, message in (
        ("".join([*lines, lines[1]]), "has unit .* of layer fc twice"),
        (lines[0], "has no rows"),
        ("".join(lines)[:-30], "cells and not"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            findings.read(folder, "net")


@pytest.mark.parametrize("name", ["crosscheck.json", "crosscheck.csv"])
def test_a_named_pipe_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ValueError, match="is a named pipe"):
        findings.read(folder, "net")
