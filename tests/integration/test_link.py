"""One link against a real WebSocket server: whole messages, acknowledgements, silence, drops, reconnection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hip3.clock import Clock
from hip3.venue import link as link_room
from hip3.venue import socket as socket_room
from hip3.venue.link import Link, LinkSettings
from hip3.venue.reconnect import ReconnectPolicy
from hip3.venue.socket import open_socket
from hip3.venue.subscriptions import Subscription

BBO: Subscription = {"type": "bbo", "coin": "xyz:SILVER"}
FILLS: Subscription = {"type": "userFills", "user": "0x" + "aB" * 20}
POLICY = ReconnectPolicy(first_ms=1, max_ms=20, healthy_ms=60_000)
CALM = LinkSettings(ping_interval_ms=40, silence_max_ms=30_000, reconnect=POLICY)
DEADLINE_S = 10
Handler = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_room, "LOOK_S", 0.01)


class Watched:
    """A link with everything that it told, and a way to wait for what it will tell."""

    def __init__(self, url: str, wanted: list[Subscription], settings: LinkSettings = CALM) -> None:
        self.frames: list[bytes] = []
        self.states: list[tuple[bool, str]] = []
        self._told = asyncio.Event()
        self.link = Link("order", url, wanted, self._frame, self._state, Clock(), settings)

    def _frame(self, frame: bytes, recv_ns: int) -> None:
        assert recv_ns > 0
        self.frames.append(frame)
        self._told.set()

    def _state(self, ready: bool, why: str) -> None:
        assert self.link.is_ready is ready
        self.states.append((ready, why))
        self._told.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not true():
                self._told.clear()
                await self._told.wait()


@asynccontextmanager
async def running(watched: Watched) -> AsyncIterator[Link]:
    """The link while its task lives; the task must not have ended by itself."""
    task = asyncio.create_task(watched.link.run())
    try:
        yield watched.link
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)


@asynccontextmanager
async def venue(handler: Handler, **options: Any) -> AsyncIterator[str]:
    async def tolerant(connection: ServerConnection) -> None:
        try:
            await handler(connection)
        except ConnectionClosed:
            return

    async with serve(tolerant, "127.0.0.1", 0, close_timeout=0.1, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws"


def ack(subscription: dict[str, Any]) -> str:
    data = {"method": "subscribe", "subscription": {**subscription, "user": subscription.get("user", "").lower()}}
    return '{"channel":"subscriptionResponse","data":' + json.dumps(data | {"aggregateByTime": False}) + "}"


class Answering:
    """Acknowledges every subscription and answers pings; `first` is done with each connection before."""

    def __init__(self, first: Handler | None = None) -> None:
        self.first = first
        self.connections = 0
        self.subscribed: list[list[dict[str, Any]]] = []
        self.pings = 0

    async def __call__(self, connection: ServerConnection) -> None:
        self.connections += 1
        asked: list[dict[str, Any]] = []
        self.subscribed.append(asked)
        if self.first is not None:
            await self.first(connection)
        async for text in connection:
            message = json.loads(text)
            if message["method"] == "ping":
                self.pings += 1
                await connection.send('{"channel":"pong"}')
                continue
            asked.append(message["subscription"])
            await connection.send(ack(message["subscription"]))


async def test_a_link_is_ready_with_its_last_acknowledgement_and_our_own_end_is_no_drop() -> None:
    server = Answering()
    async with venue(server) as url:
        watched = Watched(url, [BBO, FILLS])
        async with running(watched) as link:
            assert not link.is_ready
            await watched.until(lambda: link.is_ready)
            assert server.subscribed == [[BBO, FILLS]]
            assert link.missing == []
            await watched.until(lambda: b'{"channel":"pong"}' in watched.frames)
            assert link.data_age_ms < DEADLINE_S * 1000
    assert watched.states == [(True, "ready"), (False, "closed by us")]
    assert (link.connects, link.drops, link.last_drop, link.is_ready) == (1, 0, "closed by us", False)
    assert not link.send(b"{}")


async def test_fragments_become_one_message_and_protocol_pings_between_them_are_answered() -> None:
    long = "x" * 200_000
    answered = asyncio.Event()

    async def first(connection: ServerConnection) -> None:
        await connection.send(["one ", "", "mess", "age"])

        async def parts() -> AsyncIterator[str]:
            yield long
            await (await connection.ping())
            answered.set()
            yield "end"

        await connection.send(parts())
        await connection.send(b"binary")

    async with venue(Answering(first)) as url:
        watched = Watched(url, [])
        async with running(watched):
            await watched.until(lambda: len(watched.frames) >= 3)
    assert watched.frames[:3] == [b"one message", (long + "end").encode(), b"binary"]
    assert answered.is_set()


async def test_frames_that_arrive_with_the_handshake_are_handed_over() -> None:
    async def first(connection: ServerConnection) -> None:
        for number in range(100):
            await connection.send(str(number))

    async with venue(Answering(first)) as url:
        watched = Watched(url, [])
        async with running(watched):
            await watched.until(lambda: len(watched.frames) >= 100)
    assert watched.frames[:100] == [str(number).encode() for number in range(100)]


@pytest.mark.parametrize("pong_counts", [True, False])
async def test_silence_ends_a_link_which_comes_back_with_all_its_subscriptions(pong_counts: bool) -> None:
    """Where pongs do not count, a venue that only answers pings is as silent as one that answers nothing."""
    settings = LinkSettings(ping_interval_ms=20, silence_max_ms=150, pong_counts=pong_counts, reconnect=POLICY)
    server = Answering()
    silent = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        if server.connections == 0 and pong_counts:
            server.connections += 1
            async for text in connection:
                message = json.loads(text)
                if message["method"] == "subscribe":
                    await connection.send(ack(message["subscription"]))
            silent.set()
            return
        await server(connection)

    async with venue(handler) as url:
        watched = Watched(url, [BBO, FILLS], settings)
        async with running(watched) as link:
            await watched.until(lambda: link.connects == 2 and link.is_ready)
            assert watched.states[:3] == [(True, "ready"), (False, "silent for 150 ms"), (True, "ready")]
            assert server.subscribed[-1] == [BBO, FILLS]
            if not pong_counts:
                assert b'{"channel":"pong"}' in watched.frames
            assert link.drops == 1


async def test_a_venue_that_says_good_bye_is_met_again_and_each_drop_is_counted() -> None:
    async def first(connection: ServerConnection) -> None:
        connection.loop = asyncio.get_running_loop()  # type: ignore[attr-defined]

    server = Answering(first)

    async def handler(connection: ServerConnection) -> None:
        if server.connections < 2:
            server.connections += 1
            await connection.send(ack(json.loads(await connection.recv())["subscription"]))
            await connection.close(1001, "going away")
            return
        await server(connection)

    async with venue(handler) as url:
        watched = Watched(url, [BBO])
        async with running(watched) as link:
            await watched.until(lambda: link.connects == 3 and link.is_ready)
            assert (link.drops, [ready for ready, _ in watched.states]) == (2, [True, False, True, False, True])
            assert "1001" in watched.states[1][1]
            assert "going away" in watched.states[1][1]


async def test_half_a_message_is_never_handed_over() -> None:
    """A frame of 256 bytes is announced, five of them come, then the connection ends."""
    server = Answering()

    async def handler(connection: ServerConnection) -> None:
        if server.connections == 0:
            server.connections += 1
            await connection.send(ack(json.loads(await connection.recv())["subscription"]))
            await connection.send(["first half", "second"])
            connection.transport.write(b"\x81\x7e\x01\x00torn!")
            connection.transport.close()
            return
        await server(connection)

    async with venue(handler) as url:
        watched = Watched(url, [BBO])
        async with running(watched) as link:
            await watched.until(lambda: link.connects == 2 and link.is_ready)
    assert watched.frames[1] == b"first halfsecond"
    assert not any(b"torn" in frame for frame in watched.frames)
    assert link.drops == 1


async def test_a_message_beyond_the_bound_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_room, "MESSAGE_BYTES_MAX", 1000)
    server = Answering()

    async def first(connection: ServerConnection) -> None:
        await connection.send("y" * 1000 if server.connections > 1 else "x" * 1001)

    server.first = first
    async with venue(server) as url:
        watched = Watched(url, [])
        async with running(watched) as link:
            await watched.until(lambda: link.connects == 2 and b"y" * 1000 in watched.frames)
    assert not any(frame.startswith(b"x") for frame in watched.frames)
    assert "1009" in watched.states[1][1]


async def test_nobody_there_is_said_and_tried_again() -> None:
    async with venue(Answering()) as url:
        gone = url
    watched = Watched(gone, [BBO])
    async with running(watched) as link:
        await asyncio.sleep(0.2)
        assert not link.is_ready
        assert "Connect call failed" in link.last_drop
        assert 200 <= link.data_age_ms < DEADLINE_S * 1000, "silent since it was made, not since the epoch"


async def test_a_send_beyond_the_buffer_is_refused_whole() -> None:
    release = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await release.wait()
        connection.transport.abort()

    async with venue(deaf) as url:
        ended: list[BaseException | None] = []
        opened = await open_socket(url, Clock().now_ns, lambda *_: None, ended.append, DEADLINE_S)
        taken = sum(opened.send(b"x" * 65_536) for _ in range(500))
        assert 0 < taken < 500
        assert not opened.send(b"y")
        opened.abort()
        release.set()
        await asyncio.sleep(0.05)
        assert len(ended) == 1
        assert not opened.send(b"z")


async def test_a_refused_handshake_is_an_error_of_the_opening() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Exception, match="403"):
            await open_socket(f"ws://127.0.0.1:{port}/ws", Clock().now_ns, lambda *_: None, lambda _: None, DEADLINE_S)
