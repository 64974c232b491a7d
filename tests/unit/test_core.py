"""The Rust core as Python sees it: types, units and errors of the binding. The rooms have their own tests."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from typing import Any

import orjson
import pytest

from hip3 import _hip3
from hip3._hip3 import CoreError, Engine, Event, LatencyHistogram, Signer, address_of, recover_l1

KEY = b"0x0123456789012345678901234567890123456789012345678901234567890123"
SIGNER = "0x14791697260e4c9a71f18484c9f997b308e59325"
CLOID = "0x0000000000000000000000000000000a"
S = 1_000_000_000
#: Start of the tests' clock.
T0 = 1_790_000_000 * S
SILVER = 110_026

SETTINGS: dict[str, Any] = {
    "entry": {
        "enabled": True,
        "book_age_ms_max": 2000,
        "oracle_age_ms_max": 8000,
        "min_net_edge_bps": "5",
        "slippage_bps": "5",
        "slippage_cost_bps": "2",
        "mark_mid_bps_max": "50",
        "spread_ratio_max": "3",
        "touch_notional_usd_min": "500",
        "touch_notional_usd_full": "5000",
        "require_oracle_move": False,
        "oracle_move_ms_max": 3000,
        "cooldown_ms": 5000,
        "retry_ms": 1000,
        "sizing_alpha": "0.10",
        "oi_share_max": "0.01",
        "market_notional_usd_max": "1000",
        "total_notional_usd_max": "5000",
        "positions_max": 5,
        "order_notional_usd_min": "10",
    },
    "exit": {
        "primary": True,
        "backup": True,
        "exit_threshold_bps": "5",
        "min_holding_ms": 1000,
        "time_stop_ms": 30000,
        "book_age_ms_max": 2000,
        "oracle_age_ms_max": 8000,
        "quick_profit": {"enabled": False, "profit_bps": "20"},
        "edge_evaporated": {"enabled": False, "fraction": "0.2"},
        "oracle_reversal": {"enabled": False, "moves": 2},
        "flatten_slippage_bps": "50",
        "flatten_slippage_max_bps": "200",
        "flatten_retry_ms": 200,
        "flatten_queue_max": 500,
        "claim_lease_ms": 5000,
    },
    "edges": {"period_ms": 60000},
}

MARKETS = [
    {
        "asset": SILVER,
        "dex_index": 1,
        "dex": "xyz",
        "coin": "xyz:SILVER",
        "sz_decimals": 2,
        "taker_fee_bps": "0.9",
        "entry_threshold_bps": "40",
        "max_notional_usd": "1000",
        "entry_enabled": True,
    }
]


def engine() -> Engine:
    core = Engine(orjson.dumps(SETTINGS), 7)
    core.set_markets(orjson.dumps(MARKETS))
    return core


def told_by(core: Engine, line: bytes, recv_ns: int) -> list[Event]:
    return core.on_frame(line, recv_ns) or []


def signer() -> Signer:
    return Signer(bytearray(KEY), False)


def frame(channel: str, data: Any) -> bytes:
    return orjson.dumps({"channel": channel, "data": data})


def bbo(bid: str, ask: str, time_ms: int) -> bytes:
    levels = [{"px": px, "sz": "500", "n": 3} for px in (bid, ask)]
    return frame("bbo", {"coin": "xyz:SILVER", "time": time_ms, "bbo": levels})


def ctx(oracle: str) -> bytes:
    body = {
        "funding": "0.0",
        "openInterest": "100000.0",
        "prevDayPx": "100.0",
        "dayNtlVlm": "1.0",
        "premium": None,
        "oraclePx": oracle,
        "markPx": "100.0",
        "midPx": None,
        "impactPxs": None,
        "dayBaseVlm": "1.0",
    }
    return frame("activeAssetCtx", {"coin": "xyz:SILVER", "ctx": body})


def account(positions: list[dict[str, Any]], time_ms: int) -> bytes:
    summary = {"accountValue": "900.5", "totalNtlPos": "0.0", "totalRawUsd": "900.5", "totalMarginUsed": "0.0"}
    state = {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "900.5",
        "assetPositions": positions,
        "time": time_ms,
    }
    return frame("clearinghouseState", {"dex": "xyz", "user": SIGNER, "clearinghouseState": state})


def fill(tid: int, is_buy: bool, px: str, sz: str, time_ms: int, cloid: str) -> bytes:
    row = {
        "coin": "xyz:SILVER",
        "px": px,
        "sz": sz,
        "side": "B" if is_buy else "A",
        "time": time_ms,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x0",
        "oid": 5,
        "crossed": True,
        "fee": "0.01",
        "tid": tid,
        "cloid": cloid,
        "feeToken": "USDC",
        "twapId": None,
    }
    return frame("userFills", {"user": SIGNER, "fills": [row]})


def test_a_dislocation_goes_from_frames_to_an_entry_a_position_and_its_flatten_order() -> None:
    core = engine()
    ms = T0 // 1_000_000
    assert core.on_frame(bbo("99.9", "100", ms), T0) is None
    (state,) = told_by(core, account([], ms), T0)
    assert isinstance(state, _hip3.AccountState)
    assert (state.dex, state.time_ms, state.total_raw_usd) == ("xyz", ms, "900.5")
    (entry,) = told_by(core, ctx("100.45"), T0 + 1)
    assert isinstance(entry, _hip3.Entry)
    assert (entry.asset, entry.coin, entry.is_buy, entry.decided_ns) == (SILVER, "xyz:SILVER", True, T0 + 1)
    assert Decimal(entry.notional_usd) <= 1000
    assert Decimal(entry.edge_bps) >= 40

    (told,) = told_by(core, fill(1, True, "100", entry.sz, ms + 100, entry.cloid), T0 + S)
    assert isinstance(told, _hip3.Fill)
    assert (told.applied, told.known, told.position) == (True, False, entry.sz)
    assert core.settle_entry(entry.cloid, True, T0 + S)
    (position,) = core.positions()
    assert (position.szi, position.entry_px, position.entry_ns) == (entry.sz, "100", T0 + S)
    assert position.entry_edge_bps == entry.edge_bps

    core.on_frame(bbo("100.44", "100.5", ms + 1500), T0 + S + S // 2)
    assert core.next_deadline_ns() == T0 + 2 * S
    assert core.on_deadline(T0 + 2 * S) == 1
    assert core.sweep_exits(T0 + 2 * S) == 0
    order = core.pop_flatten()
    assert order is not None
    assert core.pop_flatten() is None
    assert (order.reason, order.path, order.is_buy, order.sz) == ("mark_regression", "primary", False, entry.sz)
    assert (order.due_ns, order.decided_ns) == (T0 + 2 * S, T0 + 2 * S)
    (claim,) = core.claims()
    assert claim.cloid == order.cloid
    assert claim.lease_until_ns == T0 + 7 * S
    assert core.is_flattening(SILVER)
    assert not core.request_exit(SILVER, "operator", T0 + 2 * S)

    core.on_frame(fill(2, False, "100.4", entry.sz, ms + 2100, order.cloid), T0 + 3 * S)
    assert core.release_claim(SILVER, order.cloid, "filled", T0 + 3 * S)
    assert not core.release_claim(SILVER, order.cloid, "filled", T0 + 3 * S)
    assert core.positions() == []
    assert core.get_position(SILVER) is None
    ((coin, cash, fees, realized, funding),) = core.cash()
    assert coin == "xyz:SILVER"
    assert (fees, funding) == ("0.02", "0")
    assert Decimal(cash) == Decimal(realized) - Decimal(fees) == Decimal(entry.sz) * Decimal("0.4") - Decimal("0.02")
    counters = core.counters()
    assert (counters["entries"], counters["exits_mark_regression"]) == (1, 1)
    assert (counters["claims_made_primary"], counters["claims_released_filled"]) == (1, 1)
    assert core.latest_venue_ms() == ms + 2100


def test_equal_inputs_give_equal_digests_and_other_inputs_others() -> None:
    def run(oracle: str) -> str:
        core = engine()
        for at, line in enumerate([bbo("99.9", "100", 1), account([], 1), ctx(oracle)]):
            core.on_frame(line, T0 + at)
        return core.digest()

    assert run("100.45") == run("100.45") != run("100.3")


def test_markets_are_seen_as_exact_texts_and_absent_sides_as_none() -> None:
    core = engine()
    assert core.get_snapshot(1) is None
    empty = core.get_snapshot(SILVER)
    assert empty is not None
    assert (empty.bid_px, empty.oracle_px, empty.book_recv_ns) == (None, None, 0)
    core.on_frame(bbo("99.9", "100", 5), T0)
    core.on_frame(ctx("100.45"), T0 + 1)
    seen = core.get_snapshot(SILVER)
    assert seen is not None
    assert (seen.bid_px, seen.ask_sz, seen.oracle_px) == ("99.9", "500", "100.45")
    assert (seen.buy_edge_bps, seen.book_time_ms, seen.oracle_recv_ns) == ("44.7984", 5, T0 + 1)


def test_any_bytes_are_taken_and_what_the_venue_says_is_an_event() -> None:
    core = engine()
    (bad,) = told_by(core, b"\xff{", T0)
    assert isinstance(bad, _hip3.Malformed)
    assert bad.reason
    (unknown,) = told_by(core, frame("newThing", {}), T0)
    assert isinstance(unknown, _hip3.UnknownFrame)
    assert unknown.channel == "newThing"
    (error,) = told_by(core, frame("error", "Already subscribed"), T0)
    assert isinstance(error, _hip3.VenueError)
    assert error.text == "Already subscribed"
    answer = {"id": 3, "response": {"type": "action", "payload": {"status": "ok"}}}
    (reply,) = told_by(core, frame("post", answer), T0)
    assert isinstance(reply, _hip3.PostReply)
    assert (reply.id, reply.kind, json.loads(reply.payload)) == (3, "action", {"status": "ok"})
    counters = core.counters()
    assert (counters["frames"], counters["frames_malformed"], counters["frames_unknown"]) == (4, 1, 1)


def test_events_and_views_are_frozen() -> None:
    core = engine()
    (event,) = told_by(core, frame("newThing", {}), T0)
    with pytest.raises(AttributeError):
        event.channel = "other"  # type: ignore[union-attr, misc]
    assert isinstance(event, _hip3.Event)
    assert "newThing" in repr(event)


@pytest.mark.parametrize(
    "change",
    [{"surprise": 1}, {"exit": SETTINGS["exit"] | {"time_stop_ms": 1}}, {"entry": SETTINGS["entry"] | {"x": 1}}],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CoreError):
        Engine(orjson.dumps(SETTINGS | change), 1)


def test_markets_that_cannot_be_read_are_refused_and_change_nothing() -> None:
    core = engine()
    with pytest.raises(CoreError):
        core.set_markets(orjson.dumps([MARKETS[0] | {"sz_decimals": 40}]))
    assert core.get_snapshot(SILVER) is not None


def test_words_and_ids_that_do_not_exist_are_refused() -> None:
    core = engine()
    with pytest.raises(ValueError, match="no exit can be requested"):
        core.request_exit(SILVER, "time_stop", T0)
    with pytest.raises(ValueError, match="no claim ends by"):
        core.release_claim(SILVER, CLOID, "vanished", T0)
    with pytest.raises(ValueError, match="cloid"):
        core.settle_entry("7", False, T0)
    with pytest.raises(OverflowError):
        core.on_deadline(-1)


def test_signed_orders_recover_their_signer_and_the_key_leaves_no_bytes() -> None:
    key = bytearray(KEY)
    desk = Signer(key, False)
    assert not any(key)
    assert desk.address == SIGNER
    orders = [(SILVER, True, "248.15", "1.25", False, "Ioc", CLOID, 2)]
    signed = desk.orders(orders, 1000, 2000, 9)
    body = json.loads(signed.body)
    assert json.loads(signed.post) == {
        "method": "post",
        "id": 9,
        "request": {"type": "action", "payload": body},
    }
    assert (body["nonce"], body["expiresAfter"], desk.last_nonce) == (1000, 2000, 1000)
    signature = body["signature"]
    action = orjson.dumps(body["action"])
    recovered = recover_l1(action, 1000, None, 2000, False, signature["r"], signature["s"], signature["v"])
    assert recovered == SIGNER
    other = recover_l1(action, 1000, None, 2000, True, signature["r"], signature["s"], signature["v"])
    assert other != SIGNER
    assert "0123456789" not in repr(desk)
    assert address_of(bytearray(KEY)) == SIGNER


def test_every_action_of_the_signer_has_its_type_and_a_fresh_nonce() -> None:
    desk = signer()
    signed = [
        desk.cancel([(SILVER, 77)], 5, None, 1),
        desk.cancel_by_cloid([(SILVER, CLOID)], 5, 9, 2),
        desk.schedule_cancel(None, 5, 3),
        desk.schedule_cancel(10_000, 5, 4),
        desk.update_leverage(SILVER, False, 3, 5, 5),
        desk.noop(5, 6),
    ]
    assert [action.nonce for action in signed] == [5, 6, 7, 8, 9, 10]
    kinds = [json.loads(action.body)["action"]["type"] for action in signed]
    assert kinds == ["cancel", "cancelByCloid", "scheduleCancel", "scheduleCancel", "updateLeverage", "noop"]


@pytest.mark.parametrize(
    ("px", "sz", "tif", "cloid", "why"),
    [
        ("248.155", "1", "Ioc", None, "not on the tick"),
        ("1e2", "1", "Ioc", None, "px"),
        ("248", "1.255", "Ioc", None, "not on the lot"),
        ("248", "0", "Ioc", None, "not on the lot"),
        ("248", "1", "ioc", None, "tif"),
        ("248", "1", "Ioc", "0x1", "cloid"),
    ],
)
def test_orders_that_the_venue_would_refuse_are_not_signed(
    px: str, sz: str, tif: str, cloid: str | None, why: str
) -> None:
    desk = signer()
    with pytest.raises(ValueError, match=why):
        desk.orders([(SILVER, True, px, sz, False, tif, cloid, 2)], 1, None, 1)
    assert desk.last_nonce == 0


def test_a_bad_key_is_refused_without_being_repeated_and_zeroed_all_the_same() -> None:
    key = bytearray(b"ab" * 31)
    with pytest.raises(ValueError, match="key") as refusal:
        Signer(key, True)
    assert not any(key)
    assert "abab" not in str(refusal.value)
    with pytest.raises(ValueError, match="address"):
        Signer(bytearray(KEY), True, "0x12")
    with pytest.raises(ValueError, match="type"):
        recover_l1(b"{}", 0, None, None, True, "0x1", "0x1", 27)


def test_nonces_of_two_threads_are_unique() -> None:
    desk = signer()
    nonces: list[int] = []

    def sign() -> None:
        nonces.extend([desk.noop(1, 1).nonce for _ in range(200)])

    threads = [threading.Thread(target=sign) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(nonces)) == 400


def test_durations_have_percentiles_and_an_exact_maximum() -> None:
    durations = LatencyHistogram()
    assert (durations.count(), durations.percentile(99.0), durations.max(), durations.mean()) == (0, 0, 0, 0.0)
    for ns in [*range(1, 101), -5, 3_600_000_000_123]:
        durations.record(ns)
    assert (durations.count(), durations.percentile(50.0), durations.max()) == (102, 50, 3_600_000_000_123)
    assert durations.cumulative([1, 50, 100]) == ([2, 51, 101], 102, 5050 + 3_600_000_000_123)
    assert durations.mean() == (5050 + 3_600_000_000_123) / 102
    with pytest.raises(OverflowError):
        durations.cumulative([-1])
