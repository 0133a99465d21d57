import numpy as np
import pytest

from broden.sources.archive import open_source
from broden.sources.layout import read_index, read_labels
from tests.broden.layout import (
    CATEGORIES,
    COVERAGE,
    LABELS,
    PRIMARY,
    corner_photos,
    write_layout,
    write_table,
)


@pytest.fixture
def root(tmp_path):
    return write_layout(tmp_path / "tiny", corner_photos())


def test_label_table_holds_what_the_tables_say(root):
    table = read_labels(open_source(root))
    assert table.categories == CATEGORIES
    assert len(table) == len(table.names) == 301
    assert table.names[4] == table.names[0] == "-"
    assert table.synonyms[3] == ("auto", "automobile")
    assert np.flatnonzero(table.known).tolist() == list(LABELS)
    assert {n: table.category(n) for n in LABELS} == PRIMARY
    for k, category in enumerate(CATEGORIES):
        expected = COVERAGE[category]
        assert {n: table.coverage[n, k] for n in expected} == expected
        assert table.coverage[:, k].sum() == sum(expected.values())
        assert set(np.flatnonzero(table.frequency[:, k])) == set(expected)


def test_number_zero_in_the_tables_stays_unlabelled(root):
    write_table(root / "label.csv", ("number", "name"), [(0, "-"), (2, "two")], "\n")
    table = read_labels(open_source(root))
    assert table.known.tolist() == [False, False, True]


@pytest.mark.parametrize(
    "name", ["index.csv", "label.csv", "category.csv", "c_color.csv", "c_material.csv"]
)
def test_missing_table_is_named(name, root):
    source = open_source(root)
    (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing"):
        read_index(source, read_labels(source))


def replaced(root, name, old, new):
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_bytes(text.replace(old, new, 1).encode("latin-1"))


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("index.csv", "image,", "file,", "index.csv: column 'image' is missing; it has file"),
        ("index.csv", ",sw,", ",width,", "index.csv: column 'sw' is missing"),
        ("index.csv", ",scene", ",place", "index.csv: column 'scene' is missing"),
        ("index.csv", ",scene", ",color", "'scene' is missing|'color' is there twice"),
        ("index.csv", ",object,part", ",object,part,part", "'part' is there twice"),
        ("label.csv", "number,", "code,", "label.csv: column 'number' is missing"),
        ("label.csv", "number,name", "number,title", "label.csv: column 'name' is missing"),
        ("category.csv", "name,", "title,", "category.csv: column 'name' is missing"),
        ("c_color.csv", "coverage", "area", "c_color.csv: column 'coverage' is missing"),
        ("label.csv", "\n2,", "\n1,", "label.csv line 3: number 1 .* listed once"),
        ("label.csv", "\n2,", "\n-2,", "label.csv line 3: number '-2', expected a whole number"),
        ("label.csv", "\n2,", "\n2.5,", "number '2.5'"),
        ("label.csv", "\n2,", "\n,", "number ''"),
        ("label.csv", "\n300,", "\n65536,", "number 65536 .* at most 65535"),
        ("label.csv", "\n2,white-c", "\n2,", "have a name"),
        ("label.csv", "white-c", "wei\xdf", "label.csv: not UTF-8 at byte"),
        ("label.csv", "white-c", "whi\0te", "NUL character"),
        ("category.csv", "part,", "color,", "'color' is empty, twice there"),
        ("category.csv", "part,", "../part,", "no possible name"),
        ("category.csv", "part,", "image,", "no possible name"),
        ("c_color.csv", ",3.0", ",much", "c_color.csv line 3: frequency or coverage is no number"),
        ("c_color.csv", ",3.0", ",inf", "not finite"),
        ("c_color.csv", "\n1,1,", "\n1,one,", "c_color.csv line 2: number 'one'"),
        ("c_color.csv", "\n1,1,", "\n1\n1,1,", "c_color.csv line 2: the row ends before column"),
        ("label.csv", "\n1,", "\n7\n1,", "label.csv line 2: the row ends before column 'name'"),
    ],
)
def test_wrong_table_is_named(name, old, new, reason, root):
    replaced(root, name, old, new)
    source = open_source(root)
    with pytest.raises(ValueError, match=reason):
        read_index(source, read_labels(source))


@pytest.mark.parametrize(
    ("name", "header", "reason"),
    [
        ("index.csv", "image,sh,sw,color,object,part,scene,material", "lists no image"),
        ("label.csv", "number,name", "lists no label"),
        ("category.csv", "name", "lists no category"),
        ("index.csv", "", "column 'image' is missing"),
        ("index.csv", "image,sh,sw,color,object,part,scene,material\nx", "no usable row; line 2"),
    ],
)
def test_empty_table_is_named(name, header, reason, root):
    (root / name).write_text(header)
    source = open_source(root)
    with pytest.raises(ValueError, match=reason):
        read_index(source, read_labels(source))


def test_field_beyond_the_limit_of_csv_is_named(root):
    replaced(root, "index.csv", "a/none.jpg", '"' + "x" * 200_000)
    source = open_source(root)
    with pytest.raises(ValueError, match="index.csv line .*field limit"):
        read_index(source, read_labels(source))


def test_sizes_and_splits_are_optional(root):
    header = ("image", "sh", "sw", *CATEGORIES)
    rows = [("a/none.jpg", 6, 8, "", "", "", " 9 ; 9 ", "300")]
    write_table(root / "index.csv", header, rows, "\n")
    source = open_source(root)
    index = read_index(source, read_labels(source))
    assert index.bad == []
    row = index.rows[0]
    assert (row.size, row.split, row.maps, row.grid) == (None, "", (), (6, 8))
    assert row.whole == ((3, 9), (3, 9), (4, 300))


def test_labels_the_vocabulary_lacks_are_ignored_in_statistics(root):
    with open(root / "c_color.csv", "a") as handle:
        handle.write("9,77,odd,3,1.5\n")
    assert len(read_labels(open_source(root))) == 301


def test_reading_ends_after_the_most_bad_rows(root):
    replaced(root, "index.csv", "a/none.jpg", "../none.jpg")
    replaced(root, "index.csv", "a/colour.jpg", "../colour.jpg")
    source = open_source(root)
    table = read_labels(source)
    cut = read_index(source, table, most_bad=1)
    assert (len(cut.bad), cut.whole) == (1, False)
    assert len(read_index(source, table).bad) == 2


@pytest.mark.parametrize("name", ["category.csv", "label.csv", "c_color.csv"])
def test_a_table_longer_than_it_can_be_is_refused(root, name):
    columns = (root / name).read_text(encoding="utf-8").splitlines()[0].split(",")
    rows = ([str(row)] * len(columns) for row in range(70_000))
    write_table(root / name, columns, list(rows), "\n")
    with pytest.raises(ValueError, match=f"{name}: more than .* rows|{name} line .* at most 65535"):
        read_labels(open_source(root))


def test_a_table_of_too_many_bytes_is_refused(root, monkeypatch):
    monkeypatch.setattr("broden.sources.layout.MAX_TABLE_BYTES", 20)
    with pytest.raises(ValueError, match="category.csv: .* bytes, at most 20 are allowed"):
        read_labels(open_source(root))


def test_names_keep_to_the_rule_for_names(root):
    replaced_text = (root / "label.csv").read_text(encoding="utf-8")
    text = replaced_text.replace("white-c", "off\u00a0 white-c").replace(
        "tyre", "\u3000tyre\t;e\u0301"
    )
    (root / "label.csv").write_text(text, encoding="utf-8")
    table = read_labels(open_source(root))
    assert table.names[2] == "off white-c"
    assert table.synonyms[5] == ("tyre", "\u00e9")


def test_a_category_is_named_by_the_rule_and_found_as_it_is_spelt(root):
    odd = "ma\u00a0terial"
    for name in ("category.csv", "index.csv"):
        text = (root / name).read_text(encoding="utf-8")
        (root / name).write_text(text.replace("material", odd), encoding="utf-8")
    (root / "c_material.csv").rename(root / f"c_{odd}.csv")
    source = open_source(root)
    table = read_labels(source)
    assert table.categories[-1] == "ma terial"
    assert not read_index(source, table).bad


@pytest.mark.parametrize(
    ("name", "old", "line"),
    [("label.csv", "car", 4), ("label.csv", "auto", 4), ("category.csv", "part", 4)],
)
@pytest.mark.parametrize(
    "mark", ["\u202e", "\u00ad", "\u200d", "\u200b", "\u2069", "\x1b", "\ufeff"]
)
def test_a_name_with_a_mark_is_refused_with_its_line(mark, name, old, line, root):
    text = (root / name).read_text(encoding="utf-8")
    (root / name).write_text(text.replace(old, f"{old}{mark}x", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"^{name} line {line}: .* holds U\+{ord(mark):04X} \("):
        read_labels(open_source(root))
