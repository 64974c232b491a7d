"""What answers mean: the venue's own shapes and texts, and everything that is neither."""

from decimal import Decimal

import pytest

from hip3.execution.orders import OrderState
from hip3.execution.replies import (
    Consequence,
    Told,
    consequence_of,
    read_answer,
    read_order_status,
    read_status_word,
)


def ok(*statuses: object) -> dict[str, object]:
    return {"status": "ok", "response": {"type": "order", "data": {"statuses": list(statuses)}}}


def test_a_fill_a_rest_and_a_refusal_in_one_batch_are_told_apart() -> None:
    filled, resting, refused = read_answer(
        ok(
            {"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 77747314}},
            {"resting": {"oid": 1}},
            {"error": "Order must have minimum value of $10. asset=4"},
        ),
        3,
    )
    assert (filled.told, filled.executed, filled.oid) == (Told.ENDED, Decimal("0.02"), 77747314)
    assert (resting.told, resting.oid) == (Told.ALIVE, 1)
    assert (refused.end, refused.executed) == (OrderState.REJECTED, Decimal(0))
    assert refused.text.startswith("Order must have minimum value")


def test_a_refused_action_refuses_all_its_orders() -> None:
    outcomes = read_answer({"status": "err", "response": "Invalid nonce: duplicate nonce 1741107452532"}, 2)
    assert [o.end for o in outcomes] == [OrderState.REJECTED] * 2
    (expired,) = read_answer({"status": "err", "response": "Action already expired"}, 1)
    assert expired.end is OrderState.EXPIRED


@pytest.mark.parametrize(
    "payload",
    [None, [], "text", {}, {"status": "ok"}, ok("waitingForFill"), ok({"filled": {"totalSz": "NaN"}}), ok(7), ok()],
)
def test_an_answer_of_another_shape_says_nothing(payload: object) -> None:
    assert [o.told for o in read_answer(payload, 1)] == [Told.NOTHING]


def test_orders_beyond_a_short_answer_are_not_spoken_of() -> None:
    outcomes = read_answer(ok({"resting": {"oid": 1}}), 3)
    assert [o.told for o in outcomes] == [Told.ALIVE, Told.NOTHING, Told.NOTHING]


@pytest.mark.parametrize(
    ("word", "told", "executed"),
    [
        ("filled", Told.ENDED, Decimal(5)),
        ("canceled", Told.ENDED, Decimal(3)),
        ("reduceOnlyCanceled", Told.ENDED, Decimal(3)),
        ("scheduledCancel", Told.ENDED, Decimal(3)),
        ("iocCancelRejected", Told.ENDED, Decimal(0)),
        ("someNewRejected", Told.ENDED, Decimal(0)),
        ("open", Told.ALIVE, None),
        ("someNewWord", Told.NOTHING, None),
    ],
)
def test_status_words_are_read_leniently(word: str, told: Told, executed: Decimal | None) -> None:
    outcome = read_status_word(word, "2", "5", 9)
    assert (outcome.told, outcome.executed, outcome.oid) == (told, executed, 9)


def test_order_status_tells_unknown_from_unreadable() -> None:
    assert read_order_status({"status": "unknownOid"}) is None
    data: object
    for data in (None, [], {"status": "order"}, {"status": "order", "order": {"order": {}, "status": "open"}}):
        outcome = read_order_status(data)
        assert outcome is not None
        assert outcome.told is Told.NOTHING


def test_a_canceled_order_record_does_not_tell_what_was_executed() -> None:
    record = {"status": "order", "order": {"order": {"oid": 3, "sz": "5", "origSz": "5"}, "status": "canceled"}}
    outcome = read_order_status(record)
    assert outcome is not None
    assert (outcome.told, outcome.executed) == (Told.ENDED, None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("User or API Wallet 0xf941 does not exist.", Consequence.HALT),
        ("L1 error: User or API Wallet 0xf941 does not exist.", Consequence.HALT),
        ("Must deposit before performing actions. User: 0x1", Consequence.STOP_ENTRIES),
        ("Too many cumulative requests sent (97460 > 97456)", Consequence.SLOW_DOWN),
        ("Reduce only order would increase position. asset=110026", Consequence.RESYNC),
        ("Order could not immediately match against any resting orders. asset=110026", Consequence.NONE),
    ],
)
def test_refusals_have_their_consequence(text: str, what: Consequence) -> None:
    assert consequence_of(text) is what
