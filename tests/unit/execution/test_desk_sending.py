"""What leaves the desk: expiry, nonces and order of sending, what is held back, and that every list is bounded."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from hip3.execution.batch import BatchLimits, CancelRequest
from hip3.execution.orders import ENDED_IDS_MAX, STRAYS_MAX, OrderKind, OrderState

if TYPE_CHECKING:
    from .desk_bench import DeskBench

    Make = Callable[..., DeskBench]

MS = 1_000_000
FLATTEN, ENTRY = OrderKind.FLATTEN, OrderKind.ENTRY
CLOID = "0x0000000000000000000000000000000a"


def test_entries_and_exits_carry_their_own_expiry_and_only_exits_reduce_only(desk_bench: Make) -> None:
    bench = desk_bench()
    bench.send(FLATTEN)
    bench.send(ENTRY)
    leave, enter = bench.read.all
    sent_ms = bench.now_ms - 20
    assert (leave.request["expiresAfter"], enter.request["expiresAfter"]) == (sent_ms + 5000, bench.now_ms + 2000)
    orders = [sent.request["action"]["orders"][0] for sent in (leave, enter)]
    assert [order["r"] for order in orders] == [True, False]
    assert [order["t"] for order in orders] == [{"limit": {"tif": "Ioc"}}] * 2
    assert [sent.message.kind for sent in (leave, enter)] == ["flatten", "entry"]


def test_exits_leave_first_then_cancels_then_entries_and_nonces_rise(desk_bench: Make) -> None:
    bench = desk_bench()
    bench.submit(ENTRY)
    bench.desk.scheduler.enqueue_cancel(CancelRequest(110_026, CLOID))
    bench.submit(FLATTEN, asset=5)
    bench.now_ns += 20 * MS
    sent = bench.flush()
    kinds = [(one.request["action"]["type"], one.message.kind) for one in sent]
    assert kinds == [("order", "flatten"), ("cancelByCloid", "cancel"), ("order", "entry")]
    nonces = [one.request["nonce"] for one in sent]
    assert nonces == [bench.now_ms, bench.now_ms + 1, bench.now_ms + 2]
    bench.desk.on_answer(sent[1].id, b'{"status":"ok"}', bench.now_ns)
    assert bench.ends == []


def test_a_burst_leaves_in_batches_of_the_limit(desk_bench: Make) -> None:
    bench = desk_bench(BatchLimits(batch_max=39))
    for asset in range(100):
        bench.submit(asset=asset)
    assert [len(sent.cloids) for sent in bench.flush()] == [39, 39, 22]
    assert bench.desk.flattens_sent == 100
    assert bench.desk.flattens_duplicate == 0


def test_a_second_flatten_of_a_market_while_the_first_may_live_is_counted(desk_bench: Make) -> None:
    bench = desk_bench()
    bench.send()
    bench.send()
    assert bench.desk.flattens_duplicate == 1


def test_dropped_entries_end_unsent_and_exits_stay(desk_bench: Make) -> None:
    bench = desk_bench()
    entries = [bench.submit(ENTRY, asset=1), bench.submit(ENTRY, asset=2)]
    leaving = bench.submit(FLATTEN, asset=3)
    bench.desk.drop_entries("order link down", bench.now_ns)
    assert bench.ended == entries
    assert {order.refusal for order in entries} == {"order link down"}
    bench.now_ns += 20 * MS
    (sent,) = bench.flush()
    assert sent.cloids == [leaving.cloid]


@pytest.mark.parametrize(("stood_still_ms", "leaves"), [(1999, True), (2000, False)])
def test_an_entry_decided_before_the_loop_stood_still_does_not_leave(
    desk_bench: Make, stood_still_ms: int, leaves: bool
) -> None:
    bench = desk_bench()
    order = bench.submit(ENTRY)
    bench.now_ns += stood_still_ms * MS
    assert bool(bench.flush()) is leaves
    assert order.state is (OrderState.SENT if leaves else OrderState.NOT_SENT)


def test_a_refused_order_ends_unsent_and_nothing_leaves(desk_bench: Make) -> None:
    bench = desk_bench()
    order = bench.make()
    bench.desk.refuse(order, "halted", bench.now_ns)
    assert bench.ends == [OrderState.NOT_SENT]
    assert bench.flush() == []


def test_in_flight_high_water_refuses_entries_while_exits_pass_and_leave_the_socket(desk_bench: Make) -> None:
    bench = desk_bench(in_flight_max=4, in_flight_high_water=2)
    assert bench.desk.has_room_for_entries()
    for _ in range(2):
        bench.send()
    assert not bench.desk.has_room_for_entries()
    ids = [bench.send()[1] for _ in range(4)]
    crowded = [sent.message.crowded for sent in bench.read.all]
    assert crowded == [False] * 4 + [True] * 2
    for post_id in [*ids, 1]:
        bench.answer(post_id, {"error": "no"})
    assert bench.desk.has_room_for_entries()


def test_an_id_in_use_is_refused(desk_bench: Make) -> None:
    bench = desk_bench()
    order = bench.submit()
    with pytest.raises(ValueError, match="in use"):
        bench.desk.submit(order, bench.now_ns)


def test_a_venue_that_answers_nothing_cannot_grow_the_lists(desk_bench: Make) -> None:
    bench = desk_bench(BatchLimits(batch_max=1), in_flight_max=50, in_flight_high_water=40)
    for asset in range(200):
        bench.submit(asset=asset)
    bench.flush()
    most = 0
    for _ in range(1200):
        bench.wait(50)
        most = max(most, len(bench.desk.posts))
    assert most == 200
    assert len(bench.desk.posts) <= 50
    assert not bench.desk.posts.outbox
    assert len(bench.desk.table.live) == 200
    assert {order.state for order in bench.desk.table.live.values()} == {OrderState.UNKNOWN}


def test_every_order_is_asked_for_though_few_questions_may_be_open(desk_bench: Make) -> None:
    bench = desk_bench(BatchLimits(batch_max=1), in_flight_max=5, in_flight_high_water=4)
    for asset in range(20):
        bench.submit(asset=asset)
    for sent in bench.flush():
        bench.desk.on_lost(sent.id, bench.now_ns)
    asked: set[str] = set()
    for _ in range(200):
        for sent in bench.wait(50):
            asked.add(sent.request["oid"])
            bench.desk.posts.take(sent.id)
    assert len(asked) == 20


def test_deadlines_are_told_and_pass(desk_bench: Make) -> None:
    bench = desk_bench()
    assert bench.desk.next_due_ns() is None
    bench.submit(ENTRY)
    assert bench.desk.next_due_ns() == bench.now_ns + 20 * MS
    bench.submit(FLATTEN)
    assert bench.desk.next_due_ns() == 0
    (sent,) = bench.flush()
    bench.desk.drop_entries("", bench.now_ns)
    assert bench.desk.next_due_ns() == bench.now_ns + 2000 * MS
    bench.answer(sent.id, {"error": "no"})
    assert bench.desk.next_due_ns() is None


@pytest.mark.parametrize("payload", [b'"\\ud800"', b"[" * 2000 + b"]" * 2000, b"null", b"7", b'{"status":"ok"}'])
def test_an_answer_that_cannot_be_read_leads_to_a_question(desk_bench: Make, payload: bytes) -> None:
    bench = desk_bench()
    _, post_id = bench.send()
    bench.desk.on_answer(post_id, payload, bench.now_ns)
    (asked,) = bench.wait(0)
    assert asked.request["type"] == "orderStatus"


def test_orders_beyond_a_short_answer_are_asked_for_one_by_one(desk_bench: Make) -> None:
    bench = desk_bench()
    orders = [bench.submit(asset=asset) for asset in range(3)]
    (sent,) = bench.flush()
    bench.answer(sent.id, {"error": "no"})
    assert bench.ended == orders[:1]
    assert [one.request["oid"] for one in bench.wait(0)] == [order.cloid for order in orders[1:]]


def test_memories_of_ended_orders_and_strange_fills_are_bounded(desk_bench: Make) -> None:
    bench = desk_bench(BatchLimits(reduce_only_max=2 * ENDED_IDS_MAX))
    table: Any = bench.desk.table
    for number in range(STRAYS_MAX + 50):
        table.keep_stray(number, Decimal(1), Decimal(1))
    assert len(table._strays) == STRAYS_MAX
    for number in range(STRAYS_MAX + 50, STRAYS_MAX + ENDED_IDS_MAX + 100):
        order = bench.submit()
        table.set_oid(order, number)
        table.end(order, OrderState.CANCELED, bench.now_ns)
    assert len(table._ended_by_cloid) == len(table._by_oid) == ENDED_IDS_MAX
