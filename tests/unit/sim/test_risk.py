"""Margin, tiers, liquidation, auto-deleveraging, funding, caps, halts: by the deployer's hand or an incident's."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from hip3.sim import margin
from hip3.sim.accounts import Position
from hip3.sim.incidents import KINDS
from hip3.sim.table import ScenarioError
from hip3.sim.wire import BadRequest

from .exchange import CROSS, ISO, STRICT, Exchange, refused, still

HOUR_MS = 3_600_000
UNIT = 10**8


@pytest.fixture
def client() -> Exchange:
    return Exchange(scenario=still())


def leverage(client: Exchange, asset: int, value: int, *, is_cross: bool = False) -> dict[str, Any]:
    return client.send({"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": value})


def add_margin(client: Exchange, asset: int, usd: int) -> dict[str, Any]:
    action = {"type": "updateIsolatedMargin", "asset": asset, "isBuy": True, "ntli": usd * 1_000_000}
    return client.send(action)


def state(client: Exchange, dex: str = "abc") -> dict[str, Any]:
    found: dict[str, Any] = client.read(type="clearinghouseState", dex=dex)
    return found


def check_identities(client: Exchange) -> None:
    """The account's own arithmetic, as it was checked on captures."""
    told = state(client)
    value = Decimal(told["marginSummary"]["totalRawUsd"])
    used = Decimal(0)
    for row in told["assetPositions"]:
        held = row["position"]
        size = Decimal(held["szi"])
        worth = Decimal(held["positionValue"])
        value += worth if size > 0 else -worth
        if held["leverage"]["type"] == "isolated":
            margin_used = (worth if size > 0 else -worth) + Decimal(held["leverage"]["rawUsd"])
            assert Decimal(held["marginUsed"]) == margin_used
        else:
            assert abs(Decimal(held["marginUsed"]) - worth / held["leverage"]["value"]) < Decimal("0.000002")
        used += Decimal(held["marginUsed"])
    assert Decimal(told["marginSummary"]["accountValue"]) == value
    assert Decimal(told["marginSummary"]["totalMarginUsed"]) == used


def test_cross_and_isolated_positions_add_up(client: Exchange) -> None:
    leverage(client, ISO, 5)
    client.one(asset=CROSS, sz="20")
    client.one(asset=ISO, sz="20", is_buy=False)
    check_identities(client)
    client.move(ISO, 98 * UNIT)
    client.move(CROSS, 103 * UNIT)
    check_identities(client)
    client.one(asset=ISO, sz="8")
    client.one(asset=CROSS, sz="30", is_buy=False)
    check_identities(client)
    assert client.position("abc:CROSS") == "-10.0"


def test_isolated_margin_is_added_and_taken_where_the_mode_allows(client: Exchange) -> None:
    for asset in (ISO, STRICT):
        client.one(asset=asset, sz="10")
        assert add_margin(client, asset, 50)["status"] == "ok"
    assert add_margin(client, ISO, -40)["status"] == "ok"
    check_identities(client)
    assert refused(add_margin(client, STRICT, -40)) == "Insufficient margin to update isolated margin."
    assert refused(add_margin(client, ISO, -40)) == "Insufficient margin to update isolated margin."
    assert refused(add_margin(client, ISO, 1_000_000)) == "Insufficient margin to update isolated margin."
    assert refused(add_margin(client, CROSS, 1)) == "Position does not use isolated margin."


def test_leverage_goes_up_freely_and_down_with_money(client: Exchange) -> None:
    leverage(client, ISO, 10)
    client.one(asset=ISO, sz="900")
    before = Decimal(client.held("abc:ISO")["marginUsed"])  # type: ignore[index]
    text = "Isolated position does not have sufficient margin available to decrease leverage."
    assert refused(leverage(client, ISO, 2)) == text
    client.one(asset=ISO, sz="850", is_buy=False, reduce_only=True)
    assert leverage(client, ISO, 5)["status"] == "ok"
    assert Decimal(client.held("abc:ISO")["marginUsed"]) < before  # type: ignore[index]
    check_identities(client)


def test_tiers_lower_the_leverage_of_large_positions() -> None:
    client = Exchange(scenario=still(), usdc="1000000")
    market = client.venue.engine.markets[0]
    assert [margin.tier_leverage(market, usd * 1_000_000) for usd in (99_999, 100_000, 2_000_000)] == [40, 20, 10]
    # Half of the initial margin of each part: 100,000 at 40 and 400,000 at 20.
    assert margin.maintenance(market, 500_000 * 1_000_000) == (1250 + 10_000) * 1_000_000
    (answer,) = [client.send({"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 40})]
    assert answer["status"] == "ok"
    text = client.error(asset=0, sz="3", px="50100")
    assert text == "Order would cause position to exceed margin tier limit at current leverage asset=0"


@pytest.mark.parametrize("side", [1, -1])
def test_the_liquidation_price_is_where_equity_meets_maintenance(client: Exchange, side: int) -> None:
    market = client.venue.engine.markets[ISO]
    position = Position(ISO, side * 10 * UNIT, side * 1000 * 10**6, 5, True, raw=200 * 10**6 - side * 1000 * 10**6)
    mark = 100 * UNIT
    equity = margin.isolated_equity(position, mark)
    needed = margin.maintenance(market, 1000 * 10**6)
    told = margin.liquidation_px(position, market, mark, equity, needed)
    assert told is not None
    px = int(Decimal(told) * UNIT)
    there = margin.isolated_equity(position, px)
    assert abs(there - margin.maintenance(market, 10 * px // 100)) < 5


def test_a_position_without_backing_goes_to_the_book(client: Exchange) -> None:
    leverage(client, ISO, 10)
    client.one(asset=ISO, sz="100")
    client.one(asset=ISO, px="85", sz="1", tif="Gtc")
    connection = client.venue.connect()
    assert connection is not None
    client.subscribe(connection, type="userEvents", user=client.user)
    equity = Decimal(state(client)["marginSummary"]["accountValue"])
    liquidation_px = Decimal(client.held("abc:ISO")["liquidationPx"])  # type: ignore[index]
    client.move(ISO, int(liquidation_px * UNIT) - UNIT // 10)
    assert client.position("abc:ISO") == "0.0"
    fills = [fill for fill in client.read(type="userFills") if "liquidation" in fill]
    assert fills
    assert all(fill["liquidation"]["liquidatedUser"] == client.user for fill in fills)
    assert {row["status"] for row in client.read(type="historicalOrders")} >= {"liquidatedCanceled"}
    # An isolated loss takes no more than its margin.
    assert Decimal(state(client)["marginSummary"]["accountValue"]) > equity - 1100
    told = b"".join(data for _, data in client.venue.drain())
    assert b'"channel":"user","data":{"liquidation":' in told


def test_a_position_far_under_water_goes_to_the_backstop(client: Exchange) -> None:
    leverage(client, ISO, 10)
    client.one(asset=ISO, sz="100")
    client.venue.happen({"kind": "withdraw", "coin": "abc:ISO", "seconds": 3600})
    client.move(ISO, 9250 * UNIT // 100, blocks=2)
    assert client.position("abc:ISO") == "0.0"
    methods = {fill["liquidation"]["method"] for fill in client.read(type="userFills") if "liquidation" in fill}
    assert methods == {"backstop"}


def test_winners_are_deleveraged_when_a_loser_owes_money() -> None:
    client = Exchange(scenario=still())
    other = Exchange(number=5, beside=client)
    client.venue.fund(other.user, "10000", False)
    for one in (client, other):
        leverage(one, ISO, 10)
    client.one(asset=ISO, sz="100")
    other.one(asset=ISO, sz="80", is_buy=False)
    client.venue.happen({"kind": "withdraw", "coin": "abc:ISO", "seconds": 3600})
    client.step()
    market = client.venue.engine.markets[ISO]
    client.venue.engine.scripted.add(1)
    # A gap through all margin at once: no 1 % steps in which the book could have taken it.
    market.mark = market.oracle = 80 * UNIT
    client.step(2)
    assert client.position("abc:ISO") == "0.0"
    winner = other.read(type="userFills")
    forced = [fill for fill in winner if fill["dir"] == "Auto-Deleveraging"]
    assert forced
    assert other.position("abc:ISO") == "0.0"
    assert Decimal(state(client)["marginSummary"]["accountValue"]) >= 0


def test_funding_is_paid_each_hour_and_sums_to_zero(client: Exchange) -> None:
    client.one(asset=CROSS, sz="50")
    connection = client.venue.connect()
    assert connection is not None
    client.subscribe(connection, type="userFundings", user=client.user)
    client.venue.step((client.now_ms // HOUR_MS + 1) * HOUR_MS + 50)
    client.step()
    (row,) = client.read(type="userFunding", startTime=0)
    rate, paid = Decimal(row["delta"]["fundingRate"]), Decimal(row["delta"]["usdc"])
    oracle = Decimal(client.venue.engine.markets[CROSS].oracle) / UNIT
    assert abs(paid + 50 * oracle * rate) < Decimal("0.000002")
    assert rate != 0
    held = client.held("abc:CROSS")
    assert held is not None
    assert held["cumFunding"]["allTime"] == held["cumFunding"]["sinceOpen"] == str(-paid)
    (history,) = client.read(type="fundingHistory", coin="abc:CROSS", startTime=0)
    assert history["fundingRate"] == row["delta"]["fundingRate"]
    frames = [data for _, data in client.venue.drain() if b"userFundings" in data]
    assert any(b'"fundings":[{' in data for data in frames)


def deploy(client: Exchange, **asked: Any) -> dict[str, Any]:
    return client.send({"type": "perpDeploy", **asked})


def set_oracle(client: Exchange, px: str, **more: Any) -> dict[str, Any]:
    coins = ["abc:CROSS", "abc:ISO", "abc:STRICT"]
    body = {
        "dex": "abc",
        "oraclePxs": [[coin, px] for coin in coins],
        "markPxs": [[[coin, px] for coin in coins]],
        "externalPerpPxs": [[coin, px] for coin in coins],
    }
    return deploy(client, setOracle={**body, **more})


def test_the_deployer_drives_the_oracle_from_outside(client: Exchange) -> None:
    assert refused(set_oracle(client, "100.5")) == "Only the deployer of the perp DEX can do this"
    client.venue.appoint("abc", client.user)
    assert client.read(type="perpDexs")[1]["deployer"] == client.user
    client.step(30)
    assert set_oracle(client, "100.5")["status"] == "ok"
    client.step(5)
    context = client.read(type="metaAndAssetCtxs", dex="abc")[1][0]
    assert context["oraclePx"] == "100.5"
    # The makers of the venue follow a price that comes from outside.
    bid, ask = client.touch(CROSS)
    assert bid < 100.5 * UNIT < ask
    assert refused(set_oracle(client, "100.6")) == "Oracle price update too often"
    client.step(30)
    assert refused(set_oracle(client, "100.6", externalPerpPxs=[])).startswith("externalPerpPxs must name every")
    assert refused(set_oracle(client, "100.6", dex="zzz")) == "Invalid perp DEX"
    set_oracle(client, "150")
    # At most 1 % with each call.
    assert client.venue.engine.markets[CROSS].oracle == 101_505_000_00


def test_no_oracle_goes_beyond_ten_times_its_day(client: Exchange) -> None:
    market = client.venue.engine.markets[CROSS]
    now = client.now_ms
    for number in range(300):
        market.set_oracle(10**15, [], now + 3000 * (number + 1))
    assert market.oracle == 1000 * UNIT
    tomorrow = now + 2 * 86_400_000
    assert market.set_oracle(10**15, [], tomorrow)
    assert market.oracle == 1010 * UNIT


def test_a_halt_cancels_settles_and_refuses_until_it_is_lifted(client: Exchange) -> None:
    client.venue.appoint("abc", client.user)
    client.one(asset=CROSS, sz="10")
    oid = client.one(asset=CROSS, px="90", tif="Gtc")["resting"]["oid"]
    mark = client.read(type="metaAndAssetCtxs", dex="abc")[1][0]["markPx"]
    assert deploy(client, haltTrading={"coin": "abc:CROSS", "isHalted": True})["status"] == "ok"
    assert client.position("abc:CROSS") == "0.0"
    settled = client.read(type="userFills")[0]
    assert (settled["dir"], settled["px"], settled["fee"]) == ("Settlement", mark, "0.0")
    assert client.read(type="orderStatus", oid=oid)["order"]["status"] == "delistedCanceled"
    assert client.error(asset=CROSS, px="100") == f"Trading is halted. asset={CROSS}"
    assert client.read(type="l2Book", coin="abc:CROSS")["levels"] == [[], []]
    deploy(client, haltTrading={"coin": "abc:CROSS", "isHalted": False})
    client.step(2)
    assert "filled" in client.one(asset=CROSS, sz="1")


def test_a_delisted_market_keeps_its_place(client: Exchange) -> None:
    client.one(asset=ISO, sz="5")
    client.venue.happen({"kind": "delist", "coin": "abc:ISO"})
    client.step()
    assert client.position("abc:ISO") == "0.0"
    universe = client.read(type="meta", dex="abc")["universe"]
    assert [row.get("isDelisted") for row in universe] == [None, True, None]
    assert client.error(asset=ISO, px="100").startswith("Trading is halted.")


def test_open_interest_at_its_cap_takes_no_more(client: Exchange) -> None:
    client.venue.appoint("abc", client.user)
    told = refused(deploy(client, setOpenInterestCaps=[["abc:CROSS", 10]]))
    assert told == "Open interest cap is too low"
    assert deploy(client, setOpenInterestCaps=[["abc:CROSS", 20_000_500]])["status"] == "ok"
    assert client.read(type="perpDexLimits", dex="abc")["coinToOiCap"][0] == ["abc:CROSS", "20000500.0"]
    client.one(asset=CROSS, sz="10")
    assert client.read(type="perpsAtOpenInterestCap", dex="abc") == ["abc:CROSS"]
    text = client.error(asset=CROSS, sz="1")
    assert text == f"Order would increase open interest while open interest is capped asset={CROSS}"
    assert "filled" in client.one(asset=CROSS, sz="10", is_buy=False, reduce_only=True)


def test_only_post_only_orders_after_an_upgrade(client: Exchange) -> None:
    client.venue.happen({"kind": "upgrade", "seconds": 10})
    text = "Only post-only orders allowed immediately after network upgrade"
    assert client.error(asset=CROSS, sz="1") == f"{text} asset={CROSS}"
    assert "resting" in client.one(asset=CROSS, px="90", tif="Alo")
    client.step(100)
    assert "filled" in client.one(asset=CROSS, sz="1")


def test_a_frozen_oracle_stays_while_the_book_goes_on() -> None:
    client = Exchange()
    market = client.venue.engine.by_coin["xyz:SILVER"]
    client.venue.happen({"kind": "freeze", "coin": "xyz:SILVER", "seconds": 60})
    before, touches = market.oracle, set()
    for _ in range(300):
        client.venue.step(client.venue.now_ms + 100)
        touches.add(market.book.touch()[0][:1])  # type: ignore[index]
    assert market.oracle == before
    assert len(touches) > 3


def test_a_jump_beyond_the_clamp_is_reached_in_steps_while_the_book_is_there() -> None:
    client = Exchange()
    market = client.venue.engine.by_coin["xyz:SILVER"]
    before = market.oracle
    client.venue.happen({"kind": "jump", "coin": "xyz:SILVER", "bps": 350})
    seen = []
    for _ in range(200):
        client.venue.step(client.venue.now_ms + 100)
        if not seen or market.oracle != seen[-1]:
            seen.append(market.oracle)
    steps = [later / earlier for earlier, later in pairwise(seen)]
    assert max(steps) <= 1.01
    assert market.oracle > before * 1.03
    assert sum(step > 1.009 for step in steps) >= 2


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "halted"}, "incident.kind: one of halt, "),
        ({"kind": "halt"}, "incident.coin: halt needs the full name of a market"),
        ({"kind": "halt", "coin": "abc:NOPE"}, "is not a market of this scenario"),
        ({"kind": "freeze", "dex": "zzz"}, "is not a dex of this scenario"),
        ({"kind": "mute", "share": 0}, "incident.share"),
        ({"kind": "mute", "secnds": 3}, "did you mean seconds?"),
        (["mute"], "a table is needed"),
    ],
)
def test_a_wrong_incident_is_refused(client: Exchange, row: Any, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        client.venue.happen(row)
    assert told in str(caught.value)


def test_every_kind_of_incident_can_happen(client: Exchange) -> None:
    for kind in KINDS:
        client.venue.happen({"kind": kind, "coin": "abc:CROSS", "seconds": 0.2, "ms": 10, "bps": 5})
    client.step(50)


@pytest.mark.parametrize("action", [{"setOracle": {}}, {"sell": {}}, {}, {"haltTrading": {"coin": 3}}])
def test_a_deployer_action_of_another_shape_is_unreadable(client: Exchange, action: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        deploy(client, **action)


def test_an_asset_is_recycled_under_its_id() -> None:
    client = Exchange()
    market = client.venue.engine.by_coin["xyz:SILVER"]
    client.one(sz="10")
    before = market.mark
    client.venue.happen({"kind": "recycle", "coin": "xyz:SILVER", "bps": 5000, "leverage": 3})
    client.step(3)
    assert client.position() == "0.0"
    entry = client.read(type="meta", dex="xyz")["universe"][26]
    assert (entry["name"], entry["maxLeverage"], entry["marginTableId"]) == ("xyz:SILVER", 3, 3)
    assert market.oracle == pytest.approx(before * 1.5, rel=0.001)
    bid, ask = client.touch()
    assert bid < market.oracle < ask
    assert client.read(type="recentTrades", coin="xyz:SILVER") == []
    context = client.read(type="metaAndAssetCtxs", dex="xyz")[1][26]
    assert (context["openInterest"], context["dayNtlVlm"]) == ("0.0", "0.0")
    assert "filled" in client.one(sz="1")
    client.step(300)
    held = client.held()
    assert held is not None
    assert held["leverage"]["value"] == 3
