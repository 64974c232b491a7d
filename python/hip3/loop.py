"""The event loop's side of the trader."""

from __future__ import annotations

import asyncio

from hip3.clock import Clock
from hip3.execution.submit import Dispatcher
from hip3.execution.trader import Trader


class Loop:
    """The event loop's side of the trader: frames in, messages out, its deadlines kept."""

    def __init__(self, trader: Trader, dispatcher: Dispatcher, clock: Clock) -> None:
        self._trader = trader
        self._dispatcher = dispatcher
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        dispatcher.on_answered = self.pump

    def on_frame(self, frame: bytes, recv_ns: int) -> None:
        """One frame of either socket: decide, then send what was decided, in the same call."""
        if self._trader.on_frame(frame, recv_ns):
            self.pump()

    def pump(self) -> None:
        """Sends what waits in the outbox and moves the timer if a deadline came nearer."""
        self._dispatcher.pump()
        due_ns = self._trader.next_timer_ns()
        if self._timer is not None:
            if due_ns >= self._timer_ns:
                return
            self._timer.cancel()
        self._timer_ns = due_ns
        delay_s = max(0, due_ns - self._clock.now_ns()) / 1e9
        self._timer = self._loop.call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._clock.now_ns() >= self._timer_ns:
            self._trader.on_timer(self._clock.now_ns())
        self.pump()

    def stop(self) -> None:
        """No timer fires after this."""
        if self._timer is not None:
            self._timer.cancel()
