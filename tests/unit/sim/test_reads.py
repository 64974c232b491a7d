"""Every read: answers for somebody unknown, malformed requests, and what the numbers mean."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hip3.sim import info
from hip3.sim.wire import BadRequest

from .exchange import CROSS, ISO, START_MS, Exchange, still

STRANGER = "0x" + "99" * 20
BASICS: dict[str, Any] = {
    "user": STRANGER,
    "coin": "BTC",
    "dex": "",
    "oid": 1,
    "startTime": 0,
    "builder": STRANGER,
    "id": 56,
    "req": {"coin": "BTC", "interval": "1h", "startTime": 0, "endTime": START_MS * 2},
}


@pytest.fixture(scope="module")
def client() -> Exchange:
    return Exchange()


@pytest.mark.parametrize("kind", sorted(info.READS))
def test_every_read_answers_for_somebody_unknown(client: Exchange, kind: str) -> None:
    client.venue.info({**BASICS, "type": kind})


WITHOUT_FIELDS = {
    "perpDexs", "meta", "allPerpMetas", "metaAndAssetCtxs", "allMids", "predictedFundings", "perpDexLimits",
    "perpDexStatus", "perpsAtOpenInterestCap", "spotMeta", "spotMetaAndAssetCtxs", "exchangeStatus", "outcomeMeta",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(set(info.READS) - WITHOUT_FIELDS))
def test_a_read_without_its_fields_cannot_be_read(client: Exchange, kind: str) -> None:
    with pytest.raises(BadRequest):
        client.venue.info({"type": kind})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"type": ["meta"]},
        {"type": "nope"},
        {},
        {"type": "meta", "dex": "nope"},
        {"type": "meta", "dex": 3},
        {"type": "userFills", "user": STRANGER, "aggregateByTime": "yes"},
        {"type": "userFillsByTime", "user": STRANGER, "startTime": "0"},
        {"type": "userFillsByTime", "user": STRANGER, "startTime": 0, "endTime": True},
        {"type": "orderStatus", "user": STRANGER, "oid": None},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 1},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1y", "startTime": 0}},
    ],
)
def test_a_malformed_read_is_a_bad_request(client: Exchange, body: Any) -> None:
    with pytest.raises(BadRequest):
        client.venue.info(body)


def test_levels_are_put_together_away_from_the_touch(client: Exchange) -> None:
    plain = client.read(type="l2Book", coin="xyz:SILVER")["levels"]
    coarse = client.read(type="l2Book", coin="xyz:SILVER", nSigFigs=3)["levels"]
    for fine_side, coarse_side, sign in zip(plain, coarse, (1, -1), strict=True):
        total = sum(Decimal(level["sz"]) for level in fine_side)
        assert sum(Decimal(level["sz"]) for level in coarse_side) == total
        assert sum(level["n"] for level in coarse_side) == sum(level["n"] for level in fine_side)
        assert sign * Decimal(coarse_side[0]["px"]) <= sign * Decimal(fine_side[0]["px"])
        assert all(Decimal(level["px"]) % Decimal("0.1") == 0 for level in coarse_side)


def test_fills_of_one_order_are_merged_on_request() -> None:
    client = Exchange()
    client.one(sz="300")
    fills = client.read(type="userFills")
    merged = client.read(type="userFills", aggregateByTime=True)
    assert len(fills) > len(merged) == 1
    size = sum(Decimal(fill["sz"]) for fill in fills)
    assert Decimal(merged[0]["sz"]) == size
    assert Decimal(merged[0]["fee"]) == sum(Decimal(fill["fee"]) for fill in fills)
    mean = sum(Decimal(fill["sz"]) * Decimal(fill["px"]) for fill in fills) / size
    assert abs(Decimal(merged[0]["px"]) - mean) < Decimal("1e-9")


def test_candles_hold_the_prints() -> None:
    client = Exchange()
    for _ in range(3):
        client.one(sz="2")
        client.step(400)
    span = {"coin": "xyz:SILVER", "startTime": 0, "endTime": client.now_ms}
    minutes = client.read(type="candleSnapshot", req={**span, "interval": "1m"})
    (hour,) = client.read(type="candleSnapshot", req={**span, "interval": "1h"})[-1:]
    assert sum(Decimal(candle["v"]) for candle in minutes) == Decimal(hour["v"])
    assert sum(candle["n"] for candle in minutes) == hour["n"]
    for candle in minutes:
        assert candle["T"] - candle["t"] == 59_999
        low, high = Decimal(candle["l"]), Decimal(candle["h"])
        assert low <= Decimal(candle["o"]) <= high
        assert low <= Decimal(candle["c"]) <= high
    trades = client.read(type="recentTrades", coin="xyz:SILVER")
    assert trades[0]["time"] >= trades[-1]["time"]
    assert {trade["users"][0] for trade in trades if trade["side"] == "B"} >= {client.user}


def test_what_can_be_traded_follows_leverage_and_position() -> None:
    client = Exchange(scenario=still())
    told = client.read(type="activeAssetData", coin="abc:ISO")
    assert told["leverage"] == {"type": "isolated", "value": 10}
    assert told["availableToTrade"] == ["10000.0", "10000.0"]
    assert told["maxTradeSzs"] == ["1000.0", "1000.0"]
    client.send({"type": "updateLeverage", "asset": ISO, "isCross": False, "leverage": 5})
    assert client.read(type="activeAssetData", coin="abc:ISO")["maxTradeSzs"] == ["500.0", "500.0"]
    client.one(asset=ISO, sz="100")
    buy, sell = client.read(type="activeAssetData", coin="abc:ISO")["availableToTrade"]
    assert Decimal(buy) < 8000 < 10000 < Decimal(sell)


def test_the_portfolio_knows_profit_from_deposits() -> None:
    client = Exchange(scenario=still())
    client.one(asset=CROSS, sz="100")
    client.move(CROSS, 102 * 10**8, blocks=700)
    client.send_signed("usdSend", destination=STRANGER, amount="500")
    windows = dict(client.read(type="portfolio"))
    assert set(windows) == {
        "day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime",
    }  # fmt: skip
    profit = Decimal(windows["day"]["pnlHistory"][-1][1])
    assert 150 < profit < 220
    value = Decimal(windows["day"]["accountValueHistory"][-1][1])
    assert value == 20_000 - 500 + profit
    assert Decimal(windows["day"]["vlm"]) > 9_900


def test_an_agent_cannot_be_read_as_a_user() -> None:
    client = Exchange()
    client.send_signed("approveAgent", agentAddress=STRANGER, agentName="")
    client.one(sz="1")
    assert client.read(type="userFills", user=STRANGER) == []
    assert client.read(type="userRole", user=STRANGER)["role"] == "agent"
    # An agent without a name is not among the named ones.
    assert client.read(type="extraAgents") == []
    assert client.read(type="webData2")["agentAddress"] == STRANGER
