"""The link against a real WebSocket server: subscriptions, fragments, silence, drops and what sending says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from hip3.clock import Clock
from hip3.errors import VenueUnreachable
from hip3.venue.link import Link, LinkSettings
from hip3.venue.reconnect import ReconnectPolicy
from hip3.venue.socket import open_socket

WANTED = [{"type": "bbo", "coin": "xyz:SILVER"}, {"type": "userFills", "user": "0x" + "1" * 40}]
FAST = ReconnectPolicy(first_ms=10, max_ms=50, healthy_ms=1000)
Handler = Callable[[ServerConnection], Awaitable[None]]


def ack(message: dict[str, Any]) -> str:
    """The venue's acknowledgement: defaults are filled in."""
    subscription = dict(message["subscription"])
    if subscription["type"] == "userFills":
        subscription["aggregateByTime"] = False
    data = {"method": "subscribe", "subscription": subscription}
    return json.dumps({"channel": "subscriptionResponse", "data": data}, separators=(",", ":"))


async def venue_like(connection: ServerConnection) -> None:
    async for raw in connection:
        message = json.loads(raw)
        if message["method"] == "ping":
            await connection.send('{"channel":"pong"}')
        elif message["method"] == "subscribe":
            await connection.send(ack(message))


def url_of(server: Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


class Watched:
    """A link with everything that it told."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.frames: list[bytes] = []
        self.states: list[tuple[bool, str]] = []
        self.changed = asyncio.Event()
        terms = LinkSettings(**{"reconnect": FAST, "ping_interval_ms": 50, **settings})
        self.link = Link("test", url, WANTED, lambda f, _: self.frames.append(f), self._state, Clock(), terms)

    def _state(self, ready: bool, why: str) -> None:
        self.states.append((ready, why))
        self.changed.set()

    async def next_state(self) -> tuple[bool, str]:
        async with asyncio.timeout(5):
            await self.changed.wait()
        self.changed.clear()
        return self.states[-1]


@asynccontextmanager
async def linked(handler: Handler, **settings: Any) -> AsyncIterator[Watched]:
    async with serve(handler, "127.0.0.1", 0) as server:
        watched = Watched(url_of(server), **settings)
        task = asyncio.create_task(watched.link.run())
        try:
            yield watched
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_ready_means_that_every_subscription_is_acknowledged() -> None:
    async with linked(venue_like) as watched:
        assert await watched.next_state() == (True, "ready")
        assert watched.link.missing == []
        assert watched.link.send(b'{"method":"ping"}')
        acks = [f for f in watched.frames if b"subscriptionResponse" in f]
        assert len(acks) == 2
    # The end that we made ourselves is no reconnect.
    assert watched.link.drops == 0
    assert not watched.link.send(b"{}")


async def test_a_drop_is_counted_and_everything_is_subscribed_again() -> None:
    seen: list[ServerConnection] = []

    async def once(connection: ServerConnection) -> None:
        seen.append(connection)
        await venue_like(connection)

    async with linked(once) as watched:
        await watched.next_state()
        await seen[0].close(1001)
        ready, _ = await watched.next_state()
        if not ready:
            assert await watched.next_state() == (True, "ready")
        assert len(seen) == 2
        assert watched.link.drops == 1
        assert [ready for ready, _ in watched.states] == [True, False, True]


async def test_silence_ends_a_connection_that_looks_open() -> None:
    async def mute_after_acks(connection: ServerConnection) -> None:
        async for raw in connection:
            message = json.loads(raw)
            if message["method"] == "subscribe":
                await connection.send(ack(message))

    async with linked(mute_after_acks, silence_max_ms=300) as watched:
        await watched.next_state()
        ready, why = await watched.next_state()
        assert not ready
        assert "silent" in why


async def test_pongs_are_no_data_where_they_do_not_count() -> None:
    async with linked(venue_like, silence_max_ms=300, pong_counts=False) as watched:
        await watched.next_state()
        ready, why = await watched.next_state()
        assert (ready, "silent" in why) == (False, True)


async def test_a_message_in_parts_arrives_whole() -> None:
    text = '{"channel":"bbo","data":"' + "x" * 5000 + '"}'

    async def in_parts(connection: ServerConnection) -> None:
        await connection.send([text[:10], text[10:4000], text[4000:]])
        await venue_like(connection)

    async with linked(in_parts) as watched:
        await watched.next_state()
        assert text.encode() in watched.frames


async def test_nobody_there_is_tried_again_and_said() -> None:
    async with serve(venue_like, "127.0.0.1", 0) as server:
        url = url_of(server)
    watched = Watched(url)
    task = asyncio.create_task(watched.link.run())
    await asyncio.sleep(0.3)
    assert not watched.link.is_ready
    assert watched.link.last_drop
    assert not task.done() or isinstance(task.exception(), VenueUnreachable)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_send_beyond_the_buffer_is_refused_whole() -> None:
    release = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await release.wait()

    async with serve(deaf, "127.0.0.1", 0) as server:
        ended: list[BaseException | None] = []
        opened = await open_socket(url_of(server), Clock().now_ns, lambda *_: None, ended.append, 5)
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

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Exception, match="403"):
            await open_socket(f"ws://127.0.0.1:{port}/ws", Clock().now_ns, lambda *_: None, lambda _: None, 5)
