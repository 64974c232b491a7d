"""Random venues: answers, updates and fills lost, doubled and in any order never leave an order without its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hip3.execution.orders import Order, OrderKind, OrderState

if TYPE_CHECKING:
    from .desk_bench import DeskBench, Sent

    Make = Callable[..., DeskBench]

MS = 1_000_000
#: The venue's clock is this far behind ours.
VENUE_LAG_MS = 300
NEVER_THERE = (OrderState.NOT_SENT, OrderState.PROVEN_ABSENT)
NOTHING_FILLED = (OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED, *NEVER_THERE)
EXECUTED = [Decimal(0), Decimal("0.5"), Decimal(2)]


@dataclass
class Trade:
    """One fill at the venue."""

    order: Order
    sz: Decimal
    told: bool = False


@dataclass
class Venue:
    """Executes what reaches it in time, and tells of it by messages that the test delivers as it likes."""

    bench: DeskBench
    on_the_way: list[Sent] = field(default_factory=list)
    questions: list[Sent] = field(default_factory=list)
    messages: list[Callable[[], None]] = field(default_factory=list)
    records: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        return self.bench.now_ms - VENUE_LAG_MS

    def take(self, sent: list[Sent]) -> None:
        for one in sent:
            (self.on_the_way if one.cloids else self.questions).append(one)

    def execute(self, sent: Sent, executed: Decimal) -> None:
        """The action arrives: every order of it executes the same size."""
        if self.now_ms > sent.request["expiresAfter"]:
            body = b'{"status":"err","response":"Action already expired"}'
            self.messages.append(lambda: self.bench.desk.on_answer(sent.id, body, self.bench.now_ns))
            return
        for cloid in sent.cloids:
            order = self.orders[cloid]
            assert order.state not in NEVER_THERE, "an order was given up and came to life"
            oid = int(cloid, 16)
            self.records[cloid] = (oid, executed)
            for part in (executed / 4, executed * 3 / 4) if executed else ():
                trade = Trade(order, part)
                self.trades.append(trade)
                self.messages.append(lambda trade=trade: self.tell(trade))  # type: ignore[misc]
            self.messages.append(lambda order=order: self.update(order))  # type: ignore[misc]
        self.messages.append(lambda: self.answer(sent))

    def tell(self, trade: Trade) -> None:
        oid, _ = self.records[trade.order.cloid]
        self.bench.fill(trade.order, str(trade.sz), applied=not trade.told, oid=oid)
        trade.told = True

    def update(self, order: Order) -> None:
        oid, executed = self.records[order.cloid]
        word = {Decimal(0): "iocCancelRejected", Decimal(order.sz): "filled"}.get(executed, "canceled")
        self.bench.update(order, word, str(Decimal(order.sz) - executed), oid)

    def answer(self, sent: Sent) -> None:
        statuses: list[object] = []
        for cloid in sent.cloids:
            oid, executed = self.records[cloid]
            filled = {"filled": {"totalSz": str(executed), "avgPx": "90", "oid": oid}}
            statuses.append(filled if executed else {"error": "Order could not immediately match"})
        self.bench.answer(sent.id, *statuses)

    def reply(self, question: Sent) -> None:
        """Answers truthfully; a question that is not awaited any more is left alone."""
        if question.id not in self.bench.desk.posts.awaited:
            return
        if question.request["type"] == "userFillsByTime":
            for trade in self.trades:
                self.tell(trade)
            self.bench.fills_read(question)
            return
        cloid = question.request["oid"]
        if cloid not in self.records:
            self.bench.status_unknown(question)
            return
        order, (oid, executed) = self.orders[cloid], self.records[cloid]
        word = {Decimal(0): "iocCancelRejected", Decimal(order.sz): "filled"}.get(executed, "canceled")
        self.bench.status_word(question, order, word, "2", oid)


def step(venue: Venue, kind: str, number: int) -> None:
    """One thing that happens; `number` chooses which, how much or how long."""
    bench = venue.bench
    match kind:
        case "submit":
            for _ in range(1 + number % 3):
                order = bench.submit(OrderKind.ENTRY if number % 2 else OrderKind.FLATTEN)
                venue.orders[order.cloid] = order
            venue.take(bench.flush())
        case "wait":
            venue.take(bench.wait(1 + number % 1500, VENUE_LAG_MS))
            venue.take(bench.flush())
        case "arrive" if venue.on_the_way:
            venue.execute(venue.on_the_way.pop(number % len(venue.on_the_way)), EXECUTED[number % 3])
        case "unsent" if venue.on_the_way:
            bench.desk.on_unsent(venue.on_the_way.pop(number % len(venue.on_the_way)).id, "late", bench.now_ns)
        case "lost" if venue.on_the_way:
            bench.desk.on_lost(venue.on_the_way[number % len(venue.on_the_way)].id, bench.now_ns)
        case "deliver" | "double" | "drop" if venue.messages:
            message = venue.messages[number % len(venue.messages)]
            if kind != "double":
                venue.messages.remove(message)
            if kind != "drop":
                message()
        case "reply" | "mute" if venue.questions:
            question = venue.questions.pop(number % len(venue.questions))
            if kind == "reply":
                venue.reply(question)
        case "link_down":
            bench.desk.drop_entries("order link down", bench.now_ns)
            bench.desk.on_link_down(bench.now_ns)
        case _:
            pass


KINDS = ["submit", "wait", "arrive", "unsent", "lost", "deliver", "double", "drop", "reply", "mute", "link_down"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9999)), min_size=5, max_size=60))
def test_every_order_ends_once_with_the_venues_own_account_of_it(
    desk_bench: Make, steps: list[tuple[str, int]]
) -> None:
    bench = desk_bench(settle_checks_max=1000)
    venue = Venue(bench)
    step(venue, "submit", 2)
    for kind, number in steps:
        step(venue, kind, number)
    # The faults stop: what is on its way stays lost, every question is answered at once and truthfully.
    for _ in range(400):
        while venue.questions:
            venue.reply(venue.questions.pop())
        step(venue, "wait", 49)
    assert bench.desk.table.live == {}
    assert len(bench.ended) == bench.orders
    assert len(bench.desk.posts) == 0
    for order in bench.ended:
        _, executed = venue.records.get(order.cloid, (0, Decimal(0)))
        assert order.applied == executed
        if executed == 0:
            assert order.state in NOTHING_FILLED
        else:
            assert order.state is (OrderState.FILLED if executed == 2 else OrderState.PARTLY_FILLED)
