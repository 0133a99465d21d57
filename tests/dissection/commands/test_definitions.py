"""What the options of definitions become."""

import argparse

import pytest

from dissection.commands.definitions import clip_shifts


@pytest.mark.parametrize(
    ("validity", "shifts", "found"),
    [("full", None, 5), ("full", 20, 5), ("full", 2, 2), ("full", 0, 0), ("none", None, 0)],
)
def test_clip_has_at_most_five_shifts_and_none_without_validity(validity, shifts, found):
    assert clip_shifts(argparse.Namespace(validity=validity, shifts=shifts)) == found
