"""A sentence says of a label what the numbers of its unit say, and nothing that they do not."""

import numpy as np
import pytest

from figures.verdict import name_of, verdict, verdict_by_clip

UNIT = {
    "label": "shirt", "score": 0.314, "iou_low": 0.26, "iou_high": 0.35, "chance_iou": 0.021,
    "q": 0.0004, "stability": 0.99, "runner_up": "skirt", "images": 57,
}  # fmt: skip
BEGIN = "shirt 0.31 (0.26 to 0.35), chance 0.02, "


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, f"{BEGIN}q < 0.001, sure name"),
        ({"q": 0.001}, f"{BEGIN}q 0.001, sure name"),
        ({"q": 0.05}, f"{BEGIN}q 0.050, sure name"),
        ({"q": 0.0501}, f"{BEGIN}q 0.0501: no better than chance"),
        ({"q": 0.4}, f"{BEGIN}q 0.40: no better than chance"),
        ({"q": 1.0}, f"{BEGIN}q 1.00: no better than chance"),
        ({"chance_iou": 0.0049}, f"{BEGIN[:27]}chance < 0.01, q < 0.001, sure name"),
        ({"chance_iou": 0.005}, f"{BEGIN[:27]}chance 0.01, q < 0.001, sure name"),
        ({"stability": 0.95}, f"{BEGIN}q < 0.001, sure name"),
        ({"stability": 0.94}, f"{BEGIN}q < 0.001, likely name"),
        ({"stability": 0.8}, f"{BEGIN}q < 0.001, likely name"),
        ({"stability": 0.79}, f"shirt or skirt{BEGIN[5:]}q < 0.001"),
        ({"stability": 0.79, "runner_up": ""}, f"{BEGIN}q < 0.001"),
        ({"stability": 0.79, "runner_up": np.nan}, f"{BEGIN}q < 0.001"),
        ({"images": 9}, f"{BEGIN}q < 0.001, few images (9)"),
        ({"images": 10}, f"{BEGIN}q < 0.001, sure name"),
        (
            {"images": 2, "q": 0.4, "stability": 0.5},
            f"shirt or skirt{BEGIN[5:]}q 0.40: no better than chance, few images (2)",
        ),
        ({"q": np.nan}, f"{BEGIN}sure name"),
        ({"iou_low": np.nan}, "shirt 0.31, chance 0.02, q < 0.001, sure name"),
        ({"stability": np.nan, "images": np.nan}, f"{BEGIN}q < 0.001"),
        ({"q": None, "chance_iou": None}, ""),
    ],
)
def test_the_sentence_says_what_the_numbers_say(change, sentence):
    assert verdict(UNIT | change) == sentence


def test_of_a_run_that_tells_nothing_there_is_no_sentence():
    assert verdict({"label": "shirt", "score": 0.3}) == ""
    assert name_of({"label": "shirt", "score": 0.3}) == "shirt"


def test_a_label_is_text_whatever_it_says():
    unit = UNIT | {"label": "<b>{0}%s</b>", "runner_up": "$x_", "stability": 0.1}
    assert verdict(unit).startswith("<b>{0}%s</b> or $x_ 0.31")


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ({"q": 0.0002, "stability": 1.0}, "q < 0.001, both halves of the images agree"),
        (
            {"q": 0.2, "stability": 0.0},
            "q 0.20: no better than chance, neither half of the images agrees",
        ),
        ({"q": 0.05, "stability": 0.5}, "q 0.050, one half of the images agrees"),
        ({"q": np.nan, "stability": 1.0}, "both halves of the images agree"),
        ({"q": 0.04, "stability": np.nan}, "q 0.040"),
        ({}, ""),
    ],
)
def test_a_description_is_believed_as_far_as_its_numbers_say(unit, words):
    assert verdict_by_clip(unit) == words
