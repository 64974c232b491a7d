"""Control of a running trader through the commands as its operator has them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 30


class Desk:
    """An operator with one trader, its sockets and its latch in a directory of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.latch = home / "KILL"
        self.sets = ["--set", f"status.socket={home}/s.sock", "--set", f"control.latch={self.latch}"]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hip3", "run", "--headless", "--json", "--duration", "60", *self.sets]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "trading" in line:
                return self.process
        raise AssertionError("it did not start")

    def hip3(self, *arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "hip3", *arguments, *self.sets]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def state(self) -> str:
        status, out, err = self.hip3("status", "--json")
        assert status == 0, err
        found: str = json.loads(out)["header"]["state"]
        return found

    def log(self) -> list[tuple[str, str]]:
        lines = (self.home / "control.log").read_text(encoding="utf-8").splitlines()
        return [(row["verb"], row["reason"]) for row in map(json.loads, lines)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.process is not None:
        if made.process.poll() is None:
            made.process.terminate()
        made.process.communicate(timeout=WAIT_S)


def test_pause_resume_flatten_and_the_log_of_them(desk: Desk) -> None:
    desk.start()
    assert desk.state() == "trading"
    status, out, _ = desk.hip3("pause", "--reason", "lunch")
    assert (status, out.startswith("paused: no entries; ")) == (0, True)
    assert desk.state() == "reducing"
    assert desk.hip3("resume") == (0, "resumed: entries are taken\n", "")
    assert desk.state() == "trading"
    status, out, _ = desk.hip3("flatten", "--all", "--reason", "news")
    assert status == 0
    assert out.startswith("flatten: ")
    assert out.endswith("; entries go on unless paused\n")
    status, _, err = desk.hip3("flatten", "xyz:SLIVER")
    assert (status, err) == (1, "hip3: flatten: xyz:SLIVER is not traded here; did you mean xyz:SILVER?\n")
    assert desk.hip3("flatten", "xyz:SILVER")[0] == 0
    assert desk.hip3("flatten")[0] == 2
    assert desk.hip3("flatten", "--all", "xyz:SILVER")[0] == 2
    assert desk.log() == [("pause", "lunch"), ("resume", ""), ("flatten", "news"), ("flatten", "")]
    assert (desk.home / "s.control").stat().st_mode & 0o777 == 0o600
    for request in (b"\n", b"{}\n", b"[1]\n", b'{"verb":"kill"}\n', b'{"verb":"flatten","coins":3}\n', b"x" * 9000):
        assert spoken(desk.home / "s.control", request) in ("err", "")
    assert desk.state() == "trading"


def spoken(path: Path, request: bytes) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        try:
            client.sendall(request)
            answer = client.recv(4096)
        except ConnectionError:
            return ""
    found: dict[str, Any] = json.loads(answer) if answer else {"status": ""}
    return str(found["status"])


def test_kill_ends_the_run_and_forbids_the_next_until_unkill(desk: Desk) -> None:
    process = desk.start()
    status, out, _ = desk.hip3("kill", "--reason", "drill")
    assert status == 0
    assert str(desk.latch) in out
    began = time.monotonic()
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 4
    assert time.monotonic() - began < 5
    assert "drill" in err.splitlines()[-1]
    assert json.loads(out)["state"] == "halted"
    desk.process = None
    for _ in range(2):
        status, out, err = desk.hip3("run", "--headless", "--duration", "5")
        assert (status, out, err.count("\n")) == (4, "", 1)
        assert "hip3 unkill" in err
    status, out, _ = desk.hip3("check")
    assert status == 1
    assert "drill" in out
    assert "hip3 unkill" in out
    assert desk.hip3("unkill")[0] == 2
    assert desk.latch.exists()
    assert desk.hip3("unkill", "--yes", "--reason", "over")[0] == 0
    assert desk.hip3("unkill", "--yes") == (0, f"there is no kill latch at {desk.latch}\n", "")
    assert desk.log() == [("kill", "drill"), ("unkill", "over")]
    desk.start()


def test_a_kill_file_made_by_hand_works_with_the_socket_dead(desk: Desk) -> None:
    process = desk.start()
    (desk.home / "s.control").unlink()
    assert desk.hip3("pause")[0] == 3
    desk.latch.touch()
    out, _ = process.communicate(timeout=WAIT_S)
    desk.process = None
    assert process.returncode == 4
    assert json.loads(out)["flattens_duplicate"] == 0


def test_no_trader_is_one_line(desk: Desk) -> None:
    for verb in (["pause"], ["resume"], ["flatten", "--all"]):
        status, out, err = desk.hip3(*verb)
        assert (status, out, err.count("\n")) == (3, "", 1)
        assert "hip3 run" in err


def test_a_kill_reaches_a_trader_that_looks_at_another_latch(desk: Desk, tmp_path: Path) -> None:
    process = desk.start()
    elsewhere = tmp_path / "elsewhere" / "KILL"
    sets = [f"--set=status.socket={desk.home}/s.sock", f"--set=control.latch={elsewhere}"]
    done = subprocess.run(
        [sys.executable, "-m", "hip3", "kill", *sets], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert done.stdout.startswith("killed: the running trader has halted")
    assert str(elsewhere) in done.stdout
    assert str(desk.latch) in done.stdout
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 4
    desk.process = None


def test_a_broken_configuration_keeps_no_control_away(desk: Desk, tmp_path: Path) -> None:
    process = desk.start()
    broken = tmp_path / "broken.toml"
    broken.write_text("[entry\n", encoding="utf-8")
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}

    def told(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "hip3", *arguments, "--config", str(broken)],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            env=environment,
        )
        return done.returncode, done.stdout, done.stderr

    (tmp_path / "hip3").mkdir(mode=0o700)
    (tmp_path / "hip3" / "status.control").symlink_to(desk.home / "s.control")
    status, out, err = told("pause")
    assert (status, out.startswith("paused: "), err.count("\n")) == (0, True, 1)
    assert "looking for the trader at the usual place" in err
    status, out, err = told("kill", "--reason", "a typo")
    assert status == 0
    assert "the running trader has halted" in out
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 4
    desk.process = None


def test_a_kill_without_a_trader_says_that_none_confirmed_it(desk: Desk) -> None:
    status, out, _ = desk.hip3("kill", "--reason", os.fsdecode(b"\xff"))
    assert status == 0
    assert "no trader confirms it" in out
    assert desk.latch.exists()


def test_a_hung_trader_is_killed_at_once_and_does_no_verb_later(desk: Desk) -> None:
    process = desk.start()
    process.send_signal(signal.SIGSTOP)
    status, out, err = desk.hip3("pause")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "gives no answer within 5 s, and does nothing of it later" in err
    began = time.monotonic()
    status, out, _ = desk.hip3("kill", "--yes")
    assert (status, desk.latch.exists()) == (0, True)
    assert time.monotonic() - began < 3
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 4
    desk.process = None
    assert [verb for verb, _ in desk.log()] == ["kill"]
