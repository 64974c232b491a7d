"""`DayGuard`: keeps the day's PnL, and stops a run whose day has lost too much.

Looks several times a second and saves every few; neither waits for the other. What a stop does is the run's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal

from hip3.clock import Clock
from hip3.control.day import DayBook, LossLimit
from hip3.errors import Stopped

LOOK_S = 0.25
SAVE_S = 2.0


class DayGuard:
    """Raises Stopped when it is made on a day that is beyond its limit already."""

    def __init__(self, book: DayBook, limit: LossLimit, clock: Clock, equity_usd: Callable[[], Decimal | None]) -> None:
        if limit.is_beyond(book.pnl_usd):
            raise Stopped(f"{limit.told(book.pnl_usd)}: wait for the next UTC day, or raise it")
        self.book = book
        #: Why the day has ended, once it has; until then empty.
        self.stopped = ""
        #: May be replaced by a tighter one.
        self.limit = limit
        self._clock = clock
        self._equity_usd = equity_usd
        self._urgent = asyncio.Event()

    async def run(self, on_stop: Callable[[str], None], leave: Callable[[], None]) -> None:
        """Looks until cancelled: `on_stop` once with the reason, then `leave` at each look."""
        await asyncio.gather(self._keep_looking(on_stop, leave), self._keep_saving())

    async def _keep_looking(self, on_stop: Callable[[str], None], leave: Callable[[], None]) -> None:
        while True:
            if not self.stopped and self.look():
                on_stop(self.stopped)
                self._urgent.set()
            if self.stopped:
                leave()
            await asyncio.sleep(LOOK_S)

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.to_thread(self.book.save)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_S):
                    await self._urgent.wait()
            self._urgent.clear()

    def look(self) -> bool:
        """Takes the equity of now; True when the limit is reached. Nothing is judged while a position has no mark."""
        equity_usd = self._equity_usd()
        if equity_usd is None:
            return False
        now_ns = self._clock.now_ns()
        pnl_usd = self.book.take(now_ns, equity_usd)
        if self.limit.is_reached(now_ns, pnl_usd):
            self.stopped = self.limit.told(pnl_usd)
        return bool(self.stopped)
