import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from broden.system.files import file_name
from dissection.results.folder import RunFolder, differences
from dissection.results.schema import CARD, FORMAT

SETTINGS = {
    "quantile": 0.005,
    "model": {"name": "resnet18", "digest": "a" * 80, "size": [224, 224]},
    "layers": {"layer4": {"units": 512}},
}
ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from dissection.results.folder import RunFolder
with RunFolder(sys.argv[1]).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "deep" / "run")
    with made.locked():
        yield made


def changed(**changes):
    settings = json.loads(json.dumps(SETTINGS))
    settings["model"] |= changes.pop("model", {})
    return settings | changes


def test_empty_folder_is_claimed(folder):
    assert folder.card() is None
    assert folder.claim(SETTINGS)[0] is False
    card = json.loads((folder.path / CARD).read_text())
    assert card == {"format": FORMAT, "status": "running", "settings": SETTINGS}


def test_running_folder_is_claimed_again(folder):
    folder.claim(SETTINGS)
    before = (folder.path / CARD).read_bytes()
    folder.shards.mkdir()
    (folder.shards / "000000.npz").write_bytes(b"x")
    assert folder.claim(changed())[0] is False
    assert (folder.path / CARD).read_bytes() == before


def test_complete_folder_says_so(folder):
    folder.claim(SETTINGS)
    folder.write({"status": "complete", "settings": SETTINGS, "host": {"device": "cpu"}})
    (folder.path / "units.csv").write_text("unit\n")
    assert folder.claim(changed())[0] is True
    assert folder.card()["host"] == {"device": "cpu"}


def test_start_that_was_killed_while_it_wrote_the_card_is_no_other_content(folder):
    (folder.path / f"{CARD}.4711.part").write_bytes(b"{")
    assert folder.claim(SETTINGS)[0] is False


def finish_a_shard(folder):
    folder.shards.mkdir()
    (folder.shards / "000000.npz").touch()


def test_start_that_finished_nothing_gives_way_to_other_settings(folder):
    folder.write({"status": "running", "settings": SETTINGS})
    assert folder.claim(changed(quantile=0.01))[0] is False
    assert folder.card()["settings"]["quantile"] == 0.01


def test_refused_folder_is_not_touched(folder):
    folder.write({"status": "running", "settings": SETTINGS})
    finish_a_shard(folder)
    mine = folder.path / "download.part"
    mine.write_text("mine")
    with pytest.raises(ValueError, match="other settings"):
        folder.claim(changed(quantile=0.01))
    assert mine.read_text() == "mine"


def test_settings_may_be_in_any_order(folder):
    folder.claim(SETTINGS)
    assert folder.claim(dict(reversed(SETTINGS.items())))[0] is False


@pytest.mark.parametrize("status", ["running", "complete"])
def test_folder_of_other_settings_is_refused_and_the_difference_named(status, folder):
    folder.write({"status": status, "settings": SETTINGS})
    finish_a_shard(folder)
    other = changed(quantile=0.01, model={"name": "vgg16", "digest": "b" * 80})
    before = (folder.path / CARD).read_bytes()
    with pytest.raises(ValueError, match="belongs to a run with other settings") as caught:
        folder.claim(other)
    text = str(caught.value)
    assert str(folder.path) in text
    assert "quantile is 0.005 there and 0.01 here" in text
    assert 'model.name is "resnet18" there and "vgg16" here' in text
    assert f'model.digest is "{"a" * 11}...{"a" * 11}" there' in text
    assert "size" not in text
    assert "\n" not in text
    assert (folder.path / CARD).read_bytes() == before


def test_folder_that_holds_something_else_is_refused(folder):
    (folder.path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"holds something else \(thesis.tex\); choose another"):
        folder.claim(SETTINGS)
    assert not (folder.path / CARD).exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", '"run"', '{"status": "complete"}', '{"format": "dissection/0"}', "\x00"],
)
def test_card_that_is_not_ours_is_refused(text, folder):
    (folder.path / CARD).write_text(text)
    with pytest.raises(ValueError, match="is not a run card .*choose another --out") as caught:
        folder.claim(SETTINGS)
    assert str(folder.path / CARD) in str(caught.value)
    assert (folder.path / CARD).read_text() == text


def test_card_is_replaced_whole_or_not_at_all(folder, monkeypatch):
    folder.claim(SETTINGS)
    before = (folder.path / CARD).read_bytes()

    def fail(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("broden.system.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        folder.write({"status": "complete", "settings": SETTINGS})
    assert (folder.path / CARD).read_bytes() == before
    assert {path.name for path in folder.path.iterdir()} <= {CARD, ".lock"}


def test_card_keeps_every_letter(folder):
    folder.write({"settings": {"layer": "größe"}})
    assert folder.card()["settings"] == {"layer": "größe"}
    assert "größe".encode() in (folder.path / CARD).read_bytes()


def test_folder_is_locked_against_another_process(tmp_path, started):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    other = started(
        [sys.executable, "-c", HOLD, tmp_path / "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert other.stdout.readline() == "locked\n"
    mine = RunFolder(tmp_path / "run")
    with pytest.raises(ValueError, match="is being written by another process; wait"):
        mine.locked().__enter__()
    other.kill()
    other.wait()
    # whoever dies leaves no lock behind
    with mine.locked():
        assert mine.claim(SETTINGS)[0] is False


def test_lock_is_released_after_a_failure(tmp_path):
    mine = RunFolder(tmp_path)
    with pytest.raises(RuntimeError, match="stop"), mine.locked():
        raise RuntimeError("stop")
    with RunFolder(tmp_path).locked():
        assert RunFolder(tmp_path).card() is None


def entries(path):
    """Return what is in a directory: names and contents."""
    return {
        str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")
    }


@pytest.fixture
def elsewhere(tmp_path):
    """Return a directory of somebody else, with files of our names."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("000000.npz", "000001.npz.1.part", "layer4.csv", CARD, "units.csv", "lock"):
        (folder / name).write_text("mine")
    return folder


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *(("shards", target) for target in ("", "nowhere", CARD)),
        *(("tally", target) for target in ("", "nowhere")),
        *((".lock", target) for target in ("lock", "nowhere", "")),
        *((name, "units.csv") for name in ("units.csv", "descriptions.csv", "crosscheck.csv")),
        *((name, CARD) for name in (CARD, "crosscheck.json", "scores.h5", "clip.h5")),
        ("concepts.csv", "nowhere"),
        ("tally/layer4.csv", "layer4.csv"),
        ("shards/000000.npz", "000000.npz"),
    ],
)
def test_link_in_the_directory_is_refused_and_its_target_untouched(
    name, target, elsewhere, tmp_path
):
    made = RunFolder(tmp_path / "run")
    with made.locked():
        made.claim(SETTINGS)
    link = made.path / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(elsewhere / target)
    before = entries(elsewhere), entries(made.path)
    with pytest.raises(ValueError, match="is a link, and nothing is written through links") as one:
        made.locked().__enter__()
    assert str(link) in str(one.value)
    assert (entries(elsewhere), entries(made.path)) == before


def test_directory_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    made = RunFolder(tmp_path / "run")
    with made.locked():
        assert made.claim(SETTINGS)[0] is False
    assert (tmp_path / "disk" / CARD).is_file()


def test_lock_that_is_another_name_of_a_file_is_refused(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").hardlink_to(mine)
    with pytest.raises(ValueError, match=r"\.lock is no lock of ours; remove it"):
        RunFolder(tmp_path / "run").locked().__enter__()
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("name", ["units.csv", "scores.h5", CARD, ".lock", "tally/layer4.csv"])
def test_directory_in_place_of_a_file_is_said_at_the_start(name, tmp_path):
    (tmp_path / "run" / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=r"is a directory; remove it or choose another --out"):
        RunFolder(tmp_path / "run").locked().__enter__()


@pytest.mark.parametrize("name", ["shards", "tally"])
def test_file_in_place_of_a_directory_is_said_at_the_start(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"{name} is no directory; remove it"):
        RunFolder(tmp_path).locked().__enter__()


def test_what_a_kill_left_goes_and_what_is_not_ours_stays(folder):
    folder.claim(SETTINGS)
    finish_a_shard(folder)
    (folder.path / "tally").mkdir()
    gone = ["units.csv.123.part", "shards/000001.npz.7.part", "tally/a.csv.9.part"]
    stay = ["download.part", "thesis.tex.12.part", "figures.csv.3.part"]
    for name in gone + stay:
        (folder.path / name).touch()
    folder.claim(SETTINGS)
    assert [name for name in gone + stay if (folder.path / name).exists()] == stay


def read_only(monkeypatch, code):
    """Let no file be opened for writing, as a disk does that may only be read."""
    opened = os.open

    def refuse(path, flags, *more, **others):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, flags, *more, **others)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("locked_before", [True, False])
def test_complete_run_may_lie_on_a_disk_that_can_only_be_read(
    locked_before, code, tmp_path, monkeypatch
):
    made = RunFolder(tmp_path)
    made.write({"status": "complete", "settings": SETTINGS})
    if locked_before:
        (tmp_path / ".lock").touch()
    read_only(monkeypatch, code)
    with made.locked():
        assert made.claim(SETTINGS)[0] is True
    with made.locked(), pytest.raises(ValueError, match="other settings"):
        made.claim(changed(quantile=0.01))


@pytest.mark.parametrize("status", [None, "running"])
def test_run_that_is_not_complete_needs_a_disk_that_can_be_written(status, tmp_path, monkeypatch):
    made = RunFolder(tmp_path)
    if status:
        made.write({"status": status, "settings": SETTINGS})
    read_only(monkeypatch, errno.EROFS)
    with pytest.raises(OSError, match="Read-only") as caught:
        made.locked().__enter__()
    assert str(tmp_path) in str(caught.value.filename)


@pytest.mark.parametrize("inside", ["", "run"])
def test_file_in_the_way_is_an_error_of_the_system(inside, tmp_path):
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / inside
    with pytest.raises(OSError, match="file"):
        RunFolder(path).locked().__enter__()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_is_not_writable_is_an_error_of_the_system(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        RunFolder(tmp_path).locked().__enter__()


def test_differences_are_named_wherever_they_are():
    old = {"a": 1, "b": {"c": [1, 2], "d": {"e": None}}, "gone": True}
    new = {"a": 1, "b": {"c": [1, 3], "d": {"e": 0}}, "added": "x"}
    assert differences(old, new) == [
        "b.c is [1, 2] there and [1, 3] here",
        "b.d.e is null there and 0 here",
        "gone is true there and null here",
        'added is null there and "x" here',
    ]
    assert differences(old, old) == []


def test_map_in_place_of_a_value_is_one_difference():
    assert differences({"a": {"b": 1}}, {"a": 2}) == ['a is {"b": 1} there and 2 here']


def test_layers_become_file_names():
    assert file_name("features.denseblock1/conv 2:é") == "features.denseblock1_conv_2__"
    assert file_name("layer4.1-a_B") == "layer4.1-a_B"
