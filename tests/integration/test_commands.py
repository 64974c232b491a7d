"""The real command as its user types it: bad input in one line with its remedy, and a trader looked at from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HIP3 = [sys.executable, "-m", "hip3"]
NOWHERE = ("--set", "venue.ws_url=ws://127.0.0.1:9/ws", "--set", "venue.http_url=http://127.0.0.1:9")


def hip3(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HIP3, *arguments], capture_output=True, text=True, timeout=40, env={**os.environ, **environment}
    )


BAD = {
    "an option that is not there": (("run", "--durtion", "5"), 2, "--duration"),
    "a verb that is not there": (("rum",), 2, "run"),
    "a key that is not there": (("run", "--set", "entry.treshold_bps=3"), 2, "entry.threshold_bps"),
    "a value out of bounds": (("run", "--set", "entry.threshold_bps=-1"), 2, "entry.threshold_bps"),
    "a value of another kind": (("run", "--set", "run.seed=abc"), 2, "run.seed"),
    "a scenario that is not there": (("sim", "--port", "0", "--scenario", "strom"), 2, "default"),
    "an address that is none": (("sim", "--port", "0", "--fund", "0x12=5"), 2, "ADDRESS=USDC"),
    "a port that cannot be": (("sim", "--port", "99999"), 2, "65535"),
    "a market that does not exist": (("run", "--set", "markets.include=['xyz:SLIVER']"), 2, "xyz:SLIVER"),
    "mainnet without its third word": (("run", "--venue", "mainnet"), 2, "--confirm-live"),
    "testnet without a key": (("run", "--venue", "testnet"), 2, "account.key_file"),
    "a recording that is not there": (("replay", "/nowhere/at/all"), 2, "no recording"),
    "a configuration file that is not there": (("run", "--config", "/nowhere.toml"), 2, "hip3 config init"),
    "a duration of nothing": (("run", "--duration", "0"), 2, "seconds"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_with_its_remedy(case: str) -> None:
    arguments, status, remedy = BAD[case]
    done = hip3(*arguments, HIP3_AGENT_KEY="")
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert remedy in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("hip3: ")


def test_a_venue_that_is_not_there_is_status_three(tmp_path: Path) -> None:
    key = tmp_path / "agent.key"
    key.write_text("0123456789" * 6 + "abcd")
    key.chmod(0o600)
    done = hip3("run", *NOWHERE, "--set", f"account.key_file={key}", "--duration", "3", "--headless")
    assert done.returncode == 3, done.stderr
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert "0123456789" not in done.stderr


def test_a_taken_port_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        done = hip3("sim", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, done.stdout) == (2, "")
    assert "in use" in done.stderr
    assert "--port 0" in done.stderr


def test_status_without_a_trader_says_how_to_start_one(tmp_path: Path) -> None:
    done = hip3("status", "--once", "--set", f"status.socket={tmp_path / 'none.sock'}")
    assert done.returncode == 3
    assert "hip3 run" in done.stderr


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The status socket of a trader on the embedded venue."""
    path = tmp_path / "status.sock"
    command = [*HIP3, "run", "--headless", "--seed", "7", "--set", f"status.socket={path}"]
    trader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert trader.poll() is None, trader.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield path
    finally:
        trader.send_signal(signal.SIGINT)
        out, err = trader.communicate(timeout=30)
    assert trader.returncode == 130
    assert "open positions" in out
    assert "Traceback" not in err
    assert not path.exists()


def snapshot(path: Path) -> dict[str, Any]:
    done = hip3("status", "--json", "--set", f"status.socket={path}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_running_trader_is_looked_at_and_ends_in_order(running: Path) -> None:
    assert stat.S_IMODE(running.stat().st_mode) == 0o600
    for _ in range(60):
        seen = snapshot(running)
        if seen["header"]["state"] == "trading":
            break
        time.sleep(0.1)
    assert seen["header"]["venue"] == "sim"
    assert len(seen["markets"]) == 36
    done = hip3("status", "--once", "--set", f"status.socket={running}")
    assert done.returncode == 0
    assert "xyz:SILVER" in done.stdout
    # A viewer that never reads delays nobody: others still get their snapshots.
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(running))
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert snapshot(running)["header"]["uptime_s"] > seen["header"]["uptime_s"]


def test_a_second_trader_leaves_the_first_ones_socket_alone(running: Path) -> None:
    done = hip3("run", "--duration", "2", "--headless", "--json", "--set", f"status.socket={running}")
    assert done.returncode == 0, done.stderr
    assert running.exists()
    assert snapshot(running)["header"]["venue"] == "sim"
