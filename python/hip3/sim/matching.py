"""Trades: an order against the book, both sides booked, fees taken, fills and prints written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hip3.sim.accounts import Account, Position, apply_trade, opening
from hip3.sim.book import Order
from hip3.sim.market import LiveMarket
from hip3.sim.wire import notional, text, usd

if TYPE_CHECKING:
    from hip3.sim.engine import Engine

#: Fee rates are integers of 10^-12, fees go to this account.
RATE_UNIT = 10**12
FEES = "0xfefefefefefefefefefefefefefefefefefefefe"
#: Builder fees are tenths of a basis point.
BUILDER_UNIT = 100_000
NO_HASH = "0x" + "0" * 64

#: What a forced trade says of itself: the liquidated user, the mark, and `market` or `backstop`.
Forced = dict[str, Any]


def match(
    engine: Engine,
    account: Account,
    market: LiveMarket,
    order: Order,
    forced: Forced | None = None,
    most: int = 1 << 30,
) -> tuple[int, int]:
    """Trades the order against at most `most` resting ones; returns executed size and its notional."""
    executed = worth = 0
    touched: dict[str, Account] = {}
    while order.sz > 0 and most > 0:
        most -= 1
        resting = market.book.crossing(order.is_buy, order.px)
        if resting is None:
            break
        owner = engine.accounts[resting.user]
        if owner is account:
            engine.cancel(owner, resting, "selfTradeCanceled")
            _tell_cancel(engine, owner, resting)
            continue
        size = min(order.sz, resting.sz, _resting_limit(engine, owner, market, resting))
        if size <= 0:
            engine.cancel(owner, resting, _why_gone(market, resting))
            if not resting.reduce_only:
                _tell_cancel(engine, owner, resting)
            continue
        _trade(engine, account, owner, market, order, resting, size, forced)
        touched[owner.user] = owner
        executed += size
        worth += notional(resting.px, size)
    if executed:
        for changed in (account, *touched.values()):
            shrink_reduce_only(engine, changed, market)
        on_executed(engine, account, order)
    return executed, worth


def on_executed(engine: Engine, account: Account, order: Order) -> None:
    """Wakes the children of a filled order, and ends the sibling of one that has filled."""
    if order.sz > 0:
        return
    siblings: list[Order] = []
    for child in order.children:
        if child.parent is order:
            child.parent = None
        elif child is not order:
            siblings.append(child)
    for sibling in siblings:
        if sibling.oid in account.open_orders:
            engine.cancel(account, sibling, "siblingFilledCanceled")


def _tell_cancel(engine: Engine, account: Account, order: Order) -> None:
    engine.user_events.append((account.user, {"nonUserCancel": [{"coin": order.coin, "oid": order.oid}]}))


def _why_gone(market: LiveMarket, resting: Order) -> str:
    if resting.reduce_only:
        return "reduceOnlyCanceled"
    return "openInterestCapCanceled" if market.capped else "marginCanceled"


def _resting_limit(engine: Engine, owner: Account, market: LiveMarket, resting: Order) -> int:
    """How much of a resting order may trade: its position for reduce-only, its margin else."""
    if owner.internal:
        return resting.sz
    held = engine.position_sz(owner, market)
    signed = resting.sz if resting.is_buy else -resting.sz
    if resting.reduce_only:
        return abs(held) if held * signed < 0 else 0
    opened = opening(held, signed)
    if opened and market.capped:
        return 0
    needed = -(-notional(resting.px, opened) // engine.leverage(owner, market))
    return resting.sz if needed <= engine.ledger(owner, market).available(engine.marks) else 0


def _trade(
    engine: Engine,
    taker: Account,
    maker: Account,
    market: LiveMarket,
    order: Order,
    resting: Order,
    size: int,
    forced: Forced | None,
) -> None:
    tid, digest = engine.rng.getrandbits(50), f"0x{engine.rng.getrandbits(256):064x}"
    taker_rate, maker_rate = engine.rates(market)
    px = resting.px
    for account, own, crossed, rate in ((taker, order, True, taker_rate), (maker, resting, False, maker_rate)):
        fee = _fee(notional(px, size), rate)
        book_side(engine, account, market, own, size, px, fee, {"crossed": crossed, "tid": tid, "hash": digest}, forced)
    order.sz -= size
    resting.sz -= size
    if resting.sz == 0:
        market.unrest(resting)
        maker.open_orders.pop(resting.oid, None)
        engine.set_status(maker, resting, "filled")
        on_executed(engine, maker, resting)
    else:
        if not maker.internal:
            engine.order_events.append((maker, resting, "open", resting.sz))
    market.dirty = True
    print_trade(engine, market, order.is_buy, px, size, tid, digest, (taker.user, maker.user))


def print_trade(
    engine: Engine,
    market: LiveMarket,
    is_buy: bool,
    px: int,
    size: int,
    tid: int,
    digest: str,
    users: tuple[str, str],
) -> None:
    """Counts a trade and puts it on the market's tape; `users` are aggressor and rester."""
    market.on_trade(px, size)
    buyer, seller = users if is_buy else users[::-1]
    row = {
        "coin": market.key,
        "side": "B" if is_buy else "A",
        "px": text(px),
        "sz": text(size),
        "time": engine.now_ms,
        "hash": digest,
        "tid": tid,
        "users": [address_of(buyer), address_of(seller)],
    }
    market.tape.print_trade(row, px, size)


def address_of(user: str) -> str:
    """The address under which a user shows; accounts of the venue's own have names inside."""
    return user if user.startswith("0x") else "0x" + user.encode().hex().rjust(40, "0")[-40:]


def _fee(worth: int, rate: int) -> int:
    """Truncated toward zero at six decimals, rebates too."""
    return worth * rate // RATE_UNIT if rate >= 0 else -(worth * -rate // RATE_UNIT)


def book_side(
    engine: Engine,
    account: Account,
    market: LiveMarket,
    order: Order,
    size: int,
    px: int,
    fee: int,
    marks: dict[str, Any],
    forced: Forced | None = None,
) -> None:
    """Books one side of a trade and writes its fill."""
    ledger = engine.ledger(account, market)
    worth = notional(px, size)
    builder_fee = 0
    if order.builder is not None:
        builder, tenths = order.builder
        builder_fee = worth * tenths // BUILDER_UNIT
        engine.ledger(engine.account(builder), market).cash += builder_fee
    position = ledger.positions.get(order.asset)
    if position is None:
        isolated = not engine.is_cross(account, market)
        position = ledger.positions[order.asset] = Position(
            order.asset, 0, 0, engine.leverage(account, market), isolated
        )
    before = position.szi
    delta = size if order.is_buy else -size
    pnl = apply_trade(ledger, position, delta, px, fee + builder_fee)
    engine.ledger(engine.account(FEES), market).cash += fee
    account.changed = True
    account.volume += worth
    account.credit += worth // 10 if market.spec.growth_mode and market.dex.index else worth
    if account.internal:
        return
    market.held += max(0, before + delta) - max(0, before)
    fill = {
        "coin": order.coin,
        "px": text(px),
        "sz": text(size),
        "side": "B" if order.is_buy else "A",
        "time": engine.now_ms,
        "startPosition": text(before),
        "dir": marks.get("dir") or direction(before, delta),
        "closedPnl": usd(pnl),
        "hash": marks["hash"],
        "oid": order.oid,
        "crossed": marks["crossed"],
        "fee": usd(fee + builder_fee),
        "tid": marks["tid"],
        "feeToken": engine.scenario.token(market.dex.collateral_token).name,
        "twapId": None,
    }
    if order.cloid is not None:
        fill["cloid"] = order.cloid
    if builder_fee:
        fill["builderFee"] = usd(builder_fee)
    if forced is not None:
        fill["liquidation"] = forced
    account.fills.append(fill)
    engine.fill_events.append((account, fill))


def shrink_reduce_only(engine: Engine, account: Account, market: LiveMarket) -> None:
    """Keeps resting reduce-only orders within the position: the newest first, the oldest give way."""
    if account.internal or not account.open_orders:
        return
    asset = market.spec.asset
    held = engine.position_sz(account, market)
    room = abs(held)
    for order in reversed(list(account.open_orders.values())):
        if order.asset != asset or not order.reduce_only or order.parent is not None:
            continue
        if order.waits:
            if held == 0:
                engine.cancel(account, order, "reduceOnlyCanceled")
            continue
        closing = held * (1 if order.is_buy else -1) < 0
        if not closing or room == 0:
            engine.cancel(account, order, "reduceOnlyCanceled")
        elif order.sz > room:
            order.sz, room = room, 0
            market.dirty = True
            engine.set_status(account, order, "open")
        else:
            room -= order.sz


def direction(before: int, delta: int) -> str:
    """The venue's word for what a trade does to a position."""
    after = before + delta
    if before == 0 or before * delta > 0:
        return "Open Long" if delta > 0 else "Open Short"
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    return "Close Long" if before > 0 else "Close Short"
