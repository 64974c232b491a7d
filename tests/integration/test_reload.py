"""A configuration read anew by a running trader: by its verb, by SIGHUP, and what a hang-up means instead."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 30
HIP3 = [sys.executable, "-m", "hip3"]


class Desk:
    """A trader with a configuration file, in a directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "hip3.toml"
        self.sets = ["--config", str(self.file), "--set", f"status.socket={home}/s.sock"]
        self.sets += ["--set", f"control.latch={home}/KILL"]
        self.write()
        command = [*HIP3, "run", "--headless", "--json", "--seed", "7", "--record", str(home / "recording"), *self.sets]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if '"trading"' in line:
                return
        raise AssertionError("it did not start")

    def write(self, *lines: str) -> None:
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def hip3(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run([*HIP3, *arguments, *self.sets], capture_output=True, text=True, timeout=WAIT_S)
        return done.returncode, done.stdout, done.stderr

    def snapshot(self) -> dict[str, Any]:
        # Without the file: it may be one that cannot be read.
        command = [*HIP3, "status", "--json", "--set", f"status.socket={self.home}/s.sock"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, dict[str, Any]]:
        """The markets by coin of the first snapshot of which it holds: a snapshot may be some moments old."""
        end = time.monotonic() + WAIT_S
        while not wanted(snapshot := self.snapshot()):
            assert time.monotonic() < end, snapshot["header"]
            time.sleep(0.2)
        return {row["coin"]: row for row in snapshot["markets"]}

    def until_logged(self, event: str) -> dict[str, Any]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            row: dict[str, Any] = json.loads(line)
            if row["event"] == event:
                return row
        raise AssertionError(f"{event} was never logged")

    def notes(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.home / "control.log").read_text(encoding="utf-8").splitlines()]

    def end(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 130
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.terminate()
        made.process.communicate(timeout=WAIT_S)


@pytest.mark.timeout(120)
def test_what_tightens_is_taken_over_and_the_replay_takes_it_too(desk: Desk) -> None:
    before = desk.snapshot()["header"]["config"]
    desk.write('[market."xyz:SILVER"]', 'threshold_bps = "60"', "[markets]", 'exclude = ["xyz:GOLD"]')
    status, out, err = desk.hip3("reload", "--reason", "news")
    assert (status, err) == (0, "")
    assert out == 'reloaded: markets.exclude [] → ["xyz:GOLD"], market."xyz:SILVER".threshold_bps 40 → 60\n'
    rows = desk.until(lambda snapshot: snapshot["header"]["config"] != before)
    assert (rows["xyz:SILVER"]["threshold_bps"], rows["xyz:TSLA"]["threshold_bps"]) == (60, 40)
    assert rows["xyz:GOLD"]["state"] == "off"
    assert desk.hip3("reload")[1] == "reloaded: nothing differs\n"
    now = datetime.now(UTC)
    blackout = ["[blackout]", f'windows = ["{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"]']
    desk.write(*blackout)
    assert desk.hip3("reload")[0] == 1, "the exclusion and the threshold are gone from the file"
    desk.write('[market."xyz:SILVER"]', 'threshold_bps = "60"', "[markets]", 'exclude = ["xyz:GOLD"]', *blackout)
    assert desk.hip3("reload")[0] == 0
    rows = desk.until(lambda snapshot: any(row["state"] == "blacked_out" for row in snapshot["markets"]))
    assert rows["xyz:TSLA"]["state"] == "blacked_out"
    assert 7000 < rows["xyz:TSLA"]["blackout_ends_in_s"] <= 7200
    assert rows["xyz:GOLD"]["state"] == "off"
    summary = desk.end()
    told = [row["told"] for row in desk.notes() if row["verb"] == "reload"]
    assert len(told) == 3
    assert desk.notes()[0]["reason"] == "news"
    replayed = subprocess.run(
        [*HIP3, "replay", str(desk.home / "recording"), "--json"], capture_output=True, text=True, check=True
    )
    again = json.loads(replayed.stdout)
    assert [again[k] for k in ("entries", "exits", "digest")] == [summary[k] for k in ("entries", "exits", "digest")]


def test_what_loosens_or_cannot_be_read_is_one_line_and_changes_nothing(desk: Desk) -> None:
    before = desk.snapshot()["header"]["config"]
    for lines, words in (
        (["[entry]", 'threshold_bps = "30"'], "entry.threshold_bps 40 → 30 does not tighten; restart for that"),
        (["[entry]", 'threshold_bps = "50"', "positions_max = 6"], "entry.positions_max 5 → 6 does not tighten"),
        (["[exit]", "time_stop_ms = 10000"], "exit.time_stop_ms 30000 → 10000 cannot change in a running trader"),
        (['[market."xyz:SLIVER"]', "enabled = false"], "did you mean 'xyz:SILVER'?"),
        (["[markets]", 'exclude = ["xyz:SLIVER"]'], "did you mean 'xyz:SILVER'?"),
        (["[blackout]", 'calendar = "XNYSE"'], "did you mean XNYS?"),
        (["[blackout]", 'windows = ["25:00-26:00"]'], "is not of the form"),
    ):
        desk.write(*lines)
        status, out, err = desk.hip3("reload")
        # What the file alone shows to be wrong stops the command before it asks anybody.
        assert (status, out, err.count("\n")) == (2 if "25:00" in lines[1] else 1, "", 1), lines
        assert words in err
        assert desk.snapshot()["header"]["config"] == before
    desk.write("[entry]", 'threshold_bps = "50"')
    assert desk.hip3("reload")[0] == 0


def test_sighup_reloads_and_a_refusal_stays_a_problem_until_it_is_mended(desk: Desk) -> None:
    desk.write("[entry]", 'threshold_bps = "30"')
    desk.process.send_signal(signal.SIGHUP)
    assert "does not tighten" in desk.until_logged("reload_refused")["why"]
    desk.until(lambda snapshot: "30 does not tighten" in snapshot["problems"].get("reload", ""))
    desk.write("[entry]", "threshold_bps = ")
    desk.process.send_signal(signal.SIGHUP)
    assert str(desk.file) in desk.until_logged("reload_refused")["why"]
    desk.write("[entry]", 'threshold_bps = "45"')
    desk.process.send_signal(signal.SIGHUP)
    assert desk.until_logged("reloaded")["changes"] == "entry.threshold_bps 40 → 45"
    assert desk.until(lambda snapshot: "reload" not in snapshot["problems"])["xyz:SILVER"]["threshold_bps"] == 45
    assert desk.end()["interrupted"]
    (note,) = desk.notes()
    assert (note["verb"], note["reason"]) == ("reload", "SIGHUP")
    assert note["told"] == "reloaded: entry.threshold_bps 40 → 45"


def test_a_terminal_that_is_gone_ends_the_run_in_order(tmp_path: Path) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed; no terminal can be taken away here")
    sets = f"--set status.socket={tmp_path}/s.sock --set control.latch={tmp_path}/KILL"
    command = f"exec {' '.join(HIP3)} run --headless --json --seed 7 {sets} >{tmp_path}/summary 2>{tmp_path}/log"
    tmux = ["tmux", "-S", str(tmp_path / "tmux.sock")]
    subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", command], check=True, timeout=WAIT_S)
    end = time.monotonic() + WAIT_S
    while '"trading"' not in (tmp_path / "log").read_text(encoding="utf-8"):
        assert time.monotonic() < end, "it never traded"
        time.sleep(0.1)
    subprocess.run([*tmux, "kill-server"], check=True, timeout=WAIT_S)
    while not (summary := (tmp_path / "summary").read_text(encoding="utf-8")):
        assert time.monotonic() < end, "it never ended"
        time.sleep(0.1)
    told = json.loads(summary)
    assert told["interrupted"]
    assert told["open_positions"] == []
