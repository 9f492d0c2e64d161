"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rfhosted.outputs.files import expanded, write_whole


def test_a_new_file_has_the_usual_rights(tmp_path):
    usual = tmp_path / "usual"
    usual.write_bytes(b"")
    path = write_whole(tmp_path / "new", b"all")
    assert path.read_bytes() == b"all"
    assert path.stat().st_mode == usual.stat().st_mode


def test_an_old_file_keeps_its_rights_and_its_link(tmp_path):
    real = tmp_path / "real"
    real.write_bytes(b"old and longer")
    real.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(real)
    assert write_whole(link, b"new") == link
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing, error):
    path = tmp_path / "b.json"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[failing], fail)
    with pytest.raises(type(error)):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such"):
        write_whole(tmp_path / "no-such" / "b.json", b"")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError):
        write_whole(tmp_path, b"")
    assert tmp_path.is_dir()


def test_a_device_is_written_and_not_replaced():
    assert write_whole("/dev/null", b"gone") == Path("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert write_whole("~/b.json", b"1") == tmp_path / "b.json"
    assert expanded("~nobody-of-that-name/b") == Path("~nobody-of-that-name/b")
