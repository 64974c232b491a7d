"""The replay venue: recorded market data as the market, with its original timing, orders filled against it.

What is assumed: only displayed size can be taken, and what was taken is gone until the next update of that book;
a resting order fills when the recorded book has come through its price; nobody reacts to our orders. The orders'
way to the venue and the answers' way back are `order_latency_ms` and `answer_latency_ms` of the scenario.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from hip3.errors import ConfigError
from hip3.research.record import read_lines
from hip3.sim.agents import AgentVenue, Level
from hip3.sim.scenario import Dex, Market, Scenario, first_asset
from hip3.sim.wire import UNIT

CHANNELS = (b'{"channel":"bbo"', b'{"channel":"activeAssetCtx"', b'{"channel":"l2Book"', b'{"channel":"trades"')
#: Blocks of a replay are short, so that what was apart in the recording stays apart.
BLOCK_MS = 20
#: Venues write up to ten decimals in contexts; prices of ours have eight.
_EIGHT = Decimal(UNIT)


@dataclass(slots=True)
class _Seen:
    """What a recording tells about one coin."""

    px: Decimal | None = None
    sz_decimals: int = 0


@dataclass(slots=True)
class Recording:
    """A recording's market frames, and the coins in them."""

    path: Path
    first_ns: int = 0
    frames: int = 0
    coins: dict[str, _Seen] = field(default_factory=dict)


def market_frames(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Time, channel and data of every market frame; others and broken ones are passed over."""
    for recv_ns, line in read_lines(path):
        if not line.startswith(CHANNELS):
            continue
        try:
            frame = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(frame.get("data"), dict | list):
            yield recv_ns, frame["channel"], frame["data"]


def scan(path: Path) -> Recording:
    """Reads a recording once for its start, its coins, their first prices and their decimals. Raises ConfigError."""
    found = Recording(path)
    for recv_ns, channel, data in market_frames(path):
        found.first_ns = found.first_ns or recv_ns
        found.frames += 1
        for row in data if isinstance(data, list) else [data]:
            with contextlib.suppress(KeyError, TypeError, AttributeError, InvalidOperation):
                _note(found.coins.setdefault(row["coin"], _Seen()), channel, row)
    if not found.frames:
        raise ConfigError(f"{path}: no market frames in it (bbo, activeAssetCtx, l2Book, trades)")
    return found


def _note(seen: _Seen, channel: str, row: Any) -> None:
    for px, sz in _levels_of(channel, row):
        seen.sz_decimals = max(seen.sz_decimals, _decimals(sz))
        seen.px = seen.px or Decimal(px)
    if channel == "activeAssetCtx":
        seen.px = seen.px or Decimal(row["ctx"]["oraclePx"])


def _levels_of(channel: str, row: Any) -> list[tuple[str, str]]:
    if channel == "bbo":
        return [(level["px"], level["sz"]) for level in row["bbo"] if level is not None]
    if channel == "l2Book":
        return [(level["px"], level["sz"]) for side in row["levels"] for level in side]
    return [(row["px"], row["sz"])] if channel == "trades" else []


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def world(recording: Recording, base: Scenario) -> Scenario:
    """A scenario with the markets of the recording: known ones with the terms of `base`, others with plain ones.

    Dexs keep the order of their markets in `base`, and with it their asset ids; unknown coins follow behind.
    """
    by_dex: dict[str, list[Market]] = {}
    known = {market.coin for market in base.markets()}
    for coin, seen in recording.coins.items():
        if coin not in known and seen.px is not None:
            name = coin.partition(":")[0] if ":" in coin else ""
            # Sizes of a recording may all be round; prices bound the decimals of sizes from above.
            by_dex.setdefault(name, []).append(Market(coin, seen.px, min(seen.sz_decimals, 5), 10))
    dexs: list[Dex] = []
    names = [dex.name for dex in base.dexs] + [name for name in by_dex if base.dex(name) is None]
    for index, name in enumerate(names):
        dex = base.dex(name) or Dex(name, name, ())
        rows = [_start(market, recording) for market in dex.markets] + by_dex.get(name, [])
        first = first_asset(index)
        markets = tuple(replace(market, asset=first + position) for position, market in enumerate(rows))
        dexs.append(replace(dex, index=index, markets=markets))
    return replace(base, name=f"replay of {recording.path.name}", dexs=tuple(dexs), block_ms=BLOCK_MS, incidents=())


def _start(market: Market, recording: Recording) -> Market:
    seen = recording.coins.get(market.coin)
    return market if seen is None or seen.px is None else replace(market, px=seen.px)


class Playback:
    """An agent that sets books, oracles and marks as they were recorded. `done` once nothing is left."""

    def __init__(self, recording: Recording, start_ms: int, speed: float) -> None:
        self._frames = market_frames(recording.path)
        self._next = next(self._frames, None)
        self._first_ns = recording.first_ns
        self._start_ms = start_ms
        self._speed = speed
        self._behind: dict[str, tuple[list[Level], list[Level]]] = {}
        self.played = self.skipped = 0

    @property
    def done(self) -> bool:
        """Whether the recording is over."""
        return self._next is None

    def act(self, venue: AgentVenue, now_ms: int) -> None:
        """Plays all that is due by now."""
        until_ns = self._first_ns + int((now_ms - self._start_ms) * 1_000_000 * self._speed)
        while self._next is not None and self._next[0] <= until_ns:
            _, channel, data = self._next
            try:
                self._play(venue, channel, data)
                self.played += 1
            except (KeyError, TypeError, ValueError, InvalidOperation):
                self.skipped += 1
            self._next = next(self._frames, None)

    def _play(self, venue: AgentVenue, channel: str, data: Any) -> None:
        if channel == "trades":
            for row in data:
                venue.print_trade(row["coin"], row["side"] == "B", _units(row["px"]), _units(row["sz"]))
            return
        coin = data["coin"]
        if channel == "activeAssetCtx":
            ctx = data["ctx"]
            venue.show_context(coin, _units(ctx["oraclePx"]), _units(ctx["markPx"]))
        elif channel == "l2Book":
            bids, asks = ([_level(level) for level in side] for side in data["levels"])
            self._behind[coin] = (bids, asks)
            venue.quote(0, coin, bids, asks)
        else:
            sides: list[list[Level]] = []
            for is_ask, touch in enumerate(data["bbo"]):
                best = [] if touch is None else [_level(touch)]
                # Levels of the last ladder stand behind the touch where they are beyond it.
                behind = self._behind.get(coin, ([], []))[is_ask]
                beyond = [level for level in behind if best and (level[0] > best[0][0]) == bool(is_ask)]
                sides.append(best + [level for level in beyond if level[0] != best[0][0]])
            venue.quote(0, coin, *sides)


def _level(row: Any) -> Level:
    return _units(row["px"]), _units(row["sz"])


def _units(text: str) -> int:
    """A decimal text in units of 10^-8, what is finer cut off."""
    return int(Decimal(text) * _EIGHT)
