"""Orders: whatever the venue answers, in whatever order, each ends once, and none leaves twice."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from hip3.execution.batch import BatchLimits
from hip3.execution.orders import OrderKind, OrderState

if TYPE_CHECKING:
    from .desk_bench import DeskBench

    Make = Callable[..., DeskBench]

MS = 1_000_000
FLATTEN, ENTRY = OrderKind.FLATTEN, OrderKind.ENTRY
NO_MATCH = {"error": "Order could not immediately match against any resting orders. asset=110026"}


def test_answer_then_fills_ends_with_the_last_fill(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.answer_filled(post_id, "2")
    bench.fill(order, "0.5")
    assert (bench.ends, order.state) == ([], OrderState.SETTLING)
    bench.fill(order, "1.5")
    assert bench.ends == [OrderState.FILLED]
    assert (order.avg_px, order.fills, order.oid) == (Decimal(90), 2, 7)


def test_fills_before_the_answer_end_with_the_answer(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.fill(order, "0.5")
    bench.fill(order, "1.5", cloid=False)
    assert bench.ends == []
    assert order.applied == 2
    bench.answer_filled(post_id, "2")
    assert bench.ends == [OrderState.FILLED]


def test_an_update_before_the_answer_ends_it_and_the_answer_changes_nothing(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.update(order, "filled")
    bench.fill(order, "2")
    bench.answer_filled(post_id, "2")
    bench.update(order, "filled")
    assert bench.ends == [OrderState.FILLED]
    assert len(bench.desk.posts) == 0


def test_a_rejection_and_its_update_end_it_once_and_tell_the_refusal_once(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.answer(post_id, NO_MATCH)
    bench.update(order, "iocCancelRejected", left="2")
    assert bench.ends == [OrderState.REJECTED]
    assert bench.refusals == [NO_MATCH["error"]]


def test_an_action_past_its_expiry_ends_as_expired(desk_bench: Make) -> None:
    bench = desk_bench()
    _, post_id = bench.send()
    bench.desk.on_answer(post_id, b'{"status":"err","response":"Action already expired"}', bench.now_ns)
    assert bench.ends == [OrderState.EXPIRED]


@pytest.mark.parametrize(
    ("executed", "end"), [("0", OrderState.CANCELED), ("0.5", OrderState.PARTLY_FILLED), ("2", OrderState.FILLED)]
)
def test_a_cancel_ends_by_what_was_filled(desk_bench: Make, executed: str, end: OrderState) -> None:
    bench = desk_bench()
    order, _ = bench.send()
    if executed != "0":
        bench.fill(order, executed)
    bench.update(order, "canceled", left=str(2 - Decimal(executed)))
    assert bench.ends == [end]


def test_filled_with_a_size_of_nothing_is_no_fill(desk_bench: Make) -> None:
    bench = desk_bench()
    _, post_id = bench.send()
    bench.answer_filled(post_id, "0.0")
    assert bench.ends == [OrderState.CANCELED]


def test_what_provably_did_not_leave_ends_at_once(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.desk.on_unsent(post_id, "expired before sending", bench.now_ns)
    bench.desk.on_unsent(post_id, "expired before sending", bench.now_ns)
    assert bench.ends == [OrderState.NOT_SENT]
    assert order.refusal == "expired before sending"


@pytest.mark.parametrize("kind", [FLATTEN, ENTRY])
def test_a_full_queue_ends_the_order_unsent(desk_bench: Make, kind: OrderKind) -> None:
    bench = desk_bench(BatchLimits(reduce_only_max=1, new_max=1))
    kept, refused = bench.submit(kind), bench.submit(kind)
    assert bench.ended == [refused]
    assert (refused.state, refused.refusal, kept.state) == (OrderState.NOT_SENT, "queue full", OrderState.QUEUED)


def test_one_order_that_cannot_be_signed_does_not_hold_back_those_beside_it(desk_bench: Make) -> None:
    bench = desk_bench()
    good, bad, other = bench.submit(asset=1), bench.submit(asset=2, px="90.123456"), bench.submit(asset=3)
    sent = bench.flush()
    assert [one.cloids for one in sent] == [[good.cloid], [other.cloid]]
    assert bench.ended == [bad]
    assert "tick" in bad.refusal
    assert len(bench.desk.posts) == 2


def test_a_lost_answer_is_asked_for_and_the_record_ends_it(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    assert bench.wait(1999) == []
    (asked,) = bench.wait(1)
    assert asked.request == {"type": "orderStatus", "user": bench.desk.settings.user, "oid": order.cloid}
    assert order.state is OrderState.UNKNOWN
    bench.status_word(asked, order, "filled")
    bench.fill(order, "2")
    bench.answer_filled(post_id, "2")
    assert bench.ends == [OrderState.FILLED]


@pytest.mark.parametrize("word", ["iocCancelRejected", "rejected", "someNewRejected"])
def test_a_record_of_a_rejection_ends_it(desk_bench: Make, word: str) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.desk.on_lost(post_id, bench.now_ns)
    (asked,) = bench.wait(0)
    bench.status_word(asked, order, word, left="2")
    assert bench.ends == [OrderState.REJECTED]


def test_a_record_of_a_cancel_leaves_the_size_to_the_fills(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.desk.on_lost(post_id, bench.now_ns)
    (asked,) = bench.wait(0)
    bench.status_word(asked, order, "canceled", left="2")
    (fills,) = bench.wait(0)
    assert fills.request["type"] == "userFillsByTime"
    assert fills.request["startTime"] == order.sent_ns // MS - 60_000
    bench.fill(order, "0.5")
    assert bench.ends == []
    bench.fills_read(fills)
    assert bench.ends == [OrderState.PARTLY_FILLED]


@pytest.mark.parametrize("kind", [FLATTEN, ENTRY])
def test_not_knowing_an_order_proves_nothing_before_its_expiry_in_venue_time(desk_bench: Make, kind: OrderKind) -> None:
    bench = desk_bench()
    order, post_id = bench.send(kind)
    bench.desk.on_lost(post_id, bench.now_ns)
    proof_ms = order.expires_after_ms + 1000
    lag_ms = 700
    (asked,) = bench.wait(0, lag_ms)
    for _ in range(100):
        asked_venue_ms = bench.now_ms - lag_ms
        bench.status_unknown(asked)
        if bench.ended:
            break
        assert asked_venue_ms <= proof_ms
        while not (asked_now := bench.wait(50, lag_ms)):
            pass
        (asked,) = asked_now
    assert asked_venue_ms > proof_ms
    assert bench.ends == [OrderState.PROVEN_ABSENT]
    assert asked_venue_ms <= proof_ms + 2050, "proven within one question of the first moment"


def test_a_question_asked_before_the_expiry_proves_nothing_when_it_is_answered_after(desk_bench: Make) -> None:
    bench = desk_bench()
    _, post_id = bench.send()
    bench.desk.on_lost(post_id, bench.now_ns)
    (asked,) = bench.wait(0)
    bench.now_ns += 9_000 * MS
    bench.status_unknown(asked)
    assert bench.ends == []


def test_a_link_that_goes_down_leads_to_a_question_and_never_to_a_second_sending(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.desk.on_link_down(bench.now_ns)
    (asked,) = bench.wait(0)
    assert asked.request["type"] == "orderStatus"
    bench.answer_filled(post_id, "2")
    assert bench.desk.answers_late == 1
    bench.status_word(asked, order, "filled")
    bench.fill(order, "2")
    assert bench.ends == [OrderState.FILLED]


def test_a_link_that_goes_down_does_not_give_up_what_has_not_left_yet(desk_bench: Make) -> None:
    bench = desk_bench()
    order = bench.submit()
    bench.desk.flush(bench.now_ns, bench.now_ns)
    bench.desk.on_link_down(bench.now_ns)
    (sent,) = bench.read()
    assert bench.wait(0) == []
    bench.answer(sent.id, NO_MATCH)
    assert bench.ended == [order]


def test_lost_questions_do_not_press_a_dead_venue_nor_use_up_the_bound(desk_bench: Make) -> None:
    bench = desk_bench()
    _, post_id = bench.send()
    bench.desk.on_lost(post_id, bench.now_ns)
    for _ in range(200):
        for asked in bench.wait(10):
            bench.desk.on_lost(asked.id, bench.now_ns)
    assert 2 <= bench.desk.inquiries <= 4
    assert bench.ends == []


def test_a_late_fill_after_the_end_still_counts_to_its_order(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.answer(post_id, NO_MATCH)
    bench.fill(order, "1")
    bench.fill(order, "1", applied=False)
    assert bench.ends == [OrderState.REJECTED]
    assert order.applied == 1


def test_fills_that_never_come_are_given_up_after_the_bound(desk_bench: Make) -> None:
    bench = desk_bench(settle_checks_max=3)
    order, post_id = bench.send()
    bench.answer_filled(post_id, "2")
    asked = [sent for _ in range(400) for sent in bench.wait(50)]
    assert len(asked) == 3
    assert {sent.request["type"] for sent in asked} == {"userFillsByTime"}
    assert bench.ended == [order]
    assert order.state is OrderState.REJECTED


def test_two_accounts_that_differ_leave_the_size_to_the_fills(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.update(order, "filled")
    bench.fill(order, "1.5")
    bench.answer_filled(post_id, "1.5")
    (fills,) = bench.wait(0)
    bench.fills_read(fills)
    assert bench.ends == [OrderState.PARTLY_FILLED]


def test_a_fill_without_our_id_counts_once_the_answer_names_its_order(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.fill(order, "0.5", cloid=False, oid=9)
    bench.fill(order, "1.5", cloid=False, oid=9)
    bench.answer_filled(post_id, "2", oid=9)
    assert bench.ends == [OrderState.FILLED]
    assert (order.fills, order.avg_px) == (2, Decimal(90))


def test_a_told_size_that_the_read_fills_do_not_reach_keeps_the_order(desk_bench: Make) -> None:
    bench = desk_bench()
    order, post_id = bench.send()
    bench.answer_filled(post_id, "2")
    bench.fill(order, "0.5")
    (fills,) = bench.wait(500)
    bench.fills_read(fills)
    assert bench.ends == []
    bench.fill(order, "1.5", cloid=False)
    assert bench.ends == [OrderState.FILLED]


def test_the_bound_of_fill_questions_counts_from_the_told_end(desk_bench: Make) -> None:
    bench = desk_bench(settle_checks_max=3)
    order, _ = bench.send()
    asked = [sent for _ in range(120) for sent in bench.wait(50)]
    assert len(asked) > 3
    bench.status_word(asked[-1], order, "filled")
    assert [sent.request["type"] for _ in range(12) for sent in bench.wait(50)] == ["userFillsByTime"]
    assert bench.ends == []


def test_an_order_known_to_have_ended_cannot_be_proven_absent(desk_bench: Make) -> None:
    bench = desk_bench()
    order, _ = bench.send()
    asked = [sent for _ in range(180) for sent in bench.wait(50)]
    bench.status_word(asked[-2], order, "filled")
    bench.status_unknown(asked[-1])
    assert bench.ends == []
    bench.fill(order, "2")
    assert bench.ends == [OrderState.FILLED]
