"""The refusals that need more than one bad field: each by the condition that causes it, in the venue's words."""

from __future__ import annotations

from typing import Any

import pytest
from hyperliquid.utils.signing import sign_l1_action

from hip3.sim.scenario import parse

from .exchange import CROSS, ISO, START_MS, STILL, Exchange, refused, still

DAY_MS = 86_400_000


@pytest.fixture
def client() -> Exchange:
    return Exchange(scenario=still())


def rich(client: Exchange, volume: int = 2_000_000) -> None:
    client.venue.engine.accounts[client.user].volume = volume * 1_000_000


def test_open_orders_have_a_number(client: Exchange) -> None:
    rows = [client.row(asset=CROSS, px="90", sz="0.12", tif="Gtc") for _ in range(200)]
    for _ in range(5):
        assert all("resting" in status for status in client.order(*rows))
    assert client.error(asset=CROSS, px="90", sz="0.12", tif="Gtc") == f"Too many open orders asset={CROSS}"
    assert "filled" in client.one(asset=CROSS, sz="1")
    # From a thousand on, no more reduce-only orders rest, whatever the volume buys.
    rich(client, 50_000_000)
    assert "resting" in client.one(asset=CROSS, px="90", sz="0.12", tif="Gtc")
    told = client.error(asset=CROSS, px="120", sz="0.5", tif="Gtc", is_buy=False, reduce_only=True)
    assert told == f"Too many open orders asset={CROSS}"


def test_a_signature_that_is_none(client: Exchange) -> None:
    body = client.envelope({"type": "noop"})
    body["signature"] = {"r": "0x0", "s": "0x1", "v": 27}
    answers: list[Any] = []
    client.venue.exchange(body, answers.append)
    client.step()
    assert refused(answers[0]) == "Unable to recover signer."


def test_requests_are_bought_with_volume(client: Exchange) -> None:
    account = client.venue.engine.accounts[client.user]
    account.requests, account.volume = 10_000, 87_457_460_000
    account.last_over_ms = client.now_ms
    told = refused(client.send({"type": "noop"}))
    assert told == (
        "Too many cumulative requests sent (10001 > 10000) for cumulative volume traded $87457.46. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    # Cancels have a larger budget, and beyond it one action passes every ten seconds.
    assert client.send({"type": "cancel", "cancels": [{"a": CROSS, "o": 1}]})["status"] == "ok"
    client.step(110)
    assert client.send({"type": "noop"})["status"] == "ok"
    assert refused(client.send({"type": "noop"})).startswith("Too many cumulative requests sent")
    assert client.send({"type": "reserveRequestWeight", "weight": 5000})["status"] == "err"


def test_request_weight_is_bought_for_money(client: Exchange) -> None:
    before = float(client.read(type="clearinghouseState")["withdrawable"])
    assert client.send({"type": "reserveRequestWeight", "weight": 1000})["status"] == "ok"
    assert float(client.read(type="clearinghouseState")["withdrawable"]) == before - 0.5
    assert client.read(type="userRateLimit")["nRequestsCap"] == 11_000
    told = refused(client.send({"type": "reserveRequestWeight", "weight": 10**9}))
    assert told == "Insufficient balance to reserve request weight."


def test_scheduled_cancels_fire_and_are_ten_a_day(client: Exchange) -> None:
    rich(client)
    at = client.now_ms
    assert refused(client.send({"type": "scheduleCancel", "time": at + 1000})).startswith("Scheduled cancel time")
    for _ in range(10):
        client.one(asset=CROSS, px="90", tif="Gtc")
        assert client.send({"type": "scheduleCancel", "time": client.now_ms + 5200})["status"] == "ok"
        client.step(55)
        assert client.read(type="openOrders", dex="abc") == []
    assert client.read(type="historicalOrders")[0]["status"] == "scheduledCancel"
    told = refused(client.send({"type": "scheduleCancel", "time": client.now_ms + 6000}))
    assert told == "Too many scheduled cancels triggered for the day. Limit is 10"
    assert client.send({"type": "scheduleCancel"})["status"] == "ok"


def test_batches_that_are_empty_or_mixed(client: Exchange) -> None:
    assert refused(client.send({"type": "order", "orders": [], "grouping": "na"})) == "Orders are empty"
    rows = [client.row(asset=CROSS), {**client.row(asset=CROSS), "a": 10_107}]
    told = refused(client.send({"type": "order", "orders": rows, "grouping": "na"}))
    assert told == "Order action has different asset classes"
    assert client.error(asset=10_107, px="1") == "Asset 10107 does not exist."
    rows = [client.row(asset=CROSS)] * 201
    told = refused(client.send({"type": "order", "orders": rows, "grouping": "na"}))
    assert told == "Signed action over weight limit of 200."


def test_a_cross_position_keeps_its_leverage_without_money(client: Exchange) -> None:
    client.send({"type": "updateLeverage", "asset": CROSS, "isCross": True, "leverage": 20})
    client.one(asset=CROSS, sz="190")
    client.one(asset=CROSS, sz="190")
    client.one(asset=CROSS, sz="190")
    told = refused(client.send({"type": "updateLeverage", "asset": CROSS, "isCross": True, "leverage": 2}))
    assert told == "Cross position does not have sufficient margin available to decrease leverage."


def test_an_agent_is_not_approved_in_the_block_of_a_removal(client: Exchange) -> None:
    agent = "0x" + "cd" * 20
    assert client.send_signed("approveAgent", agentAddress=agent, agentName="a")["status"] == "ok"
    step, client.step = client.step, lambda blocks=1: None  # type: ignore[method-assign]
    try:
        for address in ("0x" + "0" * 40, "0x" + "ef" * 20):
            with pytest.raises(ValueError, match="unpack"):
                client.send_signed("approveAgent", agentAddress=address, agentName="a")
    finally:
        client.step = step  # type: ignore[method-assign]
    answers: list[Any] = []
    queued = client.venue._queued
    client.venue._queued = [(due, signed, answers.append) for due, signed, _ in queued]
    client.step()
    assert answers[0]["status"] == "ok"
    assert refused(answers[1]) == "User has pending agent removal"


def test_an_agent_sends_money_to_its_own_account_alone(client: Exchange) -> None:
    agent = Exchange(number=20, usdc="0", beside=client)
    client.send_signed("approveAgent", agentAddress=agent.user, agentName="a")

    def send(to: str) -> dict[str, Any]:
        fields = {"destination": to, "sourceDex": "", "destinationDex": "abc", "token": "USDC", "amount": "5"}
        return agent.send({"type": "agentSendAsset", **fields, "fromSubAccount": "", "nonce": agent.nonce + 1})

    assert refused(send("0x" + "ab" * 20)) == "Agent can only send asset to same user or their sub-accounts."
    assert send(client.user)["status"] == "ok"
    assert client.read(type="clearinghouseState", dex="abc")["marginSummary"]["accountValue"] == "10005.0"


def test_isolated_margin_is_topped_up_to_a_leverage(client: Exchange) -> None:
    told = refused(client.send({"type": "topUpIsolatedOnlyMargin", "asset": ISO, "leverage": "2"}))
    assert told == "Position does not use isolated margin."
    client.one(asset=ISO, sz="10")
    assert client.send({"type": "topUpIsolatedOnlyMargin", "asset": ISO, "leverage": "2"})["status"] == "ok"
    held = client.held("abc:ISO")
    assert held is not None
    assert float(held["marginUsed"]) == pytest.approx(float(held["positionValue"]) / 2, rel=1e-6)


def test_open_interest_that_grows_too_fast() -> None:
    text = STILL.format(tail="").replace('coin = "CROSS"', 'coin = "CROSS"\noi_growth_usd_max = 3000')
    client = Exchange(scenario=parse(text, "still"))
    assert "filled" in client.one(asset=CROSS, sz="20")
    assert client.error(asset=CROSS, sz="20") == f"Order would increase open interest too quickly asset={CROSS}"
    client.step(110)
    assert "filled" in client.one(asset=CROSS, sz="20")


def test_an_account_without_money_must_deposit(client: Exchange) -> None:
    poor = Exchange(number=9, usdc="0", beside=client)
    client.venue.engine.account(poor.user)
    assert refused(poor.send({"type": "noop"})) == f"Must deposit before performing actions. User: {poor.user}"


def test_a_market_order_of_the_venues_own_page_is_an_ioc(client: Exchange) -> None:
    assert client.one(asset=CROSS, sz="1", tif="FrontendMarket")["filled"]["totalSz"] == "1.0"


def test_a_hash_over_another_action_is_somebody_elses(client: Exchange) -> None:
    action = {"type": "updateLeverage", "asset": CROSS, "isCross": True, "leverage": 3}
    signature = sign_l1_action(client.wallet, {**action, "leverage": 4}, None, START_MS + 7, None, False)
    answers: list[Any] = []
    client.venue.exchange({"action": action, "nonce": START_MS + 7, "signature": signature}, answers.append)
    client.step()
    assert refused(answers[0]).startswith("User or API Wallet 0x")
    assert refused(answers[0]).endswith(" does not exist.")


def test_orders_at_the_cap_of_open_interest(client: Exchange) -> None:
    client.one(asset=CROSS, sz="5")
    resting = client.one(asset=CROSS, px="98", sz="3", tif="Gtc", cloid="0x" + "3" * 32)["resting"]["oid"]
    client.venue.happen({"kind": "cap", "coin": "abc:CROSS"})
    capped = f"Order would increase open interest while open interest is capped asset={CROSS}"
    assert client.error(asset=CROSS, sz="1") == capped
    assert client.error(asset=CROSS, sz="9", is_buy=False) == capped
    words = [row["status"] for row in client.read(type="historicalOrders")[:2]]
    assert words == ["positionFlipAtOpenInterestCapRejected", "positionIncreaseAtOpenInterestCapRejected"]
    # The touch lies a little before the oracle: a bid between the two would be the best of the book.
    oracle = client.venue.engine.markets[CROSS].oracle
    px = f"{oracle / 10**8 + 0.01:.2f}"
    told = client.error(asset=CROSS, px=px, sz="1", tif="Alo")
    assert told.startswith("Order rejected due to price more aggressive than oracle while at open interest cap")
    assert "resting" in client.one(asset=CROSS, px="97", sz="1", tif="Alo")
    client.move(CROSS, 97_500_000_00)
    assert client.read(type="orderStatus", oid=resting)["order"]["status"] == "openInterestCapCanceled"
    assert client.position("abc:CROSS") == "5.0"


def test_cross_margin_can_be_for_closing_alone_or_off() -> None:
    head = 'full_name = "Test"'
    for mode, text in (
        ("reduceOnly", "Cross margin currently only supports reduce-only orders"),
        ("disabled", "Cross margin disabled"),
    ):
        made = STILL.format(tail="").replace(head, f'{head}\ncross_margin = "{mode}"')
        client = Exchange(scenario=parse(made, "still"))
        assert client.error(asset=CROSS, sz="1") == f"{text} asset={CROSS}"
        assert "filled" in client.one(asset=ISO, sz="1")
    answer = client.send({"type": "updateLeverage", "asset": CROSS, "isCross": True, "leverage": 5})
    assert refused(answer) == "Cross margin disabled"


def test_a_price_beyond_the_oracles_band() -> None:
    client = Exchange(scenario=parse(STILL.format(tail="[oracle]\nprice_band_bps = 300"), "still"))
    assert client.error(asset=CROSS, px="90", tif="Gtc") == f"Price too far from oracle asset={CROSS}"
    assert "resting" in client.one(asset=CROSS, px="98", tif="Gtc")
    assert client.read(type="historicalOrders")[-1]["status"] == "oracleRejected"
    # The main dex has no band.
    assert "resting" in client.one(asset=0, px="45000", sz="0.01", tif="Gtc")
