"""`hip3 status` as its user has it: in a real terminal with keys pressed, and before sockets that are not its own."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.sync.client import unix_connect

WAIT_S = 30.0
HIP3 = [sys.executable, "-m", "hip3"]


class Terminal:
    """One tmux session of its own, with one command in it."""

    def __init__(self, home: Path, command: str, columns: int, lines: int, **environment: str) -> None:
        self._socket = ["tmux", "-S", str(home / "tmux.sock")]
        own = [f"-e{name}={value}" for name, value in environment.items()]
        size = ["-x", str(columns), "-y", str(lines)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, *own, f"{command}; echo ended with $?; sleep 60")

    def _tmux(self, *words: str) -> str:
        # The environment is named, since a line editor in this process may have put a size into the inherited one.
        own = dict(os.environ)
        done = subprocess.run([*self._socket, *words], capture_output=True, text=True, timeout=WAIT_S, env=own)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def shown(self, *, styled: bool = False) -> str:
        return self._tmux("capture-pane", "-p", *(["-e"] if styled else []))

    def modes(self) -> str:
        """Whether the alternate screen is on, and the cursor."""
        return self._tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip()

    def until(self, *wanted: str) -> str:
        """The screen once every word is on it."""
        end = time.monotonic() + WAIT_S
        while True:
            shown = self.shown()
            if all(word in shown for word in wanted):
                return shown
            assert time.monotonic() < end, f"{wanted} never came:\n{shown}"
            time.sleep(0.1)

    def close(self) -> None:
        subprocess.run([*self._socket, "kill-server"], capture_output=True, timeout=WAIT_S)


Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Open]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed; the view is shown in no real terminal here")
    made: list[Terminal] = []

    def begin(command: str, columns: int = 100, lines: int = 40, **environment: str) -> Terminal:
        made.append(Terminal(tmp_path, command, columns, lines, **environment))
        return made[-1]

    yield begin
    for terminal in made:
        terminal.close()


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    return ["--set", f"status.socket={tmp_path}/s.sock", "--set", f"control.latch={tmp_path}/KILL"]


@pytest.fixture
def trader(sets: list[str]) -> Iterator[subprocess.Popen[str]]:
    command = [*HIP3, "run", "--headless", "--json", "--seed", "7", *sets]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if '"trading"' in line:
            break
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)


def told(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*HIP3, *arguments], capture_output=True, text=True, timeout=WAIT_S, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.timeout(120)
def test_the_live_view_takes_its_keys(trader: subprocess.Popen[str], sets: list[str], open_terminal: Open) -> None:
    screen = open_terminal(" ".join([*HIP3, "status", *sets]))
    shown = screen.until("TRADING", "markets (36) by threshold", "?:help")
    assert shown.startswith(" SIM ")
    assert "46" in screen.shown(styled=True).splitlines()[0], "the venue's word has a colour"
    screen.keys("?")
    screen.until("this page, and back")
    screen.keys("?", "s")
    screen.until("by edge now")
    screen.keys("/", "silver")
    screen.until("markets (1)", "filter: silver_")
    screen.keys("Enter", "Down", "Enter")
    screen.until("dex_1:110026 (SILVER)", "edges seen")
    screen.keys("Escape")
    screen.until("markets (36)")
    screen.keys("f")
    screen.until("FROZEN at")
    screen.keys("f", "p")
    screen.until("REDUCING: paused by the operator")
    screen.keys("p")
    screen.until("resumed: entries are taken", "TRADING")
    screen.keys("F", "no", "Enter")
    screen.until("flatten: not done")
    screen.keys("F", "flatten", "Enter")
    screen.until("entries go on unless paused")
    screen.resize(30, 10)
    screen.until("widen the terminal")
    screen.keys("K")
    time.sleep(1)  # A key that is not taken shows nothing that could be waited for.
    screen.resize(80, 9)
    assert "type kill" not in screen.until("SIM", "equity"), "no verb is taken where nothing can be read"
    screen.keys("K")
    screen.until("type kill and Enter")
    screen.keys("Escape")
    screen.until("kill: not done")
    screen.resize(200, 50)
    screen.until("armed" if "positions (" in screen.shown() else "fills", "oracle age")
    screen.keys("K", "kill", "Enter")
    screen.until("HALTED: killed")
    assert trader.wait(timeout=WAIT_S) == 4
    screen.until("NO WORD from the trader since")
    screen.keys("q")
    screen.until("ended with 0")


@pytest.mark.timeout(120)
def test_a_run_on_a_terminal_shows_the_same_view_and_ends_with_ctrl_c(
    sets: list[str], open_terminal: Open, tmp_path: Path
) -> None:
    screen = open_terminal(" ".join([*HIP3, "run", "--seed", "7", *sets, f"2>{tmp_path}/log"]), NO_COLOR="1")
    screen.until("TRADING", "markets (36)", "?:help")
    assert not re.search(r"\x1b\[[34][0-7]m", screen.shown(styled=True)), "NO_COLOR is respected"
    screen.keys("C-z", "C-\\")
    screen.keys("q")
    screen.until("Ctrl-C ends this run")
    screen.keys("p")
    screen.until("REDUCING: paused by the operator")
    screen.keys("C-c")
    assert "flatten orders" in screen.until("ended with 130")
    assert '"event":"paused"' in (tmp_path / "log").read_text(encoding="utf-8"), "the view hides lines from itself only"


@pytest.mark.timeout(120)
def test_a_trader_that_hangs_does_not_hang_its_viewer(
    trader: subprocess.Popen[str], sets: list[str], open_terminal: Open
) -> None:
    screen = open_terminal(" ".join([*HIP3, "status", *sets]))
    screen.until("TRADING", "?:help")
    trader.send_signal(signal.SIGSTOP)
    try:
        screen.keys("p")
        screen.until("asking the trader…")
        screen.keys("?")
        assert "asking the trader…" in screen.until("this page, and back"), "the view goes on while it asks"
        screen.keys("?", "p")
        screen.until("has not answered the last verb yet")
        screen.until("NO WORD from the trader since", "was TRADING", "later;")
        screen.keys("p")
        screen.until("p cannot tell pause from resume")
    finally:
        trader.send_signal(signal.SIGCONT)
    screen.keys("q")
    screen.until("ended with 0")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_viewer_that_is_told_to_end_puts_the_terminal_back(
    trader: subprocess.Popen[str], sets: list[str], open_terminal: Open, tmp_path: Path, number: signal.Signals
) -> None:
    pid = tmp_path / "pid"
    command = f"sh -c 'echo $$ > {pid}; exec {' '.join([*HIP3, 'status', *sets])}'"
    screen = open_terminal(f"{command}; was=$?; stty -a; (exit $was)")
    screen.until("TRADING", "?:help")
    assert screen.modes() == "1 0"
    os.kill(int(pid.read_text(encoding="utf-8")), number)
    shown = screen.until(f"ended with {128 + number}")
    assert screen.modes() == "0 1"
    assert not {"-icanon", "-echo"} & set(shown.split())
    assert "Traceback" not in shown


def test_a_log_that_nobody_reads_does_not_hinder_the_run(sets: list[str]) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = [*HIP3, "run", "--headless", "--json", "--seed", "7", "--duration", "6", *sets]
    done = subprocess.run(
        [*command, "--set", "edges.period_ms=1000"], stdout=subprocess.PIPE, stderr=writing, timeout=WAIT_S
    )
    os.close(writing)
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["state"]) == (0, "reducing")
    assert summary["entries"] > 0
    assert summary["exits"]["total"] == summary["entries"]
    with os.fdopen(reading, encoding="utf-8") as stream:
        assert len(stream.read()) <= 4096 < 5 * 36 * 100, "most of the log was never read"


def test_one_snapshot_has_what_an_operator_needs(trader: subprocess.Popen[str], sets: list[str]) -> None:
    status, out, err = told("status", "--once", "--json", *sets)
    assert (status, err) == (0, "")
    snapshot = json.loads(out)
    assert {"requests_left", "day_pnl_usd", "data_age_ms", "frame_to_wire_ns", "state_why"} <= set(snapshot["header"])
    assert snapshot["header"]["backup_age_ms"] < 2000
    (row, *_) = snapshot["markets"]
    assert {"bid_px", "oracle_age_ms", "buy_edge_bps", "edges_bps", "threshold_pct", "updates", "state"} <= set(row)
    assert {"orders", "fills", "exits", "exit_counts", "alerts", "refusals", "problems", "positions"} <= set(snapshot)
    for columns in ("80", "200"):
        status, out, err = told("status", "--once", *sets, COLUMNS=columns)
        assert (status, err) == (0, "")
        assert max(map(len, out.splitlines())) <= int(columns)
        assert "\x1b" not in out
        assert "markets (36) by threshold\n" in out, "a file has every row"
    status, out, err = told("status", "--once", *sets, COLUMNS="20")
    assert (status, out) == (2, "")
    assert err == "hip3: a terminal of 20 columns is too narrow; widen it to 40, or use --json\n"


def test_a_viewer_is_left_with_the_reason_of_the_end(
    trader: subprocess.Popen[str], sets: list[str], tmp_path: Path
) -> None:
    with unix_connect(str(tmp_path / "s.sock")) as viewer:
        assert json.loads(viewer.recv(WAIT_S))["header"]["state"] == "trading"
        trader.send_signal(signal.SIGINT)
        *_, last = viewer
    assert json.loads(last)["header"]["state_why"] == "the run is ending"


def test_a_picture_is_kept_as_svg(trader: subprocess.Popen[str], sets: list[str], tmp_path: Path) -> None:
    assert told("status", "--svg", str(tmp_path / "view.svg"), *sets, COLUMNS="120") == (0, "", "")
    assert "SILVER" in (tmp_path / "view.svg").read_text(encoding="utf-8")
    status, _, err = told("status", "--svg", "/nowhere/at/all.svg", *sets)
    assert (status, err.count("\n")) == (1, 1)
    assert "/nowhere/at/all.svg" in err


async def answered_by(path: Path, body: bytes, *arguments: str) -> tuple[int, str, str]:
    """What the command says of a socket whose server sends `body`."""

    async def serve(viewer: ServerConnection) -> None:
        await viewer.send(body.decode())
        await viewer.wait_closed()

    async with unix_serve(serve, str(path)):
        return await asyncio.to_thread(told, *arguments)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (orjson.dumps({"version": 1}), "speaks status version 1, this one 2: update both"),
        (b"[]", "is no trader"),
        (orjson.dumps({"version": 2}), "is no trader"),
        (orjson.dumps({"version": 2, "header": [], "markets": {}}), "is no trader"),
        (b"nonsense", "is no trader"),
    ],
)
async def test_what_speaks_another_version_or_nonsense_is_one_line(
    sets: list[str], tmp_path: Path, body: bytes, words: str
) -> None:
    status, out, err = await answered_by(tmp_path / "s.sock", body, "status", "--once", *sets)
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert words in err


@pytest.mark.parametrize("arguments", [["status", "--once"], ["status", "--json"]])
def test_a_trader_that_hangs_is_one_line_after_five_seconds(
    sets: list[str], tmp_path: Path, arguments: list[str]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "s.sock"))
        server.listen()
        begun = time.monotonic()
        status, out, err = told(*arguments, *sets)
        took_s = time.monotonic() - begun
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "shows nothing (no snapshot within 5 s); is it stopped, or watched by too many?" in err
    assert 5 <= took_s < 9


async def test_a_trader_that_greets_and_then_hangs_is_told_the_same(sets: list[str], tmp_path: Path) -> None:
    async def hang(viewer: ServerConnection) -> None:
        viewer.transport.pause_reading()
        await asyncio.sleep(WAIT_S)

    server = await unix_serve(hang, str(tmp_path / "s.sock"), close_timeout=0.1)
    try:
        begun = time.monotonic()
        status, _, err = await asyncio.to_thread(told, "status", "--once", *sets)
        assert time.monotonic() - begun < 9
    finally:
        server.close()
    assert (status, err.count("\n")) == (3, 1)
    assert "shows nothing (no snapshot within 5 s)" in err


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a socket to another user")
async def test_a_socket_of_another_user_is_not_believed(sets: list[str], tmp_path: Path) -> None:
    async with unix_serve(lambda viewer: viewer.wait_closed(), str(tmp_path / "s.sock")):
        os.chown(tmp_path / "s.sock", 65534, 65534)
        status, out, err = await asyncio.to_thread(told, "status", "--once", *sets)
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "ask as that user" in err
    (tmp_path / "s.control").touch()
    os.chown(tmp_path / "s.control", 65534, 65534)
    status, out, err = await asyncio.to_thread(told, "pause", *sets)
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "ask as that user" in err


def test_no_trader_is_one_line_with_the_remedy(sets: list[str]) -> None:
    for arguments in (["status", "--once"], ["status", "--json"], ["status"], ["pause"], ["flatten", "--all"]):
        status, out, err = told(*arguments, *sets)
        assert (status, out, err.count("\n")) == (3, "", 1)
        assert "start one with `hip3 run`" in err
