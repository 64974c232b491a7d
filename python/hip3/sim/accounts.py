"""Accounts: collateral, positions, open orders, fills. Money is integers of 10^-6, exact and conserved.

A ledger is the collateral of one account on one dex, or of a unified account in one token. Positions of
isolated markets hold a part of it of their own (`raw`), as the venue shows it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from hip3.sim.book import Order
from hip3.sim.wire import notional

FILLS_MAX = 10_000
EQUITY_MAX = 2000
ORDERS_MAX = 20_000


@dataclass(slots=True)
class Position:
    """One open position. `szi` is signed in 10^-8; `cost` is the signed notional it was entered at."""

    asset: int
    szi: int
    cost: int
    leverage: int
    isolated: bool
    raw: int = 0
    #: Funding paid (positive) or received since the position was opened, and since it last changed.
    funding: int = 0
    funding_changed: int = 0


@dataclass(slots=True)
class Ledger:
    """Collateral that backs positions: `cash` without the parts that isolated positions hold."""

    cash: int = 0
    positions: dict[int, Position] = field(default_factory=dict)

    def total_raw(self) -> int:
        """All collateral, before the value of positions."""
        return self.cash + sum(p.raw for p in self.positions.values())

    def value(self, marks: dict[int, int]) -> int:
        """Collateral and positions at mark."""
        return self.total_raw() + sum(notional(marks[p.asset], p.szi) for p in self.positions.values())

    def available(self, marks: dict[int, int]) -> int:
        """What new cross or isolated margin may be taken from."""
        free = self.cash
        for p in self.positions.values():
            if not p.isolated:
                worth = notional(marks[p.asset], p.szi)
                free += worth - -(-abs(worth) // p.leverage)
        return free


@dataclass(slots=True)
class Agent:
    """An agent's approval: what it may sign for, until when (None: for good)."""

    address: str
    master: str
    name: str
    valid_until_ms: int


@dataclass(slots=True)
class Account:
    """One address at the venue. Amounts of spot tokens are integers of 10^-6 by token index."""

    user: str
    unified: bool = False
    internal: bool = False
    #: The master's address when this is a sub-account, and its name.
    master: str | None = None
    name: str = ""
    ledgers: dict[int, Ledger] = field(default_factory=dict)
    spot: dict[int, int] = field(default_factory=dict)
    leverages: dict[int, int] = field(default_factory=dict)
    #: Assets whose margin type was chosen: True for cross.
    cross: dict[int, bool] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    orders: OrderedDict[int, Order] = field(default_factory=OrderedDict)
    by_cloid: dict[str, int] = field(default_factory=dict)
    fills: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=FILLS_MAX))
    fundings: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=FILLS_MAX))
    updates: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=FILLS_MAX))
    #: Time, equity, money put in and volume at each sample.
    equity_history: deque[tuple[int, int, int, int]] = field(default_factory=lambda: deque(maxlen=EQUITY_MAX))
    #: Builders approved, with the most they may take in tenths of a basis point.
    builders: dict[str, int] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    subs: list[str] = field(default_factory=list)
    #: Money put in less money taken out, over all ledgers and spot.
    deposited: int = 0
    volume: int = 0
    #: The part of the volume that counts for the request budget.
    credit: int = 0
    requests: int = 0
    reserved: int = 0
    last_over_ms: int = 0
    cancel_at_ms: int | None = None
    #: Block in which an agent was removed last.
    removal_ms: int = -1
    cancels_fired: tuple[int, int] = (0, 0)
    funded: bool = False
    changed: bool = False

    def note_funding(self, event: dict[str, Any]) -> None:
        """Keeps one funding payment."""
        self.fundings.append(event)

    def remember(self, order: Order) -> None:
        """Keeps an order for `orderStatus`; the oldest dead ones are forgotten beyond the bound."""
        self.orders[order.oid] = order
        if order.cloid is not None:
            self.by_cloid[order.cloid] = order.oid
        if len(self.orders) > ORDERS_MAX:
            oid, old = self.orders.popitem(last=False)
            if old.cloid is not None and self.by_cloid.get(old.cloid) == oid:
                del self.by_cloid[old.cloid]


def opening(held: int, signed: int) -> int:
    """How much of a trade of signed size would open or add to a position, with the position it meets."""
    if held * signed >= 0:
        return abs(signed)
    return max(0, abs(signed) - abs(held))


def apply_trade(ledger: Ledger, position: Position, delta: int, px: int, fee: int) -> int:
    """Books a trade of signed size `delta` at `px` with its fee; returns the closed profit before fees.

    Total collateral changes by exactly the cash of the trade and the fee, whatever moves between the
    ledger and an isolated position.
    """
    before = position.szi
    paid = notional(px, delta)
    ledger.cash -= fee
    closing = 0 if before * delta >= 0 else min(abs(delta), abs(before)) * (1 if delta > 0 else -1)
    closed_cost = position.cost * abs(closing) // abs(before) if closing else 0
    pnl = -notional(px, closing) - closed_cost if closing else 0
    opened = delta - closing
    position.szi = before + delta
    position.funding_changed = position.funding
    position.cost += -closed_cost + notional(px, opened)
    if not position.isolated:
        ledger.cash -= paid
    else:
        _book_isolated(ledger, position, before, closing, opened, px)
    if position.szi == 0:
        ledger.cash += position.raw
        del ledger.positions[position.asset]
    return pnl


def _book_isolated(ledger: Ledger, position: Position, before: int, closing: int, opened: int, px: int) -> None:
    """An opening trade takes its initial margin from the ledger; a closing one gives back its share."""
    if closing:
        left = before + closing
        equity = position.raw + notional(px, before)
        kept = equity * abs(left) // abs(before)
        position.raw -= notional(px, closing)
        released = position.raw + notional(px, left) - kept
        position.raw -= released
        ledger.cash += released
    if opened:
        margin = -(-abs(notional(px, opened)) // position.leverage)
        ledger.cash -= margin
        position.raw += margin - notional(px, opened)
