"""`Link`: one connection to the venue, kept up. Subscribes, pings, notices silence, reconnects.

Frames go to `on_frame` as they came. The link is ready when every wanted subscription is acknowledged,
and is given up at once when the venue falls silent: pongs alone do not count as data on the socket that
carries market data.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from hip3.clock import Clock
from hip3.errors import VenueUnreachable
from hip3.venue.reconnect import ReconnectPolicy, Verdict, failures_after, next_delay_ms, verdict
from hip3.venue.socket import VenueSocket, open_socket
from hip3.venue.subscriptions import Subscription, SubscriptionLedger

PING = b'{"method":"ping"}'
_ACK_MARK = b'{"channel":"subscriptionResponse"'
_ERROR_MARK = b'{"channel":"error"'
_PONG_MARK = b'{"channel":"pong"'
MS = 1_000_000
#: Pause between looks at a link's deadlines: acknowledgements, pings, silence.
LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Timings of a link in milliseconds."""

    connect_timeout_ms: int = 5_000
    ping_interval_ms: int = 2_000
    silence_max_ms: int = 5_000
    #: Whether pongs count against silence: they do where the venue may have nothing to say.
    pong_counts: bool = True
    tries_max: int = 5
    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)


class Link:
    """See the module's head. `on_state(ready, why)` is called with every change, `run` keeps it up."""

    def __init__(
        self,
        name: str,
        url: str,
        subscriptions: list[Subscription],
        on_frame: Callable[[bytes, int], None],
        on_state: Callable[[bool, str], None],
        clock: Clock,
        settings: LinkSettings,
    ) -> None:
        self.name = name
        self.is_ready = False
        self.connects = 0
        self.drops = 0
        self.last_drop = ""
        self._url = url
        self._ledger = SubscriptionLedger(subscriptions)
        self._on_frame = on_frame
        self._on_state = on_state
        self._clock = clock
        self._settings = settings
        self._socket: VenueSocket | None = None
        self._ended: asyncio.Event = asyncio.Event()
        self._end_error: BaseException | None = None
        #: Before the first connection: since when one is waited for.
        self._last_data_ns = clock.now_ns()

    def send(self, data: bytes) -> bool:
        """Hands the bytes to the socket; False when they were not taken, so that nothing of them left."""
        return self._socket is not None and self._socket.send(data)

    @property
    def data_age_ms(self) -> int:
        """Milliseconds since the venue last said anything that counts."""
        return (self._clock.now_ns() - self._last_data_ns) // MS

    @property
    def missing(self) -> list[Subscription]:
        """Subscriptions without an acknowledgement."""
        return self._ledger.missing

    async def run(self) -> None:
        """Keeps the link up until cancelled; raises what no further try can mend, and our own bugs."""
        failures = 0
        while True:
            started_ns = self._clock.now_ns()
            try:
                await self._live()
            except asyncio.CancelledError:
                if self._socket is not None:
                    self._socket.close()
                self._drop("closed by us", counts=False)
                raise
            except (OSError, TimeoutError) as error:
                ended: BaseException = error
            except Exception as error:
                ended = error
                if not type(error).__module__.startswith("websockets"):
                    self._drop(str(error))
                    raise
            lived_ms = (self._clock.now_ns() - started_ns) / MS
            self._drop(str(ended) or type(ended).__name__)
            failures = failures_after(self._settings.reconnect, failures, lived_ms)
            if verdict(self._settings.reconnect, ended, failures) is Verdict.FATAL:
                raise VenueUnreachable(f"{self.name} link to {self._url}: {ended}")
            await asyncio.sleep(next_delay_ms(self._settings.reconnect, failures, random.random()) / 1000)  # noqa: S311

    def _drop(self, why: str, *, counts: bool = True) -> None:
        """Lets go of the connection; what ended by our own will is no drop to be counted."""
        if self._socket is not None:
            self._socket.abort()
            self._socket = None
        self.last_drop = why
        if self.is_ready:
            self.is_ready = False
            self.drops += counts
            self._on_state(False, why)

    async def _live(self) -> None:
        """One connection from its opening to its end, which it raises."""
        ended = self._ended = asyncio.Event()
        self._end_error = None
        self._ledger.reset()
        self._socket = await open_socket(
            self._url,
            self._clock.now_ns,
            self._receive,
            lambda error: self._closed(ended, error),
            self._settings.connect_timeout_ms / 1000,
        )
        self.connects += 1
        self._last_data_ns = self._clock.now_ns()
        if self._ledger.is_complete:
            self._set_ready()
        last_ping_ns = self._clock.now_ns()
        while not ended.is_set():
            now_ns = self._clock.now_ns()
            for frame in self._ledger.frames_to_send(now_ns):
                self._socket.send(frame)
            if self._ledger.tries_max > self._settings.tries_max:
                raise TimeoutError(f"no acknowledgement of {self._ledger.missing[0]}")
            if now_ns - self._last_data_ns > self._settings.silence_max_ms * MS:
                raise TimeoutError(f"silent for {self._settings.silence_max_ms} ms")
            if now_ns - last_ping_ns >= self._settings.ping_interval_ms * MS:
                last_ping_ns = now_ns
                self._socket.send(PING)
            try:
                await asyncio.wait_for(ended.wait(), LOOK_S)
            except TimeoutError:
                continue
        raise self._end_error or ConnectionResetError("closed by the venue")

    def _receive(self, frame: bytes, recv_ns: int) -> None:
        if self._settings.pong_counts or not frame.startswith(_PONG_MARK):
            self._last_data_ns = recv_ns
        if frame.startswith((_ACK_MARK, _ERROR_MARK)) and self._settles_subscriptions(frame):
            self._set_ready()
        self._on_frame(frame, recv_ns)

    def _settles_subscriptions(self, frame: bytes) -> bool:
        """Whether this acknowledgement or error was the last one waited for; a malformed one is not."""
        try:
            data = orjson.loads(frame).get("data")
        except orjson.JSONDecodeError:
            return False
        if isinstance(data, str):
            return self._ledger.on_error(data)
        if isinstance(data, dict) and data.get("method") == "subscribe":
            subscription = data.get("subscription")
            return isinstance(subscription, dict) and self._ledger.on_ack(subscription)
        return False

    def _set_ready(self) -> None:
        if not self.is_ready:
            self.is_ready = True
            self._on_state(True, "ready")

    def _closed(self, ended: asyncio.Event, error: BaseException | None) -> None:
        if ended is self._ended:  # else the late end of an earlier connection
            self._end_error = error
        ended.set()
