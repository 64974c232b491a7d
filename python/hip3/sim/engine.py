"""The matching engine: orders against books, trades against accounts. All texts are the venue's own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hip3.sim.accounts import Account, Ledger, Position, apply_trade
from hip3.sim.book import Order
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Scenario
from hip3.sim.wire import notional, text, usd
from hip3.venue.fees import maker_rate, taker_rate

#: Base tier of the fee schedule.
USER_CROSS_RATE = Decimal("0.00045")
USER_ADD_RATE = Decimal("0.00015")
RATE_UNIT = 10**12
MIN_NOTIONAL = 10 * 1_000_000
FIRST_OID = 400_000_000_000
FEES = "0xfefefefefefefefefefefefefefefefefefefefe"
#: Status words of refusals at run time, by the beginning of their text.
REJECT_WORDS = {
    "Order must have minimum value": "minTradeNtlRejected",
    "Insufficient margin": "perpMarginRejected",
    "Reduce only order would": "reduceOnlyRejected",
    "Post only order would": "badAloPxRejected",
    "Order could not immediately": "iocCancelRejected",
    "Order would increase open interest": "positionIncreaseAtOpenInterestCapRejected",
}


class Refusal(Exception):
    """One order is refused, with the venue's text."""


@dataclass(slots=True)
class Engine:
    """Books, accounts and the rules between them. `events` collects what user channels have to show."""

    scenario: Scenario
    markets: dict[int, LiveMarket]
    accounts: dict[str, Account]
    rng: random.Random
    now_ms: int = 0
    next_oid: int = FIRST_OID
    order_events: list[tuple[Account, Order, str]] = field(default_factory=list)
    fill_events: list[tuple[Account, dict[str, Any]]] = field(default_factory=list)
    marks: dict[int, int] = field(default_factory=dict)
    _rates: dict[int, tuple[int, int]] = field(default_factory=dict)

    # ------------------------------------------------------------ accounts

    def account(self, user: str) -> Account:
        """The account of an address, made on first use."""
        found = self.accounts.get(user)
        if found is None:
            found = self.accounts[user] = Account(user)
        return found

    def ledger(self, account: Account, market: LiveMarket) -> Ledger:
        """What backs a market for an account: its dex's collateral, or the token's when unified."""
        key = -1 - market.dex.collateral_token if account.unified else market.dex.index
        return account.ledgers.setdefault(key, Ledger())

    def rates(self, market: LiveMarket) -> tuple[int, int]:
        """Taker and maker rate as integers of 10^-12."""
        found = self._rates.get(market.spec.asset)
        if found is None:
            terms: dict[str, Any] = {
                "is_builder_dex": market.dex.index > 0,
                "deployer_fee_scale": market.spec.fee_scale,
                "growth_mode": market.spec.growth_mode and market.dex.index > 0,
                "referral_discount": Decimal(0),
                "aligned": self.scenario.token(market.dex.collateral_token).aligned,
            }
            taker, maker = taker_rate(USER_CROSS_RATE, **terms), maker_rate(USER_ADD_RATE, **terms)
            found = self._rates[market.spec.asset] = (int(taker * RATE_UNIT), int(maker * RATE_UNIT))
        return found

    # -------------------------------------------------------------- orders

    def new_order(self, account: Account, market: LiveMarket, terms: dict[str, Any]) -> Order:
        """A numbered order; it is not on the book yet."""
        self.next_oid += 1
        return Order(
            oid=self.next_oid,
            user=account.user,
            asset=market.spec.asset,
            coin=market.key,
            time_ms=self.now_ms,
            orig_sz=terms["sz"],
            **terms,
        )

    def place(self, account: Account, order: Order) -> dict[str, Any]:
        """Runs one order; the status of the answer. Raises Refusal; the record is kept either way."""
        market = self.markets[order.asset]
        account.remember(order)
        try:
            self._check(account, market, order)
            executed, worth = self._match(account, market, order)
            if executed == 0 and order.tif == "Ioc":
                raise Refusal("Order could not immediately match against any resting orders.")
        except Refusal as refusal:
            word = next((w for start, w in REJECT_WORDS.items() if str(refusal).startswith(start)), "rejected")
            self.set_status(account, order, word)
            raise
        ids: dict[str, Any] = {"oid": order.oid}
        if order.cloid is not None:
            ids["cloid"] = order.cloid
        if order.sz == 0:
            self.set_status(account, order, "filled")
        elif order.tif == "Ioc":
            self.set_status(account, order, "canceled")
        else:
            market.rest(order)
            account.open_orders[order.oid] = order
            self.set_status(account, order, "open")
            if not executed:
                return {"resting": ids}
        px = worth * 10_000_000_000 // executed
        step = 10 ** (2 + market.spec.sz_decimals)
        return {"filled": {"totalSz": text(executed), "avgPx": text(px // step * step), **ids}}

    def _check(self, account: Account, market: LiveMarket, order: Order) -> None:
        """Checks at run time, in the venue's order: margin, least value, post-only, open interest."""
        ledger = self.ledger(account, market)
        position = ledger.positions.get(order.asset)
        held = position.szi if position else 0
        signed = order.sz if order.is_buy else -order.sz
        if order.reduce_only:
            if held * signed >= 0:
                raise Refusal("Reduce only order would increase position.")
            if abs(signed) > abs(held):
                order.sz = order.orig_sz = abs(held)
                signed = -held
        closes_all = held != 0 and signed == -held
        if not closes_all and notional(order.px, order.sz) < MIN_NOTIONAL:
            raise Refusal("Order must have minimum value of $10.")
        opened = abs(held + signed) - abs(held) if held * signed >= 0 else max(0, abs(signed) - abs(held))
        if opened > 0 and not account.internal:
            leverage = self.leverage(account, market)
            needed = -(-notional(order.px, opened) // leverage)
            if needed > ledger.available(self.marks) - self._reserved(account, market):
                raise Refusal("Insufficient margin to place order.")
            if market.capped:
                raise Refusal("Order would increase open interest while open interest is capped")
        if order.tif == "Alo" and market.book.crossing(order.is_buy, order.px) is not None:
            bid, ask = market.book.touch()
            bbo = "@".join(text(level[0] if level else 0) for level in (bid, ask))
            raise Refusal(f"Post only order would have immediately matched, bbo was {bbo}.")

    def leverage(self, account: Account, market: LiveMarket) -> int:
        """The leverage an account uses in a market; at first the market's most, twenty at most."""
        return account.leverages.get(market.spec.asset, min(20, market.spec.max_leverage))

    def _reserved(self, account: Account, market: LiveMarket) -> int:
        """Margin held by the account's resting orders that could open."""
        held = 0
        for order in account.open_orders.values():
            other = self.markets[order.asset]
            same = other.dex.index == market.dex.index or account.unified
            if same and not order.reduce_only:
                held += notional(order.px, order.sz) // self.leverage(account, other)
        return held

    def _match(self, account: Account, market: LiveMarket, order: Order) -> tuple[int, int]:
        """Trades the order against the book; returns executed size and its notional."""
        executed = worth = 0
        while order.sz > 0:
            resting = market.book.crossing(order.is_buy, order.px)
            if resting is None:
                break
            owner = self.accounts[resting.user]
            if owner is account:
                self.cancel(owner, resting, "selfTradeCanceled")
                continue
            size = min(order.sz, resting.sz, self._resting_limit(owner, market, resting))
            if size <= 0:
                self.cancel(owner, resting, "reduceOnlyCanceled" if resting.reduce_only else "marginCanceled")
                continue
            self._trade(account, owner, market, order, resting, size)
            executed += size
            worth += notional(resting.px, size)
        return executed, worth

    def _resting_limit(self, owner: Account, market: LiveMarket, resting: Order) -> int:
        """How much of a resting order may trade: its position for reduce-only, its margin else."""
        if owner.internal:
            return resting.sz
        ledger = self.ledger(owner, market)
        position = ledger.positions.get(resting.asset)
        held = position.szi if position else 0
        signed = 1 if resting.is_buy else -1
        if resting.reduce_only:
            return abs(held) if held * signed < 0 else 0
        opened = resting.sz if held * signed >= 0 else max(0, resting.sz - abs(held))
        needed = -(-notional(resting.px, opened) // self.leverage(owner, market))
        return resting.sz if needed <= ledger.available(self.marks) else 0

    def _trade(
        self, taker: Account, maker: Account, market: LiveMarket, order: Order, resting: Order, size: int
    ) -> None:
        tid = self.rng.getrandbits(50)
        taker_rate_, maker_rate_ = self.rates(market)
        digest = f"0x{self.rng.getrandbits(256):064x}"
        for account, own, crossed, rate in ((taker, order, True, taker_rate_), (maker, resting, False, maker_rate_)):
            self._book_side(account, market, own, size, resting.px, crossed, rate, tid, digest)
        order.sz -= size
        resting.sz -= size
        if resting.sz == 0:
            market.unrest(resting)
            maker.open_orders.pop(resting.oid, None)
            self.set_status(maker, resting, "filled")
        else:
            self.order_events.append((maker, resting, "open"))
        market.dirty = True
        market.on_trade(resting.px, size)

    def _book_side(
        self,
        account: Account,
        market: LiveMarket,
        order: Order,
        size: int,
        px: int,
        crossed: bool,
        rate: int,
        tid: int,
        digest: str,
    ) -> None:
        ledger = self.ledger(account, market)
        worth = notional(px, size)
        fee = worth * rate // RATE_UNIT if rate >= 0 else -(worth * -rate // RATE_UNIT)
        position = ledger.positions.get(order.asset)
        if position is None:
            isolated = market.spec.only_isolated and not account.internal
            leverage = self.leverage(account, market)
            position = ledger.positions[order.asset] = Position(order.asset, 0, 0, leverage, isolated)
        before = position.szi
        delta = size if order.is_buy else -size
        pnl = apply_trade(ledger, position, delta, px, fee)
        self.ledger(self.account(FEES), market).cash += fee
        account.changed = True
        account.volume += worth
        if account.internal:
            return
        fill = {
            "coin": order.coin,
            "px": text(px),
            "sz": text(size),
            "side": "B" if order.is_buy else "A",
            "time": self.now_ms,
            "startPosition": text(before),
            "dir": _direction(before, delta),
            "closedPnl": usd(pnl),
            "hash": digest,
            "oid": order.oid,
            "crossed": crossed,
            "fee": usd(fee),
            "tid": tid,
            "feeToken": self.scenario.token(market.dex.collateral_token).name,
            "twapId": None,
        }
        if order.cloid is not None:
            fill["cloid"] = order.cloid
        account.fills.append(fill)
        self.fill_events.append((account, fill))

    def cancel(self, account: Account, order: Order, word: str) -> None:
        """Takes a resting order off the book under this status word."""
        self.markets[order.asset].unrest(order)
        account.open_orders.pop(order.oid, None)
        self.set_status(account, order, word)

    def set_status(self, account: Account, order: Order, word: str) -> None:
        """Notes a change of status; user channels show it with this block."""
        order.status, order.status_ms, order.status_sz = word, self.now_ms, order.sz
        if not account.internal:
            self.order_events.append((account, order, word))

    def conservation(self) -> dict[str, int]:
        """Sums that do not change: positions per market are zero; money only comes in by funding."""
        sizes: dict[int, int] = dict.fromkeys(self.markets, 0)
        money = 0
        for account in self.accounts.values():
            for ledger in account.ledgers.values():
                money += ledger.total_raw()
                for position in ledger.positions.values():
                    sizes[position.asset] += position.szi
        return {"money": money, "unbalanced_markets": sum(1 for size in sizes.values() if size)}


def _direction(before: int, delta: int) -> str:
    after = before + delta
    if before == 0 or before * delta > 0:
        return "Open Long" if delta > 0 else "Open Short"
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    return "Close Long" if before > 0 else "Close Short"
