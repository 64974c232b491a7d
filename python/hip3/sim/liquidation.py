"""Liquidation, backstop and auto-deleveraging: what happens to positions that are no longer backed.

Equity under maintenance: the orders are cancelled and the positions go to the book. Equity under two thirds
of it: what is left goes to the backstop at the mark. Negative equity: winners on the other side are closed
at the price at which nothing is owed.
"""

from __future__ import annotations

from hip3.sim import margin, matching
from hip3.sim.accounts import Account, Ledger, Position
from hip3.sim.book import Order
from hip3.sim.engine import Engine
from hip3.sim.market import LiveMarket
from hip3.sim.wire import notional, text, usd

BACKSTOP = "0xb5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5"
#: A liquidation order may go this far from the mark before the rest is left to the next block.
REACH_BPS = 500


def run(engine: Engine) -> None:
    """Looks at every account that is not the venue's own."""
    for account in list(engine.accounts.values()):
        if account.internal:
            continue
        for ledger in list(account.ledgers.values()):
            if ledger.positions:
                _look(engine, account, ledger)


def _look(engine: Engine, account: Account, ledger: Ledger) -> None:
    for position in list(ledger.positions.values()):
        if position.isolated:
            mark = engine.marks[position.asset]
            equity = margin.isolated_equity(position, mark)
            needed = margin.maintenance(engine.markets[position.asset], notional(mark, position.szi))
            if equity < needed:
                _liquidate(engine, account, ledger, [position], 3 * equity < 2 * needed)
    cross = margin.cross_positions(ledger)
    if cross:
        equity = margin.cross_equity(ledger, engine.marks)
        needed = margin.cross_maintenance(ledger, engine.marks, engine.markets)
        if equity < needed:
            _liquidate(engine, account, ledger, cross, 3 * equity < 2 * needed)


def _liquidate(engine: Engine, account: Account, ledger: Ledger, positions: list[Position], backstop: bool) -> None:
    assets = {position.asset for position in positions}
    all_cross = not positions[0].isolated
    for order in list(account.open_orders.values()):
        if order.oid in account.open_orders and (all_cross or order.asset in assets):
            engine.cancel(account, order, "liquidatedCanceled")
    worth = sum(abs(notional(engine.marks[p.asset], p.szi)) for p in positions)
    event = {
        "lid": engine.rng.getrandbits(48),
        "liquidator": BACKSTOP if backstop else account.user,
        "liquidated_user": account.user,
        "liquidated_ntl_pos": usd(worth),
        "liquidated_account_value": usd(margin.cross_equity(ledger, engine.marks)),
    }
    engine.user_events.append((account.user, {"liquidation": event}))
    for position in sorted(positions, key=lambda p: p.asset):
        market = engine.markets[position.asset]
        if backstop:
            _take_over(engine, account, ledger, market, position)
        else:
            _send_to_book(engine, account, market, position)


def _forced(engine: Engine, account: Account, market: LiveMarket, method: str) -> matching.Forced:
    return {"liquidatedUser": account.user, "markPx": text(engine.marks[market.spec.asset]), "method": method}


def _close_order(engine: Engine, account: Account, market: LiveMarket, position: Position) -> Order:
    is_buy = position.szi < 0
    mark = engine.marks[market.spec.asset]
    reach = mark * REACH_BPS // 10_000
    terms = {
        "is_buy": is_buy,
        "px": mark + reach if is_buy else mark - reach,
        "sz": abs(position.szi),
        "tif": "LiquidationMarket",
        "reduce_only": True,
        "cloid": None,
    }
    order = engine.new_order(account, market, terms)
    account.remember(order)
    return order


def _send_to_book(engine: Engine, account: Account, market: LiveMarket, position: Position) -> None:
    order = _close_order(engine, account, market, position)
    matching.match(engine, account, market, order, _forced(engine, account, market, "market"))
    engine.set_status(account, order, "filled" if order.sz == 0 else "canceled")


def _take_over(engine: Engine, account: Account, ledger: Ledger, market: LiveMarket, position: Position) -> None:
    """The backstop takes the position at the mark with all the money behind it; losses go to the winners."""
    mark = engine.marks[market.spec.asset]
    equity = margin.isolated_equity(position, mark) if position.isolated else margin.cross_equity(ledger, engine.marks)
    if equity < 0:
        _deleverage(engine, account, market, position, equity)
        return
    order = _close_order(engine, account, market, position)
    backstop = engine.account(BACKSTOP)
    backstop.internal = True
    last_cross = not position.isolated and len(margin.cross_positions(ledger)) == 1
    isolated_equity = equity if position.isolated else 0
    _trade_with(engine, account, backstop, market, order, abs(position.szi), mark, "backstop")
    moved = isolated_equity if position.isolated else (ledger.cash if last_cross else 0)
    ledger.cash -= moved
    engine.ledger(backstop, market).cash += moved
    engine.set_status(account, order, "filled")


def _deleverage(engine: Engine, account: Account, market: LiveMarket, position: Position, equity: int) -> None:
    """Closes the position against the winners of the other side at the price that leaves nothing owed."""
    mark = engine.marks[market.spec.asset]
    szi = position.szi
    order = _close_order(engine, account, market, position)
    # Closing |szi| at px instead of the mark changes equity by szi * (px - mark): this px brings it to zero.
    px = max(1, mark + (-equity) * 10_000_000_000 // szi)
    ranked = sorted(_winners(engine, account, market, szi, mark), key=lambda item: (-item[0], item[1].user))
    for _, winner, size in ranked:
        if order.sz == 0:
            break
        part = min(order.sz, size)
        _trade_with(engine, account, winner, market, order, part, px, "backstop", "Auto-Deleveraging")
        order.sz -= part
    engine.set_status(account, order, "filled" if order.sz == 0 else "canceled")


def _winners(
    engine: Engine, account: Account, market: LiveMarket, szi: int, mark: int
) -> list[tuple[int, Account, int]]:
    """Accounts of the other side with their profit times leverage and size."""
    found = []
    for other in engine.accounts.values():
        ledger = engine.ledger_of(other, market)
        held = ledger.positions.get(market.spec.asset) if ledger is not None else None
        if held is not None and other is not account and held.szi * szi < 0:
            found.append(((notional(mark, held.szi) - held.cost) * held.leverage, other, abs(held.szi)))
    return found


def _trade_with(
    engine: Engine,
    account: Account,
    other: Account,
    market: LiveMarket,
    order: Order,
    size: int,
    px: int,
    method: str,
    word: str = "",
) -> None:
    terms = {"is_buy": not order.is_buy, "px": px, "sz": size, "tif": "LiquidationMarket", "reduce_only": False}
    counter = engine.new_order(other, market, {**terms, "cloid": None})
    forced = _forced(engine, account, market, method)
    marks = {"crossed": True, "tid": engine.rng.getrandbits(50), "hash": matching.NO_HASH}
    if word:
        marks["dir"] = word
    matching.book_side(engine, account, market, order, size, px, 0, marks, forced)
    matching.book_side(engine, other, market, counter, size, px, 0, {**marks, "crossed": False}, forced)
    if method == "backstop" and not word:
        order.sz -= size
    for changed in (account, other):
        matching.shrink_reduce_only(engine, changed, market)
