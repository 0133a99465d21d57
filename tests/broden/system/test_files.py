import os
import socket

import pytest

from broden.system.files import regular_file


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
