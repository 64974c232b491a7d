"""What a snapshot needs besides this moment: the edges of the last minutes, and the day's first equity.

Fed once a second by the run. Floats, for display alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

#: One point of a sparkline is the largest edge of this long.
POINT_NS = 10_000_000_000
#: Points of a sparkline: four minutes.
POINTS_MAX = 24
DAY_NS = 86_400_000_000_000


class EdgeHistory:
    """The larger edge of each market, as maxima over spans of ten seconds; None where there was no edge."""

    def __init__(self) -> None:
        self._points: dict[str, deque[float | None]] = {}
        self._span = -1

    def sample(self, now_ns: int, edges: Iterable[tuple[str, float | None]]) -> None:
        """Takes the edges of now, by coin."""
        span = now_ns // POINT_NS
        begins = span != self._span
        self._span = span
        for coin, edge in edges:
            points = self._points.get(coin)
            if points is None:
                points = self._points[coin] = deque(maxlen=POINTS_MAX)
            if begins or not points:
                points.append(edge)
            elif edge is not None and (points[-1] is None or edge > points[-1]):
                points[-1] = edge

    def points(self, coin: str) -> list[float | None]:
        """Maxima of the last minutes in basis points, oldest first."""
        return [None if edge is None else round(edge, 2) for edge in self._points.get(coin, ())]


class DayBook:
    """Equity at the beginning of the UTC day, or of the run where that came later."""

    def __init__(self) -> None:
        self._day = -1
        self._first = Decimal(0)

    def pnl_usd(self, now_ns: int, equity_usd: Decimal) -> Decimal:
        """What the day has brought so far. To be asked at least once a day, else the day began with this question."""
        day = now_ns // DAY_NS
        if day != self._day:
            self._day, self._first = day, equity_usd
        return equity_usd - self._first
