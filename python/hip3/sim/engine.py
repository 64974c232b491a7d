"""The venue's rules between books and accounts: admission of orders, their lives, cancels. Texts are the venue's.

`Engine` owns the state; `matching` trades, `triggers` wakes waiting orders, `liquidation` and `funding` act
on positions. Everything that user channels have to show is collected in the event lists.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hip3.sim import margin, matching
from hip3.sim.accounts import Account, Agent, Ledger, opening
from hip3.sim.book import Order
from hip3.sim.market import LiveMarket
from hip3.sim.nonces import NonceSet
from hip3.sim.scenario import Dex, Scenario
from hip3.sim.wire import notional, text, usd
from hip3.venue.fees import maker_rate, taker_rate

#: Base tier of the fee schedule.
USER_CROSS_RATE = Decimal("0.00045")
USER_ADD_RATE = Decimal("0.00015")
MIN_NOTIONAL = 10 * 1_000_000
FIRST_OID = 400_000_000_000
#: Requests of an account before volume buys more.
REQUESTS_FREE = 10_000
#: Open orders of an account: this many, one more for each five million of volume, never above the most.
OPEN_ORDERS_FREE = 1000
OPEN_ORDERS_MAX = 5000
OPEN_ORDERS_VOLUME = 5_000_000 * 1_000_000


class Refusal(Exception):
    """One order is refused, with the venue's text and the word of its status."""

    def __init__(self, text: str, word: str = "rejected") -> None:
        super().__init__(text)
        self.word = word


@dataclass(slots=True)
class Engine:
    """Books, accounts and the rules between them."""

    scenario: Scenario
    markets: dict[int, LiveMarket]
    accounts: dict[str, Account]
    rng: random.Random
    now_ms: int = 0
    next_oid: int = FIRST_OID
    #: Only post-only orders are taken until then.
    post_only_until_ms: int = 0
    funded_hour: int | None = None
    #: Builder dexs whose oracle is set from outside: the venue's own leaves them alone.
    scripted: set[int] = field(default_factory=set)
    #: Which network's hash to try first where both are taken.
    mainnet_first: bool = False
    #: Changes of status with the size that was left at that moment.
    order_events: list[tuple[Account, Order, str, int]] = field(default_factory=list)
    fill_events: list[tuple[Account, dict[str, Any]]] = field(default_factory=list)
    #: What the channel `user` shows besides fills.
    user_events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ledger_events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Waiting trigger orders by market, in the order in which they came.
    waiting: dict[int, dict[int, Order]] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    nonces: dict[str, NonceSet] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    by_coin: dict[str, LiveMarket] = field(default_factory=dict)
    #: Deployers that stand in for those of the scenario, by dex index.
    deployers: dict[int, str] = field(default_factory=dict)
    _rates: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_coin = {market.key: market for market in self.markets.values()}
        self.refresh_marks()

    def refresh_marks(self) -> None:
        """Takes the marks of all markets over into `marks`."""
        for asset, market in self.markets.items():
            self.marks[asset] = market.mark

    def deployer(self, dex: Dex) -> str:
        """The address that may deploy on a dex, in lower case."""
        return self.deployers.get(dex.index, dex.deployer).lower()

    # ------------------------------------------------------------ accounts

    def account(self, user: str) -> Account:
        """The account of an address, made on first use."""
        found = self.accounts.get(user)
        if found is None:
            found = self.accounts[user] = Account(user)
        return found

    def dex(self, name: str) -> Dex | None:
        """The dex of this name; "" is the main one."""
        return self.scenario.dex(name)

    def ledger_key(self, account: Account, dex: Dex) -> int:
        """Where a dex's collateral of an account lies: on the dex, or once per token when unified."""
        return -1 - dex.collateral_token if account.unified else dex.index

    def ledger(self, account: Account, market: LiveMarket) -> Ledger:
        """What backs a market for an account, made on first use."""
        return account.ledgers.setdefault(self.ledger_key(account, market.dex), Ledger())

    def ledger_of(self, account: Account, market: LiveMarket) -> Ledger | None:
        """What backs a market for an account, where there is anything."""
        return account.ledgers.get(self.ledger_key(account, market.dex))

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
            found = self._rates[market.spec.asset] = (int(taker * matching.RATE_UNIT), int(maker * matching.RATE_UNIT))
        return found

    def leverage(self, account: Account, market: LiveMarket) -> int:
        """The leverage an account uses in a market; at first the market's most, twenty at most."""
        most = market.spec.max_leverage
        return min(account.leverages.get(market.spec.asset, min(20, most)), most)

    def is_cross(self, account: Account, market: LiveMarket) -> bool:
        """Whether a new position of the account would be cross-margined."""
        if account.internal:
            return True
        return not market.spec.only_isolated and account.cross.get(market.spec.asset, True)

    def reserved(self, account: Account, dex: Dex) -> int:
        """Margin held by the account's resting orders that could open."""
        held, key = 0, self.ledger_key(account, dex)
        for order in account.open_orders.values():
            market = self.markets[order.asset]
            if not order.reduce_only and not order.waits and self.ledger_key(account, market.dex) == key:
                held += notional(order.px, order.sz) // self.leverage(account, market)
        return held

    def position_sz(self, account: Account, market: LiveMarket) -> int:
        """The account's signed position in 10^-8."""
        ledger = self.ledger_of(account, market)
        position = ledger.positions.get(market.spec.asset) if ledger else None
        return position.szi if position else 0

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
        if not order.fired:
            account.remember(order)
        try:
            self._check(account, market, order)
            executed, worth = matching.match(self, account, market, order)
            if executed == 0 and order.tif == "Ioc":
                raise Refusal("Order could not immediately match against any resting orders.", "iocCancelRejected")
        except Refusal as refusal:
            self.set_status(account, order, refusal.word)
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
        if market.halted or market.delisted:
            raise Refusal("Trading is halted.")
        if order.tif != "Alo" and self.now_ms < self.post_only_until_ms and not account.internal:
            raise Refusal("Only post-only orders allowed immediately after network upgrade")
        band = self.scenario.oracle.price_band_bps
        if band and market.dex.index and abs(order.px - market.oracle) * 10_000 > band * market.oracle:
            raise Refusal("Price too far from oracle", "oracleRejected")
        held = self.position_sz(account, market)
        signed = order.sz if order.is_buy else -order.sz
        if order.reduce_only:
            if held * signed >= 0:
                raise Refusal("Reduce only order would increase position.", "reduceOnlyRejected")
            if abs(signed) > abs(held):
                order.sz = order.orig_sz = abs(held)
                signed = -held
        opened = opening(held, signed)
        if opened > 0 and not account.internal:
            self.check_margin(account, market, order.px, opened)
        closes_all = held != 0 and signed == -held
        if not closes_all and notional(order.px, order.sz) < MIN_NOTIONAL:
            raise Refusal("Order must have minimum value of $10.", "minTradeNtlRejected")
        if opened > 0 and not account.internal:
            self._check_cross(account, market)
            self._check_cap(market, order, held)
            if market.grows_too_fast(notional(order.px, opened), self.now_ms):
                raise Refusal("Order would increase open interest too quickly", "openInterestIncreaseRejected")
            after = notional(order.px, abs(held + signed))
            if self.leverage(account, market) > margin.tier_leverage(market, after):
                raise Refusal(
                    "Order would cause position to exceed margin tier limit at current leverage",
                    "perpMaxPositionRejected",
                )
        self.check_count(account, order)
        if order.tif == "Alo" and market.book.crossing(order.is_buy, order.px) is not None:
            bid, ask = market.book.touch()
            bbo = "@".join(text(level[0] if level else 0) for level in (bid, ask))
            raise Refusal(f"Post only order would have immediately matched, bbo was {bbo}.", "badAloPxRejected")

    def _check_cross(self, account: Account, market: LiveMarket) -> None:
        """Refuses what the dex's cross margin does not take."""
        if market.dex.cross_margin == "normal" or not self.is_cross(account, market):
            return
        if market.dex.cross_margin == "disabled":
            raise Refusal("Cross margin disabled")
        raise Refusal("Cross margin currently only supports reduce-only orders")

    def _check_cap(self, market: LiveMarket, order: Order, held: int) -> None:
        """At the cap nothing opens; an order may wait for room behind the oracle, not before it."""
        if not market.capped:
            return
        if order.tif == "Ioc" or market.book.crossing(order.is_buy, order.px) is not None:
            change = "Flip" if held * (1 if order.is_buy else -1) < 0 else "Increase"
            raise Refusal(
                "Order would increase open interest while open interest is capped",
                f"position{change}AtOpenInterestCapRejected",
            )
        if order.px > market.oracle if order.is_buy else order.px < market.oracle:
            raise Refusal(
                "Order rejected due to price more aggressive than oracle while at open interest cap",
                "tooAggressiveAtOpenInterestCapRejected",
            )

    def check_margin(self, account: Account, market: LiveMarket, px: int, opened: int) -> None:
        """Refuses what the collateral does not back at the order's own price."""
        needed = -(-notional(px, opened) // self.leverage(account, market))
        available = self.ledger(account, market).available(self.marks) - self.reserved(account, market.dex)
        if needed > available:
            raise Refusal("Insufficient margin to place order.", "perpMarginRejected")

    def check_count(self, account: Account, order: Order) -> None:
        """Refuses an order beyond the account's number of open ones."""
        count = len(account.open_orders)
        most = min(OPEN_ORDERS_MAX, OPEN_ORDERS_FREE + account.volume // OPEN_ORDERS_VOLUME)
        extra = count >= OPEN_ORDERS_FREE and (order.reduce_only or order.trigger is not None)
        if order.tif != "Ioc" and not account.internal and (count >= most or extra):
            raise Refusal("Too many open orders")

    def cancel(self, account: Account, order: Order, word: str) -> None:
        """Ends a resting or waiting order under this status word, and the orders that waited for it."""
        if order.waits:
            self.waiting.get(order.asset, {}).pop(order.oid, None)
        else:
            self.markets[order.asset].unrest(order)
        account.open_orders.pop(order.oid, None)
        self.set_status(account, order, word)
        for child in order.children:
            if child.parent is order and child.oid in account.open_orders:
                self.cancel(account, child, word)

    def set_status(self, account: Account, order: Order, word: str) -> None:
        """Notes a change of status; user channels show it with this block."""
        order.status, order.status_ms, order.status_sz = word, self.now_ms, order.sz
        if not account.internal:
            self.order_events.append((account, order, word, order.sz))

    def note_update(self, account: Account, delta: dict[str, Any]) -> None:
        """Keeps one movement of money that is neither trade nor funding, for reads and channels."""
        row = {"time": self.now_ms, "hash": f"0x{self.rng.getrandbits(256):064x}", "delta": delta}
        account.updates.append(row)
        account.changed = True
        self.ledger_events.append((account.user, row))

    # ------------------------------------------------------------ the whole

    def conservation(self) -> dict[str, int]:
        """Sums that do not change: positions per market are zero; money only comes in by funding.

        Open interest is what the clients' long positions add up to.
        """
        sizes: dict[int, int] = dict.fromkeys(self.markets, 0)
        longs: dict[int, int] = dict.fromkeys(self.markets, 0)
        money = 0
        for account in self.accounts.values():
            money += sum(account.spot.values())
            for ledger in account.ledgers.values():
                money += ledger.total_raw()
                for position in ledger.positions.values():
                    sizes[position.asset] += position.szi
                    if not account.internal:
                        longs[position.asset] += max(0, position.szi)
        unbalanced = {asset for asset, size in sizes.items() if size}
        unbalanced |= {asset for asset, size in longs.items() if size != self.markets[asset].held}
        return {"money": money, "unbalanced_markets": len(unbalanced)}


def shown_usd(amount: int) -> str:
    """Money with the two decimals in which refusals speak of volume."""
    return usd(amount // 10_000 * 10_000)
