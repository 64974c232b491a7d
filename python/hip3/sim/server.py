"""The simulated venue on a loopback port: POST /info, POST /exchange, GET /ws. All I/O of `sim` is here.

The venue runs one block each `block_ms`. Every connection has a bounded queue and a writer of its own: a
reader who falls behind is cut off and disturbs nobody. `main` is the command `hip3 sim`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import re
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, WSMsgType, web

from hip3.clock import Clock
from hip3.errors import CheckFailed, ConfigError, UsageError
from hip3.sim import playback
from hip3.sim import scenario as scenarios
from hip3.sim.agents import Agent
from hip3.sim.journal import Journal
from hip3.sim.playback import Playback, Recording
from hip3.sim.scenario import Scenario
from hip3.sim.venue import Faulty, TooMany, Venue
from hip3.sim.wire import BadRequest

HOST = "127.0.0.1"
GREETING = b"Websocket connection established."
#: The venue closes a connection to which it has sent nothing for this long.
SILENCE_S_MAX = 60.0
MESSAGE_BYTES_MAX = 1 << 20
WRITE_BUFFER_BYTES = 1 << 16
CLOSE_TIMEOUT_S = 1.0
#: How often a writer looks whether a slow reader has taken what lies in the socket.
DRAIN_S = 0.002
#: Blocks of a venue without a block time: markets move at this pace, actions run as they come.
FREE_BLOCK_MS = 100
#: An action that has not been executed by then gets the gateway's answer.
EXECUTE_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Funding:
    """One `--fund`: collateral for an address at the start, `usdc` an exact decimal string."""

    address: str
    usdc: str
    unified: bool

    @classmethod
    def parse(cls, text: str) -> Funding:
        """Reads `ADDRESS=USDC[:unified]`. Raises UsageError."""
        found = re.fullmatch(r"(0x[0-9a-fA-F]{40})=([^:]+)(:unified)?", text)
        if found is None:
            raise UsageError(f"--fund {text}: ADDRESS=USDC[:unified] is needed, ADDRESS as 0x and 40 hex digits")
        try:
            usdc = Decimal(found[2])
        except InvalidOperation:
            raise UsageError(f"--fund {text}: {found[2]} is not a number") from None
        if not (usdc.is_finite() and 0 < usdc <= 10**12 and usdc == round(usdc, 6)):
            raise UsageError(f"--fund {text}: above 0, at most 10^12, at most 6 decimals")
        return cls(found[1].lower(), f"{usdc:f}", bool(found[3]))


def ws_frame(payload: bytes) -> bytes:
    """One unmasked text frame of RFC 6455."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Connection:
    """One WebSocket: a queue of frames with a bound, and the task that writes them.

    The frames of one block leave in one write: a call of the library for each would cost more than making them.
    """

    def __init__(self, socket_: web.WebSocketResponse, transport: asyncio.Transport, frames_max: int) -> None:
        self._socket = socket_
        self._transport = transport
        self._frames_max = frames_max
        self._queue: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self.cut = False

    def push(self, frame: bytes) -> None:
        """Queues a frame; over the bound the connection is cut, because a gap inside it would be a lie."""
        if self.cut:
            return
        if len(self._queue) >= self._frames_max:
            self.cut_off()
            return
        self._queue.append(frame)
        self._ready.set()

    def _is_backed_up(self) -> bool:
        return not self.cut and self._transport.get_write_buffer_size() > WRITE_BUFFER_BYTES

    def cut_off(self) -> None:
        """Ends the connection at once."""
        self.cut = True
        self._queue.clear()
        self._transport.abort()

    async def write(self) -> None:
        """Sends until the connection ends, or closes it after a minute in which there was nothing to send."""
        with contextlib.suppress(ClientConnectionResetError, ConnectionError):
            while not self.cut:
                try:
                    async with asyncio.timeout(SILENCE_S_MAX):
                        await self._ready.wait()
                except TimeoutError:
                    await self._socket.close(message=b"Inactive")
                    return
                self._ready.clear()
                if self._socket.closed or self._transport.is_closing():
                    return
                self._transport.write(b"".join(map(ws_frame, self._queue)))
                self._queue.clear()
                while self._is_backed_up():  # noqa: ASYNC110 - a transport has no event for it
                    await asyncio.sleep(DRAIN_S)


@dataclass(frozen=True, slots=True)
class Replay:
    """A recording to be the market, and how much faster than it was."""

    recording: Recording
    speed: float


class SimServer:
    """Carries bytes between a `Venue` and its clients, and the clock to the venue."""

    def __init__(
        self, scenario: Scenario, seed: int, clock: Clock, journal: Journal | None = None, replay: Replay | None = None
    ) -> None:
        self._scenario = scenario
        self._clock = clock
        self.start_ms = self._now_ms()
        self.playback = None if replay is None else Playback(replay.recording, self.start_ms, replay.speed)
        agents: list[Agent] | None = None if self.playback is None else [self.playback]
        self.venue = Venue(scenario, self.start_ms, seed, None if journal is None else journal.write, agents)
        self.journal = journal
        self._connections: dict[int, Connection] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        self.blocks = 0
        self.blocks_late = 0

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def application(self) -> web.Application:
        """The venue's three routes, and the one by which it is told to misbehave."""
        app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
        app.router.add_post("/info", self._info)
        app.router.add_post("/exchange", self._exchange)
        app.router.add_get("/ws", self._ws)
        app.router.add_post("/control", self._control)
        return app

    def step(self) -> None:
        """One block at the present time."""
        self.venue.step(self._now_ms())
        self.blocks += 1
        self._distribute()
        kicked, self.venue.kicked = self.venue.kicked, []
        for number in kicked:
            connection = self._connections.get(number)
            if connection is not None:
                connection.cut_off()

    def _on_action(self) -> None:
        """Without a block time an action runs at once."""
        if self._scenario.block_ms == 0:
            self.venue.run_actions()

    async def run_blocks(self) -> None:
        """A block each `block_ms`, until a recording that is replayed is over; else for ever.

        A late block is one block: those that were missed are not made up for.
        """
        loop = asyncio.get_running_loop()
        period_s = (self._scenario.block_ms or FREE_BLOCK_MS) / 1000
        due_s = loop.time()
        while True:
            due_s += period_s
            late_s = loop.time() - due_s
            if late_s > 0:
                self.blocks_late += 1
                due_s += late_s
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self.step()
            if self.playback is not None and self.playback.done:
                return

    async def close(self) -> None:
        """Says good-bye to every client, within a second."""
        closing = [ws.close(code=1001, message=b"Going away") for ws in self._sockets]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.gather(*closing, return_exceptions=True)

    def _distribute(self) -> None:
        for number, frame in self.venue.drain():
            connection = self._connections.get(number)
            if connection is not None:
                connection.push(frame)

    async def _body(self, request: web.Request) -> dict[str, Any]:
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            raise BadRequest from None
        if not isinstance(body, dict):
            raise BadRequest
        return body

    async def _info(self, request: web.Request) -> web.Response:
        try:
            return _json(self.venue.info(await self._body(request), _peer(request)))
        except (BadRequest, TooMany, Faulty) as error:
            return _refused(error)

    async def _control(self, request: web.Request) -> web.Response:
        try:
            incident = self.venue.happen(await self._body(request))
        except (BadRequest, ConfigError) as error:
            return web.Response(status=422, text=str(error))
        return _json({"status": "ok", "incident": incident.kind})

    async def _exchange(self, request: web.Request) -> web.Response:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def done(value: dict[str, Any]) -> None:
            if not answer.done():
                answer.set_result(value)

        try:
            self.venue.exchange(await self._body(request), done, _peer(request))
        except (BadRequest, TooMany, Faulty) as error:
            return _refused(error)
        self._on_action()
        self._distribute()
        try:
            async with asyncio.timeout(EXECUTE_TIMEOUT_S):
                return _json(await answer)
        except TimeoutError:
            return web.Response(status=504, text="Gateway Timeout")

    async def _ws(self, request: web.Request) -> web.StreamResponse:
        number = self.venue.connect(_peer(request))
        if number is None:
            return _refused(TooMany())
        try:
            return await self._serve_socket(request, number)
        finally:
            self.venue.disconnect(number)

    async def _serve_socket(self, request: web.Request, number: int) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(
            compress=False, max_msg_size=MESSAGE_BYTES_MAX, writer_limit=WRITE_BUFFER_BYTES, timeout=CLOSE_TIMEOUT_S
        )
        await ws.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return ws
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(ws, transport, self._scenario.send_queue_frames_max)
        if self._scenario.greeting:
            connection.push(GREETING)
        self._connections[number] = connection
        self._sockets.add(ws)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self.venue.on_message(number, message.data)
                    self._on_action()
                    self._distribute()
        finally:
            self._connections.pop(number, None)
            self._sockets.discard(ws)
            writer.cancel()
        return ws


def _peer(request: web.Request) -> str:
    return request.remote or ""


def _refused(error: Exception) -> web.Response:
    """The HTTP layer's answers: 422 as text, 429 with the body `null`, a gateway's page for a fault."""
    if isinstance(error, TooMany):
        return web.Response(status=429, body=b"null", content_type="application/json")
    if isinstance(error, Faulty):
        return web.Response(status=error.status, text=f"<html><body>{error.status}</body></html>")
    return web.Response(status=422, text=str(error))


def _json(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _listen(port: int) -> socket.socket:
    """A listening loopback socket. Raises ConfigError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use; --port 0 takes any free one") from error
        raise ConfigError(f"port {port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Ends the server when standard input reaches its end: the parent is gone."""
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


async def _serve(server: SimServer, listener: socket.socket, ready: dict[str, Any], parent_pipe: bool) -> int:
    """Serves until a signal or the parent's end. 130 after SIGINT, else 0."""
    loop, stop, status = asyncio.get_running_loop(), asyncio.Event(), 0

    def interrupted() -> None:
        nonlocal status
        status = 130
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent_pipe:
        _watch_parent(loop, stop)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    server.step()
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
    blocks = asyncio.create_task(server.run_blocks())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((blocks, stopping), return_when=asyncio.FIRST_COMPLETED)
    failure = blocks.exception() if blocks.done() else None
    for task in (blocks, stopping):
        task.cancel()
    await server.close()
    await runner.cleanup()
    if failure is not None:
        raise CheckFailed(f"the venue failed in block {server.blocks}: {failure!r}") from failure
    return status


@dataclass(frozen=True, slots=True)
class Options:
    """What `hip3 sim` was asked for."""

    port: int
    seed: int
    scenario: str
    fund: list[str] = field(default_factory=list)
    deployer: list[str] = field(default_factory=list)
    log: str | None = None
    source: Path | None = None
    speed: float = 1.0
    parent_pipe: bool = False


def _deployers(texts: list[str]) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        dex, _, user = text.partition("=")
        if not dex or not re.fullmatch(r"0x[0-9a-fA-F]{40}", user):
            raise UsageError(f"--deployer {text}: DEX=ADDRESS is needed, ADDRESS as 0x and 40 hex digits")
        found.append((dex, user.lower()))
    return found


def main(options: Options) -> int:
    """Runs `hip3 sim` until it is told to end; the exit status. Raises Hip3Error."""
    port, seed = options.port, options.seed
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: 0 to 65535")
    funded = [Funding.parse(text) for text in options.fund]
    deployers = _deployers(options.deployer)
    world, replay = scenarios.load(options.scenario), None
    if options.source is not None:
        if options.log is not None:
            raise UsageError("--log: a replay has its recording; choose one of --log and --from")
        if not 0.01 <= options.speed <= 1000:
            raise UsageError(f"--speed {options.speed:g}: 0.01 to 1000")
        replay = Replay(playback.scan(options.source), options.speed)
        world = playback.world(replay.recording, world)
    journal = Journal(options.log) if options.log is not None else None
    with _listen(port) as listener:
        server = SimServer(world, seed, Clock(), journal, replay)
        if journal is not None:
            journal.begin(options.scenario, seed, server.start_ms)
        for dex, user in deployers:
            try:
                server.venue.appoint(dex, user)
            except BadRequest as error:
                raise UsageError(f"--deployer {dex}={user}: {error}") from None
        for funding in funded:
            server.venue.fund(funding.address, funding.usdc, funding.unified)
        # The venue's start allocates what lives until the end; the collector need not walk it again.
        gc.collect()
        gc.freeze()
        bound = listener.getsockname()[1]
        ready = {
            "ws_url": f"ws://{HOST}:{bound}/ws",
            "http_url": f"http://{HOST}:{bound}",
            "dexs": [dex.name for dex in world.dexs],
            "markets": len(world.markets()),
            "scenario": world.name,
            "seed": seed,
        }
        try:
            return asyncio.run(_serve(server, listener, ready, options.parent_pipe))
        finally:
            if journal is not None:
                journal.end(server.venue.digest())
