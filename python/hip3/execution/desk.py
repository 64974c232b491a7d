"""`OrderDesk`: the life of every order from its queue to its end.

Owns the order table, the batch scheduler, the signer and the messages awaiting an answer. An order is
marked as sent before its bytes are handed out; it ends only when the venue told its end and every fill
of it has been applied, when the venue proves that it never had it, or when it provably did not leave.
An answer that does not come, or says nothing, leads to a query, never to a second sending.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hip3._hip3 import Fill, OrderUpdate, Signer
from hip3.execution import replies
from hip3.execution.batch import BatchLimits, BatchScheduler
from hip3.execution.orders import ZERO, Order, OrderKind, OrderState, OrderTable
from hip3.execution.outbound import Route
from hip3.execution.posts import MS, Post, PostBook
from hip3.execution.replies import Outcome, Told

#: Overlap of a query for fills with the time before the order was sent, in milliseconds.
FILLS_OVERLAP_MS = 60_000


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """Limits and deadlines of the desk; names carry their units, defaults are those of the option table."""

    user: str
    batch: BatchLimits = field(default_factory=BatchLimits)
    in_flight_max: int = 100
    in_flight_high_water: int = 80
    expires_after_entry_ms: int = 2000
    expires_after_exit_ms: int = 5000
    answer_deadline_ms: int = 2000
    inquiry_interval_ms: int = 500
    inquiry_interval_max_ms: int = 2000
    absent_margin_ms: int = 1000
    settle_checks_max: int = 20


class OrderDesk:
    """See the module's head. `on_end(order)` is called once for each order, at its end."""

    def __init__(
        self,
        signer: Signer,
        settings: DeskSettings,
        on_end: Callable[[Order, int], None],
        on_refusal: Callable[[Order, str, int], None],
    ) -> None:
        self.settings = settings
        self.table = OrderTable()
        self.scheduler = BatchScheduler(settings.batch)
        self.posts = PostBook(settings.answer_deadline_ms, settings.in_flight_max)
        self.flattens_sent = 0
        self.flattens_duplicate = 0
        self.inquiries = 0
        self.answers_late = 0
        self._signer = signer
        self._on_end = on_end
        self._on_refusal = on_refusal

    # ------------------------------------------------------------------ in

    @property
    def is_killed(self) -> bool:
        """Whether the signer signs nothing any more."""
        return self._signer.is_killed

    def submit(self, order: Order, now_ns: int) -> bool:
        """Queues an order; False (and its end as not sent) when its queue is full."""
        self.table.add(order)
        if order.kind is OrderKind.FLATTEN:
            taken = self.scheduler.enqueue_reduce_only(order)
        else:
            taken = self.scheduler.enqueue_new(order, now_ns)
        if not taken:
            self._end_unsent(order, "queue full", now_ns)
        return taken

    def has_room_for_entries(self) -> bool:
        """Whether entries may add to what is in flight: exits own the rest."""
        return len(self.posts) < self.settings.in_flight_high_water

    # ----------------------------------------------------------------- out

    def flush(self, now_ns: int, origin_ns: int) -> None:
        """Signs and hands out what is due: flatten orders, then cancels, then entries."""
        due = self.scheduler.due_ns()
        if due is None or due > now_ns:
            return
        while batch := self.scheduler.take_reduce_only():
            self._send_orders(batch, now_ns, origin_ns)
        while cancels := self.scheduler.take_cancels():
            post_id = self.posts.open("cancel", (), now_ns)
            expires_ms = now_ns // MS + self.settings.expires_after_exit_ms
            signed = self._signer.cancel_by_cloid(
                [(c.asset, c.cloid) for c in cancels], now_ns // MS, expires_ms, post_id
            )
            self.posts.hand_out(post_id, Route.EXCHANGE, signed.post, signed.body, expires_ms, now_ns, "cancel")
        while batch := self.scheduler.take_new(now_ns):
            fresh = self._still_worth_sending(batch, now_ns)
            if fresh:
                self._send_orders(fresh, now_ns, fresh[0].decided_ns)

    def _still_worth_sending(self, batch: list[Order], now_ns: int) -> list[Order]:
        """Ends entries decided longer ago than an entry may live: the loop stood still meanwhile."""
        oldest_ns = now_ns - self.settings.expires_after_entry_ms * MS
        for order in batch:
            if order.decided_ns <= oldest_ns:
                self._end_unsent(order, "too late to send", now_ns)
        return [order for order in batch if not order.is_over]

    def _send_orders(self, batch: list[Order], now_ns: int, origin_ns: int) -> None:
        flatten = batch[0].kind is OrderKind.FLATTEN
        life_ms = self.settings.expires_after_exit_ms if flatten else self.settings.expires_after_entry_ms
        expires_ms = now_ns // MS + life_ms
        wire: list[tuple[int, bool, str, str, bool, str, str | None, int]] = [
            (o.asset, o.is_buy, o.px, o.sz, flatten, "Ioc", o.cloid, o.sz_decimals) for o in batch
        ]
        post_id = self.posts.open("order", tuple(o.cloid for o in batch), now_ns)
        try:
            signed = self._signer.orders(wire, now_ns // MS, expires_ms, post_id)
        except ValueError as error:
            self.posts.take(post_id)
            self._send_apart(batch, str(error), now_ns, origin_ns)
            return
        for order in batch:
            if flatten:
                self._count_flatten(order)
            order.state = OrderState.SENT
            order.post_id = post_id
            order.sent_ns = now_ns
            order.expires_after_ms = expires_ms
            order.next_check_ns = now_ns + self.settings.answer_deadline_ms * MS
        kind = batch[0].kind.value
        self.posts.hand_out(post_id, Route.EXCHANGE, signed.post, signed.body, expires_ms, origin_ns, kind)

    def _send_apart(self, batch: list[Order], why: str, now_ns: int, origin_ns: int) -> None:
        """Ends the one order that cannot be signed; those beside it in a batch go out without it."""
        if len(batch) == 1:
            self._end_unsent(batch[0], why, now_ns)
            return
        for order in batch:
            self._send_orders([order], now_ns, origin_ns)

    def _count_flatten(self, order: Order) -> None:
        self.flattens_sent += 1
        for other in self.table.live.values():
            alive = other.state in (OrderState.SENT, OrderState.UNKNOWN)
            if other is not order and other.kind is OrderKind.FLATTEN and other.asset == order.asset and alive:
                self.flattens_duplicate += 1

    def ask_fills(self, cloids: tuple[str, ...], since_ms: int, now_ns: int, venue_ms: int) -> None:
        """Hands out a read of the account's fills from a minute before `since_ms` on."""
        request: dict[str, object] = {
            "type": "userFillsByTime",
            "user": self.settings.user,
            "startTime": since_ms - FILLS_OVERLAP_MS,
            "aggregateByTime": False,
        }
        self.posts.ask("fills", request, cloids, now_ns, venue_ms)

    # ------------------------------------------------------------- answers

    def on_answer(self, post_id: int, payload: bytes, now_ns: int) -> None:
        """Applies the answer to an action of orders; one that is not awaited any more is counted."""
        post = self.posts.take(post_id)
        if post is None:
            self.answers_late += 1
            return
        if post.kind != "order":
            return
        outcomes = replies.read_answer(replies.json_of(payload), len(post.cloids))
        for cloid, outcome in zip(post.cloids, outcomes, strict=True):
            order = self.table.live.get(cloid)
            if order is not None:
                self._apply(order, outcome, now_ns)
                if outcome.told is Told.NOTHING:
                    order.next_check_ns = now_ns

    def on_update(self, update: OrderUpdate, now_ns: int) -> None:
        """Applies an order update of the user channel."""
        order = self.table.find(update.cloid, update.oid)
        if order is not None and not order.is_over:
            outcome = replies.read_status_word(update.status, update.sz, update.orig_sz, update.oid)
            self._apply(order, outcome, now_ns)

    def on_fill(self, fill: Fill, now_ns: int) -> Order | None:
        """Counts an applied fill to its order; returns the order, live or recently ended."""
        order = self.table.find(fill.cloid, fill.oid)
        if not fill.applied:
            return order
        if order is None:
            self.table.keep_stray(fill.oid, Decimal(fill.sz), Decimal(fill.px))
            return None
        order.count_fills(Decimal(fill.sz), Decimal(fill.sz) * Decimal(fill.px), 1)
        if order.oid is None:
            self.table.set_oid(order, fill.oid)
        self._try_end(order, now_ns)
        return order

    def on_status(self, post: Post, data: object, now_ns: int) -> None:
        """Applies the reply to a query for one order's status."""
        order = self.table.live.get(post.cloids[0])
        if order is None or order.state is not OrderState.UNKNOWN:
            return
        outcome = replies.read_order_status(data)
        if outcome is not None:
            self._apply(order, outcome, now_ns)
        elif post.asked_venue_ms > order.expires_after_ms + self.settings.absent_margin_ms:
            # Asked after the order's own expiry: what the venue does not know by then can no longer come.
            order.reported, order.pending_end = ZERO, OrderState.PROVEN_ABSENT
            self._try_end(order, now_ns)

    def on_fills_read(self, post: Post, now_ns: int) -> None:
        """All fills up to now have been applied: an order without a told size has just these."""
        order = self.table.live.get(post.cloids[0]) if post.cloids else None
        if order is None or order.state is not OrderState.SETTLING:
            return
        if order.reported is None:
            order.reported = order.applied
        self._try_end(order, now_ns)

    def _apply(self, order: Order, outcome: Outcome, now_ns: int) -> None:
        if order.is_over:
            return
        if outcome.oid is not None:
            self.table.set_oid(order, outcome.oid)
        if outcome.told is not Told.ENDED:
            return
        if order.pending_end is not None:
            self._compare(order, outcome, now_ns)
            return
        order.pending_end = outcome.end
        order.reported = outcome.executed
        order.refusal = outcome.text
        order.state = OrderState.SETTLING
        order.checks = 0
        order.next_check_ns = now_ns + self.settings.inquiry_interval_ms * MS
        if outcome.executed is None:
            order.next_check_ns = now_ns
        if outcome.text:
            self._on_refusal(order, outcome.text, now_ns)
        self._try_end(order, now_ns)

    def _compare(self, order: Order, outcome: Outcome, now_ns: int) -> None:
        """A second account of the same end: where the sizes differ, the fills decide."""
        if outcome.executed is not None and order.reported is not None and outcome.executed != order.reported:
            order.reported = None
            order.next_check_ns = now_ns

    def _try_end(self, order: Order, now_ns: int) -> None:
        """Ends the order once its end is told and every fill that it reports has been applied."""
        if order.is_over or order.pending_end is None or order.reported is None:
            return
        if order.applied < order.reported:
            return
        end = order.pending_end
        if order.applied > 0:
            end = OrderState.FILLED if order.applied >= Decimal(order.sz) else OrderState.PARTLY_FILLED
        elif end is OrderState.FILLED:
            end = OrderState.CANCELED
        self._finish(order, end, now_ns)

    def _end_unsent(self, order: Order, why: str, now_ns: int) -> None:
        order.refusal = why
        self._finish(order, OrderState.NOT_SENT, now_ns)

    def _finish(self, order: Order, end: OrderState, now_ns: int) -> None:
        self.table.end(order, end, now_ns)
        self._on_end(order, now_ns)

    # ------------------------------------------------------ what went wrong

    def on_unsent(self, post_id: int, why: str, now_ns: int) -> None:
        """The shell kept this message back: nothing of it left the process."""
        post = self.posts.take(post_id)
        if post is None or post.kind != "order":
            return
        for cloid in post.cloids:
            order = self.table.live.get(cloid)
            if order is not None:
                self._end_unsent(order, why, now_ns)

    def on_lost(self, post_id: int, now_ns: int) -> None:
        """The message left but no answer will come: its orders are asked for at once.

        A question that was lost is asked again at its own pace, so that a dead venue is not pressed.
        """
        post = self.posts.take(post_id)
        if post is None or post.kind != "order":
            return
        for cloid in post.cloids:
            order = self.table.live.get(cloid)
            if order is not None:
                order.next_check_ns = now_ns

    def on_link_down(self, now_ns: int) -> None:
        """The order socket is gone: no answer will come over it. What still waits to leave is untouched."""
        for post_id in self.posts.on_their_way():
            self.on_lost(post_id, now_ns)

    def drop_entries(self, why: str, now_ns: int) -> None:
        """Ends every entry that is still queued."""
        for order in self.scheduler.drop_new():
            self._end_unsent(order, why, now_ns)

    def refuse(self, order: Order, why: str, now_ns: int) -> None:
        """Ends an order before it is queued: nothing may leave."""
        self.table.add(order)
        self._end_unsent(order, why, now_ns)

    # --------------------------------------------------------------- timers

    def check(self, now_ns: int, venue_ms: int) -> list[Order]:
        """Asks for orders whose deadline has passed; returns those given up on (fills never came)."""
        self.posts.drop_overdue(now_ns)
        due = [o for o in self.table.live.values() if o.state is not OrderState.QUEUED and o.next_check_ns <= now_ns]
        given_up = []
        for order in due:
            if order.state is not OrderState.SETTLING:
                order.state = OrderState.UNKNOWN
            elif order.checks >= self.settings.settle_checks_max:
                given_up.append(order)
                self._finish(order, OrderState.PARTLY_FILLED if order.applied else OrderState.REJECTED, now_ns)
                continue
            self._inquire(order, now_ns, venue_ms)
        return given_up

    def _inquire(self, order: Order, now_ns: int, venue_ms: int) -> None:
        """Asks what became of an order; with too many posts in flight, a little later."""
        if not self.posts.has_room():
            order.next_check_ns = now_ns + self.settings.inquiry_interval_ms * MS
            return
        order.checks += 1
        self.inquiries += 1
        pause_ms = min(self.settings.inquiry_interval_ms * order.checks, self.settings.inquiry_interval_max_ms)
        order.next_check_ns = now_ns + pause_ms * MS
        if order.state is OrderState.SETTLING:
            self.ask_fills((order.cloid,), order.sent_ns // MS, now_ns, venue_ms)
        else:
            request: dict[str, object] = {"type": "orderStatus", "user": self.settings.user, "oid": order.cloid}
            self.posts.ask("status", request, (order.cloid,), now_ns, venue_ms)

    def next_due_ns(self) -> int | None:
        """When `flush` or `check` have something to do; None for never."""
        times = [o.next_check_ns for o in self.table.live.values() if o.state is not OrderState.QUEUED]
        times += [at for at in (self.posts.next_deadline_ns(), self.scheduler.due_ns()) if at is not None]
        return min(times, default=None)
