"""The ledger of subscriptions: acknowledgements with defaults, errors, repeats within bounds, what is missing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hip3.venue.subscriptions import ACK_TIMEOUT_MS, Subscription, SubscriptionLedger, identity

USER = "0x" + "aB" * 20
S = 1_000_000_000
BBO: Subscription = {"type": "bbo", "coin": "xyz:SILVER"}
FILLS: Subscription = {"type": "userFills", "user": USER}
STATE: Subscription = {"type": "clearinghouseState", "user": USER, "dex": "xyz"}
MAIN_STATE: Subscription = {"type": "clearinghouseState", "user": USER, "dex": ""}


def asked(ledger: SubscriptionLedger, now_ns: int) -> list[dict[str, Any]]:
    frames = [orjson.loads(frame) for frame in ledger.frames_to_send(now_ns)]
    assert all(frame["method"] == "subscribe" for frame in frames)
    return [frame["subscription"] for frame in frames]


def test_every_subscription_is_asked_for_once_until_it_is_late() -> None:
    ledger = SubscriptionLedger([BBO, FILLS])
    assert asked(ledger, 5 * S) == [BBO, FILLS]
    late_ns = 5 * S + ACK_TIMEOUT_MS * 1_000_000
    assert asked(ledger, late_ns - 1) == []
    assert not ledger.on_ack(dict(BBO))
    assert asked(ledger, late_ns) == [FILLS]
    assert ledger.tries_max == 2
    assert asked(ledger, late_ns + 1) == []


@pytest.mark.parametrize(
    ("wanted", "acked"),
    [
        (BBO, BBO),
        (FILLS, {"type": "userFills", "user": USER.lower(), "aggregateByTime": False}),
        (STATE, {"type": "clearinghouseState", "user": USER.lower(), "dex": "xyz"}),
        (MAIN_STATE, {"type": "clearinghouseState", "user": USER.lower()}),
        (MAIN_STATE, {"type": "clearinghouseState", "user": USER.lower(), "dex": None}),
        (
            {"type": "l2Book", "coin": "xyz:SILVER"},
            {"type": "l2Book", "coin": "xyz:SILVER", "nSigFigs": None, "mantissa": None, "fast": False},
        ),
    ],
)
def test_an_acknowledgement_is_known_whatever_defaults_it_fills_in(wanted: Subscription, acked: dict[str, Any]) -> None:
    ledger = SubscriptionLedger([wanted])
    assert not ledger.is_complete
    assert ledger.on_ack(acked)
    assert ledger.is_complete
    assert ledger.missing == []


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"type": "bbo"},
        {"type": "bbo", "coin": "xyz:silver"},
        {"type": "activeAssetCtx", "coin": "xyz:SILVER"},
        {"type": "bbo", "coin": ["xyz:SILVER"]},
        {"type": "bbo", "coin": "xyz:SILVER", "interval": "1m"},
    ],
)
def test_an_acknowledgement_of_something_else_changes_nothing(other: dict[str, Any]) -> None:
    ledger = SubscriptionLedger([BBO])
    assert not ledger.on_ack(other)
    assert ledger.missing == [BBO]


def test_dexs_of_one_user_are_different_subscriptions() -> None:
    ledger = SubscriptionLedger([STATE, MAIN_STATE])
    assert not ledger.on_ack(dict(STATE))
    assert ledger.missing == [MAIN_STATE]
    assert identity(dict(STATE)) != identity(dict(MAIN_STATE))


def test_only_the_last_acknowledgement_completes_and_only_once() -> None:
    ledger = SubscriptionLedger([BBO, FILLS])
    assert [ledger.on_ack(dict(BBO)), ledger.on_ack(dict(BBO)), ledger.on_ack(dict(FILLS))] == [False, False, True]
    assert not ledger.on_ack(dict(FILLS))
    assert ledger.tries_max == 0


def test_already_subscribed_counts_as_an_acknowledgement() -> None:
    ledger = SubscriptionLedger([BBO])
    assert ledger.on_error("Already subscribed: " + orjson.dumps(BBO).decode())
    assert ledger.is_complete


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Already subscribed",
        "Already subscribed: {",
        "Already subscribed: [1]",
        "Already subscribed: null",
        'Invalid subscription: {"type":"bbo","coin":"xyz:SILVER"}',
        'Already unsubscribed: {"type":"bbo","coin":"xyz:SILVER"}',
    ],
)
def test_other_errors_leave_the_subscription_missing(text: str) -> None:
    ledger = SubscriptionLedger([BBO])
    assert not ledger.on_error(text)
    assert ledger.missing == [BBO]


def test_a_new_connection_asks_for_everything_again() -> None:
    ledger = SubscriptionLedger([BBO, FILLS])
    asked(ledger, S)
    ledger.on_ack(dict(BBO))
    ledger.on_ack(dict(FILLS))
    ledger.reset()
    assert (ledger.is_complete, ledger.tries_max, ledger.missing) == (False, 0, [BBO, FILLS])
    assert asked(ledger, S + 1) == [BBO, FILLS]


def test_the_same_subscription_twice_is_one_and_none_is_complete() -> None:
    assert asked(SubscriptionLedger([BBO, dict(BBO)]), S) == [BBO]
    assert SubscriptionLedger([]).is_complete
