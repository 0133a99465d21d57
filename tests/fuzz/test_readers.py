"""Whatever is wrong with a file, its reader reads it or says so in one line.

`make test` tries 200 damaged files of each reader, always the same; `make fuzz` tries 20,000 others
each, and says how many were read and how many refused.
"""

import logging
import os
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broden.system.terminal import message
from dissection.networks.layers import resolve
from tests.dissection.small_networks import Residual
from tests.fuzz.mutations import plans, spoilt
from tests.fuzz.readers import READERS, Case

pytest.importorskip("open_clip")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 200))
LONG = "FUZZ_EXAMPLES" in os.environ
FUZZ = settings(
    max_examples=EXAMPLES,
    derandomize=not LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


def outcome(read, expected: tuple[type[Exception], ...]) -> str:
    """Return what became of an input; what no user could mend fails the test."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except MemoryError:
        raise AssertionError("allocated what a file merely says") from None
    except Exception as error:
        said = message(error, (OSError, ValueError, ImportError, *expected))
        assert not said.startswith("internal error"), said
        assert "\n" not in said
        return "refused"
    return "read"


def tree(folder: Path) -> list[str]:
    """Return what lies in a folder but for what is written there on purpose."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in found if name != "out.h5")


def attempt(case: Case, path: Path, plan: list) -> str:
    """Damage a file, read it, and put it back as it was."""
    whole = path.read_bytes()
    path.write_bytes(spoilt(whole, plan))
    try:
        return outcome(case.read, case.allowed)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_line(
    name, tmp_path, monkeypatch, record_property, caplog
):
    caplog.set_level(logging.CRITICAL)
    (tmp_path / "files").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    case = READERS[name](tmp_path / "files")
    case.read()
    before = tree(tmp_path)
    counts: Counter[str] = Counter()
    plan_of = {path: plans(*kinds) for path, kinds in case.files.items()}

    @FUZZ
    @given(st.sampled_from(sorted(plan_of)).flatmap(lambda p: st.tuples(st.just(p), plan_of[p])))
    def try_one(chosen):
        counts[attempt(case, *chosen)] += 1

    try_one()
    # nothing is written beside what was there, wherever a file says it should be
    assert tree(tmp_path) == before
    record_property("fuzz", f"{name}: {counts['read']} read, {counts['refused']} refused")


def test_a_layer_pattern_means_layers_or_is_refused(record_property):
    network = Residual()
    counts: Counter[str] = Counter()
    letters = st.text("*?.,-[]()\\+^$ \0\nabclayerv1é", max_size=40)
    letters |= st.sampled_from([name for name, _ in network.named_modules() if name])
    letters |= st.lists(letters, max_size=3).map("*".join)

    @FUZZ
    @given(letters | st.lists(letters, max_size=3))
    def try_one(patterns):
        counts[outcome(lambda: resolve(network, patterns), ())] += 1

    try_one()
    record_property("fuzz", f"layer pattern: {counts['read']} read, {counts['refused']} refused")
