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
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, WSMsgType, web

from hip3.clock import Clock
from hip3.errors import CheckFailed, ConfigError, UsageError
from hip3.sim import scenario as scenarios
from hip3.sim.scenario import Scenario
from hip3.sim.venue import Venue
from hip3.sim.wire import BadRequest

HOST = "127.0.0.1"
GREETING = b"Websocket connection established."
#: The venue closes a connection to which it has sent nothing for this long.
SILENCE_S_MAX = 60.0
MESSAGE_BYTES_MAX = 1 << 20
WRITE_BUFFER_BYTES = 1 << 16
CLOSE_TIMEOUT_S = 1.0
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


class Connection:
    """One WebSocket: a queue of frames with a bound, and the task that writes them."""

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
            self.cut = True
            self._queue.clear()
            self._transport.abort()
            return
        self._queue.append(frame)
        self._ready.set()

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
                while self._queue:
                    await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)


class SimServer:
    """Carries bytes between a `Venue` and its clients, and the clock to the venue."""

    def __init__(self, scenario: Scenario, seed: int, clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock
        self.venue = Venue(scenario, self._now_ms(), seed)
        self._connections: dict[int, Connection] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        self.blocks = 0
        self.blocks_late = 0

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def application(self) -> web.Application:
        """The three routes."""
        app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
        app.router.add_post("/info", self._info)
        app.router.add_post("/exchange", self._exchange)
        app.router.add_get("/ws", self._ws)
        return app

    def step(self) -> None:
        """One block at the present time."""
        self.venue.step(self._now_ms())
        self.blocks += 1
        self._distribute()

    async def run_blocks(self) -> None:
        """A block each `block_ms`. A late block is one block: those that were missed are not made up for."""
        loop = asyncio.get_running_loop()
        period_s = self._scenario.block_ms / 1000
        due_s = loop.time()
        while True:
            due_s += period_s
            late_s = loop.time() - due_s
            if late_s > 0:
                self.blocks_late += 1
                due_s += late_s
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self.step()

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
            return _json(self.venue.info(await self._body(request)))
        except BadRequest as error:
            return web.Response(status=422, text=str(error))

    async def _exchange(self, request: web.Request) -> web.Response:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def done(value: dict[str, Any]) -> None:
            if not answer.done():
                answer.set_result(value)

        try:
            self.venue.exchange(await self._body(request), done)
        except BadRequest as error:
            return web.Response(status=422, text=str(error))
        try:
            async with asyncio.timeout(EXECUTE_TIMEOUT_S):
                return _json(await answer)
        except TimeoutError:
            return web.Response(status=504, text="Gateway Timeout")

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(
            compress=False, max_msg_size=MESSAGE_BYTES_MAX, writer_limit=WRITE_BUFFER_BYTES, timeout=CLOSE_TIMEOUT_S
        )
        await ws.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return ws
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = self.venue.connect()
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
                    self._distribute()
        finally:
            self._connections.pop(number, None)
            self._sockets.discard(ws)
            self.venue.disconnect(number)
            writer.cancel()
        return ws


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


def main(port: int, seed: int, fund: list[str], scenario: str, parent_pipe: bool = False) -> int:
    """Runs `hip3 sim` until it is told to end; the exit status. Raises Hip3Error."""
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: 0 to 65535")
    funded = [Funding.parse(text) for text in fund]
    world = scenarios.load(scenario)
    with _listen(port) as listener:
        server = SimServer(world, seed, Clock())
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
        return asyncio.run(_serve(server, listener, ready, parent_pipe))
