"""`Blackouts`: which markets are not entered at a time, from the same spans that the core decides by. For display."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

#: Half-open `[start, end)` in nanoseconds since the epoch, sorted and disjoint.
Spans = Sequence[Sequence[int]]


class Blackouts:
    """Takes the schedules and markets of a session's start (`blackout` is a market's place in the schedules)."""

    def __init__(self, schedules: Sequence[Spans], markets: Sequence[dict[str, Any]]) -> None:
        self._spans = [[(start, end) for start, end in spans] for spans in schedules]
        self._coins: list[list[str]] = [[] for _ in schedules]
        self._place = {m["coin"]: m["blackout"] for m in markets if m.get("blackout") is not None}
        for coin, place in self._place.items():
            self._coins[place].append(coin)

    def until_ns(self, coin: str, now_ns: int) -> int | None:
        """When the blackout of a market ends that holds now; None where none does."""
        place = self._place.get(coin)
        return None if place is None else self._until_ns(place, now_ns)

    def out(self, now_ns: int) -> frozenset[str]:
        """The markets that are out now."""
        places = (place for place in range(len(self._spans)) if self._until_ns(place, now_ns) is not None)
        return frozenset(coin for place in places for coin in self._coins[place])

    def _until_ns(self, place: int, now_ns: int) -> int | None:
        return next((end for start, end in self._near(self._spans[place], now_ns) if start <= now_ns < end), None)

    @staticmethod
    def _near(spans: list[tuple[int, int]], now_ns: int) -> list[tuple[int, int]]:
        """The span that began last, and the next."""
        after = bisect_right(spans, now_ns, key=lambda span: span[0])
        return spans[max(0, after - 1) : after + 1]
