"""`hip3 sim` as any client meets it: a process, a port, HTTP and WebSockets of another library than ours."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import websocket
import websockets
from aiohttp import web

from hip3.clock import Clock
from hip3.errors import UsageError
from hip3.sim import scenario as scenarios
from hip3.sim.command import Funding
from hip3.sim.server import SimServer

ADDRESS = "0x" + "ab" * 20
READY_S = 20


class Sim:
    """A running `hip3 sim` and its ready line."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "hip3", "sim", "--port", "0", "--seed", "1", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        self.ready: dict[str, Any] = json.loads(line)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(self.ready["http_url"] + path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def info(self, **body: object) -> Any:
        status, answer = self.post("/info", json.dumps(body).encode())
        assert status == 200, answer
        return json.loads(answer)

    @contextmanager
    def ws(self) -> Iterator[websocket.WebSocket]:
        connection = websocket.create_connection(self.ready["ws_url"], timeout=10)
        try:
            yield connection
        finally:
            connection.close()

    def end(self) -> int:
        """Waits for the end; the pipes are read and closed."""
        self.process.communicate(timeout=READY_S)
        return self.process.returncode


@pytest.fixture(scope="module")
def sim() -> Iterator[Sim]:
    running = Sim("--fund", f"{ADDRESS}=1000")
    yield running
    running.process.terminate()
    running.end()


def receive(connection: websocket.WebSocket, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next frame that is `wanted`; a thousand others may come before it."""
    for _ in range(1000):
        text = connection.recv()
        if text == "Websocket connection established.":
            continue
        frame: dict[str, Any] = json.loads(text)
        if wanted(frame):
            return frame
    raise AssertionError("the frame did not come")


def test_ready_line_names_both_urls_and_the_dexs(sim: Sim) -> None:
    assert sim.ready["dexs"] == ["", "xyz", "flx"]
    assert sim.ready["ws_url"].endswith("/ws")
    assert sim.ready["http_url"].replace("http", "ws", 1) + "/ws" == sim.ready["ws_url"]


def test_metas_over_http(sim: Sim) -> None:
    dexs = sim.info(type="perpDexs")
    assert dexs[0] is None
    assert [dex["name"] for dex in dexs[1:]] == ["xyz", "flx"]
    universe = sim.info(type="meta", dex="xyz")["universe"]
    assert len(universe) == 36
    assert universe[26]["name"] == "xyz:SILVER"
    assert sim.info(type="clearinghouseState", user=ADDRESS, dex="xyz")["withdrawable"] in ("1000.0", "1000")


@pytest.mark.parametrize("path", ["/info", "/exchange"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"type":"nothing"}', b"\xff", b"[" * 5000])
def test_what_cannot_be_parsed_is_422_with_the_venues_text(sim: Sim, path: str, body: bytes) -> None:
    status, answer = sim.post(path, body)
    assert status == 422
    assert answer.decode().startswith("Failed to deserialize the JSON body into the target type")


def test_a_signature_of_nobody_is_refused_in_the_venues_words(sim: Sim) -> None:
    action = {"type": "noop"}
    signature = {"r": "0x" + "1" * 64, "s": "0x" + "2" * 63, "v": 27}
    body = {"action": action, "nonce": time.time_ns() // 1_000_000, "signature": signature}
    status, answer = sim.post("/exchange", json.dumps(body).encode())
    assert status == 200
    reply = json.loads(answer)
    assert reply["status"] == "err"
    assert reply["response"].startswith(("User or API Wallet 0x", "Unable to recover signer."))


def test_greeting_comes_first_and_ping_is_answered(sim: Sim) -> None:
    with sim.ws() as connection:
        assert connection.recv() == "Websocket connection established."
        connection.send('{"method":"ping"}')
        assert json.loads(connection.recv()) == {"channel": "pong"}


def test_subscriptions_are_acked_and_bring_touch_and_context(sim: Sim) -> None:
    with sim.ws() as connection:
        for kind in ("bbo", "activeAssetCtx"):
            subscription = {"type": kind, "coin": "xyz:SILVER"}
            connection.send(json.dumps({"method": "subscribe", "subscription": subscription}))
        channels = set()
        for _ in range(200):
            frame = receive(connection, lambda frame: True)
            channels.add(frame["channel"])
            if frame["channel"] == "bbo":
                bid, ask = frame["data"]["bbo"]
                assert float(bid["px"]) < float(ask["px"])
            if channels >= {"subscriptionResponse", "bbo", "activeAssetCtx"}:
                break
        assert channels == {"subscriptionResponse", "bbo", "activeAssetCtx"}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"method":"fly"}', '{"method":"subscribe"}', "x" * 1000])
def test_a_malformed_message_gives_an_error_and_leaves_the_connection(sim: Sim, text: str) -> None:
    with sim.ws() as connection:
        connection.send(text)
        assert receive(connection, lambda frame: True)["channel"] == "error"
        connection.send('{"method":"ping"}')
        assert receive(connection, lambda frame: frame["channel"] == "pong")


def has_ended(connection: websocket.WebSocket) -> bool:
    """Whether the venue ends a connection: with code 1009, or a reset that overtakes it."""
    for _ in range(1000):
        try:
            opcode, data = connection.recv_data()
        except (websocket.WebSocketException, OSError):
            return True
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big") == 1009
    return False


def test_an_oversize_message_ends_its_connection_alone(sim: Sim) -> None:
    with sim.ws() as other, sim.ws() as connection:
        connection.send("[" * 100_000)
        assert receive(connection, lambda frame: True)["data"].startswith("Error parsing JSON")
        connection.send("x" * (1 << 20) + "y")
        assert has_ended(connection)
        connection.shutdown()
        other.send('{"method":"ping"}')
        assert receive(other, lambda frame: True) == {"channel": "pong"}
    status, _ = sim.post("/info", b"[" * (2 << 20))
    assert status == 413


def test_closed_parent_pipe_ends_the_process_in_order() -> None:
    running = Sim("--parent-pipe")
    assert running.process.stdin is not None
    with running.ws() as connection:
        assert connection.recv()
        running.process.stdin.close()
        running.process.stdin = None
        assert running.end() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_it_in_order(number: signal.Signals, status: int) -> None:
    running = Sim()
    running.process.send_signal(number)
    assert running.end() == status


def refused(*arguments: str) -> str:
    """The one line of a command that must end with status 2."""
    command = [sys.executable, "-m", "hip3", "sim", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=READY_S, check=False)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_wrong_arguments_are_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in refused("--port", str(port))
    assert "--port 70000" in refused("--port", "70000")
    assert "packaged ones: default, halt, load" in refused("--port", "0", "--scenario", "calm")
    path = tmp_path / "broken.toml"
    path.write_text('name = "x"\nblok_ms = 1\n')
    assert "dexs: a list of tables is needed" in refused("--port", "0", "--scenario", str(path))
    assert "40 hex digits" in refused("--port", "0", "--fund", "0x12=5")


@pytest.mark.parametrize("tail", ["", "=", "=x", "=-1", "=0", "=nan", "=0.0000001", "=1e13", "=5:other"])
def test_wrong_funding_is_refused(tail: str) -> None:
    with pytest.raises(UsageError, match="--fund"):
        Funding.parse(ADDRESS + tail)


def test_funding_is_read_exactly_and_lowercased() -> None:
    assert Funding.parse(f"0x{'AB' * 20}=1000.25") == Funding(ADDRESS, "1000.25", False)
    assert Funding.parse(f"{ADDRESS}=1e3:unified") == Funding(ADDRESS, "1000", True)


async def test_a_slow_reader_is_cut_at_its_bound_and_others_are_not_disturbed() -> None:
    load = scenarios.load("load")
    world = replace(load, send_queue_frames_max=900, makers=replace(load.makers, flicker_per_block=1.0))
    server = SimServer(world, 1, Clock())
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    # What the kernel holds back for a deaf client would be minutes of frames.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    await web.SockSite(runner, listener).start()
    port = listener.getsockname()[1]
    blocks = asyncio.create_task(server.run_blocks())
    coins = [market.coin for market in world.markets()]
    asks = [json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": coin}}) for coin in coins]
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    for text in asks:
        # A masked text frame with a mask of zeros.
        deaf.sendall(b"\x81" + bytes([0x80 | len(text)]) + bytes(4) + text.encode())
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as reader:
        for text in asks:
            await reader.send(text)
        count, slowest, last = 0, 0.0, time.monotonic()
        async with asyncio.timeout(30):
            while len(server._connections) > 1 or count < 1000:
                await reader.recv()
                now = time.monotonic()
                slowest, last, count = max(slowest, now - last), now, count + 1
    deaf.close()
    blocks.cancel()
    await runner.cleanup()
    # Blocks are 100 ms apart; nobody waits for the one who does not read.
    assert slowest < 0.5


async def test_a_late_block_is_not_made_up_for_by_a_burst() -> None:
    server = SimServer(scenarios.load("default"), 1, Clock())
    times: list[float] = []
    enough = asyncio.Event()

    def step() -> None:
        times.append(time.monotonic())
        if len(times) == 2:
            time.sleep(0.45)
        if len(times) == 6:
            enough.set()

    server.step = step  # type: ignore[method-assign]
    began = time.monotonic()
    blocks = asyncio.create_task(server.run_blocks())
    await enough.wait()
    blocks.cancel()
    assert server.blocks_late >= 1
    assert times[-1] - began >= 0.45 + 4 * 0.09
