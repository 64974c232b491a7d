"""Files that are written whole: their owner's alone from the first moment, and nothing left of one that failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hip3 import durable
from hip3.durable import write_durably


def test_the_draft_is_private_before_anything_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    opened = os.open

    def note(path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        if flags & os.O_CREAT:
            found = os.fstat(descriptor)
            seen.append((found.st_mode & 0o777, found.st_size))
        return descriptor

    monkeypatch.setattr(durable.os, "open", note)
    old = os.umask(0)
    try:
        write_durably(tmp_path / "new" / "file", b"content")
    finally:
        os.umask(old)
    assert seen == [(0o600, 0)]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a longer content of before")
    path.chmod(0o644)
    write_durably(path, bytearray(b"new"))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_crash_left_of_the_same_process_number_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody else")
    (tmp_path / f"file.{os.getpid()}").symlink_to(other)
    write_durably(tmp_path / "file", b"new")
    assert (other.read_text(), (tmp_path / "file").read_bytes()) == ("of somebody else", b"new")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(durable.os if failing == "fsync" else Path, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"new")
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["file"])
