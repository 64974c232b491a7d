"""What a snapshot needs besides this moment: the edges of the last minutes.

Fed once a second by the run. Floats, for display alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

#: One point of a sparkline is the largest edge of this long.
POINT_NS = 10_000_000_000
#: Points of a sparkline: four minutes.
POINTS_MAX = 24


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
