import re
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broden.inspection.audit import audit, ceilings, find
from broden.reader import ProbeSet
from broden.verification import verify
from tests.broden.layout import GRID, LABELS, PRIMARY, jpeg

AREA = GRID[0] * GRID[1]


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 10**6)), min_size=1),
    st.sampled_from([0.005, 0.01, 0.3]),
)
def test_ceiling_is_the_smaller_area_over_the_larger(pairs, quantile):
    pixels, counted = map(np.array, zip(*pairs, strict=True))
    found = ceilings(pixels, counted, quantile)
    for value, truth, images in zip(found, pixels, counted, strict=True):
        area = quantile * images
        expected = min(area, truth) / max(area, truth) if max(area, truth) else 0.0
        assert value == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("quantile", [0, 1, -0.1, 2])
def test_impossible_quantile_is_refused(quantile):
    with pytest.raises(ValueError, match="quantile is .*between 0 and 1"):
        ceilings(np.ones(1), np.ones(1), quantile)


def test_audit_lists_every_label_with_its_masses(probe_path, corner_sets):
    with ProbeSet(probe_path) as probe:
        entries = audit(probe, 0.25)
    assert [(e.number, e.name, e.category) for e in entries] == [
        (n, name, PRIMARY[n]) for n, (name, _) in LABELS.items()
    ]
    for entry in entries:
        held = [len(s[entry.number]) for s in corner_sets if entry.number in s]
        assert (entry.images, entry.pixels) == (len(held), sum(held))
        assert entry.share == pytest.approx(sum(held) / (7 * AREA))
        counted = sum(any(PRIMARY[n] == entry.category for n in s) for s in corner_sets) * AREA
        low, high = sorted((0.25 * counted, sum(held)))
        assert entry.ceiling == pytest.approx(low / high)
        assert entry.reachable == (low / high > 0.04)


def test_label_of_no_pixel_can_never_be_found(probe_path):
    with ProbeSet(probe_path, 2) as probe:
        entry = audit(probe)[-1]
    assert (entry.images, entry.pixels, entry.ceiling, entry.reachable) == (0, 0, 0.0, False)


def test_find_lists_images_by_pixels(probe_path, corner_sets):
    with ProbeSet(probe_path) as probe:
        for number in LABELS:
            held = [(-len(s[number]), i) for i, s in enumerate(corner_sets) if number in s]
            found = find(probe, number)
            assert [(-hit.pixels, hit.image) for hit in found] == sorted(held)
            assert all(hit.share == hit.pixels / AREA for hit in found)
            assert all(hit.name == probe.names[hit.image] for hit in found)


def _other_byte(file):
    file["images/bytes"][int(file["images/offsets"][4]) - 40] ^= 255


def _broken_image(file):
    start, stop = file["images/offsets"][:2]
    other = jpeg(0)[: (stop - start) // 2]
    file["images/bytes"][start:stop] = 0
    file["images/bytes"][start : start + len(other)] = np.frombuffer(other, np.uint8)


def _value(member, place, value):
    def change(file):
        file[member][place] = value

    return change


CHANGES = {
    "image": (_other_byte, ["image 3 .*digest differs", "digest of the set"]),
    "undecodable": (_broken_image, ["digest differs", "image 0 .*cannot be decoded"]),
    "plane": (
        _value("planes/data", (0, 0, 0), 6),
        ["image 0 .*contents differ", "presence differs", r"label 6 \(glass\): \d+ pixels, stored"],
    ),
    "mass": (_value("labels/pixels", 0, 5), [r"label 1 \(black-c\): \d+ pixels, stored 5"]),
    "contents": (_value("contents/pixels", 0, 1), ["image 0 .*contents differ from its planes"]),
    "presence": (_value("presence", (1, 0), True), ["image 1 .*presence differs"]),
    "repeats": (_value("planes/repeats", 0, True), ["image 0 .*marks of repeated labels"]),
    "whole": (_value("whole/label", 0, 3), ["image 2 .*contents", "label 9", "label 3"]),
    "split": (_value("images/splits", 0, "test"), ["image 0 .*digest", "digest of the set"]),
    "name": (_value("labels/name", 0, "noir"), ["digest of the set is not the stored"]),
    "image digest": (_value("images/digests", (2, 0), 0), ["image 2 .*digest differs"]),
    "size": (lambda f: f.attrs.__setitem__("image_size", [1, 1]), ["digest of the set"]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_verify_names_every_difference(case, probe_path, tmp_path):
    change, reasons = CHANGES[case]
    path = shutil.copy(probe_path, tmp_path / "p.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    failures = list(verify(path))
    for reason in reasons:
        assert any(re.search(reason, failure) for failure in failures), failures
    assert all("\n" not in failure for failure in failures)


def test_verify_reports_a_broken_file_as_one_failure(tmp_path):
    path = tmp_path / "p.h5"
    path.write_bytes(b"text")
    (failure,) = verify(path)
    assert "not a whole probe file" in failure
