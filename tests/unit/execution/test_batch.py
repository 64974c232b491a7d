"""The scheduler: who goes first, what coalesces, what a full queue does."""

from hip3.execution.batch import BatchLimits, BatchScheduler, CancelRequest
from hip3.execution.orders import Order, OrderKind

MS = 1_000_000


def order(number: int, kind: OrderKind = OrderKind.ENTRY) -> Order:
    return Order(
        cloid=f"0x{number:032x}",
        kind=kind,
        asset=110026,
        coin="xyz:SILVER",
        is_buy=True,
        px="90",
        sz="1",
        sz_decimals=2,
        decided_ns=0,
    )


def test_flatten_is_due_at_once_while_entries_wait_for_their_window() -> None:
    scheduler = BatchScheduler(BatchLimits(window_ms=20))
    scheduler.enqueue_new(order(1), now_ns=5 * MS)
    assert scheduler.due_ns() == 25 * MS
    scheduler.enqueue_reduce_only(order(2, OrderKind.FLATTEN))
    assert scheduler.due_ns() == 0
    assert scheduler.take_new(now_ns=24 * MS) == []
    assert [o.cloid[-1] for o in scheduler.take_reduce_only()] == ["2"]
    assert scheduler.due_ns() == 25 * MS


def test_entries_of_one_window_go_out_together_and_the_next_window_opens_anew() -> None:
    scheduler = BatchScheduler(BatchLimits(window_ms=20))
    for number, at_ms in ((1, 0), (2, 7), (3, 19)):
        scheduler.enqueue_new(order(number), now_ns=at_ms * MS)
    assert len(scheduler.take_new(now_ns=20 * MS)) == 3
    assert scheduler.due_ns() is None
    scheduler.enqueue_new(order(4), now_ns=30 * MS)
    assert scheduler.due_ns() == 50 * MS


def test_full_queues_refuse_and_count() -> None:
    scheduler = BatchScheduler(BatchLimits(reduce_only_max=1, cancel_max=1, new_max=1))
    cancel = CancelRequest(110026, "0x01")
    assert scheduler.enqueue_reduce_only(order(1))
    assert not scheduler.enqueue_reduce_only(order(2))
    assert scheduler.enqueue_cancel(cancel)
    assert not scheduler.enqueue_cancel(cancel)
    assert scheduler.enqueue_new(order(3), 0)
    assert not scheduler.enqueue_new(order(4), 0)
    assert scheduler.refused_full == 3
    assert len(scheduler) == 3


def test_a_batch_is_bounded_and_the_rest_stays_due() -> None:
    scheduler = BatchScheduler(BatchLimits(batch_max=2, window_ms=20))
    for number in range(1, 4):
        scheduler.enqueue_new(order(number), now_ns=0)
    assert len(scheduler.take_new(now_ns=20 * MS)) == 2
    assert scheduler.due_ns() == 20 * MS
    assert len(scheduler.take_new(now_ns=20 * MS)) == 1


def test_dropped_entries_are_handed_back() -> None:
    scheduler = BatchScheduler(BatchLimits())
    scheduler.enqueue_new(order(1), now_ns=0)
    assert [o.cloid[-1] for o in scheduler.drop_new()] == ["1"]
    assert scheduler.due_ns() is None
