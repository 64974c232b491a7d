"""The summary of a run, a replay or a backtest: one flat JSON object, field names with units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hip3._hip3 import LatencyHistogram
from hip3.execution.trader import Trader


def latency_row(histogram: LatencyHistogram) -> dict[str, float | int]:
    """`p50`, `p99`, `max`, `mean` and `count` of a histogram, in nanoseconds."""
    if histogram.count() == 0:
        return {"p50": 0, "p99": 0, "max": 0, "mean": 0.0, "count": 0}
    return {
        "p50": histogram.percentile(50.0),
        "p99": histogram.percentile(99.0),
        "max": histogram.max(),
        "mean": round(histogram.mean(), 1),
        "count": histogram.count(),
    }


def has_marks(trader: Trader) -> bool:
    """Whether every open position has a mark price, so that the equity means something."""
    snapshots = (trader.engine.get_snapshot(position.asset) for position in trader.engine.positions())
    return all(snapshot is not None and snapshot.mark_px is not None for snapshot in snapshots)


def trader_equity_usd(trader: Trader, baseline_usd: Decimal) -> Decimal:
    """The trader's own account: its baseline, the cash of its fills after fees and its funding, its positions at mark.

    `baseline_usd` is the collateral without positions (`totalRawUsd`) when the trader started. Nothing
    here is read back from the venue's account: cash comes from fills and funding payments, marks from market frames.
    """
    cash = sum((Decimal(row[1]) for row in trader.engine.cash()), Decimal(0))
    value = Decimal(0)
    for position in trader.engine.positions():
        snapshot = trader.engine.get_snapshot(position.asset)
        if snapshot is not None and snapshot.mark_px is not None:
            value += Decimal(position.szi) * Decimal(snapshot.mark_px)
    return baseline_usd + cash + value


def summarize(trader: Trader, journal: str | None = None) -> dict[str, Any]:
    """The fields that `run`, `replay` and `backtest` share."""
    with trader.reading():
        timings = trader.tally.timings
        return {
            **counts(trader),
            "open_positions": [
                {"coin": p.coin, "szi": p.szi, "entry_px": p.entry_px} for p in trader.engine.positions()
            ],
            "frame_to_decision_ns": latency_row(timings.frame_to_decision),
            "frame_to_wire_ns": latency_row(timings.frame_to_wire),
            "exit_to_wire_ns": latency_row(timings.exit_to_wire),
            "exit_latency_ns": {path: latency_row(histogram) for path, histogram in timings.exit_latency.items()},
            "edge_summary": [edge_row(row) for row in trader.engine.edge_summary()],
            "digest": trader.engine.digest(),
            "journal": journal,
        }


def counts(trader: Trader) -> dict[str, Any]:
    """What a trader has counted so far, and the cash of it; amounts are exact decimal texts."""
    with trader.reading():
        counters = trader.engine.counters()
        cash = trader.engine.cash()
        by_reason: dict[str, int] = {}
        by_path: dict[str, int] = {"primary": 0, "backup": 0}
        for (reason, path), count in sorted(trader.tally.exit_counts.items()):
            by_reason[reason] = by_reason.get(reason, 0) + count
            by_path[path] = by_path.get(path, 0) + count
        return {
            "frames": counters["frames"],
            "frames_malformed": counters["frames_malformed"],
            "updates": counters["updates"],
            "entries": trader.tally.entries,
            "exits": {"total": sum(trader.tally.exit_counts.values()), "by_reason": by_reason, "by_path": by_path},
            "would_be_entries": trader.tally.would_be_entries,
            "flattens_sent": trader.desk.flattens_sent,
            "flattens_duplicate": trader.desk.flattens_duplicate,
            "orders": dict(sorted(trader.desk.table.ended.items())) | {"live": len(trader.desk.table.live)},
            "inquiries": trader.desk.inquiries,
            "fills": trader.tally.fills,
            "realized_pnl_usd": str(sum((Decimal(row[3]) for row in cash), Decimal(0))),
            "fees_usd": str(sum((Decimal(row[2]) for row in cash), Decimal(0))),
            "funding_usd": str(sum((Decimal(row[4]) for row in cash), Decimal(0))),
            "refusals": {k: v for k, v in sorted(counters.items()) if k.startswith("refused_") and v}
            | {f"gate_{k}": v for k, v in sorted(trader.tally.refusals.items())},
            "claims": {k: v for k, v in sorted(counters.items()) if k.startswith("claims_")},
            "resyncs": counters.get("resyncs", 0),
        }


def edge_row(row: Any) -> dict[str, Any]:
    """One market of the edge summary; edges in basis points, `threshold_pct` in per cent."""
    return {
        "market": row.market,
        "coin": row.coin,
        "max_buy_edge_bps": round(row.max_buy_edge_bps, 2),
        "max_sell_edge_bps": round(row.max_sell_edge_bps, 2),
        "threshold_bps": row.threshold_bps,
        "threshold_pct": round(row.threshold_pct, 1),
        "updates": row.updates,
        "p50_bps": round(row.p50_bps, 2),
        "p90_bps": round(row.p90_bps, 2),
        "p95_bps": round(row.p95_bps, 2),
        "p99_bps": round(row.p99_bps, 2),
    }
