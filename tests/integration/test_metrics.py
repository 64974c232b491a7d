"""The metrics of a real run, scraped over HTTP: the same as its view and its summary; and a run that can serve none."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hip3.metrics.families import FAMILIES
from hip3.metrics.market_families import POSITIONS

from ..unit.metrics.scraped import Scraped

WAIT_S = 30.0
HIP3 = [sys.executable, "-m", "hip3"]
TOKEN = "a-token-of-24-characters"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Trader:
    """A run with metrics, and where they are."""

    process: subprocess.Popen[str]
    port: int
    sets: list[str]

    def scrape(self, token: str = TOKEN) -> Scraped:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return Scraped.of(answer.read())

    def status(self) -> dict[str, object]:
        command = [*HIP3, "status", "--once", "--json", *self.sets]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True)
        return dict(json.loads(done.stdout))

    def until(self, event: str) -> None:
        """Waits for a line of the log."""
        assert self.process.stderr is not None
        assert any(f'"event":"{event}"' in line for line in self.process.stderr), f"{event} never came"

    def end(self) -> dict[str, object]:
        """Interrupts the run; its summary."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=WAIT_S)
        return dict(json.loads(out))


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    return ["--set", f"status.socket={tmp_path}/s.sock", "--set", f"control.latch={tmp_path}/KILL"]


@pytest.fixture
def trader(sets: list[str], tmp_path: Path) -> Iterator[Trader]:
    token, port = tmp_path / "token", free_port()
    token.touch(mode=0o600)
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    mine = [*sets, "--set", f"metrics.port={port}", "--set", f"metrics.token_file={token}"]
    command = [*HIP3, "run", "--headless", "--json", "--seed", "7", *mine]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    made = Trader(process, port, sets)
    made.until("trading")
    yield made
    if process.poll() is None:
        made.end()


@pytest.mark.timeout(120)
def test_a_run_exposes_what_its_view_and_its_summary_say(trader: Trader) -> None:
    trader.until("order_end")
    before = trader.scrape()
    assert before.holding("hip3_state", "state") == ["trading"]
    # Positions come and go, and the embedded venue's key is no agent's.
    named = {family.name for family in POSITIONS} | {"hip3_agent_valid_until_timestamp_seconds"}
    names = {name for name, _ in before.series} | named
    for family in FAMILIES:
        assert family.name + ("_count" if family.kind == "histogram" else "") in names
    # No entries and no positions from here on: what is counted then is what the summary will say.
    for verb in (["pause"], ["flatten", "--all"]):
        subprocess.run([*HIP3, *verb, *trader.sets], check=True, timeout=WAIT_S)
    while (found := trader.scrape()).value("hip3_positions_open") or found.value("hip3_orders_live"):
        assert trader.process.poll() is None
        time.sleep(0.1)
    shown = trader.status()
    head = shown["header"]
    assert isinstance(head, dict)
    assert found.holding("hip3_state", "state") == [head["state"]] == ["reducing"]
    assert found.value("hip3_entries_total") == head["entries"] > 0
    assert found.value("hip3_fills_total") == head["fills"]
    assert sum(found.values("hip3_exits_total")) == head["exits"] > 0
    assert found.value("hip3_fees_usd") == pytest.approx(float(head["fees_usd"]))
    assert found.value("hip3_market_threshold_bps", coin="xyz:SILVER") == 40
    summary = trader.end()
    agree(found, summary)


def agree(found: Scraped, summary: dict[str, object]) -> None:
    """The last scrape of a run that had nothing left to do, and its summary."""
    assert found.value("hip3_entries_total") == summary["entries"]
    assert found.value("hip3_fills_total") == summary["fills"]
    assert found.value("hip3_flattens_sent_total") == summary["flattens_sent"]
    assert found.value("hip3_flattens_duplicate_total") == summary["flattens_duplicate"] == 0
    exits, orders, latency = summary["exits"], summary["orders"], summary["exit_latency_ns"]
    assert isinstance(exits, dict)
    assert isinstance(orders, dict)
    assert isinstance(latency, dict)
    for reason, count in exits["by_reason"].items():
        assert sum(found.values("hip3_exits_total", reason=reason)) == count
    for state in ("filled", "canceled", "rejected"):
        assert found.value("hip3_orders_total", state=state) == orders.get(state, 0)
    for path, row in latency.items():
        assert found.value("hip3_exit_latency_seconds_count", path=path) == row["count"]
    assert found.value("hip3_exit_latency_seconds_sum", path="primary") * 1e9 == pytest.approx(
        latency["primary"]["mean"] * latency["primary"]["count"], rel=1e-3, abs=100
    )
    frames = summary["frames"]
    assert isinstance(frames, int)
    assert 0 < found.value("hip3_frames_total") <= frames


def test_without_the_token_a_run_tells_nothing(trader: Trader) -> None:
    with pytest.raises(urllib.error.HTTPError) as told:
        trader.scrape("another-token-of-24-chars")
    with told.value:
        assert told.value.code == 401
        assert b"hip3_" not in told.value.read()


def test_a_port_that_is_taken_is_told_and_trading_goes_on(sets: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*HIP3, "run", "--headless", "--json", "--seed", "7", *sets, "--set", f"metrics.port={port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        found = Trader(process, port, sets)
        found.until("trading")
        problems = found.status()["problems"]
        summary = found.end()
    assert problems == {
        "metrics": f"no metrics: 127.0.0.1:{port}: Address already in use; end who has it, or set metrics.port"
    }
    assert summary["state"] == "reducing"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("metrics.port=65536", "metrics.port: 65536 is not within 0 … 65535 port"),
        ("metrics.token_file=/nowhere", "metrics.token_file: /nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_served_is_one_line_before_anything_trades(sets: list[str], option: str, words: str) -> None:
    command = [*HIP3, "run", "--headless", "--json", "--duration", "5", *sets, "--set", option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr.splitlines()[-1]
