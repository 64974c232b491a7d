"""What positions must be backed by: tiers, initial and maintenance margin, liquidation prices. Pure.

Money is integers of 10^-6, prices and sizes of 10^-8. Rules: exchange page, sections 1 and 8.
"""

from __future__ import annotations

from typing import NamedTuple

from hip3.sim.accounts import Ledger, Position
from hip3.sim.market import LiveMarket
from hip3.sim.wire import notional, text

LIQUIDATION_DECIMALS = 10


class Tier(NamedTuple):
    """From this notional on (10^-6) at most this leverage."""

    lower: int
    leverage: int


def tiers(market: LiveMarket) -> list[Tier]:
    """The market's margin table: one tier unless the scenario gives more."""
    spec = market.spec
    above = [Tier(lower * 1_000_000, leverage) for lower, leverage in spec.tiers()]
    return [Tier(0, spec.max_leverage), *above]


def tier_leverage(market: LiveMarket, worth: int) -> int:
    """The most leverage a position of this notional may have."""
    return next(tier.leverage for tier in reversed(tiers(market)) if abs(worth) >= tier.lower)


def maintenance(market: LiveMarket, worth: int) -> int:
    """Half of the initial margin at the most leverage, taken tier by tier so that it has no jumps."""
    size, needed = abs(worth), 0
    table = tiers(market)
    for number, tier in enumerate(table):
        upper = table[number + 1].lower if number + 1 < len(table) else size
        part = min(size, max(upper, tier.lower)) - tier.lower
        if part > 0:
            needed += -(-part // (2 * tier.leverage))
    return needed


def cross_positions(ledger: Ledger) -> list[Position]:
    """Positions that share the ledger's cash."""
    return [position for position in ledger.positions.values() if not position.isolated]


def cross_equity(ledger: Ledger, marks: dict[int, int]) -> int:
    """Cash and cross positions at mark."""
    return ledger.cash + sum(notional(marks[p.asset], p.szi) for p in cross_positions(ledger))


def cross_maintenance(ledger: Ledger, marks: dict[int, int], markets: dict[int, LiveMarket]) -> int:
    """What the cross positions together must be backed by."""
    return sum(maintenance(markets[p.asset], notional(marks[p.asset], p.szi)) for p in cross_positions(ledger))


def isolated_equity(position: Position, mark: int) -> int:
    """An isolated position's own equity."""
    return position.raw + notional(mark, position.szi)


def liquidation_px(position: Position, market: LiveMarket, mark: int, equity: int, needed: int) -> str | None:
    """The mark at which the position's equity meets its maintenance, as the venue writes it; None for never.

    `equity` and `needed` are of what backs the position: its own when isolated, the account's when cross.
    """
    side = 1 if position.szi > 0 else -1
    leverage = tier_leverage(market, notional(mark, position.szi))
    # mark - side * (equity - needed) / |szi| / (1 - side / (2 * leverage)), in units of 10^-10.
    room = (equity - needed) * 2 * leverage * 10**12
    px = mark * 100 - side * (room // (abs(position.szi) * (2 * leverage - side)))
    return text(px, LIQUIDATION_DECIMALS) if px > 0 else None
