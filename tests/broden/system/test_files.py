import os
import socket

import pytest

from broden.system.files import check_layer_names, file_name, regular_file


def test_a_plain_file_and_a_link_to_one_are_taken(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "b"):
        assert regular_file(tmp_path / name, "table") == tmp_path / name
        assert regular_file(str(tmp_path / name), "table") == tmp_path / name


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for name in ("none", "link", "a/inside"):
        with pytest.raises(FileNotFoundError, match=f"{name}: no such table$"):
            regular_file(tmp_path / name, "table")


def test_what_would_be_waited_for_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(tmp_path)
        made.bind("socket")
        os.chdir(here)
        for path in (*(tmp_path / n for n in ("pipe", "link", "socket")), "/dev/zero"):
            with pytest.raises(ValueError, match="is a named pipe, a socket or a device, expected"):
                regular_file(path, "table")
    with pytest.raises(ValueError, match="is a directory, expected a table; give a plain file"):
        regular_file(tmp_path, "table")


def test_a_path_that_cannot_be_is_said():
    with pytest.raises(ValueError, match="is no possible path of a table"):
        regular_file("a\0b", "table")


def test_a_long_name_becomes_a_file_name_that_fits_and_is_its_own():
    names = [f"{'block.' * 50}{last}" for last in ("a", "b", "é")]
    short = [file_name(name) for name in names]
    assert len(set(short)) == 3
    assert {len(name) for name in short} == {200}
    assert file_name("a" * 200) == "a" * 200


def test_names_of_layers_that_can_be_written():
    check_layer_names(["layer4", "blocks.2/a", "blocks.2/b", "größe", "a b", "x" * 200])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x" * 201], "has a name of 201 characters, at most 200 are allowed; rename"),
        (["a\0b"], r"'a\\x00b' holds U\+0000 \(control character\), which no name may"),
        (["a\nb"], r"holds U\+000A"),
        (["a\u202eb"], r"holds U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        (["a\ud800"], r"holds U\+D800"),
        (["a//b"], "'a//b' is no name that files can have"),
        (["../a"], "no name that files can have"),
        (["/a"], "no name that files can have"),
        (["a b", "a_b"], "layers a b and a_b would share a file"),
        (["a/b", "a"], "layers a and a/b would share a place"),
    ],
)
def test_layers_that_could_not_be_written_are_refused(names, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_layer_names(["layer1", *names])
    assert str(caught.value).isprintable()
