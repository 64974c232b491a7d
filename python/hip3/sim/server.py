"""The simulated venue on a loopback port: POST /info, POST /exchange, GET /ws. All I/O of `sim` is here.

The venue runs one block each `block_ms`. Every connection has a bounded queue and a writer of its own: a
reader who falls behind is cut off and disturbs nobody. `command` starts and ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, WSMsgType, web

from hip3.clock import Clock
from hip3.errors import ConfigError
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
