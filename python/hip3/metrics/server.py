"""The metrics' page on 127.0.0.1, served from a thread of its own. Trading waits for no scraper.

What a scrape costs trading is one reading, taken in the trader's event loop and shared by scrapes that come close
together; its text is made here. Requests are bounded in number, size and time; an event loop that stands still is
told as 503.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from hip3.metrics.collector import CONTENT_TYPE
from hip3.metrics.request import METHODS, TOLD, judge, read_request

REQUEST_BYTES_MAX = 8192
#: Scrapes within this share one reading.
FRESH_S = 0.5
#: Pause after a connection that could not be taken.
REFUSED_PAUSE_S = 0.1
#: How long the end of a run waits for the thread.
CLOSE_TIMEOUT_S = 2.0
BLANK_LINE = b"\r\n\r\n"

#: The text of a scrape; to be awaited in the server's own loop.
Page = Callable[[], Awaitable[bytes]]


class MetricsServer(threading.Thread):
    """Serves `page` until `close`. A port that cannot be had is a `problem`, never the end of a run."""

    def __init__(self, port: int, token: str, page: Page, timeout_ms: int, scrapers_max: int) -> None:
        super().__init__(name="hip3-metrics", daemon=True)
        self.problem = ""
        self.port = port
        self._token = token
        self._page = page
        self._timeout_s = timeout_ms / 1000
        self._scrapers_max = scrapers_max
        self._open: dict[socket.socket, asyncio.Task[None]] = {}
        self._body = b""
        self._taken_s = float("-inf")
        self._reading = asyncio.Lock()
        self._ended = asyncio.Event()
        self._ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = self._bind()

    def _bind(self) -> socket.socket | None:
        try:
            bound = socket.create_server(("127.0.0.1", self.port))
        except OSError as error:
            why = os.strerror(error.errno or 0)
            self.problem = f"no metrics: 127.0.0.1:{self.port}: {why}; end who has it, or set metrics.port"
            return None
        self.port = bound.getsockname()[1]
        return bound

    def run(self) -> None:
        """Serves until `close`; our own fault ends the page and is a `problem`."""
        if self._socket is None:
            return
        try:
            asyncio.run(self._run(self._socket))
        except Exception as error:
            self.problem = f"no metrics: {type(error).__name__}: {error}"

    async def _run(self, bound: socket.socket) -> None:
        """Accepts by itself rather than through a server of asyncio, whose end can leave connections open."""
        self._loop = asyncio.get_running_loop()
        bound.setblocking(False)
        ended = asyncio.create_task(self._ended.wait())
        accepting = asyncio.create_task(self._accept(bound))
        try:
            if not self._ending.is_set():
                await asyncio.wait({ended, accepting}, return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                accepting.result()
        finally:
            tasks = [ended, accepting, *self._open.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for connection in (bound, *self._open):
                connection.close()

    async def _accept(self, bound: socket.socket) -> None:
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(bound)
            except OSError as error:
                # No descriptor is free, or the other end has gone again.
                self.problem = f"no metrics for a moment: {error.strerror}"
                await asyncio.sleep(REFUSED_PAUSE_S)
                continue
            self._open[connection] = asyncio.create_task(self._serve(connection))

    def close(self) -> None:
        """Ends the thread; waits a little for it. Blocks, so not for the event loop."""
        self._ending.set()
        if self._loop is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
        if self.is_alive():
            self.join(CLOSE_TIMEOUT_S)
        elif self._socket is not None:
            self._socket.close()

    async def _serve(self, connection: socket.socket) -> None:
        """One connection: one request, one answer. Whoever is too slow at either is cut off."""
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_connection(sock=connection, limit=REQUEST_BYTES_MAX)
                try:
                    if len(self._open) > self._scrapers_max:
                        writer.write(refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many scrapers at once"))
                    else:
                        writer.write(await self._answer(reader))
                    writer.close()
                    await writer.wait_closed()
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # Too slow, or gone: there is nothing that this connection could still be told.
            return
        finally:
            connection.close()
            self._open.pop(connection, None)

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(BLANK_LINE)
        except asyncio.LimitOverrunError:
            return refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head of more than {REQUEST_BYTES_MAX} bytes")
        request = read_request(head.removesuffix(BLANK_LINE))
        status = judge(request, self._token)
        if request is None or status is not HTTPStatus.OK:
            return refusal(status, TOLD[status])
        try:
            body = await self._newest()
        except TimeoutError:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the trader's event loop stands still")
        except Exception as error:
            # Our own fault, and none that trading has to pay for.
            self.problem = f"a scrape of the metrics failed: {type(error).__name__}: {error}"
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, self.problem)
        return answer(HTTPStatus.OK, CONTENT_TYPE, body, with_body=request.method != "HEAD")

    async def _newest(self) -> bytes:
        """The text of now, made for the first of the scrapes that come close together."""
        async with self._reading:
            now_s = asyncio.get_running_loop().time()
            if now_s - self._taken_s >= FRESH_S:
                # Half of the time, so that the rest is left for telling what is wrong.
                self._body = await asyncio.wait_for(self._page(), self._timeout_s / 2)
                self._taken_s = now_s
                self.problem = ""
            return self._body


def refusal(status: HTTPStatus, told: str) -> bytes:
    """An answer of one line."""
    return answer(status, "text/plain; charset=utf-8", f"{told}\n".encode())


def answer(status: HTTPStatus, kind: str, body: bytes, *, with_body: bool = True) -> bytes:
    """The bytes of a whole answer; each ends its connection."""
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(METHODS)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + BLANK_LINE + (body if with_body else b"")
