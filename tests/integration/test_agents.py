"""Agents and master keys against a venue: what check says of them, and what a run does with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ..local_venue import ACCOUNT_KEY, LocalVenue, local_venue

HOUR_MS = 3_600_000
#: A threshold that is met at once, so that only the approval keeps entries away.
EAGER = ("--set", "entry.threshold_bps=1", "--set", "entry.min_net_edge_bps=0")


def named(left_ms: int) -> str:
    """A name that asks for an approval of this length."""
    return f"hip3 valid_until {time.time_ns() // 1_000_000 + left_ms}"


def hip3(venue: LocalVenue, *words: str, key_file: Path | None = None) -> subprocess.CompletedProcess[str]:
    sets = ("--venue", "testnet", "--set", f"account.key_file={key_file or venue.key_file}")
    environment = {**os.environ, **venue.environment}
    return subprocess.run(
        [sys.executable, "-m", "hip3", *words, *sets], capture_output=True, text=True, timeout=50, env=environment
    )


def findings(done: subprocess.CompletedProcess[str], word: str) -> list[dict[str, Any]]:
    return [found for found in json.loads(done.stdout)["findings"] if word in found["text"]]


def test_check_tells_for_whom_the_agent_acts_and_until_when(tmp_path: Path) -> None:
    with local_venue(tmp_path) as venue:
        done = hip3(venue, "check", "--json")
        (found,) = findings(done, "agent hip3")
        assert (done.returncode, found["level"]) == (0, "ok")
        assert f"({venue.agent.lower()}) is approved for {venue.account.lower()} until 2" in found["text"]
        assert found["text"].endswith("89 days from now")


def test_in_the_agents_last_hour_a_run_enters_nothing_and_says_why(tmp_path: Path) -> None:
    with local_venue(tmp_path, agent_name=named(HOUR_MS - 60_000)) as venue:
        done = hip3(venue, "check", "--json")
        (found,) = findings(done, "agent hip3")
        assert (done.returncode, found["level"]) == (1, "error")
        assert "in the last hour nothing is entered" in found["text"]

        done = hip3(venue, "run", "--headless", "--json", "--duration", "5", *EAGER)
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stderr.splitlines()]
        (stopped,) = [event for event in events if event["event"] == "agent_ending"]
        assert stopped["why"].startswith("the agent's approval ends at 2")
        (begun,) = [event for event in events if event["event"] == "trading"]
        # It trades for a moment first: service managers wait for that word.
        assert begun["time"] <= stopped["time"]
        assert not [e for e in events if e["event"] == "entry_signal" and e["time"] > stopped["time"]]
        assert json.loads(done.stdout)["open_positions"] == []


def test_before_its_last_hour_a_run_enters(tmp_path: Path) -> None:
    with local_venue(tmp_path, agent_name=named(HOUR_MS + 60_000)) as venue:
        done = hip3(venue, "run", "--headless", "--json", "--duration", "5", *EAGER)
        assert done.returncode == 0, done.stderr
        assert "agent_ending" not in done.stderr
        assert json.loads(done.stdout)["entries"] > 0


def test_an_agent_whose_time_is_over_starts_nothing(tmp_path: Path) -> None:
    with local_venue(tmp_path, agent_name=named(-1000)) as venue:
        done = hip3(venue, "run", "--headless", "--duration", "5")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
        assert "make a new agent (docs/keys.md)" in done.stderr
        done = hip3(venue, "check", "--json")
        (found,) = findings(done, "agent hip3")
        assert (done.returncode, found["level"]) == (1, "error")


@pytest.mark.timeout(120)
def test_a_master_key_trades_only_when_that_is_said(tmp_path: Path) -> None:
    key_file = tmp_path / "master.key"
    key_file.touch(mode=0o600)
    key_file.write_text(ACCOUNT_KEY)
    with local_venue(tmp_path) as venue:
        words = ["run", "--headless", "--json", "--duration", "2"]
        done = hip3(venue, *words, key_file=key_file)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "make an agent (docs/keys.md), or say --i-know-master-key" in done.stderr
        done = hip3(venue, *words, "--i-know-master-key", key_file=key_file)
        assert (done.returncode, json.loads(done.stdout)["venue"]) == (0, "testnet")
        done = hip3(venue, *words, "--mode", "observe", key_file=key_file)
        assert done.returncode == 0, done.stderr
        done = hip3(venue, "check", "--json", key_file=key_file)
        (found,) = findings(done, "it can withdraw")
        assert (done.returncode, found["level"]) == (1, "error")
