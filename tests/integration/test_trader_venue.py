"""Whole runs on the simulated venue: books that agree to the last digit, each exit path alone, SIGINT, replay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 50


@dataclass
class Run:
    """A running `hip3 run`; its log is read while it runs."""

    home: Path
    arguments: tuple[str, ...]
    #: Whether the first fill brings SIGINT: its position is open then, for it is held for a second at least.
    interrupt: bool = False
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir()
        keep = {name: value for name, value in os.environ.items() if not name.startswith("HIP3_")}
        homes = {"XDG_CONFIG_HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home), "TZ": "UTC"}
        command = [sys.executable, "-m", "hip3", "run", "--headless", "--json", *self.arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=keep | homes)
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if self.interrupt and '"event":"fill"' in line:
                self.interrupt = False
                self.process.send_signal(signal.SIGINT)

    def end(self) -> dict[str, Any]:
        """Waits for the end; standard output must be one JSON object and nothing else."""
        assert self.process.stdout is not None
        try:
            with self.process.stdout as out:
                text = out.read()
            self.process.wait(timeout=WAIT_S)
        finally:
            self.kill()
        assert text.count("\n") == 1, (text, self.log[-5:])
        summary: dict[str, Any] = json.loads(text)
        return summary

    def kill(self) -> None:
        """Ends what is left of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All runs at once: they mostly wait."""
    home = tmp_path_factory.mktemp("runs")
    started = {
        "both": Run(home / "both", ("--duration", "12", "--seed", "1", "--record", str(home / "recording"))),
        "primary": Run(home / "primary", ("--duration", "12", "--seed", "2", "--set", "exit.backup=false")),
        "backup": Run(home / "backup", ("--duration", "12", "--seed", "2", "--set", "exit.primary=false")),
        "interrupted": Run(home / "interrupted", ("--duration", "45", "--seed", "3"), interrupt=True),
    }
    yield started
    for run in started.values():
        run.kill()


@pytest.fixture(scope="module")
def both(runs: dict[str, Run]) -> dict[str, Any]:
    """The summary of the run with both paths."""
    summary = runs["both"].end()
    assert runs["both"].process.returncode == 0
    return summary


def assert_sound(summary: dict[str, Any]) -> None:
    """What holds after every orderly run."""
    assert summary["frames_malformed"] == 0
    assert summary["flattens_duplicate"] == 0
    assert summary["entries"] >= 1
    assert summary["venue_equity_usd"] == summary["trader_equity_usd"]
    assert summary["open_positions"] == []
    assert summary["orders"]["live"] == 0
    assert summary["exits"]["total"] == summary["entries"]
    assert summary["resyncs"] == 0
    made = sum(count for name, count in summary["claims"].items() if name.startswith("claims_made_"))
    released = sum(count for name, count in summary["claims"].items() if name.startswith("claims_released_"))
    assert made == released == summary["flattens_sent"]
    assert summary["claims"]["claims_mismatched"] == 0
    assert summary["recording_failure"] is None


def test_a_run_trades_and_its_books_agree_with_the_venues(both: dict[str, Any]) -> None:
    assert_sound(both)
    assert float(both["fees_usd"]) > 0, "nothing was traded"
    assert both["state"] == "reducing"
    assert both["interrupted"] is False
    assert both["sent"]["websocket"] > 0


def test_each_exit_path_does_alone_what_both_do_and_only_the_primary_is_quick(runs: dict[str, Run]) -> None:
    alone = {path: runs[path].end() for path in ("primary", "backup")}
    for path, other in (("primary", "backup"), ("backup", "primary")):
        summary = alone[path]
        assert runs[path].process.returncode == 0
        assert_sound(summary)
        assert summary["exits"]["by_path"][path] >= 1
        assert summary["exits"]["by_path"][other] == 0
        assert summary["claims"][f"claims_made_{other}"] == 0
        assert summary["exit_latency_ns"][path]["count"] == summary["claims"][f"claims_made_{path}"]
    assert alone["primary"]["exit_latency_ns"]["primary"]["mean"] < 5e6
    assert 20e6 < alone["backup"]["exit_latency_ns"]["backup"]["mean"] < 200e6


def test_an_interrupted_run_leaves_its_positions_and_says_so(runs: dict[str, Run]) -> None:
    run = runs["interrupted"]
    summary = run.end()
    assert run.process.returncode == 130
    assert summary["interrupted"] is True
    assert_sound(summary)
    assert summary["exits"]["by_reason"]["operator"] >= 1, "a position was open when the signal came"
    assert summary["duration_s"] < 45


def test_a_recording_replays_to_the_same_decisions_twice(runs: dict[str, Run], both: dict[str, Any]) -> None:
    recording = both["recording"]
    command = [sys.executable, "-m", "hip3", "replay", recording, "--json"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 0, done.stderr
        again = json.loads(done.stdout)
        same = ("digest", "entries", "exits", "frames", "updates", "orders", "fills", "claims", "refusals")
        assert {name: again[name] for name in same} == {name: both[name] for name in same}
        assert again["realized_pnl_usd"] == both["realized_pnl_usd"]
        assert again["inputs"] > both["frames"]
