"""What the venue's own agents and incidents may do to its markets: oracle prices, quotes, small takers, halts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hip3.sim import deployer, matching
from hip3.sim.accounts import Account
from hip3.sim.agents import Level
from hip3.sim.book import Order
from hip3.sim.engine import Engine, Refusal
from hip3.sim.incidents import Incident
from hip3.sim.market import LiveMarket

#: A taker without a limit pays at most this many times the mark.
ANY_PX = 4


class Inside:
    """The agents' side of the venue (`AgentVenue`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._quotes: dict[tuple[int, str], list[Order]] = {}
        self._frozen_until: dict[str, int] = {}
        self._withdrawn_until: dict[str, int] = {}
        self._jumps: dict[str, int] = {}
        self._restarts: dict[str, int] = {}

    # -------------------------------------------------------------- agents

    def set_oracle(
        self, dex_index: int, oracle_pxs: Mapping[str, int], mark_pxs: Sequence[Mapping[str, int]] = ()
    ) -> bool:
        """A deployer's oracle call; False when a price came too soon."""
        taken = True
        for coin, px in oracle_pxs.items():
            market = self._engine.by_coin[coin]
            if market.dex.index != dex_index:
                raise ValueError(f"{coin} is not on dex {dex_index}")
            inputs = [given[coin] for given in mark_pxs if coin in given]
            taken = market.set_oracle(px, inputs, self._engine.now_ms) and taken
            self._engine.marks[market.spec.asset] = market.mark
        return taken

    def quote(self, maker_id: int, coin: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replaces a maker's quotes in one market.

        A level that would cross a client's order takes it, as makers do with a price that was left behind; one
        that would cross another maker's is dropped.
        """
        market = self._engine.by_coin[coin]
        account = self._account(maker_id)
        wanted = {(True, px): sz for px, sz in bids} | {(False, px): sz for px, sz in asks}
        kept: list[Order] = []
        for order in self._quotes.get((maker_id, coin), ()):
            if order.oid not in account.open_orders:
                continue
            if wanted.get((order.is_buy, order.px)) == order.sz:
                # An order that stays as it is keeps its place.
                del wanted[order.is_buy, order.px]
                kept.append(order)
            else:
                market.unrest(order)
                del account.open_orders[order.oid]
        if wanted:
            self._place_quotes(market, account, wanted, kept)
        self._quotes[maker_id, coin] = kept

    def _place_quotes(
        self, market: LiveMarket, account: Account, wanted: dict[tuple[bool, int], int], kept: list[Order]
    ) -> None:
        for (is_buy, px), sz in wanted.items():
            if sz > 0:
                order = self._engine.new_order(account, market, _terms(is_buy, px, sz, "Gtc"))
                while order.sz > 0:
                    left_behind = market.book.crossing(is_buy, px)
                    if left_behind is None or self._engine.accounts[left_behind.user].internal:
                        break
                    matching.match(self._engine, account, market, order, most=1)
                if order.sz > 0 and market.book.crossing(is_buy, px) is None:
                    market.rest(order)
                    account.open_orders[order.oid] = order
                    kept.append(order)

    def market_order(self, coin: str, is_buy: bool, sz: int) -> int:
        """A small taker of the venue's own; returns the size filled."""
        market = self._engine.by_coin[coin]
        px = market.mark * ANY_PX if is_buy else 1
        account = self._account(-1)
        order = self._engine.new_order(account, market, _terms(is_buy, px, sz, "Ioc"))
        try:
            self._engine.place(account, order)
        except Refusal:
            return 0
        finally:
            account.orders.clear()
        return order.orig_sz - order.sz

    def show_context(self, coin: str, oracle_px: int, mark_px: int) -> None:
        """Sets oracle and mark as they were recorded, without the rules of an oracle call."""
        market = self._engine.by_coin[coin]
        market.show(oracle_px, mark_px, self._engine.now_ms)
        self._engine.marks[market.spec.asset] = market.mark

    def print_trade(self, coin: str, is_buy: bool, px: int, sz: int) -> None:
        """Prints a recorded trade between others; `is_buy` is the aggressor's side."""
        market, tid = self._engine.by_coin[coin], self._engine.rng.getrandbits(50)
        matching.print_trade(self._engine, market, is_buy, px, sz, tid, matching.NO_HASH, ("others", "others"))

    def oracle_px(self, coin: str) -> int:
        """The oracle as it stands."""
        return self._engine.by_coin[coin].oracle

    def is_scripted(self, dex_index: int) -> bool:
        """Whether the dex's oracle is set from outside."""
        return dex_index in self._engine.scripted

    def is_frozen(self, coin: str) -> bool:
        """Whether the oracle of a market is silent."""
        return self._engine.now_ms < self._frozen_until.get(coin, 0)

    def is_quotable(self, coin: str) -> bool:
        """Whether makers may quote a market: it is not halted, and they have not been told to leave."""
        return not self._engine.by_coin[coin].halted and self._engine.now_ms >= self._withdrawn_until.get(coin, 0)

    def take_jump(self, coin: str) -> int:
        """A jump of the fair price that an incident has asked for, in hundredths of a basis point; once."""
        return self._jumps.pop(coin, 0)

    def _account(self, number: int) -> Account:
        account = self._engine.account(f"maker{number}")
        account.internal = True
        return account

    # ----------------------------------------------------------- incidents

    def run(self, incident: Incident, now_ms: int) -> None:
        """Lets an incident of the markets happen."""
        until_ms = now_ms + int(incident.seconds * 1000)
        engine = self._engine
        if incident.kind == "upgrade":
            engine.post_only_until_ms = until_ms
            return
        for market in self._meant(incident):
            match incident.kind:
                case "halt":
                    deployer.halt(engine, market)
                case "delist":
                    deployer.halt(engine, market)
                    market.delisted = True
                case "recycle":
                    self._recycle(market, incident)
                case "resume":
                    market.halted = False
                case "freeze":
                    self._frozen_until[market.key] = until_ms
                case "withdraw":
                    self._withdrawn_until[market.key] = until_ms
                case "jump":
                    self._jumps[market.key] = int(incident.bps * 100)
                case "cap" | "uncap":
                    market.cap_forced = incident.kind == "cap"

    def _recycle(self, market: LiveMarket, incident: Incident) -> None:
        """The asset id begins again, halted before if it was not: with another price and, if asked for, leverage."""
        deployer.halt(self._engine, market)
        px = market.mark + int(market.mark * incident.bps / 10_000)
        market.recycle(px, incident.leverage or market.spec.max_leverage, self._engine.now_ms)
        self._engine.marks[market.spec.asset] = market.mark
        self._restarts[market.key] = market.oracle

    def take_restart(self, coin: str) -> int:
        """The first price of a recycled market, once; zero for none."""
        return self._restarts.pop(coin, 0)

    def _meant(self, incident: Incident) -> list[LiveMarket]:
        if incident.coin:
            return [self._engine.by_coin[incident.coin]]
        markets = list(self._engine.markets.values())
        return [market for market in markets if not incident.dex or market.dex.name == incident.dex]


def _terms(is_buy: bool, px: int, sz: int, tif: str) -> dict[str, Any]:
    return {"is_buy": is_buy, "px": px, "sz": sz, "tif": tif, "reduce_only": False, "cloid": None}
