import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broden.system.names import flaw, named, spaced

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1)]


def test_every_space_of_unicode_becomes_a_plain_one():
    spaces = [c for c in CHARACTERS if unicodedata.category(c) == "Zs"]
    assert len(spaces) >= 17
    assert {named(f"{s}a{s}{s}b{s}", "list") for s in [*spaces, "\t"]} == {"a b"}


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
def test_what_is_no_printable_character_is_refused_and_named(category):
    bad = [c for c in CHARACTERS if unicodedata.category(c) == category and c != "\t"]
    for character in bad[:: max(1, len(bad) // 500)]:
        with pytest.raises(ValueError, match="may; remove it$") as caught:
            named(f"a{character}b", "words.txt line 3")
        text = str(caught.value)
        assert text.startswith("words.txt line 3: ")
        assert f"U+{ord(character):04X} (" in text
        # what is refused is shown, not done to the reader's terminal
        assert text.isprintable()


@pytest.mark.parametrize("unseen", "\u3164\u115f\u1160\uffa0\u2800\u034f")
def test_a_letter_that_cannot_be_seen_is_refused(unseen):
    assert flaw(f"dog{unseen}").startswith(f"U+{ord(unseen):04X} (")


def test_letters_are_composed_and_otherwise_left_alone():
    assert spaced("cafe\u0301") == "caf\u00e9"
    for name in ("Straße", "ﬁne", "½", "x\u0331", "עברית", "فارسی", "हिन्दी", "🚒", "−1", "A\ufe0f"):
        assert named(name, "list") == name


@given(st.text())
def test_a_name_stays_itself_and_can_be_read_back(text):
    try:
        name = named(text, "list")
    except ValueError:
        return
    assert named(name, "list") == name == name.strip()
    assert name.isprintable()


def test_a_name_has_an_end():
    assert named(" " + "a" * 1000, "list") == "a" * 1000
    with pytest.raises(ValueError, match=r"^label.csv line 4 has 1001 characters, at most 1000"):
        named("a" * 1001, "label.csv line 4")
