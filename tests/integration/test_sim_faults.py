"""Incidents asked for at run time, and the venue's log, through the command as a user has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

ADDRESS = "0x" + "ab" * 20


def hip3(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", "hip3", "sim", *arguments], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


class Running:
    def __init__(self, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-m", "hip3", "sim", "--port", "0", "--log", str(log), "--fund", f"{ADDRESS}=5"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.port = self.ready["http_url"].rpartition(":")[2]

    def end(self) -> int:
        self.process.terminate()
        self.process.communicate(timeout=20)
        return self.process.returncode


def drain(connection: websocket.WebSocket) -> None:
    """Reads until the connection ends."""
    for _ in range(1000):
        if not connection.recv():
            raise websocket.WebSocketConnectionClosedException


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "venue.log")
    yield made
    if made.process.poll() is None:
        made.end()


def test_a_running_venue_is_told_to_misbehave_and_its_log_is_checked(running: Running) -> None:
    connection = websocket.create_connection(running.ready["ws_url"], timeout=10)
    connection.send('{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"BTC"}}')
    assert hip3("--port", running.port, "--tell", "mute seconds=60", "--tell", "halt coin=xyz:GOLD") == (0, "", "")
    assert hip3("--port", running.port, "--tell", "disconnect")[0] == 0
    with pytest.raises((websocket.WebSocketException, OSError)):
        drain(connection)
    connection.shutdown()
    assert running.end() == 0
    status, out, _ = hip3("--check", str(running.log))
    assert status == 0
    found = json.loads(out)
    assert (found["inputs"], found["money"], found["unbalanced_markets"]) == (2, 0, 0)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("mut", "one of halt, "),
        ("halt coin=GOLD", "'GOLD' is not a market of this scenario"),
        ("mute seconds", "KIND KEY=VALUE"),
        ("mute seconds=long", "seconds is a number, not 'long'"),
        ("mute secs=3", "did you mean"),
        ("", "one of halt, "),
    ],
)
def test_a_wrong_incident_is_one_line(running: Running, told: str, why: str) -> None:
    status, out, err = hip3("--port", running.port, "--tell", told)
    assert (status, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1


def test_no_venue_to_tell_is_one_line() -> None:
    status, out, err = hip3("--port", "1", "--tell", "disconnect")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "no venue on port 1" in err


def test_a_log_that_was_changed_is_found_out(running: Running, tmp_path: Path) -> None:
    assert running.end() == 0
    lines = running.log.read_text(encoding="utf-8").splitlines()
    changed = tmp_path / "changed.log"
    changed.write_text("\n".join(line.replace('"5"', '"6"') for line in lines), encoding="utf-8")
    status, _, err = hip3("--check", str(changed))
    assert status != 0
    assert "another state" in err
    changed.write_text("\n".join(lines[:-1]), encoding="utf-8")
    assert "the venue did not end in order" in hip3("--check", str(changed))[2]
    for text in ("", "{}", "nothing"):
        changed.write_text(text, encoding="utf-8")
        status, out, err = hip3("--check", str(changed))
        assert (status, out, err.count("\n")) == (2, "", 1)
    assert hip3("--check", str(tmp_path / "nowhere"))[0] == 2
    assert hip3("--port", "0", "--log", str(tmp_path / "no" / "where"))[0] == 2
    assert hip3("--port", "0", "--deployer", f"zzz={ADDRESS}")[0] == 2
    assert hip3("--port", "0", "--deployer", "xyz=0x12")[0] == 2


def test_a_recording_is_served_to_its_end(tmp_path: Path) -> None:
    frames = [
        {
            "channel": "bbo",
            "data": {"coin": "BTC", "time": n, "bbo": [{"px": f"{90_000 + n}", "sz": "1", "n": 1}, None]},
        }
        for n in range(3)
    ]
    path = tmp_path / "frames.jsonl"
    path.write_text(
        "".join(f"{n * 2_000_000_000 + 1} {json.dumps(f, separators=(',', ':'))}\n" for n, f in enumerate(frames))
    )
    command = [sys.executable, "-m", "hip3", "sim", "--port", "0", "--from", str(path), "--speed", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["scenario"] == "replay of frames.jsonl"
        connection = websocket.create_connection(ready["ws_url"], timeout=10)
        connection.send('{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}')
        seen = []
        with pytest.raises((websocket.WebSocketException, OSError)):
            collect(connection, seen)
        connection.shutdown()
        assert process.wait(20) == 0
    assert seen[-1] == "90002.0"
    assert hip3("--port", "0", "--from", str(tmp_path / "none"))[0] == 2
    for wrong in (["--speed", "0"], ["--speed", "nan"], ["--log", str(tmp_path / "x.log")]):
        status, out, err = hip3("--port", "0", "--from", str(path), *wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)


def collect(connection: websocket.WebSocket, seen: list[str]) -> None:
    """Bids until the connection ends."""
    while True:
        text = connection.recv()
        if not text:
            raise websocket.WebSocketConnectionClosedException
        if '"bbo":[{' in text:
            seen.append(json.loads(text)["data"]["bbo"][0]["px"])
