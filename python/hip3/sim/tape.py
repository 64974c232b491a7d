"""What a market has printed: recent trades, candles, funding rates. All of it bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hip3.sim.wire import text

TRADES_MAX = 500
RECENT_TRADES = 10
CANDLES_MAX = 5000
FUNDING_MAX = 10_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
#: Candle intervals; a month counts as thirty days.
INTERVALS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 30 * DAY_MS,
}


@dataclass(slots=True)
class Candle:
    """One candle; prices and volume in 10^-8."""

    start_ms: int
    open: int
    close: int
    high: int
    low: int
    volume: int
    trades: int

    def add(self, other: Candle) -> None:
        """Takes in a later candle."""
        self.close = other.close
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.volume += other.volume
        self.trades += other.trades


@dataclass(slots=True)
class Tape:
    """One market's prints. Minutes are kept; longer candles are put together when asked for."""

    coin: str
    trades: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=TRADES_MAX))
    minutes: deque[Candle] = field(default_factory=lambda: deque(maxlen=CANDLES_MAX))
    funding: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=FUNDING_MAX))
    #: Trades of the present block, taken by the channels.
    fresh: list[dict[str, Any]] = field(default_factory=list)

    def print_trade(self, trade: dict[str, Any], px: int, sz: int) -> None:
        """Notes one trade."""
        self.trades.append(trade)
        self.fresh.append(trade)
        start = trade["time"] // MINUTE_MS * MINUTE_MS
        made = Candle(start, px, px, px, px, sz, 1)
        if self.minutes and self.minutes[-1].start_ms == start:
            self.minutes[-1].add(made)
        else:
            self.minutes.append(made)

    def candles(self, interval: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        """Candles that begin within the span, oldest first."""
        length = INTERVALS[interval]
        found: dict[int, Candle] = {}
        for minute in self.minutes:
            start = minute.start_ms // length * length
            if start in found:
                found[start].add(minute)
            elif start_ms <= start <= end_ms:
                found[start] = Candle(
                    start, minute.open, minute.close, minute.high, minute.low, minute.volume, minute.trades
                )
        return [self._row(candle, interval) for candle in found.values()]

    def last_candle(self, interval: str) -> dict[str, Any] | None:
        """The candle of the newest trade; None without trades."""
        if not self.minutes:
            return None
        start = self.minutes[-1].start_ms // INTERVALS[interval] * INTERVALS[interval]
        return self.candles(interval, start, start)[-1]

    def _row(self, candle: Candle, interval: str) -> dict[str, Any]:
        return {
            "t": candle.start_ms,
            "T": candle.start_ms + INTERVALS[interval] - 1,
            "s": self.coin,
            "i": interval,
            "o": text(candle.open),
            "c": text(candle.close),
            "h": text(candle.high),
            "l": text(candle.low),
            "v": text(candle.volume),
            "n": candle.trades,
        }
