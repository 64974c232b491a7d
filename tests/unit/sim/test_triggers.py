"""Trigger orders and groups: accepted, waiting, fired by the mark, tied to one another."""

from __future__ import annotations

from typing import Any

import pytest

from .exchange import CROSS, Exchange, still


@pytest.fixture
def client() -> Exchange:
    return Exchange(scenario=still())


def waits(px: str, kind: str, *, is_buy: bool = False, sz: str = "10", **more: Any) -> dict[str, Any]:
    trigger = {"isMarket": more.pop("is_market", True), "triggerPx": px, "tpsl": kind}
    return {"a": CROSS, "b": is_buy, "p": more.pop("limit", px), "s": sz, "r": True, "t": {"trigger": trigger}, **more}


def grouped(client: Exchange, grouping: str, *rows: dict[str, Any]) -> list[Any]:
    answer = client.send({"type": "order", "orders": list(rows), "grouping": grouping})
    assert answer["status"] == "ok", answer
    found: list[Any] = answer["response"]["data"]["statuses"]
    return found


def records(client: Exchange) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.read(type="frontendOpenOrders", dex="abc")
    return rows


def test_a_stop_waits_shows_and_closes_when_the_mark_reaches_it(client: Exchange) -> None:
    client.one(asset=CROSS, sz="10")
    assert grouped(client, "na", waits("98", "sl", limit="90")) == ["waitingForTrigger"]
    (row,) = records(client)
    assert (row["orderType"], row["triggerCondition"], row["isTrigger"]) == ("Stop Market", "Price below 98", True)
    assert (row["triggerPx"], row["tif"], row["reduceOnly"]) == ("98.0", None, True)
    client.move(CROSS, 99 * 10**8)
    assert client.position("abc:CROSS") == "10.0"
    client.move(CROSS, 97 * 10**8)
    assert client.position("abc:CROSS") == "0.0"
    status = client.read(type="orderStatus", oid=row["oid"])["order"]
    assert (status["status"], status["order"]["triggerCondition"]) == ("filled", "Triggered")


def test_a_take_profit_with_a_limit_rests_after_it_has_fired(client: Exchange) -> None:
    client.one(asset=CROSS, sz="10")
    grouped(client, "na", waits("102", "tp", limit="110", is_market=False))
    assert records(client)[0]["orderType"] == "Take Profit Limit"
    client.move(CROSS, 103 * 10**8)
    (row,) = records(client)
    assert (row["limitPx"], row["tif"], row["triggerCondition"]) == ("110.0", "Gtc", "Triggered")
    assert client.position("abc:CROSS") == "10.0"


@pytest.mark.parametrize(("px", "kind"), [("101", "sl"), ("99", "tp")])
def test_a_trigger_that_would_fire_at_once_is_refused(client: Exchange, px: str, kind: str) -> None:
    client.one(asset=CROSS, sz="10")
    (status,) = grouped(client, "na", waits(px, kind))
    assert status == {"error": f"Invalid TP/SL price. asset={CROSS}"}


def test_children_wait_for_their_parent_and_end_each_other(client: Exchange) -> None:
    parent = client.row(asset=CROSS, sz="10", px="99", tif="Gtc")
    answers = grouped(client, "normalTpsl", parent, waits("103", "tp", limit="95"), waits("95", "sl", limit="90"))
    assert "resting" in answers[0]
    assert answers[1:] == ["waitingForFill", "waitingForFill"]
    assert len(next(row for row in records(client) if not row["isTrigger"])["children"]) == 2
    client.move(CROSS, 98 * 10**8)
    assert client.position("abc:CROSS") == "10.0"
    client.move(CROSS, 104 * 10**8)
    assert client.position("abc:CROSS") == "0.0"
    assert records(client) == []
    words = {row["order"]["orderType"]: row["status"] for row in client.read(type="historicalOrders")}
    assert words["Take Profit Market"] == "filled"
    assert words["Stop Market"] in ("siblingFilledCanceled", "reduceOnlyCanceled")


def test_children_die_with_their_parent(client: Exchange) -> None:
    parent = client.row(asset=CROSS, sz="10", px="90", tif="Gtc")
    oid = grouped(client, "normalTpsl", parent, waits("103", "tp"), waits("80", "sl"))[0]["resting"]["oid"]
    client.send({"type": "cancel", "cancels": [{"a": CROSS, "o": oid}]})
    assert records(client) == []
    assert {row["status"] for row in client.read(type="historicalOrders")} == {"canceled"}


def test_triggers_of_a_position_take_its_size(client: Exchange) -> None:
    client.one(asset=CROSS, sz="10")
    assert grouped(client, "positionTpsl", waits("95", "sl", limit="85", sz="0")) == ["waitingForTrigger"]
    client.one(asset=CROSS, sz="5")
    client.move(CROSS, 94 * 10**8)
    assert client.position("abc:CROSS") == "0.0"


def test_groups_must_hold_reduce_only_triggers_of_the_other_side(client: Exchange) -> None:
    parent = client.row(asset=CROSS, sz="10", px="90", tif="Gtc")
    wrong = grouped(client, "normalTpsl", parent, {**waits("95", "sl"), "r": False})
    assert wrong == [{"error": "Trigger order is not reduce only."}] * 2
    wrong = grouped(client, "normalTpsl", parent, waits("95", "sl", is_buy=True))
    assert wrong == [{"error": "Trigger order has unexpected side."}] * 2


def test_a_market_trigger_on_an_empty_book_says_so(client: Exchange) -> None:
    client.one(asset=CROSS, sz="10")
    grouped(client, "na", waits("98", "sl", limit="90"))
    oid = records(client)[0]["oid"]
    client.venue.happen({"kind": "withdraw", "coin": "abc:CROSS", "seconds": 60})
    market = client.venue.engine.markets[CROSS]
    client.step()
    client.venue.engine.scripted.add(1)
    market.mark = 97 * 10**8
    client.step(2)
    assert client.read(type="orderStatus", oid=oid)["order"]["status"] == "marketOrderNoLiquidityRejected"


def test_modify_replaces_an_order_under_a_new_number(client: Exchange) -> None:
    cloid = "0x" + "7" * 32
    oid = client.one(asset=CROSS, px="90", tif="Gtc", cloid=cloid)["resting"]["oid"]
    new = client.row(asset=CROSS, px="91", sz="2", tif="Alo", cloid=cloid)
    assert client.send({"type": "modify", "oid": oid, "order": new})["response"] == {"type": "default"}
    (row,) = client.read(type="openOrders", dex="abc")
    assert (row["limitPx"], row["sz"], row["cloid"]) == ("91.0", "2.0", cloid)
    assert row["oid"] != oid
    gone = client.send({"type": "modify", "oid": oid, "order": new})
    assert gone == {"status": "err", "response": "Cannot modify canceled or filled order"}
    both = [{"oid": cloid, "order": new}, {"oid": 1, "order": new}]
    statuses = client.send({"type": "batchModify", "modifies": both})["response"]["data"]["statuses"]
    assert "resting" in statuses[0]
    assert statuses[1] == {"error": "Cannot modify canceled or filled order"}
    crossing = client.row(asset=CROSS, px="120", tif="Alo")
    refused = client.send({"type": "modify", "oid": cloid, "order": crossing})["response"]
    assert refused.startswith("Error placing new order during modify: Post only order would have immediately matched")
    assert client.read(type="openOrders", dex="abc") == []
