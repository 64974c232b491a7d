"""The summary: the contract's fields, exact money, and equity from fills and marks alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson

from hip3._hip3 import LatencyHistogram
from hip3.execution.summary import latency_row, summarize, trader_equity_usd

if TYPE_CHECKING:
    from .trader_bench import TraderBench

    Make = Callable[..., TraderBench]

#: Fields that DESIGN.md names.
CONTRACT = {
    "frames",
    "frames_malformed",
    "updates",
    "entries",
    "exits",
    "flattens_sent",
    "flattens_duplicate",
    "orders",
    "fills",
    "realized_pnl_usd",
    "fees_usd",
    "open_positions",
    "frame_to_decision_ns",
    "frame_to_wire_ns",
    "exit_latency_ns",
    "edge_summary",
    "digest",
    "journal",
}
EDGE_FIELDS = {
    "market",
    "max_buy_edge_bps",
    "max_sell_edge_bps",
    "threshold_bps",
    "threshold_pct",
    "updates",
    "p50_bps",
    "p99_bps",
}


def test_a_whole_trade_is_counted_to_the_cent(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    sz = Decimal(bench.hold())
    sent = bench.leave()
    bench.fill(sent, str(sz), "100.44")
    bench.answer(sent, {"filled": {"totalSz": str(sz), "avgPx": "100.44", "oid": 6}})
    summary = summarize(bench.trader)
    assert summary.keys() >= CONTRACT
    assert summary["exits"] == {
        "total": 1,
        "by_reason": {"mark_regression": 1},
        "by_path": {"primary": 1, "backup": 0},
    }
    assert summary["orders"] == {"filled": 2, "live": 0}
    assert (summary["entries"], summary["fills"], summary["flattens_sent"]) == (1, 2, 1)
    assert Decimal(summary["realized_pnl_usd"]) == sz * Decimal("0.44")
    assert summary["fees_usd"] == "0.02"
    assert summary["open_positions"] == []
    assert trader_equity_usd(bench.trader, Decimal(900)) == 900 + sz * Decimal("0.44") - Decimal("0.02")
    orjson.dumps(summary)


def test_an_open_position_is_valued_at_its_mark(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    sz = Decimal(bench.hold())
    assert summarize(bench.trader)["open_positions"] == [{"coin": "xyz:SILVER", "szi": str(sz), "entry_px": "100"}]
    # Bought at 100, marked at 100.0: only the fee is gone.
    assert trader_equity_usd(bench.trader, Decimal(900)) == Decimal("899.99")


def test_refusals_of_the_core_and_of_the_gates_stand_side_by_side(trader_bench: Make) -> None:
    bench = trader_bench(sends_orders=False)
    bench.account()
    bench.ctx("100", "xyz:GOLD")
    bench.bbo("99.9", "100.1", "xyz:GOLD")
    bench.signal("xyz:SILVER")
    summary = summarize(bench.trader)
    assert summary["refusals"]["gate_observe_only"] == summary["would_be_entries"] == 1
    assert summary["refusals"]["refused_no_edge"] >= 1
    assert summary["claims"]["claims_made_primary"] == 0


def test_edges_are_rounded_and_carry_their_units(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.signal()
    (row,) = summarize(bench.trader)["edge_summary"]
    assert row.keys() >= EDGE_FIELDS
    assert (row["market"], row["max_buy_edge_bps"], row["threshold_bps"]) == ("dex_1:110026 (SILVER)", 44.8, 40.0)
    assert row["threshold_pct"] == 112.0
    assert row["max_sell_edge_bps"] == 0.0


def test_latencies_without_a_measurement_are_zero_and_counted_so() -> None:
    histogram = LatencyHistogram()
    assert latency_row(histogram) == {"p50": 0, "p99": 0, "max": 0, "mean": 0.0, "count": 0}
    for ns in (100, 200, 600):
        histogram.record(ns)
    row = latency_row(histogram)
    assert (row["p50"], row["max"], row["mean"], row["count"]) == (200, 600, 300.0, 3)
