"""Tables for papers and notebooks hold what their CSV holds."""

import pandas as pd
import pytest

from dissection.comparing import compare
from dissection.results.formats import check, write_also
from tests.dissection import labelled

TABLE = pd.DataFrame({"concept": ["a|b", "50% & <i>_x", None], "units": [1, 20, 3]})


def test_markdown_keeps_cells_apart_and_no_html(tmp_path):
    (path,) = write_also(tmp_path / "t.csv", TABLE, ["markdown"])
    assert path.read_text().splitlines() == [
        "| concept | units |",
        "| --- | --- |",
        r"| a\|b | 1 |",
        "| 50% &amp; &lt;i>_x | 20 |",
        "|  | 3 |",
    ]


def test_latex_escapes_what_it_would_read_as_commands(tmp_path):
    (path,) = write_also(tmp_path / "t.csv", TABLE, ["latex"])
    text = path.read_text()
    assert r"50\% \& <i>\_x & 20 \\" in text
    assert text.startswith(r"\begin{tabular}{lr}")


def test_parquet_gives_the_table_back(tmp_path):
    pytest.importorskip("pyarrow")
    (path,) = write_also(tmp_path / "t.csv", TABLE, ["parquet"])
    pd.testing.assert_frame_equal(pd.read_parquet(path), TABLE)


def test_parquet_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("dissection.results.formats.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"network-dissection\[parquet\]"):
        check(["parquet"])


def test_a_comparison_writes_each_table_in_each_format(tmp_path):
    paths = [labelled.tally(tmp_path / f"netdissect-{n}-l.csv", ["car"], [0.3]) for n in "ab"]
    found = compare(paths)
    found.write(tmp_path / "out", formats=["latex", "markdown"])
    written = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {name.removesuffix(".csv") for name in written if name.endswith(".csv")}
    assert {"iou-shared", "iou-only", "iou-distinct", "iou-detectors"} <= tables
    assert written == {f"{name}{end}" for name in tables for end in (".csv", ".tex", ".md")}
    with pytest.raises(ValueError, match="no format of tables is called 'x'"):
        found.write(tmp_path / "no", formats=["x"])
    assert not (tmp_path / "no").exists()
