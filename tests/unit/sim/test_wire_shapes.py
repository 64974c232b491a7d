"""The venue's frames and replies have the keys, types and number formats of captured ones, field by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .exchange import SILVER, START_MS, Exchange

FRAMES = Path(__file__).parents[4] / "shared" / "data" / "frames"
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
#: Keys that the venue sends only in some states, and why the venue here need not, or need.
OPTIONAL = {
    "cloid",  # only with orders that had one
    "isSnapshot",  # only in the first frame
    "liquidation",  # only on forced fills
    "builderFee",  # only with a builder
    "reduceOnly",  # only when set
    "twapId",  # in fills since 2025, absent in older captures
    "nRequestsSurplus",  # since 2026, absent in the capture
    "cumFunding",  # since 2023, absent in the capture
    "maxLeverage",  # since 2023 in positions, absent in the capture
    "maxTradeSzs",  # left the position long ago
    "time",  # since 2024 in the account, absent in the capture
    "crossMaintenanceMarginUsed",  # likewise
    "rawUsd",  # of isolated positions
    "collateralToken",  # since builder dexs
    "marginTables",  # since 2025
    "marginTableId",  # likewise
    "isDelisted",  # optional, absent rather than null today
    "onlyIsolated",  # likewise
    "marginMode",  # likewise
    "growthMode",  # only where it is on
    "children",  # since 2023 in records
    "feeToken",  # in fills since 2023, absent in those captures
    "tid",  # likewise
    "origSz",  # in openOrders since 2023, absent in the capture
}


def captured(name: str) -> list[Any]:
    path = FRAMES / name
    if not path.exists():
        pytest.skip("no captured frames beside the checkout")
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else [json.loads(text)]


def kind(value: Any) -> str:
    if isinstance(value, str):
        return "decimal" if DECIMAL.fullmatch(value) else "text"
    return type(value).__name__


def compare(ours: Any, real: Any, where: str, counts: list[int], trimmed: bool = False) -> None:
    """Walks both at once, field by field; numbers by the way they are written. Trimmed captures may lack keys."""
    counts[0] += 1
    if isinstance(real, dict) and isinstance(ours, dict):
        missing = real.keys() - ours.keys() - OPTIONAL
        extra = ours.keys() - real.keys() - OPTIONAL
        assert not missing, f"{where}: missing {sorted(missing)}"
        assert trimmed or not extra, f"{where}: not at the venue {sorted(extra)}"
        for name in real.keys() & ours.keys():
            compare(ours[name], real[name], f"{where}.{name}", counts, trimmed)
    elif isinstance(real, list) and isinstance(ours, list):
        rows = isinstance(real[0], dict) if real else False
        for index, item in enumerate(real):
            if ours and (rows or index < len(ours)):
                # Rows are alike: each captured one is held against the first here.
                compare(ours[0] if rows else ours[index], item, f"{where}[{index}]", counts, trimmed)
    elif real is not None and ours is not None:
        assert kind(ours) == kind(real), f"{where}: {ours!r} here, {real!r} there"


@pytest.fixture(scope="module")
def client() -> Exchange:
    client = Exchange()
    connection = client.venue.connect()
    assert connection is not None
    for kind in ("bbo", "activeAssetCtx", "l2Book", "trades"):
        client.subscribe(connection, type=kind, coin="xyz:SILVER")
    client.subscribe(connection, type="candle", coin="xyz:SILVER", interval="1m")
    for kind in ("userFills", "orderUpdates", "userEvents"):
        client.subscribe(connection, type=kind, user=client.user)
    for kind in ("allMids", "allDexsAssetCtxs"):
        client.subscribe(connection, type=kind)
    client.venue.on_message(connection, '{"method":"unsubscribe","subscription":{"type":"trades","coin":"BTC"}}')
    client.subscribe(connection, type="bbo", coin="BTC")
    client.venue.on_message(connection, '{"method":"unsubscribe","subscription":{"type":"bbo","coin":"BTC"}}')
    client.venue.on_message(connection, '{"method":"ping"}')
    client.send_signed("usdClassTransfer", amount="50", toPerp=False)
    client.send_signed("spotSend", destination="0x" + "ab" * 20, token="USDC", amount="10")
    client.send_signed("approveAgent", agentAddress="0x" + "cd" * 20, agentName="bot")
    client.one(cloid="0x" + "2" * 32)
    client.one(asset=0, sz="0.01")
    client.one(px=client.far(SILVER, True, -400), tif="Gtc")
    stop = {"isMarket": True, "triggerPx": client.far(SILVER, False, -600), "tpsl": "tp"}
    row = {"a": SILVER, "b": False, "p": stop["triggerPx"], "s": "1", "r": True, "t": {"trigger": stop}}
    assert client.order(row) == ["waitingForTrigger"]
    client.step(30)
    client.venue.step((client.now_ms // 3_600_000 + 1) * 3_600_000 + 50)
    client.step(60)
    return client


@pytest.fixture(scope="module")
def frames(client: Exchange) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for _, raw in client.venue.drain():
        frame = json.loads(raw)
        found.setdefault(frame["channel"], []).append(frame)
    return found


@pytest.fixture(scope="module")
def total() -> list[int]:
    return [0]


def ours_for(frames: dict[str, list[Any]], real: Any) -> Any:
    """The frame here that answers to a captured one: of its channel, and as full as it is."""
    candidates = frames[real["channel"]]
    data = real.get("data")
    if real["channel"] == "subscriptionResponse":
        kind = (data["method"], data["subscription"]["type"])
        return next(f for f in candidates if (f["data"]["method"], f["data"]["subscription"]["type"]) == kind)
    if real["channel"] in ("userFills", "user"):
        return next(frame for frame in candidates if frame["data"].get("fills"))
    return candidates[-1]


def test_frames_have_the_captured_shape(frames: dict[str, list[Any]], total: list[int]) -> None:
    reals = captured("ws_captured.jsonl") + captured("ws_allmids.json") + captured("ws_all_dexs_asset_ctxs.json")
    for real in reals:
        ours = ours_for(frames, real)
        if real["channel"] == "allMids":
            ours, real = list(ours["data"]["mids"].values())[:1], list(real["data"]["mids"].values())[:1]
        if real == ours or isinstance(real, list) or real["channel"] != "error":
            compare(ours, real, str(real)[:40], total)
        else:
            assert real["data"].split(":")[0] == ours["data"].split(":")[0]
    (real,) = captured("ws_book_data.json")
    compare(frames["l2Book"][-1]["data"], real, "ws_book_data", total)


#: Request here for each captured reply; None: the same request with our names.
REPLIES: dict[str, dict[str, Any]] = {
    "http_all_perp_metas_non_usdc_collateral.json": {"type": "allPerpMetas"},
    "http_clearinghouse_state_negative_total_raw_usd.json": {"type": "clearinghouseState"},
    "http_funding_history.json": {"type": "fundingHistory", "coin": "BTC", "startTime": 0},
    "http_l2_book_btc.json": {"type": "l2Book", "coin": "BTC"},
    "http_l2_book_snapshot.json": {"type": "l2Book", "coin": "BTC"},
    "http_meta_perp_sample.json": {"type": "meta"},
    "http_recent_trades_btc.json": {"type": "recentTrades", "coin": "BTC"},
    "http_sdk_delegator_history.json": {"type": "delegatorHistory"},
    "http_sdk_extra_agents.json": {"type": "extraAgents"},
    "http_sdk_get_all_mids.json": {"type": "allMids"},
    "http_sdk_get_candles_snapshot.json": {"type": "meta"},
    "http_sdk_get_candles_snapshot_1.json": {
        "type": "candleSnapshot",
        "req": {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": START_MS * 2},
    },
    "http_sdk_get_frontend_open_orders.json": {"type": "frontendOpenOrders", "dex": "xyz"},
    "http_sdk_get_funding_history_1684811870000.json": {"type": "meta"},
    "http_sdk_get_funding_history_1684811870000_1.json": {"type": "fundingHistory", "coin": "BTC", "startTime": 0},
    "http_sdk_get_funding_history_None.json": {"type": "meta"},
    "http_sdk_get_funding_history_None_1.json": {"type": "fundingHistory", "coin": "BTC", "startTime": 0},
    "http_sdk_get_info.json": {"type": "meta"},
    "http_sdk_get_l2_snapshot.json": {"type": "meta"},
    "http_sdk_get_l2_snapshot_1.json": {"type": "l2Book", "coin": "BTC"},
    "http_sdk_get_open_orders.json": {"type": "openOrders", "dex": "xyz"},
    "http_sdk_get_user_fills.json": {"type": "userFills"},
    "http_sdk_get_user_fills_by_time.json": {"type": "userFillsByTime", "startTime": 0},
    "http_sdk_get_user_state.json": {"type": "clearinghouseState", "dex": "xyz"},
    "http_sdk_historical_orders.json": {"type": "historicalOrders"},
    "http_sdk_portfolio.json": {"type": "portfolio"},
    "http_sdk_user_funding_history_with_end_time.json": {"type": "userFunding", "startTime": 0},
    "http_sdk_user_funding_history_without_end_time.json": {"type": "userFunding", "startTime": 0},
    "http_sdk_user_non_funding_ledger_updates_with_end_time.json": {
        "type": "userNonFundingLedgerUpdates",
        "startTime": 0,
    },
    "http_sdk_user_non_funding_ledger_updates_without_end_time.json": {
        "type": "userNonFundingLedgerUpdates",
        "startTime": 0,
    },
    "http_sdk_user_rate_limit.json": {"type": "userRateLimit"},
    "http_sdk_user_role.json": {"type": "userRole"},
    "http_sdk_user_twap_slice_fills.json": {"type": "userTwapSliceFills"},
    "http_sdk_user_vault_equities.json": {"type": "userVaultEquities"},
    "http_spot_clearinghouse_state.json": {"type": "spotClearinghouseState"},
    "http_spot_meta_non_usdc_collateral.json": {"type": "spotMeta"},
    "http_user_fills_dust_conversion.json": {"type": "userFills"},
}
#: There is no staking and are no vaults here: the answer is as for an account without any.
ALWAYS_EMPTY = {"delegatorHistory", "userVaultEquities", "userTwapSliceFills"}


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_replies_have_the_captured_shape(client: Exchange, total: list[int], name: str) -> None:
    (real,) = captured(name)
    body = REPLIES[name]
    if isinstance(real, dict) and "request" in real:
        assert real["request"]["type"] == body["type"]
        real = real["response"]
    ours = client.read(**body)
    if body["type"] == "allMids":
        ours, real = list(ours.values())[:1], list(real.values())[:1]
    if body["type"] == "userNonFundingLedgerUpdates":
        by_kind = {row["delta"]["type"]: row for row in ours}
        for row in real:
            compare(by_kind[row["delta"]["type"]], row, body["type"], total)
        return
    assert ours or body["type"] in ALWAYS_EMPTY
    # What was not recorded by the SDK is cut down or shaped by hand, as its origin says.
    compare(ours, real, body["type"], total, trimmed=not name.startswith("http_sdk_"))


def test_every_capture_is_compared(total: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    captured("ws_captured.jsonl")
    names = {path.name for path in FRAMES.glob("http_*.json")}
    assert names == REPLIES.keys()
    with capsys.disabled():
        print(f" {total[0]} fields compared with captures", end="")
