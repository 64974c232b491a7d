"""One WebSocket connection on asyncio, built on the sans-I/O protocol of `websockets`.

Every message is handed over inside `data_received`, in the same step of the event loop in which its bytes
arrived and stamped with their arrival; sending is a plain call that either takes the bytes or refuses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

OnMessage = Callable[[bytes, int], None]
OnClosed = Callable[[BaseException | None], None]

#: The largest message taken: the widest frame known (all contexts of all dexs) is about 100 kB.
MESSAGE_BYTES_MAX = 8 * 2**20
#: Bytes waiting in the transport above which nothing more is taken.
SEND_BUFFER_BYTES_MAX = 256 * 1024


class VenueSocket(asyncio.Protocol):
    """A client connection. `on_message(bytes, recv_ns)` and, once, `on_closed(error)` are called in the loop."""

    def __init__(self, url: str, now_ns: Callable[[], int], on_message: OnMessage, on_closed: OnClosed) -> None:
        self.last_recv_ns = now_ns()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._protocol = ClientProtocol(parse_uri(url), max_size=MESSAGE_BYTES_MAX)
        self._now_ns = now_ns
        self._on_message = on_message
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._failure: BaseException | None = None

    # ------------------------------------------------------------ sending

    def send(self, data: bytes) -> bool:
        """Hands one text message to the transport; False when nothing of it was taken."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._protocol.state is not State.OPEN:
            return False
        if transport.get_write_buffer_size() > SEND_BUFFER_BYTES_MAX:
            return False
        self._protocol.send_text(data)
        self._flush()
        return True

    def close(self, code: int = 1000) -> None:
        """Starts the closing handshake; `abort` ends it at once."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code)
            self._flush()

    def abort(self) -> None:
        """Drops the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN and self._transport is not None

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()

    # ---------------------------------------------------------- receiving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the handshake request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Parses what came and hands over every whole message with this moment as its arrival."""
        recv_ns = self._now_ns()
        self.last_recv_ns = recv_ns
        self._protocol.receive_data(data)
        self._flush()
        try:
            for event in self._protocol.events_received():
                if isinstance(event, Response):
                    self._finish_handshake()
                elif isinstance(event, Frame):
                    self._on_frame(event, recv_ns)
        except BaseException as error:
            # A callback failed: that is our bug, and it must end the run rather than the link alone.
            self._failure = error
            self.abort()
            raise
        if self._protocol.close_expected() and self._transport is not None:
            self._transport.close()

    def _finish_handshake(self) -> None:
        error = self._protocol.handshake_exc
        if self.opened.done():
            return
        if error is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(error)

    def _on_frame(self, frame: Frame, recv_ns: int) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY) and frame.fin:
            self._on_message(bytes(frame.data), recv_ns)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            # The protocol bounds the sum of the parts by its own maximum size.
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                self._on_message(message, recv_ns)

    def eof_received(self) -> None:
        """The venue has ended its side."""
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection, whatever ended it."""
        self._protocol.receive_eof()
        self._transport = None
        error = self._failure or self._protocol.handshake_exc or exc
        if not self.opened.done():
            self.opened.set_exception(error or InvalidHandshake("connection closed during the handshake"))
        elif error is None and self._protocol.close_code is not None:
            error = self._protocol.close_exc
        self._on_closed(error)


async def open_socket(
    url: str, now_ns: Callable[[], int], on_message: OnMessage, on_closed: OnClosed, timeout_s: float
) -> VenueSocket:
    """Connects and completes the handshake; raises OSError, TimeoutError or a handshake error."""
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    port = parts.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, socket = await loop.create_connection(
            lambda: VenueSocket(url, now_ns, on_message, on_closed),
            parts.hostname or "",
            port,
            ssl=context,
            server_hostname=parts.hostname if secure else None,
        )
        try:
            await socket.opened
        except BaseException:
            socket.abort()
            raise
    return socket
