"""`Leaving`: asks for the exit of every position, at a measured pace, until nothing is held or on its way."""

from __future__ import annotations

from collections.abc import Callable

from hip3.clock import Clock
from hip3.execution.trader import Trader

#: Pause between requests to leave, for positions whose flatten order filled nothing.
AGAIN_NS = 250_000_000


class Leaving:
    """One for a run. Claims keep a request from doubling a flatten order that is alive."""

    def __init__(self, trader: Trader, clock: Clock, pump: Callable[[], None]) -> None:
        self._trader = trader
        self._clock = clock
        self._pump = pump
        self._asked_ns = 0

    def ask(self, reason: str) -> None:
        """Asks once more where something is held and the last request is long enough ago."""
        now_ns = self._clock.now_ns()
        if self._trader.engine.positions() and now_ns - self._asked_ns > AGAIN_NS:
            self._asked_ns = now_ns
            self._trader.flatten(reason, now_ns)
            self._pump()

    @property
    def is_quiet(self) -> bool:
        """Whether no order lives."""
        return not self._trader.desk.table.live

    @property
    def is_done(self) -> bool:
        """Whether no order lives and nothing is held."""
        return self.is_quiet and not self._trader.engine.positions()
