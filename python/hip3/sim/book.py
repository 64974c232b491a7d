"""One market's resting orders by price and time. Knows prices and sizes, not money."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Trigger:
    """When an order comes alive: the mark reaches `px`. `kind` is `tp` or `sl`."""

    px: int
    is_market: bool
    kind: str


@dataclass(slots=True, eq=False)
class Order:
    """One order at the venue. Prices and sizes are integers of 10^-8; `sz` is what remains."""

    oid: int
    user: str
    asset: int
    coin: str
    is_buy: bool
    px: int
    sz: int
    orig_sz: int
    tif: str
    reduce_only: bool
    cloid: str | None
    time_ms: int
    status: str = "open"
    status_ms: int = 0
    #: The remaining size at the last change of status, which is what `orderStatus` shows.
    status_sz: int = 0
    trigger: Trigger | None = None
    #: True once the trigger has fired: the order is then like any other.
    fired: bool = False
    position_tpsl: bool = False
    #: Orders that live and die with this one, and the one that this one waits for.
    children: list[Order] = field(default_factory=list)
    parent: Order | None = None
    builder: tuple[str, int] | None = None

    @property
    def waits(self) -> bool:
        """Whether this is a trigger that has not fired: it is on no book."""
        return self.trigger is not None and not self.fired

    @property
    def awake(self) -> bool:
        """Whether a waiting trigger may fire: its parent, if it has one, has been filled."""
        return self.parent is None


Touch = tuple[tuple[int, int, int] | None, tuple[int, int, int] | None]


@dataclass(slots=True)
class _Side:
    """Levels of one side: sorted keys (negated for bids), a queue of orders each."""

    sign: int
    keys: list[int] = field(default_factory=list)
    levels: dict[int, deque[Order]] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        key = self.sign * order.px
        queue = self.levels.get(key)
        if queue is None:
            queue = self.levels[key] = deque()
            bisect.insort(self.keys, key)
        queue.append(order)

    def remove(self, order: Order) -> None:
        key = self.sign * order.px
        queue = self.levels[key]
        queue.remove(order)
        if not queue:
            del self.levels[key]
            del self.keys[bisect.bisect_left(self.keys, key)]

    def best(self) -> deque[Order] | None:
        return self.levels[self.keys[0]] if self.keys else None


class Book:
    """Price-time priority. `match` yields the resting orders that a taker may hit, best first."""

    def __init__(self) -> None:
        self._bids = _Side(-1)
        self._asks = _Side(1)

    def side(self, is_buy: bool) -> _Side:
        """The side on which an order of this direction rests."""
        return self._bids if is_buy else self._asks

    def add(self, order: Order) -> None:
        """Puts an order behind those of its price."""
        self.side(order.is_buy).add(order)

    def remove(self, order: Order) -> None:
        """Takes an order out; it must be in."""
        self.side(order.is_buy).remove(order)

    def crossing(self, is_buy: bool, px: int) -> Order | None:
        """The first order that a taker of this direction and limit would hit."""
        queue = self.side(not is_buy).best()
        if queue is None:
            return None
        first = queue[0]
        crosses = first.px <= px if is_buy else first.px >= px
        return first if crosses else None

    def best_px(self, is_buy: bool) -> int | None:
        """The best price of a side."""
        queue = self.side(is_buy).best()
        return queue[0].px if queue else None

    def touch(self) -> Touch:
        """`(px, sz, n)` of the best bid and ask; an empty side is None."""
        bid, ask = self._level(self._bids, 0), self._level(self._asks, 0)
        return bid, ask

    def depth(self, is_buy: bool, most: int | None) -> list[tuple[int, int, int]]:
        """Up to `most` levels of a side (None: all of them), best first."""
        side = self.side(is_buy)
        count = len(side.keys) if most is None else min(most, len(side.keys))
        found = (self._level(side, i) for i in range(count))
        return [level for level in found if level is not None]

    @staticmethod
    def _level(side: _Side, index: int) -> tuple[int, int, int] | None:
        if index >= len(side.keys):
            return None
        queue = side.levels[side.keys[index]]
        return queue[0].px, sum(order.sz for order in queue), len(queue)

    def orders(self) -> Iterator[Order]:
        """Every resting order."""
        for side in (self._bids, self._asks):
            for queue in side.levels.values():
                yield from queue


def tick_problem(px: int, sz_decimals: int) -> str | None:
    """Why the venue refuses this price, in its words, or None."""
    if px <= 0 or px % 10 ** (2 + sz_decimals):
        return "Order has invalid price."
    if px % 100_000_000 == 0:
        return None
    return "Price must be divisible by tick size." if len(str(px).rstrip("0")) > 5 else None


def lot_problem(sz: int, sz_decimals: int) -> str | None:
    """Why the venue refuses this size, in its words, or None."""
    if sz == 0:
        return "Order has zero size."
    return "Order has invalid size." if sz % 10 ** (8 - sz_decimals) else None


def level_json(level: tuple[int, int, int] | None, text: Any) -> dict[str, Any] | None:
    """A level as the wire shows it."""
    return None if level is None else {"px": text(level[0]), "sz": text(level[1]), "n": level[2]}
