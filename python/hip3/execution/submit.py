"""The shell's side of sending: WebSocket first, HTTP where it cannot be used. Every message leaves once.

`Dispatcher` runs in the event loop and takes messages from the trader's outbox. What the order socket does
not take (down, its buffer full, too many posts in flight) goes over HTTP with the very same signed bytes,
which have not left before. Answers come back as frames, so that the trader has one door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import orjson

from hip3.clock import Clock
from hip3.execution.outbound import Outbound, Route
from hip3.execution.trader import Trader

PostHttp = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
#: HTTP requests of the dispatcher alive at once; more wait for a place.
HTTP_IN_FLIGHT_MAX = 16


class OrderSocket(Protocol):
    """What the dispatcher needs of the order link."""

    def send(self, data: bytes) -> bool:
        """Hands the bytes to the socket; False when they were not taken, so that nothing of them left."""
        ...


def frame_of_answer(post_id: int, route: Route, status: int, body: bytes) -> bytes | None:
    """An HTTP answer in the shape of a `post` frame; None when it says nothing about its request.

    A status other than 200 says nothing: the venue may have executed the action all the same.
    """
    if status != 200:
        return None
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if route is Route.EXCHANGE:
        return b'{"channel":"post","data":{"id":%d,"response":{"type":"action","payload":%b}}}' % (
            post_id,
            body,
        )
    payload = b'{"type":"http","data":%b}' % body
    return b'{"channel":"post","data":{"id":%d,"response":{"type":"info","payload":%b}}}' % (post_id, payload)


class Dispatcher:
    """See the module's head. `pump` is to be called in the event loop after every input of the trader."""

    def __init__(self, trader: Trader, clock: Clock, socket: OrderSocket, post_http: PostHttp) -> None:
        #: Called after an answer over HTTP, which may have moved the trader's timer.
        self.on_answered: Callable[[], object] = self.pump
        self.sent_ws = 0
        self.sent_http = 0
        self._trader = trader
        self._clock = clock
        self._socket = socket
        self._post_http = post_http
        self._places = asyncio.Semaphore(HTTP_IN_FLIGHT_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def pump(self) -> None:
        """Sends everything in the trader's outbox."""
        while (message := self._trader.take_outbound()) is not None:
            if not self._trader.may_leave(message, self._clock.now_ns()):
                continue
            if not message.crowded and self._socket.send(message.post):
                self.sent_ws += 1
                self._measure(message)
            else:
                task = asyncio.get_running_loop().create_task(self._over_http(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _over_http(self, message: Outbound) -> None:
        async with self._places:
            if not self._trader.may_leave(message, self._clock.now_ns()):
                return
            self.sent_http += 1
            self._measure(message)
            try:
                status, body = await self._post_http(message.route.value, message.body)
            except (OSError, TimeoutError):
                status, body = 0, b""
        deliver_answer(self._trader, message, status, body, self._clock.now_ns())
        self.on_answered()

    def _measure(self, message: Outbound) -> None:
        if message.origin_ns:
            taken_ns = max(0, self._clock.now_ns() - message.origin_ns)
            self._trader.tally.timings.frame_to_wire.record(taken_ns)
            if message.kind == "flatten":
                self._trader.tally.timings.exit_to_wire.record(taken_ns)

    async def close(self, timeout_s: float) -> None:
        """Waits for the HTTP requests under way, at most `timeout_s`, then cancels them."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()


def deliver_answer(trader: Trader, message: Outbound, status: int, body: bytes, now_ns: int) -> None:
    """Gives an HTTP answer to the trader as a frame, or says that none will come."""
    frame = frame_of_answer(message.post_id, message.route, status, body)
    if frame is None:
        trader.on_lost(message.post_id, now_ns)
    else:
        trader.on_frame(frame, now_ns)
