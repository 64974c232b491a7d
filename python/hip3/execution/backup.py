"""`MarkRegressionMonitor`: the second path to every exit, on a thread and a timer of its own.

It shares with the primary path the rule, the positions and the claims, and nothing else: not the event
loop, not the market-data socket, not the order socket. When the loop has stood still for longer than
`stall_ms` it sends what waits in the outbox itself, over HTTP; when the book of an open position is older
than the rule allows, `StaleBookReader` reads it over REST.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import orjson

from hip3.clock import Clock
from hip3.execution.posts import MS
from hip3.execution.submit import deliver_answer
from hip3.execution.trader import Trader

#: A blocking POST: path and body to status and body. Raises OSError where no answer came.
BlockingPost = Callable[[str, bytes], tuple[int, bytes]]
#: Pause between REST reads of a stale market: two requests of weight 2 and 20 every two seconds stay
#: within 660 of the 1200 weights a minute that the venue allows an address.
REST_READ_PAUSE_S = 2.0


class MarkRegressionMonitor(threading.Thread):
    """Runs the exit rule over all positions every `interval_ms`, whatever the event loop does."""

    def __init__(
        self,
        trader: Trader,
        clock: Clock,
        wake_loop: Callable[[], object],
        post: BlockingPost,
        interval_ms: int = 200,
        stall_ms: int = 250,
    ) -> None:
        super().__init__(name="hip3-backup", daemon=True)
        self.sweeps = 0
        self.claims = 0
        self.sent_over_http = 0
        self.heartbeat_ns = clock.now_ns()
        self.swept_ns = self.heartbeat_ns
        self.failure: BaseException | None = None
        self._trader = trader
        self._clock = clock
        self._wake_loop = wake_loop
        self._post = post
        self._interval_s = interval_ms / 1000
        self._stall_ns = stall_ms * MS
        self._ended = threading.Event()

    def beat(self) -> None:
        """To be called by the event loop at least every `stall_ms`: it is alive."""
        self.heartbeat_ns = self._clock.now_ns()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._ended.set()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        """The timer: one sweep each interval, without drift."""
        next_s = self._clock.monotonic_s() + self._interval_s
        try:
            while not self._ended.wait(max(0.0, next_s - self._clock.monotonic_s())):
                next_s = max(next_s + self._interval_s, self._clock.monotonic_s())
                self.tick()
        except BaseException as error:
            # Our bug: the loop looks at `failure` with every beat and stops entries.
            self.failure = error
            raise

    def tick(self) -> None:
        """One sweep; wakes the loop for what it found, or sends it when the loop stands still."""
        self.claims += self._trader.sweep(self._clock.now_ns())
        self.sweeps += 1
        self.swept_ns = self._clock.now_ns()
        self._wake_loop()
        if self._clock.now_ns() - self.heartbeat_ns > self._stall_ns:
            self._send_myself()

    def _send_myself(self) -> None:
        while (message := self._trader.take_outbound()) is not None:
            if not self._trader.may_leave(message, self._clock.now_ns()):
                continue
            self.sent_over_http += 1
            try:
                status, body = self._post(message.route.value, message.body)
            except OSError:
                status, body = 0, b""
            deliver_answer(self._trader, message, status, body, self._clock.now_ns())


class StaleBookReader(threading.Thread):
    """Reads book and oracle of open positions over REST while their frames are too old to decide on."""

    def __init__(self, trader: Trader, clock: Clock, post: BlockingPost, stale_ms: int) -> None:
        super().__init__(name="hip3-rest-reader", daemon=True)
        self.reads = 0
        self.failures = 0
        self._trader = trader
        self._clock = clock
        self._post = post
        self._stale_ns = stale_ms * MS
        self._ended = threading.Event()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._ended.set()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        """Looks every two seconds; idle while frames flow."""
        while not self._ended.wait(REST_READ_PAUSE_S):
            self.read_stale()

    def read_stale(self) -> None:
        """One read of each open position's market whose book or oracle is too old."""
        now_ns = self._clock.now_ns()
        stale: dict[str, list[str]] = {}
        for position in self._trader.engine.positions():
            snapshot = self._trader.engine.get_snapshot(position.asset)
            if snapshot is None or now_ns - min(snapshot.book_recv_ns, snapshot.oracle_recv_ns) > self._stale_ns:
                dex = position.coin.partition(":")[0] if ":" in position.coin else ""
                stale.setdefault(dex, []).append(position.coin)
        for dex, coins in stale.items():
            for coin in coins:
                book = self._ask({"type": "l2Book", "coin": coin})
                if isinstance(book, dict):
                    self._give({"channel": "l2Book", "data": book})
            self._give_contexts(self._ask({"type": "metaAndAssetCtxs", "dex": dex}), set(coins))

    def _give_contexts(self, answer: Any, coins: set[str]) -> None:
        """Passes on the contexts of these coins; an answer of another shape holds none."""
        match answer:
            case [{"universe": [*universe]}, [*contexts]]:
                for entry, ctx in zip(universe, contexts, strict=False):
                    coin = entry.get("name") if isinstance(entry, dict) else None
                    if isinstance(coin, str) and coin in coins:
                        self._give({"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": ctx}})
            case _:
                pass

    def _ask(self, request: dict[str, str]) -> Any:
        self.reads += 1
        try:
            status, body = self._post("/info", orjson.dumps(request))
            answer = orjson.loads(body) if status == 200 else None
        except (OSError, orjson.JSONDecodeError):
            answer = None
        self.failures += answer is None
        return answer

    def _give(self, frame: dict[str, Any]) -> None:
        self._trader.on_frame(orjson.dumps(frame), self._clock.now_ns())
