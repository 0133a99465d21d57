"""Tables are written as they are, or so that no text opens as a formula."""

import pandas as pd
import pytest

from dissection.results.storage import for_spreadsheet, write_table


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", " =1", "＝1"])
def test_a_text_that_opens_as_a_formula_has_an_apostrophe(text, tmp_path):
    table = pd.DataFrame({"label": [text, "car", None], text: ["a", "b", "c"]})
    write_table(tmp_path / "t.csv", table, spreadsheet=True)
    read = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert read["label"].tolist() == [f"'{text}", "car", ""]
    assert read.columns.tolist() == ["label", f"'{text}"]


def test_numbers_and_truth_are_left_as_they_are(tmp_path):
    table = pd.DataFrame({"score": [-0.5, 1.0], "n": [-1, 2], "detector": [True, False]})
    mixed = table.assign(mixed=pd.Series([-1, "-x"], dtype=object), kind=pd.Categorical(["a", "b"]))
    for one in (table, table.iloc[:0], table.iloc[:, :0]):
        for name, spreadsheet in (("plain", False), ("safe", True)):
            write_table(tmp_path / name, one, spreadsheet)
        assert (tmp_path / "plain").read_bytes() == (tmp_path / "safe").read_bytes()
    assert for_spreadsheet(mixed)["mixed"].tolist() == [-1, "'-x"]
    assert for_spreadsheet(pd.DataFrame({"a": ["\rx"]}))["a"].tolist() == ["'\rx"]


def test_nothing_is_changed_unless_it_is_asked_for(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"label": ["=1+1"]}))
    assert (tmp_path / "t.csv").read_text() == "label\n=1+1\n"
