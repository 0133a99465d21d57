"""What passes as a name at the start is written at the end, and read back as it was."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import dissection
from broden.labels import LabelTable
from broden.reader import ProbeSet
from dissection.config import ClipConfig, Execution
from dissection.crosscheck import findings
from dissection.networks.loading import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.results import schema
from dissection.results.reading import read
from dissection.results.tables import read_table, read_tally
from figures import command
from tests.dissection.probes import corner_images, write_probe

open_clip = pytest.importorskip("open_clip")

ODD = [
    '"quoted"', "'", "a, b", "=1+1", "+1", "-1", "@x", "NA", "null", "nan", "None", "1e5", "007",
    "True", "inf", "שלום", "سلام", "x\u0331", "🚒 truck", "$x$", "$\\frac", "<script>", "{}", "%s",
    "#", "\\", "a/b", "-", "中国 男", "ﬁne", "caf\u00e9", "tree; bush",
]  # fmt: skip
CATEGORIES = ("NA", '=a, "b"', "e\u0301", "True-label", "שלום")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run by both methods whose labels, categories and concepts have odd names."""
    folder = tmp_path_factory.mktemp("odd")
    numbers = [1, 2, 4, 5, 7, 9, 12, 300]
    rng = np.random.default_rng(0)
    labels = LabelTable.from_rows(
        CATEGORIES, numbers, ODD[: len(numbers)], [()] * len(numbers),
        np.ones((len(numbers), 5), np.int64), rng.random((len(numbers), 5)),
    )  # fmt: skip
    write_probe(folder / "probe.h5", corner_images(more=20), labels).close()
    (folder / "words.txt").write_text("\n".join(ODD), encoding="utf-8")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = nn.Sequential(
            nn.Conv2d(3, 48, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
        )
        net(torch.zeros(1, 3, 8, 8))
    shown = Network('n="1", x', net.eval(), Preprocessing(8, (0.5,) * 3, (0.5,) * 3), "seed 5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        dissection.dissect(
            shown, ["0"], folder / "probe.h5", method="both", out=folder / "run",
            clip=ClipConfig(concepts=str(folder / "words.txt")),
            execution=Execution(device="cpu", workers=0),
        )  # fmt: skip
    return folder / "run"


def test_tables_read_back_the_names_that_were_written(run):
    by_iou, by_clip = read(run)
    with ProbeSet(run.parent / "probe.h5") as probe:
        labels = set(probe.labels.names)
        categories = list(probe.categories)
    assert set(by_iou.units["label"]) <= labels
    assert set(by_iou.units["category"]) <= set(categories) == set(CATEGORIES)
    assert by_iou.categories == tuple(categories) or list(by_iou.categories) == categories
    assert set(by_clip.units["label"]) <= set(ODD)
    assert len(set(by_clip.units["label"])) > 10
    assert by_clip.scores.concepts == tuple(ODD)
    tally = read_tally(run / schema.tally_file("0"))
    assert sorted(tally["label"]) == sorted(by_iou.units["label"])
    assert list(read_table(run / schema.UNITS)["label"]) == list(by_iou.units["label"])
    found = findings.read(run, "n")
    assert set(found.units["clip_label"]) == set(by_clip.units["label"])
    assert json.loads((run / schema.CARD).read_text(encoding="utf-8"))["status"] == "complete"


def test_figures_and_report_are_drawn_of_them(run, tmp_path):
    more = ["--report", "--formats", "png,svg", "--dpi", "40", "--sheets", "1"]
    assert command.main([str(run), "--out", str(tmp_path), *more]) == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "\\u003cscript\\u003e" in page
