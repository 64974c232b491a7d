"""Signed actions through the venue: every refusal by the condition that causes it, in the venue's own words."""

from __future__ import annotations

from typing import Any

import pytest

from hip3.sim.wire import BadRequest

from .exchange import SILVER, START_MS, Exchange, refused

CLOID = "0x" + "1" * 32


@pytest.fixture
def client() -> Exchange:
    return Exchange()


def test_an_ioc_fills_and_shows_in_every_read(client: Exchange) -> None:
    filled = client.one(sz="2", cloid=CLOID)["filled"]
    assert (filled["totalSz"], filled["cloid"]) == ("2.0", CLOID)
    assert client.position() == "2.0"
    status = client.read(type="orderStatus", oid=CLOID)
    assert status["order"]["status"] == "filled"
    assert status == client.read(type="orderStatus", oid=filled["oid"])
    fills = client.read(type="userFills")
    assert sum(float(fill["sz"]) for fill in fills) == 2
    assert {fill["cloid"] for fill in fills} == {CLOID}
    assert {fill["dir"] for fill in fills} == {"Open Long"}
    assert client.venue.conservation() == {"money": 0, "unbalanced_markets": 0}


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({"sz": "0"}, "Order has zero size. asset=110026"),
        ({"sz": "0.001"}, "Order has invalid size."),
        ({"px": "94.12345"}, "Order has invalid price."),
        ({"px": "94.1234"}, "Price must be divisible by tick size. asset=110026"),
        ({"px": "5"}, "Order price cannot be more than 80% away from the reference price"),
        ({"px": "1000"}, "Order price cannot be more than 80% away from the reference price"),
        ({"sz": "0.1", "px": "94.1"}, "Order must have minimum value of $10. asset=110026"),
        ({"reduce_only": True}, "Reduce only order would increase position. asset=110026"),
        ({"sz": "100000"}, "Insufficient margin to place order. asset=110026"),
        ({"px": "50"}, "Order could not immediately match against any resting orders. asset=110026"),
    ],
)
def test_orders_are_refused_for_their_reason(client: Exchange, terms: dict[str, Any], text: str) -> None:
    assert client.error(**terms) == text
    assert client.position() == "0.0"


def test_a_static_fault_stops_the_whole_batch_and_leaves_no_record(client: Exchange) -> None:
    answers = client.order(client.row(), client.row(sz="0.001", cloid=CLOID))
    assert answers == [{"error": "Order has invalid size."}] * 2
    assert client.read(type="orderStatus", oid=CLOID) == {"status": "unknownOid"}
    # A fault at run time concerns its own order alone, and leaves a record.
    first, second = client.order(client.row(sz="0.1", px="94.1", cloid=CLOID), client.row())
    assert "minimum value" in first["error"]
    assert "filled" in second
    assert client.read(type="orderStatus", oid=CLOID)["order"]["status"] == "minTradeNtlRejected"


def test_post_only_that_crosses_names_the_touch(client: Exchange) -> None:
    text = client.error(tif="Alo")
    assert text.startswith("Post only order would have immediately matched, bbo was ")
    bid, _, ask = text.split("bbo was ")[1].removesuffix(". asset=110026").partition("@")
    assert 0 < float(bid) < float(ask)


def test_resting_orders_are_listed_and_cancelled_by_either_name(client: Exchange) -> None:
    low = client.far(SILVER, True, -500)
    first = client.one(px=low, tif="Gtc")["resting"]["oid"]
    second = client.one(px=low, tif="Alo", cloid=CLOID)["resting"]
    assert second["cloid"] == CLOID
    assert {row["oid"] for row in client.read(type="openOrders", dex="xyz")} == {first, second["oid"]}
    answer = client.send({"type": "cancel", "cancels": [{"a": SILVER, "o": first}, {"a": SILVER, "o": first}]})
    gone = "Order was never placed, already canceled, or filled. asset=110026"
    assert answer["response"]["data"]["statuses"] == ["success", {"error": gone}]
    answer = client.send({"type": "cancelByCloid", "cancels": [{"asset": SILVER, "cloid": CLOID}]})
    assert answer["response"]["data"]["statuses"] == ["success"]
    assert client.read(type="openOrders", dex="xyz") == []


def test_a_reduce_only_order_shrinks_to_the_position(client: Exchange) -> None:
    client.one(sz="1")
    filled = client.one(sz="5", is_buy=False, reduce_only=True)["filled"]
    assert filled["totalSz"] == "1.0"
    assert client.position() == "0.0"
    # Closing all of a position is exempt from the least value; a part of it is not.
    client.one(sz="0.2")
    assert "minimum value" in client.error(sz="0.1", is_buy=False, reduce_only=True)
    client.one(sz="0.2", is_buy=False, reduce_only=True)
    assert client.position() == "0.0"


def test_own_resting_orders_are_cancelled_not_traded(client: Exchange) -> None:
    oid = client.one(px=client.far(SILVER, True, -400), tif="Gtc")["resting"]["oid"]
    client.one(sz="1")
    client.one(sz="200", is_buy=False, px=client.far(SILVER, True, -500), reduce_only=False)
    assert client.read(type="orderStatus", oid=oid)["order"]["status"] in ("open", "selfTradeCanceled")
    assert client.venue.conservation() == {"money": 0, "unbalanced_markets": 0}


def test_admission_signature_nonce_and_expiry(client: Exchange) -> None:
    noop = {"type": "noop"}
    body = client.envelope(noop)
    stranger = Exchange(usdc="0", number=2)
    assert refused(stranger.send(noop)) == f"User or API Wallet {stranger.user} does not exist."
    changed = {**body, "nonce": body["nonce"] + 1}
    answers: list[dict[str, Any]] = []
    client.venue.exchange(changed, answers.append)
    client.step()
    assert refused(answers[0]).endswith("does not exist.")
    assert client.send(noop, nonce=START_MS + 50)["status"] == "ok"
    assert refused(client.send(noop, nonce=START_MS + 50)) == f"Invalid nonce: duplicate nonce {START_MS + 50}"
    old, new = START_MS - 3 * 86_400_000, START_MS + 3 * 86_400_000
    assert refused(client.send(noop, nonce=old)).startswith(f"Invalid nonce: nonce too low {old} < ")
    assert refused(client.send(noop, nonce=new)).startswith(f"Invalid nonce: nonce too high {new} > ")
    assert refused(client.send(noop, expiresAfter=START_MS - 1)) == "Action already expired"
    assert refused(client.send(noop, vaultAddress="0x" + "12" * 20)).startswith("Vault not registered: 0x12")


def test_a_nonce_below_the_hundred_highest_is_too_low(client: Exchange) -> None:
    for n in range(100):
        client.send({"type": "noop"}, nonce=START_MS + 1000 + n)
    text = refused(client.send({"type": "noop"}, nonce=START_MS + 999))
    assert text == f"Invalid nonce: nonce too low {START_MS + 999} < {START_MS + 1000}"


def test_other_actions_are_refused_for_their_reason(client: Exchange) -> None:
    def leverage(asset: int, is_cross: bool, value: int) -> dict[str, Any]:
        return client.send({"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": value})

    assert leverage(SILVER, True, 10)["status"] == "ok"
    assert refused(leverage(SILVER, True, 1000)) == "Invalid leverage value"
    only = next(a for a, m in client.venue.engine.markets.items() if m.spec.only_isolated)
    assert refused(leverage(only, True, 3)) == "Cross margin is not allowed for this asset."
    client.one(sz="1")
    assert refused(leverage(SILVER, False, 10)) == "Cannot switch leverage type with open position."
    text = refused(client.send({"type": "scheduleCancel", "time": client.now_ms + 60_000}))
    assert text.startswith("Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $")
    cancels = [{"a": SILVER, "o": 1}] * 201
    assert refused(client.send({"type": "cancel", "cancels": cancels})) == "Signed action over weight limit of 200."
    assert refused(client.send({"type": "order", "orders": [], "grouping": "na"})) == "Orders are empty"


@pytest.mark.parametrize(
    "action",
    [
        {"type": "nothingOfThatKind"},
        {"type": "order"},
        {"type": "order", "orders": [{"a": "x"}], "grouping": "na"},
        {"type": "order", "orders": [], "grouping": "none"},
        {"type": "cancel", "cancels": {}},
        {"type": "updateLeverage", "asset": -1, "isCross": True, "leverage": 1},
        {},
    ],
)
def test_what_cannot_be_read_is_a_bad_request(client: Exchange, action: dict[str, Any]) -> None:
    body = {"action": action, "nonce": 1, "signature": {"r": "0x1", "s": "0x1", "v": 27}}
    with pytest.raises(BadRequest):
        client.venue.exchange(body, lambda _: None)


def test_more_than_eight_decimals_cannot_be_read(client: Exchange) -> None:
    row = client.row() | {"p": "94.123456789"}
    body = {"action": {"type": "order", "orders": [row], "grouping": "na"}, "nonce": 1}
    with pytest.raises(BadRequest):
        client.venue.exchange(body | {"signature": {"r": "0x1", "s": "0x1", "v": 27}}, lambda _: None)


def test_isolated_positions_hold_their_own_margin(client: Exchange) -> None:
    only = next(a for a, m in client.venue.engine.markets.items() if m.spec.only_isolated)
    market = client.venue.engine.markets[only]
    client.one(asset=only, sz="2")
    (row,) = client.read(type="clearinghouseState", dex="xyz")["assetPositions"]
    assert row["position"]["coin"] == market.key
    assert row["position"]["leverage"]["type"] == "isolated"
    assert "rawUsd" in row["position"]["leverage"]
    client.one(asset=only, sz="2", is_buy=False, reduce_only=True)
    state = client.read(type="clearinghouseState", dex="xyz")
    assert state["assetPositions"] == []
    assert state["marginSummary"]["accountValue"] == state["marginSummary"]["totalRawUsd"]
    assert client.venue.conservation() == {"money": 0, "unbalanced_markets": 0}
