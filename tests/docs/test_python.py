"""The Python that README and docs show runs, on fewer images than it says."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from torch import nn

import dissection
import figures
from broden import mini
from broden.reader import ProbeSet
from broden.sources.convert import convert
from tests.docs.pages import TEXTS, python

#: What only a network has, and what stands for it here.
REPLACED = {"ViT-B-16:openai": "mini", "data/broden1_224.zip": "my_photographs", "5000": "16"}
PHOTOGRAPHS = TEXTS["docs/how-to/own-photographs.md"]


def my_photographs(folder):
    """Write the folder that a page describes."""
    files = re.findall(r"`(\w+\.csv)`:\n\n((?: {4}\S+\n)+)", PHOTOGRAPHS)
    assert len(files) == 5
    (folder / "images/street").mkdir(parents=True)
    for name, lines in files:
        (folder / name).write_text(re.sub(r"^ {4}", "", lines, flags=re.MULTILINE))
    Image.new("RGB", (224, 224), "gray").save(folder / "images/street/1.jpg")
    parts = Image.new("RGB", (112, 112), (1, 0, 0))
    parts.paste((2, 0, 0), (0, 0, 56, 56))
    parts.save(folder / "images/street/1_part.png")
    return folder


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Make what the pages take for granted: probe sets, photographs, two runs."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    mini.build("small.h5", 48, seed=9)
    monkeypatch.setattr("broden.mini.probe.default_probe", lambda progress=True: "small.h5")
    shutil.copy("small.h5", "data/broden.h5")
    my_photographs(Path("my_photographs"))
    Path("photographs").mkdir()
    with ProbeSet("small.h5") as probe:
        for number in range(12):
            Path(f"photographs/{number}.jpg").write_bytes(probe.jpeg(number))
    for name in ("scenes", "objects"):
        dissection.dissect(f"mini_{name}", "layer4", method="both", out=f"results/{name}")


@pytest.mark.slow
def test_the_python_of_every_page_runs(workplace):
    ran = []
    for name, text in TEXTS.items():
        features = nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(5)))
        my_module = nn.Sequential()
        my_module.add_module("features", features)
        my_module.add_module("layer4", nn.Conv2d(3, 8, 3))
        known = {"dissection": dissection, "figures": figures, "my_module": my_module}
        for block in python(text):
            for given, here in REPLACED.items():
                block = block.replace(given, here)
            exec(compile(block, name, "exec"), known)
            if "network" in known:  # the factory of a page that goes on with what it makes
                known["inputs"] = known["network"]()[1]
        ran += [name] * ("```python" in text)
    assert "README.md" in ran
    assert len(ran) > 5


def test_photographs_in_the_layout_that_is_described_become_a_probe(tmp_path):
    done = convert(my_photographs(tmp_path / "my_photographs"), tmp_path / "my.h5")
    assert (done.images, done.skipped, done.ignored) == (1, [], ())
    with ProbeSet(tmp_path / "my.h5") as probe:
        assert probe.labels.names[1:] == ("wheel", "window", "street-s")
        assert probe.labels.pixels.tolist() == [0, 112 * 112 * 3 // 4, 112 * 112 // 4, 112 * 112]


def test_the_factory_that_is_described_loads(tmp_path):
    (factory, *_) = python(TEXTS["docs/how-to/own-network.md"])
    (tmp_path / "birds.py").write_text(factory)
    network = dissection.load(f"{tmp_path / 'birds.py'}:network")
    assert network.preprocessing.mean == (0.5, 0.5, 0.5)
    assert network.module.fc.out_features == 200
