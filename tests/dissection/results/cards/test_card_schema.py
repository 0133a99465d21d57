"""A run card of any shape is read as what it says, or refused in one line with file and field."""

import json
import os

import pytest

from dissection.results.cards.card_schema import need_drawn
from dissection.results.dissection import Dissection
from dissection.results.folder import RunFolder
from dissection.results.reading import read
from dissection.summary import summary
from tests.dissection import labelled

CARD = {
    "format": "dissection/1",
    "status": "complete",
    "settings": {
        "method": "both",
        "quantile": 0.005,
        "union": "all",
        "min_iou": 0.1,
        "precision": "fp32",
        "clip": {
            "encoder": {"name": "mini", "weights": "w", "digest": "e"},
            "concepts": {"source": "list", "count": 5, "digest": "c", "template": "{}"},
            "similarity": "soft_wpmi",
            "pooling": "mean",
        },
        "model": {"name": "net", "weights": "w", "digest": "d"},
        "probe": {"name": "set", "images": 9, "digest": "p"},
        "layers": {"fc": {"units": 8, "grid": [7, 7], "layout": "NCHW"}},
    },
    "definitions": {"unit": "counted from 0"},
    "counts": {
        "fc": {"units": 8, "detectors": 3, "unique_best": 2, "unique_paper": 2, "descriptions": 4}
    },
    "host": {"probe": "elsewhere", "versions": {"torch": "2"}, "shards": {"kept": False}},
}


def written(folder, change=lambda card: None, text=None):
    """A whole run, then its card as it is given."""
    labelled.run(folder)
    card = json.loads(json.dumps(CARD))
    change(card)
    data = json.dumps(card) if text is None else text
    (folder / "run.json").write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def put(value, *names):
    def change(card):
        for name in names[:-1]:
            card = card[name]
        card[names[-1]] = value

    return change


def test_whole_card_is_read(tmp_path):
    folder = written(tmp_path / "run")
    assert RunFolder(folder).completed() == CARD
    assert len(read(folder)) == 2
    assert "3 (38%)" in summary(Dissection.read(folder))
    need_drawn(CARD["settings"], "run")


def test_an_earlier_card_lacks_what_came_later(tmp_path):
    def change(card):
        for name in ("definitions", "counts", "host"):
            del card[name]
        card["settings"] = {"method": "both", "layers": {"fc": {}}, "model": {"name": "net"}}

    folder = written(tmp_path / "run", change)
    assert read(folder)[0].network == "net"
    assert Dissection.read(folder).layers == ["fc"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("0.04", "status"), 'status is "0.04", expected one of running, complete'),
        (put(None, "settings"), "settings is null, expected an object with fields"),
        (put("0.04", "settings"), 'settings is "0.04", expected an object'),
        (put(2**70, "settings"), "settings is 1180591620717411303424, expected"),
        (put([1], "settings", "layers"), "settings.layers is a list, expected an object"),
        (put([], "settings", "layers", "fc"), r"settings.layers.fc is \[\], expected an object"),
        (put("8", "settings", "layers", "fc", "units"), 'fc.units is "8", expected a whole number'),
        (put(0, "settings", "layers", "fc", "units"), "fc.units is 0, expected a whole number of"),
        (put(True, "settings", "layers", "fc", "units"), "fc.units is true, expected a whole"),
        (put(2**40, "settings", "layers", "fc", "units"), "fc.units is 1099511627776, expected"),
        (put([7, 7, 7], "settings", "layers", "fc", "grid"), "fc.grid is a list, expected two"),
        (put({}, "settings", "probe", "images"), "settings.probe.images is {}, expected a whole"),
        (put(7, "settings", "probe", "digest"), "settings.probe.digest is 7, expected text"),
        (put([], "settings", "model"), r"settings.model is \[\], expected an object"),
        (put(-0.5, "settings", "min_iou"), "settings.min_iou is -0.5, expected a number from 0"),
        (put("any", "settings", "union"), "settings.union is .any., expected one of category"),
        (put(3, "settings", "clip"), "settings.clip is 3, expected an object"),
        (put(3, "settings", "clip", "encoder"), "settings.clip.encoder is 3, expected an object"),
        (put({" ": {}}, "settings", "layers"), "settings.layers has a layer without a name"),
        (put([1], "definitions"), "definitions is a list, expected an object"),
        (put(1, "definitions", "unit"), "definitions.unit is 1, expected text"),
        (put(4, "counts", "fc"), "counts.fc is 4, expected an object"),
        (put(0, "counts", "fc", "units"), "counts.fc.units is 0, expected a whole number of at"),
        (put(5, "host"), "host is 5, expected an object"),
        (put(5, "host", "probe"), "host.probe is 5, expected text"),
        (put(5, "host", "versions"), "host.versions is 5, expected an object"),
        (put(5, "host", "shards"), "host.shards is 5, expected an object"),
        (put("no", "host", "shards", "kept"), 'host.shards.kept is "no", expected true or false'),
        (lambda card: card["settings"].pop("method"), "lacks settings.method"),
        (lambda card: card["settings"].pop("layers"), "lacks settings.layers"),
        (lambda card: card.pop("settings"), "lacks settings.method"),
        (put("none", "settings", "method"), "unknown method 'none'"),
    ],
)
def test_a_field_of_another_kind_is_named(tmp_path, change, message):
    folder = written(tmp_path / "run", change)
    for reader in (read, Dissection.read):
        with pytest.raises(ValueError, match=message) as caught:
            reader(folder)
        assert str(folder / "run.json") in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff{}", "can't decode byte 0xff"),
        ("[" * 100_000, "nested more than 32 levels"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested more than 32 levels"),
        ('{"format": "dissection/1", "format": "dissection/1"}', 'field "format" is there twice'),
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e999}', "1e999 is no finite number"),
        ('{"a": ' + "9" * 5000 + "}", "a number has 5000 digits"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ("[1]", "it holds a list, not an object"),
        ("", "Expecting value"),
    ],
)
def test_what_is_no_card_is_said(tmp_path, text, message):
    folder = written(tmp_path / "run", text=text)
    with pytest.raises(ValueError, match=message) as caught:
        read(folder)
    assert str(folder / "run.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_that_cannot_be_opened_at_once_is_refused(tmp_path):
    folder = labelled.run(tmp_path / "run")
    (folder / "run.json").unlink()
    os.mkfifo(folder / "run.json")
    with pytest.raises(ValueError, match="is a named pipe, a socket or a device"):
        read(folder)


@pytest.mark.parametrize("name", ["counts", "definitions"])
def test_summary_says_what_it_lacks(tmp_path, name):
    folder = written(tmp_path / "run", lambda card: card.pop(name))
    result = Dissection.read(folder)
    if name == "definitions":
        assert "detector" in summary(result)
    else:
        with pytest.raises(ValueError, match=r"run.json lacks counts"):
            summary(result)


def test_captions_say_what_they_lack():
    settings = json.loads(json.dumps(CARD["settings"]))
    del settings["clip"]["concepts"]["count"]
    with pytest.raises(ValueError, match="run lacks clip.concepts.count"):
        need_drawn(settings, "run")
    need_drawn({}, "a table")
