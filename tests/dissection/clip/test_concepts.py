import os
import sys

import numpy as np
import pytest

from broden.labels import LabelTable
from broden.photographs import Photographs
from dissection.clip import concepts
from tests.broden.layout import jpeg
from tests.dissection.probes import corner_images, write_probe


def write(folder, data):
    """Write a concept list and return its path."""
    path = folder / "words.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        "dog\nblue sky\ncat\n",
        "dog\nblue sky\ncat",
        "\ufeffdog\nblue sky\ncat\n",
        "dog\r\nblue sky\r\ncat\r\n",
        "dog\rblue sky\rcat",
        "\n\ndog\n\n \t\nblue sky\ncat\n\n",
        "  dog\nblue sky\t\n\tcat  \n",
        "dog\nblue sky\ndog\ncat\n blue sky\n",
        "dog\r\n\nblue sky\n\r\ncat",
    ],
)
def test_neither_line_ends_nor_blank_lines_nor_duplicates_shift_a_concept(data, tmp_path):
    found = concepts.read(str(write(tmp_path, data)))
    assert found.names == found.prompts == ("dog", "blue sky", "cat")
    assert len(found) == 3
    assert found.categories is None
    assert found.source == str(tmp_path / "words.txt")


def test_order_case_and_other_scripts_are_kept(tmp_path):
    found = concepts.read(write(tmp_path, "zebra\nApple\napple\ncafé\nвода\nשלום\n"))
    assert found.names == ("zebra", "Apple", "apple", "café", "вода", "שלום")


@pytest.mark.parametrize("space", ["\t", "\u00a0", "\u3000", "\u2009", "\u202f", "  ", " \u2003\t"])
def test_a_space_of_any_kind_is_one_plain_space(space, tmp_path):
    words = f"traffic{space}light\n{space}dog{space}\ntraffic light\n{space}\n"
    assert concepts.read(write(tmp_path, words)).names == ("traffic light", "dog")


def test_the_template_makes_the_prompt_and_not_the_name(tmp_path):
    found = concepts.read(write(tmp_path, "dog\n{}\n"), template="a {photo} of a {}.")
    assert found.names == ("dog", "{}")
    assert found.prompts == ("a {photo} of a dog.", "a {photo} of a {}.")


@pytest.mark.parametrize("template", ["", "a photo", "{} and {}", "{name}", "a\n{}", "{}\x00"])
def test_a_template_has_one_place_for_the_concept(template, tmp_path):
    with pytest.raises(ValueError, match=r"^template must be one line with one {}"):
        concepts.read(write(tmp_path, "dog"), template=template)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "holds no concept"),
        ("\ufeff\n \r\n", "holds no concept"),
        ("dog\ncat\x07\n", r"line 2: .* holds U\+0007 \("),
        ("tree\nwa\u202egon", r"line 2: 'wa\\u202egon' holds U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        ("house\u00adboat", r"line 1: .* holds U\+00AD \(SOFT HYPHEN\)"),
        ("a\n\nwoman\u200dfirefighter", r"line 3: .* holds U\+200D \(ZERO WIDTH JOINER\)"),
        ("dog\u200b", r"line 1: .* holds U\+200B \(ZERO WIDTH SPACE\)"),
        ("\u2066dog\u2069", r"line 1: .* holds U\+2066 \(LEFT-TO-RIGHT ISOLATE\)"),
        ("\ue000", r"line 1: .* holds U\+E000 \(private\)"),
        ("dog\n\ncat\u2028bird", r"line 3: .* holds U\+2028 \("),
        ("dog\x0bcat", r"line 1: .* holds U\+000B \("),
        ("dog\n\ufeffcat", r"line 2: .* holds U\+FEFF \("),
        (b"dog\ncaf\xe9\n", "line 2 is not UTF-8"),
        ("dog\n".encode("utf-16"), "line 1 is not UTF-8"),
        ("dog\n".encode("utf-16-le"), r"line 1: .* holds U\+0000 \("),
        ("word " * 400, "line 1 has 1999 characters, at most 1000"),
        ("a\n" * 100_001, "more than 100000 lines"),
        (b"word\n" * 400_001, "larger than 2000000 bytes"),
    ],
)
def test_what_is_no_word_list_is_refused_in_one_line(data, message, tmp_path):
    with pytest.raises(ValueError, match=rf"words\.txt.*{message}[^\n]*$"):
        concepts.read(write(tmp_path, data))


def test_the_limits_themselves_are_allowed(tmp_path):
    assert concepts.read(write(tmp_path, "a\n" * 100_000)).names == ("a",)
    assert concepts.read(write(tmp_path, b"a" * 1000 + b"\n" * 99_999)).names == ("a" * 1000,)
    line = b"x" * 999 + b"\n"
    assert len(concepts.read(write(tmp_path, line * 2000)).names) == 1


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no concept list brodn, nearest: broden; allowed"):
        concepts.read("brodn")
    with pytest.raises(ValueError, match="is a directory"):
        concepts.read(tmp_path)


def test_the_digest_covers_names_order_and_prompts(tmp_path):
    def digest(text, template="{}"):
        return concepts.read(write(tmp_path, text), template=template).digest

    same = digest("dog\ncat"), digest("dog\r\n\r\ncat\r\ndog")
    assert same[0] == same[1]
    others = [digest("cat\ndog"), digest("dog\ncat\nbird"), digest("dog\ncat", "a {}")]
    assert len({same[0], *others, digest("dogcat"), digest("dog cat")}) == 6


def test_broden_names_the_known_labels_by_their_display_form(tmp_path):
    with write_probe(tmp_path / "probe.h5", corner_images()) as probe:
        found = concepts.read("broden", probe, "a {}")
    assert found.names == ("cat", "dog", "wheel", "leg", "street", "forest", "wood", "fur")
    assert found.prompts[4] == "a street"
    assert found.categories == (
        *("object", "object", "part", "object", "scene", "scene", "material", "material"),
    )
    assert found.source == "broden (labels of tiny)"


def test_broden_labels_of_one_name_are_one_concept():
    class Probe:
        name = "drawn"
        labels = LabelTable.from_rows(
            ("object", "scene"),
            [1, 4, 5, 7],
            ["bar", "bar-s", "dining_room-s", "air_conditioner"],
            [()] * 4,
            np.ones((4, 2), np.int64),
            np.array([[1, 0], [0, 2], [0, 1], [1.0, 0]]),
        )

    found = concepts.read("broden", Probe())
    assert found.names == ("bar", "dining_room", "air_conditioner")
    assert found.prompts == ("bar", "dining room", "air conditioner")
    assert found.categories == ("object", "scene", "object")


def test_broden_needs_labels(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    for probe in (None, Photographs(tmp_path)):
        with pytest.raises(ValueError, match="are the labels of a probe file"):
            concepts.read("broden", probe)


def test_common_words():
    pytest.importorskip("wordfreq")
    found = concepts.read("common", template="a {}")
    assert len(set(found.names)) == len(found.names) == concepts.COMMON == 20_000
    assert found.names[:3] == ("the", "to", "and")
    assert found.prompts[0] == "a the"
    assert all(any(map(str.isalpha, name)) for name in found.names)
    assert {"dog", "purple", "kitchen", "striped"} <= set(found.names)
    assert found.digest == concepts.read("common", template="a {}").digest


def test_without_wordfreq_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(RuntimeError, match=r"pip install 'network-dissection\[clip\]'"):
        concepts.read("common")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a file without an end")
def test_a_file_without_an_end_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(ValueError, match="is a named pipe, a socket or a device, expected a"):
            concepts.read(str(path))


def test_a_list_that_is_too_large_is_refused(tmp_path):
    (tmp_path / "words.txt").write_bytes(b"a\n" * (concepts.MAX_BYTES // 2 + 1))
    with pytest.raises(ValueError, match="larger than"):
        concepts.read(str(tmp_path / "words.txt"))
