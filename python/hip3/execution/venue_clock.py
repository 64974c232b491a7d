"""`VenueClock`: the venue's time, never ahead of it."""

from __future__ import annotations

from hip3._hip3 import Engine
from hip3.execution.posts import MS


class VenueClock:
    """The newest time in any frame, and what has passed since we saw it.

    The local clock's own time plays no part, since it may be off; only its steady progress does.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen_ms = 0
        self._seen_ns = 0

    def now_ms(self, now_ns: int) -> int:
        """The venue's time in milliseconds at the local time `now_ns`; 0 while no frame told any."""
        seen_ms = self._engine.latest_venue_ms()
        if seen_ms != self._seen_ms:
            self._seen_ms, self._seen_ns = seen_ms, now_ns
        return seen_ms + (now_ns - self._seen_ns) // MS if seen_ms else 0
