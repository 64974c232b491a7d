"""The kill latch: durable, logged, effective within milliseconds, and kept whatever is in the file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import orjson
import pytest

from hip3._hip3 import Signer
from hip3.config import load
from hip3.control.latch import HALT, HARD_STOP, clear_latch, latch_path, read_latch, set_latch, watch_latch
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
