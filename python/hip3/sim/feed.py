"""What the channels show: snapshots on subscribing, and after every block what has changed in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hip3.sim import info_account, info_markets, info_orders
from hip3.sim.book import Touch, level_json
from hip3.sim.channels import Hub, Key, Subscription
from hip3.sim.engine import Engine
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Scenario
from hip3.sim.tape import RECENT_TRADES
from hip3.sim.wire import text

Send = Callable[[str, Iterable[int], Any], None]
#: Levels of the fast ladder.
FAST_LEVELS = 5
EQUITY_SAMPLE_MS = 60_000


class Feed:
    """Writes frames for listeners. `send` takes a channel, connections and the data of one frame."""

    def __init__(self, engine: Engine, hub: Hub, scenario: Scenario, send: Send, start_ms: int) -> None:
        self._engine = engine
        self._hub = hub
        self._rules = scenario.feed
        self._send = send
        self._touches: dict[str, Touch] = {}
        self._ladder_ms: dict[Key, int] = {}
        self._asset_data: dict[Key, Any] = {}
        count = max(1, len(engine.markets))
        step = scenario.ctx_interval_ms
        self._ctx_interval_ms = step
        #: Contexts are spread over their interval, as one market's come about once a second.
        self._context_ms = {asset: start_ms + n * step // count for n, asset in enumerate(engine.markets)}
        self._due_ms = dict.fromkeys(("mids", "contexts", "accounts", "equity"), start_ms)
        self._intervals = {
            "mids": self._rules.mids_interval_ms,
            "contexts": self._rules.all_contexts_interval_ms,
            "accounts": scenario.account_interval_ms,
            "equity": EQUITY_SAMPLE_MS,
        }

    # ----------------------------------------------------------- snapshots

    def snapshot(self, conn: int, full: Subscription) -> None:
        """Sends what a new listener gets at once; some channels have nothing."""
        maker = SNAPSHOTS.get(full["type"])
        if maker is not None:
            self._send(CHANNELS.get(str(full["type"]), str(full["type"])), (conn,), maker(self._engine, full))

    # --------------------------------------------------------- every block

    def after_block(self) -> None:
        """Everything that this block has changed, and what is due by the clock."""
        self._show_markets()
        self._show_contexts()
        if self._due("mids"):
            for key, full in self._hub.live("allMids"):
                self._send("allMids", self._hub.listeners(*key), _mids(self._engine, full))
        if self._due("contexts") and self._hub.live("allDexsAssetCtxs"):
            self._send("allDexsAssetCtxs", self._hub.listeners("allDexsAssetCtxs"), _all_contexts(self._engine, {}))
        self._show_events()
        self._show_accounts()
        if self._due("equity"):
            info_account.sample_equity(self._engine)

    def _due(self, name: str) -> bool:
        if self._engine.now_ms < self._due_ms[name]:
            return False
        self._due_ms[name] = max(self._due_ms[name] + self._intervals[name], self._engine.now_ms + 1)
        return True

    def _show_markets(self) -> None:
        printed: list[LiveMarket] = []
        for market in self._engine.markets.values():
            if market.tape.fresh:
                printed.append(market)
            if not market.dirty:
                continue
            market.dirty = False
            touch = market.book.touch()
            if touch == self._touches.get(market.key):
                continue
            self._touches[market.key] = touch
            listeners = self._hub.listeners("bbo", market.key)
            if listeners:
                self._send("bbo", listeners, _bbo_of(self._engine, market, touch))
        for market in printed:
            trades, market.tape.fresh = market.tape.fresh, []
            self._send("trades", self._hub.listeners("trades", market.key), trades)
        if printed:
            coins = {market.key for market in printed}
            for key, full in self._hub.live("candle"):
                if full["coin"] in coins:
                    self._send("candle", self._hub.listeners(*key), _candle(self._engine, full))
        for key, full in self._hub.live("l2Book"):
            every = self._rules.book_fast_interval_ms if full["fast"] else self._rules.book_interval_ms
            if self._engine.now_ms - self._ladder_ms.get(key, 0) >= every:
                self._ladder_ms[key] = self._engine.now_ms
                self._send("l2Book", self._hub.listeners(*key), _book(self._engine, full))

    def _show_contexts(self) -> None:
        now_ms = self._engine.now_ms
        for asset, due_ms in self._context_ms.items():
            if now_ms < due_ms:
                continue
            self._context_ms[asset] = max(due_ms + self._ctx_interval_ms, now_ms + 1)
            market = self._engine.markets[asset]
            listeners = self._hub.listeners("activeAssetCtx", market.key)
            if listeners:
                self._send("activeAssetCtx", listeners, {"coin": market.key, "ctx": market.context()})

    def _show_events(self) -> None:
        engine, hub = self._engine, self._hub
        updates: dict[str, list[Any]] = {}
        open_changed: dict[tuple[str, str], None] = {}
        for account, order, word, sz in engine.order_events:
            row = {"order": info_orders.order_json(order, sz), "status": word, "statusTimestamp": engine.now_ms}
            updates.setdefault(account.user, []).append(row)
            open_changed[account.user, engine.markets[order.asset].dex.name] = None
        fills: dict[str, list[Any]] = {}
        for account, fill in engine.fill_events:
            fills.setdefault(account.user, []).append(fill)
        for user, rows in updates.items():
            self._send("orderUpdates", hub.listeners("orderUpdates", user), rows)
        for user, rows in fills.items():
            self._send("userFills", hub.listeners("userFills", user, "False"), {"user": user, "fills": rows})
            merged = {"user": user, "fills": info_orders.merged(rows)}
            self._send("userFills", hub.listeners("userFills", user, "True"), merged)
            self._send("user", hub.listeners("userEvents", user), {"fills": rows})
        fundings: dict[str, list[Any]] = {}
        for user, event in engine.user_events:
            self._send("user", hub.listeners("userEvents", user), event)
            if "funding" in event:
                fundings.setdefault(user, []).append(event["funding"])
            elif "liquidation" in event:
                told = {"notification": "Your account has been liquidated"}
                self._send("notification", hub.listeners("notification", user), told)
        for user, rows in fundings.items():
            self._send("userFundings", hub.listeners("userFundings", user), {"user": user, "fundings": rows})
        for user, row in engine.ledger_events:
            kind = "userNonFundingLedgerUpdates"
            self._send(kind, hub.listeners(kind, user), {"user": user, "nonFundingLedgerUpdates": [row]})
        for user, dex in open_changed:
            listeners = hub.listeners("openOrders", user, dex)
            if listeners:
                self._send("openOrders", listeners, _open_orders(engine, {"user": user, "dex": dex}))
        for events in (engine.order_events, engine.fill_events, engine.user_events, engine.ledger_events):
            events.clear()

    def _show_accounts(self) -> None:
        engine, periodic = self._engine, self._due("accounts")
        changed = set()
        for account in engine.accounts.values():
            if account.changed:
                account.changed = False
                changed.add(account.user)
        for kind in ("clearinghouseState", "allDexsClearinghouseState", "spotState", "webData3"):
            for key, full in self._hub.live(kind):
                if periodic or full["user"] in changed:
                    self._send(kind, self._hub.listeners(*key), SNAPSHOTS[kind](engine, full))
        if not periodic and not changed:
            return
        for key, full in self._hub.live("activeAssetData"):
            if periodic or full["user"] in changed:
                data = _asset_data(engine, full)
                if data != self._asset_data.get(key):
                    self._asset_data[key] = data
                    self._send("activeAssetData", self._hub.listeners(*key), data)
        if len(self._asset_data) > len(self._hub.live("activeAssetData")):
            self._asset_data = {
                key: self._asset_data[key] for key, _ in self._hub.live("activeAssetData") if key in self._asset_data
            }
        if len(self._ladder_ms) > len(self._hub.live("l2Book")):
            self._ladder_ms = {key: self._ladder_ms.get(key, 0) for key, _ in self._hub.live("l2Book")}


# ---------------------------------------------------------------- data of frames


def _bbo_of(engine: Engine, market: LiveMarket, touch: Touch) -> Any:
    return {"coin": market.key, "time": engine.now_ms, "bbo": [level_json(level, text) for level in touch]}


def _bbo(engine: Engine, full: Subscription) -> Any:
    market = engine.by_coin[full["coin"]]
    return _bbo_of(engine, market, market.book.touch())


def _book(engine: Engine, full: Subscription) -> Any:
    most = FAST_LEVELS if full["fast"] else info_markets.BOOK_LEVELS
    market = engine.by_coin[full["coin"]]
    return info_markets.book_of(market, engine.now_ms, full["nSigFigs"], full["mantissa"], most)


def _context(engine: Engine, full: Subscription) -> Any:
    return {"coin": full["coin"], "ctx": engine.by_coin[full["coin"]].context()}


def _all_contexts(engine: Engine, _: Subscription) -> Any:
    return {"ctxs": [[dex.name, info_markets.contexts_of(engine, dex)] for dex in engine.scenario.dexs]}


def _mids(engine: Engine, full: Subscription) -> Any:
    dex = engine.dex(full.get("dex", ""))
    assert dex is not None
    mids: dict[str, Any] = {"mids": info_markets.mids_of(engine, dex)}
    return {"dex": full["dex"], **mids} if "dex" in full else mids


def _trades(engine: Engine, full: Subscription) -> Any:
    tape = engine.by_coin[full["coin"]].tape
    return list(tape.trades)[-RECENT_TRADES:]


def _candle(engine: Engine, full: Subscription) -> Any:
    return engine.by_coin[full["coin"]].tape.last_candle(full["interval"])


def _asset_data(engine: Engine, full: Subscription) -> Any:
    return info_account.asset_data_of(engine, full["user"], engine.by_coin[full["coin"]])


def _user_fills(engine: Engine, full: Subscription) -> Any:
    account = engine.accounts.get(full["user"])
    fills = [] if account is None else list(account.fills)[-info_orders.ROWS_PER_ANSWER :]
    if full["aggregateByTime"]:
        fills = info_orders.merged(fills)
    return {"isSnapshot": True, "user": full["user"], "fills": fills}


def _fundings(engine: Engine, full: Subscription) -> Any:
    account = engine.accounts.get(full["user"])
    rows = [] if account is None else list(account.fundings)[-info_account.ROWS_PER_ANSWER :]
    return {"isSnapshot": True, "user": full["user"], "fundings": rows}


def _updates(engine: Engine, full: Subscription) -> Any:
    account = engine.accounts.get(full["user"])
    rows = [] if account is None else list(account.updates)[-info_account.ROWS_PER_ANSWER :]
    return {"isSnapshot": True, "user": full["user"], "nonFundingLedgerUpdates": rows}


def _open_orders(engine: Engine, full: Subscription) -> Any:
    dex = engine.dex(full["dex"])
    assert dex is not None
    orders = info_orders.own_open(engine, full["user"], dex)
    return {"dex": full["dex"], "user": full["user"], "orders": [info_orders.record_json(o, o.sz) for o in orders]}


def _state(engine: Engine, full: Subscription) -> Any:
    dex = engine.dex(full["dex"])
    assert dex is not None
    state = info_account.state_of(engine, engine.accounts.get(full["user"]), dex)
    return {"dex": full["dex"], "user": full["user"], "clearinghouseState": state}


def _all_states(engine: Engine, full: Subscription) -> Any:
    account = engine.accounts.get(full["user"])
    rows = [[dex.name, info_account.state_of(engine, account, dex)] for dex in engine.scenario.dexs]
    return {"user": full["user"], "clearinghouseStates": rows}


def _spot_state(engine: Engine, full: Subscription) -> Any:
    state = info_account.spot_state_of(engine, engine.accounts.get(full["user"]))
    return {"user": full["user"], "spotState": state}


def _web_data3(engine: Engine, full: Subscription) -> Any:
    return info_account.web_data3_of(engine, full["user"])


def _twaps(_: Engine, full: Subscription) -> Any:
    name = "twapSliceFills" if full["type"] == "userTwapSliceFills" else "history"
    return {"isSnapshot": True, "user": full["user"], name: []}


SNAPSHOTS: dict[str, Callable[[Engine, Subscription], Any]] = {
    "allMids": _mids,
    "bbo": _bbo,
    "l2Book": _book,
    "trades": _trades,
    "activeAssetCtx": _context,
    "allDexsAssetCtxs": _all_contexts,
    "activeAssetData": _asset_data,
    "userFills": _user_fills,
    "userFundings": _fundings,
    "userNonFundingLedgerUpdates": _updates,
    "webData3": _web_data3,
    "openOrders": _open_orders,
    "clearinghouseState": _state,
    "allDexsClearinghouseState": _all_states,
    "spotState": _spot_state,
    "userTwapSliceFills": _twaps,
    "userTwapHistory": _twaps,
}
#: Channels whose frames have another name than their subscription.
CHANNELS = {"userEvents": "user"}
