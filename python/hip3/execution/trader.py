"""`Trader`: the one door for frames, timers and sweeps, and the only place that decides what goes out.

Without I/O and without a clock: every input carries its time, everything to send comes out of
`take_outbound`, everything to log out of `take_notices`. Given the same inputs in the same order it does
the same again, which is what a replay of a recording relies on. One lock makes it safe for its two
callers, the event loop and the backup thread; nothing in here waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

from hip3._hip3 import (
    AccountState,
    Engine,
    Entry,
    Fill,
    FlattenOrder,
    Malformed,
    OrderUpdate,
    PostReply,
    Resync,
    Signer,
    VenueError,
)
from hip3.execution.desk import DeskSettings, OrderDesk
from hip3.execution.edge_log import EdgeLog
from hip3.execution.gates import EntryContext, EntryRefusal, refuse_entry
from hip3.execution.orders import Order, OrderKind, entry_order, flatten_order
from hip3.execution.outbound import Notice, Outbound, Route
from hip3.execution.posts import MS, Post
from hip3.execution.replies import Consequence, consequence_of, json_of, market_trouble_of
from hip3.execution.tally import MarketTrouble, Tally
from hip3.execution.venue_clock import VenueClock

#: How long entries rest after the venue asked for fewer requests: its own limit is one action in ten seconds.
SLOW_DOWN_MS = 10_000
Recorder = Callable[[int, bytes], None]


class TradingState(StrEnum):
    """What the trader may send."""

    STARTING = "starting"
    TRADING = "trading"
    #: No entries; exits and cancels pass.
    REDUCING = "reducing"
    #: Nothing passes: the venue takes nothing that this key signs, or the kill latch is set.
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class TraderSettings:
    """What the trader is told at its start. `dexs` are those whose account must be read before entries."""

    desk: DeskSettings
    dexs: frozenset[str]
    sz_decimals: dict[int, int]
    sends_orders: bool = True


class Trader:
    """See the module's head."""

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        settings: TraderSettings,
        recorder: Recorder | None = None,
        stopwatch: Callable[[], int] | None = None,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.state = TradingState.STARTING
        #: Why the trader is reducing or halted; empty otherwise.
        self.state_why = ""
        self.tally = Tally()
        self.accounts: dict[str, AccountState] = {}
        self.order_link_up = False
        self.desk = OrderDesk(signer, settings.desk, self._on_order_end, self._on_order_refused)
        self._lock = threading.RLock()
        self._recorder = recorder
        self._stopwatch = stopwatch
        self._slowed_until_ns = 0
        self._edge_log = EdgeLog(engine, self.tally)
        self._link_lost_ns = 0
        self._venue_clock = VenueClock(engine)

    # -------------------------------------------------------------- inputs

    def on_frame(self, frame: bytes, recv_ns: int) -> bool:
        """One frame of either socket, or a REST answer in a frame's shape; `recv_ns` is its arrival.

        Returns whether there may be something to send or a nearer timer: False for most market frames.
        """
        with self._lock:
            if self._recorder is not None:
                self._recorder(recv_ns, frame)
            events = self.engine.on_frame(frame, recv_ns)
            if self._stopwatch is not None:
                self.tally.timings.frame_to_decision.record(max(0, self._stopwatch() - recv_ns))
            flattened = self._take_flattens(recv_ns)
            if not events and not flattened:
                return self.engine.next_deadline_ns() is not None
            for event in events or ():
                self._on_event(event, recv_ns)
            self.desk.flush(recv_ns, recv_ns)
            return True

    def on_timer(self, now_ns: int) -> None:
        """To be called when `next_timer_ns` has come: deadlines, batch windows, the edge summary."""
        with self._lock:
            self._control(now_ns, "timer")
            self.engine.on_deadline(now_ns)
            self._take_flattens(now_ns)
            for order in self.desk.check(now_ns, self._venue_clock.now_ms(now_ns)):
                self.tally.note("error", "order_given_up", cloid=order.cloid, coin=order.coin, state=order.state.value)
            self.desk.flush(now_ns, now_ns)
            self._edge_log.log(now_ns)

    def sweep(self, now_ns: int) -> int:
        """The backup path: the exit rule over all positions. Returns the claims made."""
        with self._lock:
            self._control(now_ns, "sweep")
            claims = self.engine.sweep_exits(now_ns)
            self._take_flattens(now_ns)
            self.desk.flush(now_ns, now_ns)
            return claims

    def on_link(self, up: bool, now_ns: int) -> None:
        """The order socket came up (all its subscriptions acknowledged) or went down."""
        with self._lock:
            self._control(now_ns, "link", up=up)
            self.order_link_up = up
            if up:
                since_ns = self._link_lost_ns or now_ns
                self.desk.ask_fills((), since_ns // MS, now_ns, self._venue_clock.now_ms(now_ns))
            else:
                self._link_lost_ns = now_ns
                self.desk.drop_entries("order link down", now_ns)
                self.desk.on_link_down(now_ns)
            self._update_state()

    def on_unsent(self, post_id: int, why: str, now_ns: int) -> None:
        """A message did not leave the process, provably."""
        with self._lock:
            self._control(now_ns, "unsent", id=post_id, why=why)
            self.desk.on_unsent(post_id, why, now_ns)

    def on_lost(self, post_id: int, now_ns: int) -> None:
        """A message may have left, and no answer will come."""
        with self._lock:
            self._control(now_ns, "lost", id=post_id)
            self.desk.on_lost(post_id, now_ns)

    def stop_entries(self, now_ns: int, why: str = "entries stopped") -> None:
        """No new entries from here on; what was queued ends as not sent."""
        with self._lock:
            self._control(now_ns, "stop_entries", why=why)
            self._stop(TradingState.REDUCING, why, now_ns)

    def resume_entries(self, now_ns: int) -> bool:
        """Entries again after `stop_entries`; False for a trader that is halted. One that had not started starts."""
        with self._lock:
            self._control(now_ns, "resume_entries")
            if self.state is TradingState.HALTED:
                return False
            if self.state is TradingState.REDUCING:
                read = self.settings.dexs <= self.accounts.keys()
                self.state = TradingState.TRADING if read else TradingState.STARTING
                self.state_why = ""
            self.engine.set_entries_enabled(True)
            return True

    def reconfigure(self, settings: bytes, markets: bytes, now_ns: int) -> None:
        """Other entry settings, blackouts and terms of markets from here on; raises CoreError as the core does."""
        with self._lock:
            self.engine.reconfigure(settings, markets)
            told = {"settings": orjson.Fragment(settings), "markets": orjson.Fragment(markets)}
            self._control(now_ns, "reconfigure", **told)

    def halt(self, why: str, now_ns: int) -> None:
        """Nothing is signed any more, whoever said so: no entries, and nothing to wait for."""
        with self._lock:
            self._control(now_ns, "halt", why=why)
            self._stop(TradingState.HALTED, why, now_ns)

    def flatten(self, reason: str, now_ns: int, assets: Collection[int] | None = None) -> int:
        """Asks for the exit of open positions, all of them or those of `assets`; returns the claims made."""
        with self._lock:
            chosen = None if assets is None else sorted(assets)
            self._control(now_ns, "flatten", reason=reason, **({} if chosen is None else {"assets": chosen}))
            held = [p.asset for p in self.engine.positions() if chosen is None or p.asset in chosen]
            made = sum(self.engine.request_exit(asset, reason, now_ns) for asset in held)
            self._take_flattens(now_ns)
            self.desk.flush(now_ns, now_ns)
            return made

    # ------------------------------------------------------------- outputs

    def take_outbound(self) -> Outbound | None:
        """The next message to send; each is handed to one caller only."""
        with self._lock:
            return self.desk.posts.outbox.popleft() if self.desk.posts.outbox else None

    def withheld(self, message: Outbound, now_ns: int) -> str | None:
        """Why a message that was taken must not leave any more, or None.

        Reads may leave a halted trader, since they tell what became of its orders; signed actions may not.
        """
        if now_ns >= message.expires_ns:
            return "expired before sending"
        halted = self.state is TradingState.HALTED or self.desk.is_killed
        if halted and message.route is Route.EXCHANGE:
            return "halted"
        return None

    def may_leave(self, message: Outbound, now_ns: int) -> bool:
        """Whether a message that was taken may be sent; one that may not has ended as unsent."""
        why = self.withheld(message, now_ns)
        if why is not None:
            self.on_unsent(message.post_id, why, now_ns)
        return why is None

    def take_notices(self) -> list[Notice]:
        """What happened since the last call, oldest first."""
        with self._lock:
            notices = list(self.tally.notices)
            self.tally.notices.clear()
            return notices

    def next_timer_ns(self) -> int:
        """When `on_timer` wants to be called next."""
        with self._lock:
            times = [self._edge_log.due_ns, self.desk.next_due_ns(), self.engine.next_deadline_ns()]
            return min(t for t in times if t is not None)

    def reading(self) -> threading.RLock:
        """The lock, for readers that need several figures of one moment."""
        return self._lock

    # -------------------------------------------------------------- events

    def _on_event(self, event: Any, now_ns: int) -> None:
        match event:
            case Entry():
                self._on_entry(event, now_ns)
            case Fill():
                self._on_fill(event, now_ns)
            case OrderUpdate():
                self.desk.on_update(event, now_ns)
            case PostReply():
                self._on_reply(event, now_ns)
            case AccountState():
                self.accounts[event.dex] = event
                self._update_state()
            case Resync():
                self.tally.note("warning", "position_resync", coin=event.coin, was=event.was, now=event.now)
            case VenueError():
                self.tally.note("warning", "venue_error", text=event.text)
            case Malformed():
                self.tally.note("warning", "malformed_frame", reason=event.reason)
            case _:
                pass

    def _on_entry(self, signal: Entry, now_ns: int) -> None:
        refusal = refuse_entry(
            EntryContext(
                entries_allowed=self.state is TradingState.TRADING,
                sends_orders=self.settings.sends_orders,
                order_link_up=self.order_link_up,
                account_read=self.settings.dexs <= self.accounts.keys(),
                slowed_until_ns=self._slowed_until_ns,
                room_in_flight=self.desk.has_room_for_entries(),
                now_ns=now_ns,
            )
        )
        self.tally.note(
            "info",
            "entry_signal",
            coin=signal.coin,
            side="buy" if signal.is_buy else "sell",
            px=signal.px,
            sz=signal.sz,
            edge_bps=signal.edge_bps,
            net_edge_bps=signal.net_edge_bps,
            refused=refusal.value if refusal else None,
        )
        if refusal is not None:
            self.tally.refusals[refusal.value] += 1
            self.tally.would_be_entries += refusal is EntryRefusal.OBSERVE_ONLY
            self.engine.settle_entry(signal.cloid, False, now_ns)
            return
        order = entry_order(signal, self.settings.sz_decimals[signal.asset], now_ns)
        if not self.desk.submit(order, now_ns):
            self.tally.refusals[EntryRefusal.QUEUE_FULL.value] += 1

    def _take_flattens(self, now_ns: int) -> bool:
        """Hands the core's flatten orders to the desk, exits first; whether there were any."""
        if (wanted := self.engine.pop_flatten()) is None:
            return False
        while wanted is not None:
            if self._stopwatch is not None and wanted.path in self.tally.timings.exit_latency:
                late_ns = max(0, self._stopwatch() - wanted.due_ns)
                self.tally.timings.exit_latency[wanted.path].record(late_ns)
            self._submit_flatten(wanted, now_ns)
            wanted = self.engine.pop_flatten()
        return True

    def _submit_flatten(self, wanted: FlattenOrder, now_ns: int) -> None:
        self.tally.note(
            "info",
            "exit",
            coin=wanted.coin,
            reason=wanted.reason,
            path=wanted.path,
            px=wanted.px,
            sz=wanted.sz,
        )
        position = self.engine.get_position(wanted.asset)
        order = flatten_order(wanted, position, self.settings.sz_decimals[wanted.asset], now_ns)
        if self.state is TradingState.HALTED:
            self.desk.refuse(order, "halted", now_ns)
        else:
            self.desk.submit(order, now_ns)

    def _on_fill(self, fill: Fill, now_ns: int) -> None:
        if fill.applied:
            self.tally.note(
                "info",
                "fill",
                coin=fill.coin,
                side="buy" if fill.is_buy else "sell",
                px=fill.px,
                sz=fill.sz,
                fee=fill.fee,
                position=fill.position,
            )
        order = self.desk.on_fill(fill, now_ns)
        if not fill.applied:
            return
        self.tally.count_fill(fill, order, now_ns)
        if Decimal(fill.position) == 0:
            cash = next((Decimal(row[1]) for row in self.engine.cash() if row[0] == fill.coin), Decimal(0))
            self.tally.count_flat(fill.coin, order, cash, now_ns)

    def _on_reply(self, reply: PostReply, now_ns: int) -> None:
        post = self.desk.posts.awaited.get(reply.id)
        if reply.kind == "error":
            self.tally.note("warning", "post_error", id=reply.id, text=reply.payload.decode(errors="replace"))
            self.desk.on_lost(reply.id, now_ns)
            return
        if post is None or post.kind in ("order", "cancel"):
            self.desk.on_answer(reply.id, reply.payload, now_ns)
            return
        self.desk.posts.take(reply.id)
        body = json_of(reply.payload)
        data = body.get("data") if isinstance(body, dict) else None
        if post.kind == "status":
            self.desk.on_status(post, data, now_ns)
        elif post.kind == "fills" and isinstance(data, list):
            self._on_fills_read(post, data, now_ns)

    def _on_fills_read(self, post: Post, fills: list[Any], now_ns: int) -> None:
        """Applies fills that were asked for; with one that cannot be read, they are not all the fills."""
        data = {"isSnapshot": True, "user": self.settings.desk.user, "fills": fills}
        events = self.engine.on_frame(orjson.dumps({"channel": "userFills", "data": data}), now_ns) or []
        for event in events:
            self._on_event(event, now_ns)
        if not any(isinstance(event, Malformed) for event in events):
            self.desk.on_fills_read(post, now_ns)

    # ----------------------------------------------------------- order ends

    def _on_order_end(self, order: Order, now_ns: int) -> None:
        filled = order.applied > 0
        if order.kind is OrderKind.ENTRY:
            self.engine.settle_entry(order.cloid, filled, now_ns)
            self.tally.entries += filled
        else:
            self.engine.release_claim(order.asset, order.cloid, order.state.value, now_ns)
        level = "info" if filled else "warning"
        self.tally.note(
            level,
            "order_end",
            coin=order.coin,
            kind=order.kind.value,
            state=order.state.value,
            why=order.refusal,
        )

    def _on_order_refused(self, order: Order, text: str, now_ns: int) -> None:
        trouble = market_trouble_of(text)
        if trouble is not None:
            self.tally.troubles[order.coin] = MarketTrouble(now_ns, trouble)
        match consequence_of(text):
            case Consequence.SLOW_DOWN:
                self._slowed_until_ns = now_ns + SLOW_DOWN_MS * MS
                self.tally.note("warning", "slowed_down", text=text, pause_ms=SLOW_DOWN_MS)
            case Consequence.STOP_ENTRIES:
                self._stop(TradingState.REDUCING, "entries stopped", now_ns)
                self.tally.note("error", "entries_stopped", text=text, remedy="fund the dex, then start again")
            case Consequence.HALT:
                self._stop(TradingState.HALTED, text, now_ns)
                self.tally.note("error", "halted", text=text, remedy="approve this agent for the account: hip3 check")
            case Consequence.RESYNC:
                self.desk.ask_fills((), now_ns // MS, now_ns, self._venue_clock.now_ms(now_ns))
            case Consequence.NONE:
                pass

    # -------------------------------------------------------------- helpers

    def _update_state(self) -> None:
        read = self.settings.dexs <= self.accounts.keys()
        if self.state is TradingState.STARTING and read and (self.order_link_up or not self.settings.sends_orders):
            self.state = TradingState.TRADING
            self.tally.note("info", "trading", markets=len(self.settings.sz_decimals))

    def _stop(self, state: TradingState, why: str, now_ns: int) -> None:
        """No entries from here on; what was queued ends as not sent. A halt stays a halt."""
        if self.state is not TradingState.HALTED:
            self.state, self.state_why = state, why
        self.engine.set_entries_enabled(False)
        self.desk.drop_entries(why, now_ns)

    def _control(self, now_ns: int, kind: str, **fields: Any) -> None:
        if self._recorder is not None:
            data = {"kind": kind, **fields}
            self._recorder(now_ns, orjson.dumps({"channel": "hip3", "data": data}))
