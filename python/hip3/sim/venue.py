"""`Venue`: the simulated Hyperliquid, sans-I/O. Messages and time in, frames out, one block a step.

Within a block the agents act first, then signed actions in the venue's three groups, then frames are
written: what a client sees is always a whole block. The same venue serves sockets, replays and tests.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from hip3.sim import actions, info
from hip3.sim.accounts import Account, Ledger
from hip3.sim.agents import Level, stream
from hip3.sim.book import Order, level_json
from hip3.sim.channels import Hub, frame, parse_error, read_subscription
from hip3.sim.engine import Engine, Refusal
from hip3.sim.makers import make_agents
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Scenario
from hip3.sim.wire import BadRequest, address, text, whole

Done = Callable[[dict[str, Any]], None]
PONG = b'{"channel":"pong"}'
#: A taker without a limit pays at most this many times the mark.
ANY_PX = 4
LOG_MAX = 100_000


class Venue:
    """See the module's head. `log` keeps every trade side and order end, newest last, for tests."""

    def __init__(self, scenario: Scenario, start_ms: int, seed: int) -> None:
        self.scenario = scenario
        self.now_ms = start_ms
        self.mainnet = False
        rng: random.Random = stream(seed, "venue")
        markets = {m.asset: LiveMarket(m, dex, scenario.oracle) for dex in scenario.dexs for m in dex.markets}
        self.engine = Engine(scenario, markets, {}, rng, start_ms)
        self.engine.marks = {asset: market.mark for asset, market in markets.items()}
        self.log: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=LOG_MAX)
        self.funded = 0
        self._by_coin = {market.key: market for market in markets.values()}
        self._dexs = {dex.name for dex in scenario.dexs}
        self._coins = set(self._by_coin)
        self._hub = Hub()
        self._outbox: list[tuple[int, bytes]] = []
        self._queued: list[tuple[actions.Signed, Done]] = []
        self._answers: deque[tuple[int, Callable[[], None]]] = deque()
        self._next_conn = 0
        self._quotes: dict[tuple[int, str], list[Order]] = {}
        self._context_ms = {
            asset: start_ms + number * scenario.ctx_interval_ms // max(1, len(markets))
            for number, asset in enumerate(markets)
        }
        self._account_ms = start_ms
        self._agents = make_agents(scenario, start_ms, seed)

    # ------------------------------------------------------------- clients

    def connect(self) -> int:
        """A new WebSocket connection."""
        self._next_conn += 1
        self._hub.connect(self._next_conn)
        return self._next_conn

    def disconnect(self, conn: int) -> None:
        """The connection is gone."""
        self._hub.disconnect(conn)

    def drain(self) -> list[tuple[int, bytes]]:
        """Frames for connections, in order."""
        frames, self._outbox = self._outbox, []
        return frames

    def on_message(self, conn: int, data: bytes | str) -> None:
        """One WebSocket message; whatever it is, the answer is a frame and never a failure."""
        raw = data.encode() if isinstance(data, str) else data
        try:
            message = orjson.loads(raw)
            method = message.get("method") if isinstance(message, dict) else None
            if method == "ping":
                self._send(conn, PONG)
            elif method in ("subscribe", "unsubscribe"):
                self._on_subscription(conn, method, message.get("subscription"))
            elif method == "post":
                self._on_post(conn, whole(message.get("id")), message.get("request"))
            else:
                raise BadRequest
        except (orjson.JSONDecodeError, BadRequest):
            self._send(conn, parse_error(raw))

    def info(self, body: Any) -> Any:
        """The answer to POST /info. Raises BadRequest."""
        return info.answer(self.engine, body)

    def exchange(self, body: Any, done: Done) -> None:
        """Takes a signed action into the next block; `done` gets the answer. Raises BadRequest."""
        self._queued.append((actions.read(body), done))

    def fund(self, user: str, usdc: str, unified: bool) -> None:
        """Gives an address collateral: USDC on every dex that takes it, or once for a unified account."""
        amount = int(Decimal(usdc) * 1_000_000)
        account = self.engine.account(address(user))
        account.unified = unified
        keys = [-1] if unified else [dex.index for dex in self.scenario.dexs if dex.collateral_token == 0]
        for key in keys:
            account.ledgers.setdefault(key, Ledger()).cash += amount
            self.funded += amount

    def conservation(self) -> dict[str, int]:
        """What must be zero: money that came from nowhere, markets whose positions do not cancel out."""
        sums = self.engine.conservation()
        return {"money": sums["money"] - self.funded, "unbalanced_markets": sums["unbalanced_markets"]}

    # -------------------------------------------------------------- agents

    def set_oracle(
        self, dex_index: int, oracle_pxs: Mapping[str, int], mark_pxs: Sequence[Mapping[str, int]] = ()
    ) -> bool:
        """A deployer's oracle call; False when a price came too soon."""
        taken = True
        for coin, px in oracle_pxs.items():
            market = self._by_coin[coin]
            if market.dex.index != dex_index:
                raise ValueError(f"{coin} is not on dex {dex_index}")
            inputs = [given[coin] for given in mark_pxs if coin in given]
            taken = market.set_oracle(px, inputs, self.now_ms) and taken
            self.engine.marks[market.spec.asset] = market.mark
        return taken

    def quote(self, maker_id: int, coin: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replaces a maker's quotes in one market; a level that would cross is dropped."""
        market = self._by_coin[coin]
        account = self._internal(maker_id)
        for order in self._quotes.get((maker_id, coin), ()):
            if order.sz > 0 and order.oid in account.open_orders:
                market.unrest(order)
                del account.open_orders[order.oid]
        kept: list[Order] = []
        for is_buy, levels in ((True, bids), (False, asks)):
            for px, sz in levels:
                if market.book.crossing(is_buy, px) is not None:
                    continue
                order = self.engine.new_order(account, market, _terms(is_buy, px, sz, "Alo"))
                market.rest(order)
                account.open_orders[order.oid] = order
                kept.append(order)
        self._quotes[maker_id, coin] = kept

    def market_order(self, coin: str, is_buy: bool, sz: int) -> int:
        """A small taker of the venue's own; returns the size filled."""
        market = self._by_coin[coin]
        px = market.mark * ANY_PX if is_buy else 1
        order = self.engine.new_order(self._internal(-1), market, _terms(is_buy, px, sz, "Ioc"))
        try:
            self.engine.place(self._internal(-1), order)
        except Refusal:
            return 0
        finally:
            self._internal(-1).orders.clear()
        return order.orig_sz - order.sz

    def _internal(self, number: int) -> Account:
        account = self.engine.account(f"maker{number}")
        account.internal = True
        return account

    # --------------------------------------------------------------- block

    def step(self, now_ms: int) -> None:
        """One block at `now_ms`."""
        self.now_ms = self.engine.now_ms = max(now_ms, self.now_ms)
        for agent in self._agents:
            agent.act(self, self.now_ms)
        self._run_schedules()
        queued, self._queued = self._queued, []
        for signed, done in sorted(queued, key=lambda item: item[0].group):
            answer = actions.execute(self.engine, signed, self.mainnet)
            self._answers.append((self.now_ms + self.scenario.answer_latency_ms, _bind(done, answer)))
        for market in self._by_coin.values():
            market.fall_back(self.now_ms)
            self.engine.marks[market.spec.asset] = market.mark
        self._show_touches()
        self._show_contexts()
        self._show_users()
        while self._answers and self._answers[0][0] <= self.now_ms:
            self._answers.popleft()[1]()

    def _run_schedules(self) -> None:
        for account in self.engine.accounts.values():
            if account.cancel_at_ms is not None and self.now_ms >= account.cancel_at_ms:
                account.cancel_at_ms = None
                for order in list(account.open_orders.values()):
                    self.engine.cancel(account, order, "scheduledCancel")

    def _show_touches(self) -> None:
        for market in self._by_coin.values():
            if not market.dirty:
                continue
            market.dirty = False
            touch = market.book.touch()
            if touch == market.sent_touch:
                continue
            market.sent_touch = touch
            listeners = self._hub.listeners("bbo", market.key)
            if listeners:
                data = {"coin": market.key, "time": self.now_ms, "bbo": [level_json(level, text) for level in touch]}
                self._send_all(listeners, frame("bbo", data))

    def _show_contexts(self) -> None:
        for asset, due_ms in self._context_ms.items():
            if self.now_ms < due_ms:
                continue
            self._context_ms[asset] = max(due_ms + self.scenario.ctx_interval_ms, self.now_ms + 1)
            coin = self.engine.markets[asset].key
            listeners = self._hub.listeners("activeAssetCtx", coin)
            if listeners:
                self._send_all(listeners, self._context_frame(asset))

    def _context_frame(self, asset: int) -> bytes:
        data = {"coin": self.engine.markets[asset].key, "ctx": info.context(self.engine, asset)}
        return frame("activeAssetCtx", data)

    def _show_users(self) -> None:
        updates: dict[str, list[dict[str, Any]]] = {}
        for account, order, word in self.engine.order_events:
            row = {"order": info.order_json(order, order.sz), "status": word, "statusTimestamp": self.now_ms}
            updates.setdefault(account.user, []).append(row)
            self.log.append((self.now_ms, "order", {"user": account.user, "tif": order.tif, **row}))
        fills: dict[str, list[dict[str, Any]]] = {}
        for account, fill in self.engine.fill_events:
            fills.setdefault(account.user, []).append(fill)
            self.log.append((self.now_ms, "fill", {"user": account.user, **fill}))
        self.engine.order_events.clear()
        self.engine.fill_events.clear()
        for user, rows in updates.items():
            self._send_all(self._hub.listeners("orderUpdates", user), frame("orderUpdates", rows))
        for user, rows in fills.items():
            listeners = self._hub.listeners("userFills", user, "False")
            self._send_all(listeners, frame("userFills", {"user": user, "fills": rows}))
        periodic = self.now_ms - self._account_ms >= self.scenario.account_interval_ms
        if periodic:
            self._account_ms = self.now_ms
        for account in self.engine.accounts.values():
            if not account.internal and (account.changed or periodic):
                account.changed = False
                for dex in self.scenario.dexs:
                    listeners = self._hub.listeners("clearinghouseState", account.user, dex.name)
                    if listeners:
                        self._send_all(listeners, self._state_frame(account.user, dex.name))

    def _state_frame(self, user: str, name: str) -> bytes:
        dex = next(dex for dex in self.scenario.dexs if dex.name == name)
        state = info.clearinghouse_state(self.engine, self.engine.accounts.get(user), dex)
        return frame("clearinghouseState", {"dex": name, "user": user, "clearinghouseState": state})

    # ------------------------------------------------------------- sockets

    def _on_subscription(self, conn: int, method: str, raw: Any) -> None:
        full, key = read_subscription(raw, self._coins, self._dexs)
        change = self._hub.subscribe if method == "subscribe" else self._hub.unsubscribe
        problem = change(conn, full, key)
        if problem is not None:
            self._send(conn, frame("error", problem))
            return
        self._send(conn, frame("subscriptionResponse", {"method": method, "subscription": full}))
        if method == "subscribe":
            self._send_snapshot(conn, full)

    def _send_snapshot(self, conn: int, full: dict[str, Any]) -> None:
        match full["type"]:
            case "bbo":
                market = self._by_coin[full["coin"]]
                levels = [level_json(level, text) for level in market.book.touch()]
                self._send(conn, frame("bbo", {"coin": market.key, "time": self.now_ms, "bbo": levels}))
            case "activeAssetCtx":
                self._send(conn, self._context_frame(self._by_coin[full["coin"]].spec.asset))
            case "userFills":
                account = self.engine.accounts.get(full["user"])
                fills = [] if account is None else list(account.fills)[-info.FILLS_PER_ANSWER :]
                data = {"isSnapshot": True, "user": full["user"], "fills": fills}
                self._send(conn, frame("userFills", data))
            case "clearinghouseState":
                self._send(conn, self._state_frame(full["user"], full["dex"]))

    def _on_post(self, conn: int, post_id: int, request: Any) -> None:
        if not isinstance(request, dict):
            raise BadRequest
        payload = request.get("payload")
        if request.get("type") == "info":
            kind = str(payload.get("type")) if isinstance(payload, dict) else ""
            try:
                data: dict[str, Any] = {"type": "info", "payload": {"type": kind, "data": self.info(payload)}}
            except BadRequest as error:
                data = {"type": "error", "payload": f"422 Unprocessable Entity: {error}"}
            self._send(conn, frame("post", {"id": post_id, "response": data}))
        elif request.get("type") == "action":

            def done(answer: dict[str, Any]) -> None:
                response = {"type": "action", "payload": answer}
                self._send(conn, frame("post", {"id": post_id, "response": response}))

            self.exchange(payload, done)
        else:
            raise BadRequest

    def _send(self, conn: int, data: bytes) -> None:
        self._outbox.append((conn, data))

    def _send_all(self, conns: list[int], data: bytes) -> None:
        self._outbox += [(conn, data) for conn in conns]


def _terms(is_buy: bool, px: int, sz: int, tif: str) -> dict[str, Any]:
    return {"is_buy": is_buy, "px": px, "sz": sz, "tif": tif, "reduce_only": False, "cloid": None}


def _bind(done: Done, answer: dict[str, Any]) -> Callable[[], None]:
    return lambda: done(answer)
