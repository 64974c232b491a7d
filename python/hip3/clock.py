"""The one seam through which time is read; everything inside takes time as an argument."""

from __future__ import annotations

import time


class Clock:
    """A steady clock with the epoch's origin: wall time at its construction plus monotonic progress.

    Steps of the wall clock do not move it, so ages, deadlines and nonces never go back.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return time.monotonic_ns() + self._offset_ns

    def monotonic_s(self) -> float:
        """Seconds of the monotonic clock, for waiting."""
        return time.monotonic()
