"""The venue's frames and replies have the keys, types and number formats of captured ones, field by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .exchange import SILVER, Exchange

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


def compare(ours: Any, real: Any, where: str, counts: list[int]) -> None:
    """Walks both at once; lists by their first elements, numbers by the way they are written."""
    counts[0] += 1
    if isinstance(real, dict) and isinstance(ours, dict):
        missing = real.keys() - ours.keys() - OPTIONAL
        extra = ours.keys() - real.keys() - OPTIONAL
        assert not missing, f"{where}: missing {sorted(missing)}"
        assert not extra, f"{where}: not at the venue {sorted(extra)}"
        for name in real.keys() & ours.keys():
            compare(ours[name], real[name], f"{where}.{name}", counts)
    elif isinstance(real, list) and isinstance(ours, list):
        for index, pair in enumerate(zip(ours, real, strict=False)):
            compare(*pair, f"{where}[{index}]", counts)
            if isinstance(pair[1], dict):
                break
    elif real is not None and ours is not None:
        assert kind(ours) == kind(real), f"{where}: {ours!r} here, {real!r} there"


@pytest.fixture(scope="module")
def client() -> Exchange:
    client = Exchange()
    connection = client.venue.connect()
    kinds: list[dict[str, str]] = [{"type": kind, "coin": "xyz:SILVER"} for kind in ("bbo", "activeAssetCtx")]
    kinds += [{"type": kind, "user": client.user} for kind in ("userFills", "orderUpdates")]
    for subscription in kinds:
        client.venue.on_message(connection, json.dumps({"method": "subscribe", "subscription": subscription}))
    client.venue.on_message(connection, '{"method":"ping"}')
    client.one(cloid="0x" + "2" * 32)
    client.one(px=client.far(SILVER, True, -400), tif="Gtc")
    client.step(30)
    return client


@pytest.fixture(scope="module")
def frames(client: Exchange) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for _, raw in client.venue.drain():
        frame = json.loads(raw)
        found.setdefault(frame["channel"], []).append(frame)
    return found


def test_frames_have_the_captured_shape(frames: dict[str, list[Any]], capsys: pytest.CaptureFixture[str]) -> None:
    counts, seen = [0], set()
    for real in captured("ws_captured.jsonl"):
        channel = real["channel"]
        if channel in ("bbo", "activeAssetCtx", "orderUpdates", "pong"):
            compare(frames[channel][-1], real, channel, counts)
            seen.add(channel)
        elif channel == "userFills":
            live = next(frame for frame in frames[channel] if frame["data"]["fills"])
            compare(live, real, channel, counts)
            seen.add(channel)
    assert seen == {"bbo", "activeAssetCtx", "orderUpdates", "pong", "userFills"}
    with capsys.disabled():
        print(f" {counts[0]} fields of frames compared", end="")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("http_sdk_get_user_fills.json", {"type": "userFills"}),
        ("http_sdk_get_user_fills_by_time.json", {"type": "userFillsByTime", "startTime": 0}),
        ("http_sdk_historical_orders.json", {"type": "historicalOrders"}),
        ("http_sdk_user_rate_limit.json", {"type": "userRateLimit"}),
        ("http_sdk_user_role.json", {"type": "userRole"}),
        ("http_sdk_get_l2_snapshot.json", {"type": "l2Book", "coin": "xyz:SILVER"}),
        ("http_sdk_get_all_mids.json", {"type": "allMids"}),
        ("http_sdk_get_open_orders.json", {"type": "openOrders", "dex": "xyz"}),
        ("http_sdk_get_user_state.json", {"type": "clearinghouseState", "dex": "xyz"}),
    ],
)
def test_replies_have_the_captured_shape(client: Exchange, name: str, body: dict[str, Any]) -> None:
    (real,) = captured(name)
    if real["request"]["type"] != body["type"]:
        pytest.skip("the capture of this name holds another request")
    counts = [0]
    ours = client.read(**body)
    if body["type"] == "allMids":
        ours, real["response"] = list(ours.values())[:1], list(real["response"].values())[:1]
    compare(ours, real["response"], body["type"], counts)
    assert counts[0] > 1
