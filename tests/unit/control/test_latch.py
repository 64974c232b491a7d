"""The kill latch: durable, logged, effective within milliseconds, and kept whatever is in the file."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import orjson
import pytest

from hip3 import users
from hip3._hip3 import Signer
from hip3.config import load
from hip3.control import latch
from hip3.control.latch import (
    HALT,
    HARD_STOP,
    clear_latch,
    latch_path,
    latch_problem,
    note,
    read_latch,
    set_latch,
    watch_latch,
)
from hip3.errors import CheckFailed

KEY = b"0x" + b"7" * 64


def test_a_latch_says_who_and_why_and_every_change_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "state" / "KILL"
    assert read_latch(path) is None
    made = set_latch(path, "fire drill")
    assert read_latch(path) == made
    assert made.told() == f"killed by {made.user}: fire drill"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert clear_latch(path, "over")
    assert read_latch(path) is None
    assert not clear_latch(path, "again")
    rows = [orjson.loads(line) for line in (path.parent / "control.log").read_bytes().splitlines()]
    assert [(row["verb"], row["reason"]) for row in rows][:2] == [("kill", "fire drill"), ("unkill", "over")]
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["control.log"]


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"time_ms":"x"}', b"{" * 9000])
def test_whatever_is_in_the_file_it_latches(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "KILL"
    path.write_bytes(body)
    latch = read_latch(path)
    assert latch is not None
    assert latch.told() == "killed"


def test_a_dangling_link_and_a_directory_latch_too(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert read_latch(tmp_path / "link") is not None
    assert read_latch(tmp_path) is not None


def test_a_latch_that_cannot_be_set_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckFailed, match="stop the process"):
        set_latch(tmp_path / "file" / "KILL", "")


def test_the_place_is_the_option_or_the_state_directory(tmp_path: Path) -> None:
    config = load(None, [])
    assert latch_path(config, {"XDG_STATE_HOME": "/state"}) == Path("/state/hip3/KILL")
    assert latch_path(config, {}) == Path.home() / ".local/state/hip3/KILL"
    named = load(None, [f"control.latch={tmp_path}/K"])
    assert latch_path(named, {}) == tmp_path / "K"


def test_nothing_is_signed_within_milliseconds_of_the_file(tmp_path: Path) -> None:
    waits = []
    for number in range(30):
        signer, path = Signer(bytearray(KEY), False), tmp_path / f"K{number}"
        signer.watch_kill_file(path)
        signer.noop(1, 1)
        assert not signer.is_killed
        path.touch()
        began = time.monotonic()
        with pytest.raises(ValueError, match="killed"):
            sign_until_refused(signer)
        waits.append(time.monotonic() - began)
        assert signer.is_killed
        path.unlink()
        # Nothing takes it back.
        with pytest.raises(ValueError, match="killed"):
            signer.noop(2, 2)
    waits.sort()
    assert waits[len(waits) // 2] < 0.010, waits
    assert waits[-1] < 0.5, waits


def sign_until_refused(signer: Signer) -> None:
    for number in range(10**6):
        signer.noop(number, 1)


def test_a_signal_kills_too_and_its_latch_holds_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "KILL"
    signer, later = Signer(bytearray(KEY), False), Signer(bytearray(KEY), False)
    assert latch_problem(path) == ""
    watch_latch(path, signer)
    signer.noop(1, 1)
    os.kill(os.getpid(), signal.SIGUSR1)
    with pytest.raises(ValueError, match="killed"):
        sign_until_refused(signer)
    end = time.monotonic() + 5
    while (latch := read_latch(path)) is None or not latch.reason:
        assert time.monotonic() < end, "no latch was made"
        time.sleep(0.001)
    assert latch.told() == "killed: SIGUSR1"
    assert path.stat().st_mode & 0o777 == 0o600
    watch_latch(path, later)
    with pytest.raises(ValueError, match="killed"):
        sign_until_refused(later)


def test_each_kind_of_latch_says_what_it_is(tmp_path: Path) -> None:
    assert set_latch(tmp_path / "A", "no such agent", HALT).told() == "halt: no such agent"
    assert set_latch(tmp_path / "B", "a bad day", HARD_STOP).told() == "hard stop: a bad day"


def test_a_disk_without_room_for_words_has_room_for_the_latch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, body: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(latch, "write_durably", full)
    set_latch(tmp_path / "KILL", "fire drill")
    assert (tmp_path / "KILL").read_bytes() == b""
    found = read_latch(tmp_path / "KILL")
    assert found is not None
    assert found.told() == "killed"


def test_a_latch_holds_and_is_lifted_also_where_its_log_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "control.log").mkdir()
    set_latch(tmp_path / "KILL", "fire drill")
    assert read_latch(tmp_path / "KILL") is not None
    assert clear_latch(tmp_path / "KILL", "over")
    assert read_latch(tmp_path / "KILL") is None
    assert "cannot be written" in note(tmp_path / "KILL", "pause", "me", "")


def test_a_place_where_no_latch_can_be_is_told_before_it_is_needed(tmp_path: Path) -> None:
    assert latch_problem(tmp_path / "new" / "KILL") == ""
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert (
        latch_problem(tmp_path / "file" / "KILL") == f"no kill latch could be set at {tmp_path}/file/KILL: File exists"
    )


def test_the_log_of_control_is_the_owners_alone_and_has_a_bound(tmp_path: Path) -> None:
    log = tmp_path / "control.log"
    assert note(tmp_path / "KILL", "pause", "me", "first") == ""
    assert log.stat().st_mode & 0o777 == 0o600
    log.write_bytes(b"x" * (latch.LOG_BYTES_MAX + 1))
    assert note(tmp_path / "KILL", "pause", "me", "second") == ""
    assert log.read_bytes().count(b"\n") == 1
    assert (tmp_path / "control.log.1").stat().st_size > latch.LOG_BYTES_MAX


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(users.os, "getuid", lambda: 987_654)
    assert set_latch(tmp_path / "KILL", "\udcff").told() == "killed by 987654: ?"
