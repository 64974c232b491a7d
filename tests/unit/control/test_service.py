"""What a service manager hears, over a real datagram socket, and that its silence harms nothing."""

from __future__ import annotations

import configparser
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hip3.control.service import ServiceManager

UNIT = Path(__file__).parents[3] / "deploy" / "hip3.service"


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(20)
    return heard


def test_ready_once_and_signs_of_life_twice_a_span(manager: socket.socket, tmp_path: Path) -> None:
    with manager:
        service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"})
        service.ready()
        service.ready()
        for now_ms in range(0, 1001, 50):
            service.alive(now_ms * 1_000_000)
        service.stopping()
        service.close()
        service.stopping()
        manager.setblocking(False)
        told = []
        while True:
            try:
                told.append(manager.recv(100).decode())
            except BlockingIOError:
                break
    assert told == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere"}, {"NOTIFY_SOCKET": "@none"}])
def test_nobody_to_tell_is_no_failure(environment: dict[str, str]) -> None:
    service = ServiceManager({**environment, "WATCHDOG_USEC": "odd"})
    service.ready()
    service.alive(1)
    service.stopping()
    service.close()


def test_a_run_says_that_it_is_ready_alive_and_ending(manager: socket.socket, tmp_path: Path) -> None:
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    command = [sys.executable, "-m", "hip3", "run", "--headless", "--duration", "2"]
    command += ["--set", f"status.socket={tmp_path}/s.sock"]
    with manager, subprocess.Popen(command, env=environment, stdout=-3, stderr=-3) as process:
        told = []
        while not told or told[-1] != "STOPPING=1":
            told.append(manager.recv(100).decode())
        assert process.wait(20) == 0
    assert told.count("READY=1") == 1
    assert told.count("WATCHDOG=1") >= 5


def test_the_unit_is_well_formed_and_names_commands_that_exist() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.read(UNIT)
    assert unit["Service"]["Type"] == "notify"
    assert set(unit["Service"]["RestartPreventExitStatus"].split()) == {"2", "4"}
    assert "hip3 run --headless" in unit["Service"]["ExecStart"]
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    done = subprocess.run([analyze, "verify", "--man=no", str(UNIT)], capture_output=True, text=True, timeout=60)
    assert "Unknown" not in done.stderr
