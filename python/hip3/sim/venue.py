"""`Venue`: the simulated Hyperliquid, sans-I/O. Messages and time in, frames out, one block a step.

Within a block incidents happen and agents act first, then signed actions in the venue's three groups, then
triggers, liquidation and funding, then frames are written: what a client sees is always a whole block. The
same venue serves sockets, replays and tests.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import orjson

from hip3.sim import actions, funding, info, liquidation, triggers
from hip3.sim.account_actions import DAY_MS
from hip3.sim.accounts import Ledger
from hip3.sim.agents import Agent, stream
from hip3.sim.channels import Hub, World, frame, parse_error, read_subscription
from hip3.sim.engine import Engine
from hip3.sim.feed import Feed
from hip3.sim.incidents import MARKET_KINDS, Incident, TimeLine, WireFaults
from hip3.sim.incidents import read as read_incident
from hip3.sim.inside import Inside
from hip3.sim.limits import Peer, action_weight, info_weight
from hip3.sim.makers import make_agents
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Scenario
from hip3.sim.wire import BadRequest, address, usd, whole

Done = Callable[[dict[str, Any]], None]
Journal = Callable[[dict[str, Any]], None]
PONG = b'{"channel":"pong"}'
#: The peer of requests that come from inside the process.
LOCAL = "local"


class TooMany(Exception):
    """The address of the network has used up its requests: HTTP 429."""


class Faulty(Exception):
    """A fault answers in the venue's stead with this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status}")
        self.status = status


class Venue:
    """See the module's head. `journal` is told every input, block by block."""

    def __init__(
        self,
        scenario: Scenario,
        start_ms: int,
        seed: int,
        journal: Journal | None = None,
        agents: list[Agent] | None = None,
    ) -> None:
        self.scenario = scenario
        self.now_ms = start_ms
        #: Whose signatures are taken: `mainnet`, `testnet` or `any` of the two.
        self.network = scenario.network
        rng: random.Random = stream(seed, "venue")
        markets = {m.asset: LiveMarket(m, dex, scenario.oracle) for dex in scenario.dexs for m in dex.markets}
        self.engine = Engine(scenario, markets, {}, rng, start_ms)
        self.inside = Inside(self.engine)
        self.faults = WireFaults(stream(seed, "faults"))
        self.funded = 0
        #: Connections that the server has to cut.
        self.kicked: list[int] = []
        self._journal = journal
        self._inputs: list[Any] = []
        self._world = World(frozenset(self.engine.by_coin), frozenset(dex.name for dex in scenario.dexs))
        self._hub = Hub(scenario.limits.subscriptions, scenario.limits.users)
        self._feed = Feed(self.engine, self._hub, scenario, self._publish, start_ms)
        self._outbox: list[tuple[int, bytes]] = []
        self._late: deque[tuple[int, int, bytes]] = deque()
        self._queued: list[tuple[int, actions.Signed, Done]] = []
        self._answers: deque[tuple[int, Callable[[], None]]] = deque()
        self._next_conn = 0
        self._peers: dict[str, Peer] = {}
        self._peer_of: dict[int, Peer] = {}
        self._time_line = TimeLine(scenario.incidents, start_ms)
        self._agents = make_agents(scenario, start_ms, seed) if agents is None else agents

    # ------------------------------------------------------------- clients

    def connect(self, peer: str = LOCAL) -> int | None:
        """A new WebSocket connection, or None when its address has too many."""
        limits = self._peer(peer)
        if not limits.may_connect(self.now_ms):
            return None
        limits.connections += 1
        limits.opened.add(self.now_ms, 1)
        self._next_conn += 1
        self._peer_of[self._next_conn] = limits
        self._hub.connect(self._next_conn)
        return self._next_conn

    def disconnect(self, conn: int) -> None:
        """The connection is gone."""
        self._hub.disconnect(conn)
        self._peer_of.pop(conn).connections -= 1

    def drain(self) -> list[tuple[int, bytes]]:
        """Frames for connections, in order."""
        frames, self._outbox = self._outbox, []
        return frames

    def on_message(self, conn: int, data: bytes | str) -> None:
        """One WebSocket message; whatever it is, the answer is a frame and never a failure."""
        raw = data.encode() if isinstance(data, str) else data
        limits = self._peer_of[conn]
        if limits.messages.full(self.now_ms):
            self._send(conn, frame("error", "Too many messages sent."))
            return
        limits.messages.add(self.now_ms, 1)
        try:
            message = orjson.loads(raw)
            method = message.get("method") if isinstance(message, dict) else None
            if method == "ping":
                self._send(conn, PONG)
            elif method in ("subscribe", "unsubscribe"):
                self._on_subscription(conn, method, message.get("subscription"))
            elif method == "post":
                self._on_post(conn, limits, whole(message.get("id")), message.get("request"))
            else:
                raise BadRequest
        except (orjson.JSONDecodeError, BadRequest):
            self._send(conn, parse_error(raw))

    def info(self, body: Any, peer: str = LOCAL) -> Any:
        """The answer to POST /info. Raises BadRequest, TooMany or Faulty."""
        limits = self._peer(peer)
        self._admit(limits)
        answer = info.answer(self.engine, body)
        limits.weight.add(self.now_ms, info_weight(body["type"], answer))
        return answer

    def exchange(self, body: Any, done: Done, peer: str = LOCAL) -> None:
        """Takes a signed action into the next block; `done` gets the answer. Raises as `info` does."""
        limits = self._peer(peer)
        self._admit(limits)
        signed = actions.read(body)
        limits.weight.add(self.now_ms, action_weight(signed.action))
        self._take(body, signed, done)

    def _take(self, body: Any, signed: actions.Signed, done: Done) -> None:
        if self.faults.hit("lose_requests") is not None:
            return
        if self._journal is not None:
            self._inputs.append({"exchange": body})
        self._queued.append((self.now_ms + self.scenario.order_latency_ms, signed, done))

    def _admit(self, limits: Peer) -> None:
        fault = self.faults.hit("errors")
        if fault is not None:
            raise Faulty(fault.status)
        if limits.weight.full(self.now_ms):
            raise TooMany

    def fund(self, user: str, usdc: str, unified: bool) -> None:
        """Gives an address collateral: USDC on every dex that takes it, or once for a unified account."""
        if self._journal is not None:
            self._inputs.append({"fund": [user, usdc, unified]})
        amount = int(Decimal(usdc) * 1_000_000)
        account = self.engine.account(address(user))
        account.unified, account.funded = unified, True
        keys = [-1] if unified else [dex.index for dex in self.scenario.dexs if dex.collateral_token == 0]
        for key in keys:
            account.ledgers.setdefault(key, Ledger()).cash += amount
            account.deposited += amount
            self.funded += amount
            self.engine.note_update(account, {"type": "deposit", "usdc": usd(amount)})

    def appoint(self, dex_name: str, user: str) -> None:
        """Makes an address the deployer of a builder dex, whose oracle is then its own. Raises BadRequest."""
        if self._journal is not None:
            self._inputs.append({"appoint": [dex_name, user]})
        dex = self.engine.dex(dex_name)
        if dex is None or dex.index == 0:
            raise BadRequest(f"{dex_name!r} is not a builder dex of this scenario")
        self.engine.deployers[dex.index] = address(user)
        self.engine.account(address(user)).funded = True
        self.engine.scripted.add(dex.index)

    def happen(self, row: Any) -> Incident:
        """Lets an incident happen with the next block. Raises ScenarioError for what cannot be read."""
        incident = read_incident(row, set(self._world.coins), set(self._world.dexs))
        if incident.kind in MARKET_KINDS and self._journal is not None:
            self._inputs.append({"incident": row})
        self._run_incident(incident)
        return incident

    # ----------------------------------------------------------------- state

    def conservation(self) -> dict[str, int]:
        """What must be zero: money that came from nowhere, markets whose positions do not cancel out."""
        sums = self.engine.conservation()
        return {"money": sums["money"] - self.funded, "unbalanced_markets": sums["unbalanced_markets"]}

    def digest(self) -> str:
        """A hash over all money, positions, orders, books, oracles and marks."""
        rows: list[Any] = [self.now_ms, self.engine.next_oid]
        for market in self.engine.markets.values():
            rows.append([market.oracle, market.mark, market.held, [[o.oid, o.px, o.sz] for o in market.book.orders()]])
        for user, account in self.engine.accounts.items():
            for key, ledger in account.ledgers.items():
                held = [[p.asset, p.szi, p.cost, p.raw, p.funding] for p in ledger.positions.values()]
                rows.append([user, key, ledger.cash, held])
            rows.append([user, account.requests, account.volume, sorted(account.spot.items()), len(account.fills)])
            rows.append([[o.oid, o.sz, o.status] for o in account.open_orders.values()])
        return hashlib.sha256(orjson.dumps(rows)).hexdigest()

    # --------------------------------------------------------------- block

    def step(self, now_ms: int) -> None:
        """One block at `now_ms`."""
        self.now_ms = self.engine.now_ms = max(now_ms, self.now_ms)
        self.faults.advance(self.now_ms)
        for incident in self._time_line.due(self.now_ms):
            self._run_incident(incident)
        for agent in self._agents:
            agent.act(self.inside, self.now_ms)
        self._note(agents=True)
        self._run_queued()

    def run_actions(self) -> None:
        """What was sent in is run at once, outside the rhythm of blocks: for a venue without a block time."""
        self._note(agents=False)
        self._run_queued()

    def _note(self, *, agents: bool) -> None:
        if self._journal is not None:
            self._journal({"block": self.now_ms, "agents": agents, "in": self._inputs})
            self._inputs = []

    def _run_queued(self) -> None:
        self._run_schedules()
        queued = [item for item in self._queued if item[0] <= self.now_ms]
        self._queued = [item for item in self._queued if item[0] > self.now_ms]
        for _, signed, done in sorted(queued, key=lambda item: item[1].group):
            answer = actions.execute(self.engine, signed, self.network)
            if self.faults.hit("lose_replies") is None:
                delay_ms = self.scenario.answer_latency_ms + self.faults.delay_ms("latency")
                self._answers.append((self.now_ms + delay_ms, _bind(done, answer)))
        for market in self.engine.markets.values():
            market.fall_back(self.now_ms)
        self.engine.refresh_marks()
        triggers.fire(self.engine)
        liquidation.run(self.engine)
        funding.run(self.engine)
        self._feed.after_block()
        for _ in range(len(self._answers)):
            due_ms, tell = self._answers.popleft()
            if due_ms <= self.now_ms:
                tell()
            else:
                self._answers.append((due_ms, tell))
        while self._late and self._late[0][0] <= self.now_ms:
            _, conn, data = self._late.popleft()
            self._outbox.append((conn, data))

    def _run_schedules(self) -> None:
        for account in self.engine.accounts.values():
            if account.cancel_at_ms is not None and self.now_ms >= account.cancel_at_ms:
                account.cancel_at_ms = None
                day, fired = account.cancels_fired
                today = self.now_ms // DAY_MS
                account.cancels_fired = (today, fired + 1 if day == today else 1)
                for order in list(account.open_orders.values()):
                    if order.oid in account.open_orders:
                        self.engine.cancel(account, order, "scheduledCancel")

    def _run_incident(self, incident: Incident) -> None:
        if incident.kind in MARKET_KINDS:
            self.inside.run(incident, self.now_ms)
            if incident.kind == "upgrade":
                self.kicked += list(self._peer_of)
        elif incident.kind == "disconnect":
            self.kicked += list(self._peer_of)
        else:
            self.faults.begin(incident, self.now_ms)

    # ------------------------------------------------------------- sockets

    def _on_subscription(self, conn: int, method: str, raw: Any) -> None:
        full = read_subscription(raw, self._world)
        change = self._hub.subscribe if method == "subscribe" else self._hub.unsubscribe
        problem = change(conn, full)
        if problem is not None:
            self._send(conn, frame("error", problem))
            return
        if self.faults.hit("drop_acks") is None:
            self._send(conn, frame("subscriptionResponse", {"method": method, "subscription": full}))
        if method == "subscribe":
            self._feed.snapshot(conn, full)

    def _on_post(self, conn: int, limits: Peer, post_id: int, request: Any) -> None:
        if not isinstance(request, dict):
            raise BadRequest
        payload, kind = request.get("payload"), request.get("type")
        fault = self.faults.hit("errors")
        if fault is not None:
            self._send(conn, _post(post_id, {"type": "error", "payload": f"{fault.status}"}))
        elif kind == "info":
            asked = str(payload.get("type")) if isinstance(payload, dict) else ""
            try:
                data = {"type": "info", "payload": {"type": asked, "data": info.answer(self.engine, payload)}}
            except BadRequest as error:
                data = {"type": "error", "payload": f"422 Unprocessable Entity: {error}"}
            self._send(conn, _post(post_id, data))
        elif kind == "action":
            signed = actions.read(payload)
            if limits.rules.posts_in_flight and limits.posts >= limits.rules.posts_in_flight:
                self._send(conn, _post(post_id, {"type": "error", "payload": "429 Too Many Requests"}))
                return
            limits.posts += 1

            def done(answer: dict[str, Any]) -> None:
                limits.posts -= 1
                self._send(conn, _post(post_id, {"type": "action", "payload": answer}))

            self._take(payload, signed, done)
        else:
            raise BadRequest

    def _peer(self, name: str) -> Peer:
        found = self._peers.get(name)
        if found is None:
            found = self._peers[name] = Peer(self.scenario.limits)
        return found

    def _publish(self, channel: str, conns: Iterable[int], data: Any) -> None:
        conns = tuple(conns)
        if not conns or data is None or self.faults.muted(channel):
            return
        made = frame(channel, data)
        delay_ms = self.faults.delay_ms("feed_latency")
        if delay_ms:
            self._late += [(self.now_ms + delay_ms, conn, made) for conn in conns]
        else:
            self._outbox += [(conn, made) for conn in conns]

    def _send(self, conn: int, data: bytes) -> None:
        if conn in self._peer_of:
            self._outbox.append((conn, data))


def _post(post_id: int, response: dict[str, Any]) -> bytes:
    return frame("post", {"id": post_id, "response": response})


def _bind(done: Done, answer: dict[str, Any]) -> Callable[[], None]:
    return lambda: done(answer)
