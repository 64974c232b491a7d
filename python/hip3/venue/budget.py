"""How many requests the venue still takes from this account: one for each dollar traded, after a first allowance.

Read once a minute (`userRateLimit`, weight 20); in between our own actions are counted off. Display and alerts
alone: the venue's refusal decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hip3.errors import Hip3Error
from hip3.venue.info import Info

READ_PAUSE_S = 60.0


class RequestBudget:
    """`left` and `cap` in requests; None before the first answer. `sent` counts the actions that have left."""

    def __init__(self, info: Info, user: str, sent: Callable[[], int]) -> None:
        self.cap: int | None = None
        self._info = info
        self._user = user
        self._sent = sent
        self._used = 0
        self._sent_then = 0

    @property
    def left(self) -> int | None:
        """Requests left by the venue's last word, less what has left since; never below zero."""
        if self.cap is None:
            return None
        return max(0, self.cap - self._used - (self._sent() - self._sent_then))

    async def run(self) -> None:
        """Reads until cancelled; a read that fails leaves the last word."""
        while True:
            await self.read()
            await asyncio.sleep(READ_PAUSE_S)

    async def read(self) -> None:
        """One read."""
        sent = self._sent()
        try:
            used, cap = await self._info.user_rate_limit(self._user)
        except Hip3Error:
            return
        self._used, self.cap, self._sent_then = used, cap, sent
