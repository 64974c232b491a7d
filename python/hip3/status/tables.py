"""The summary of a run or replay as a table for people."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

#: Markets shown in the summary, nearest to their threshold first.
MARKETS_SHOWN = 8


def summary_table(summary: dict[str, Any], title: str) -> RenderableType:
    """The figures that decide whether a run went well, and the markets nearest to their threshold."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column("what", style="bold", no_wrap=True)
    table.add_column("figure", overflow="fold")
    for name, value in _figures(summary):
        table.add_row(name, Text(value))
    edges = Table(
        title="edges in bps, nearest to the threshold first",
        title_justify="left",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in ("market", "buy max", "sell max", "limit", "of it", "updates", "p50", "p99"):
        edges.add_column(name, justify="left" if name == "market" else "right", no_wrap=True)
    rows = sorted(summary["edge_summary"], key=lambda row: -row["threshold_pct"])
    for row in rows[:MARKETS_SHOWN]:
        edges.add_row(
            Text(row["market"]),
            f"{row['max_buy_edge_bps']:.2f}",
            f"{row['max_sell_edge_bps']:.2f}",
            f"{row['threshold_bps']:g}",
            f"{row['threshold_pct']:.0f} %",
            str(row["updates"]),
            f"{row['p50_bps']:.2f}",
            f"{row['p99_bps']:.2f}",
        )
    return Group(table, edges)


def _figures(summary: dict[str, Any]) -> list[tuple[str, str]]:
    exits, latency = summary["exits"], summary["frame_to_decision_ns"]
    rows = [
        (
            "frames",
            f"{summary['frames']} ({summary['frames_malformed']} malformed), {summary['updates']} updates",
        ),
        ("entries", str(summary["entries"])),
        ("exits", f"{exits['total']}  {_counts(exits['by_reason'])}  by path: {_counts(exits['by_path'])}"),
        ("flatten orders", f"{summary['flattens_sent']} sent, {summary['flattens_duplicate']} duplicate"),
        ("orders", _counts(summary["orders"])),
        (
            "PnL",
            f"{summary['realized_pnl_usd']} USD realized, {summary['fees_usd']} fees, {summary['funding_usd']} funding",
        ),
        ("open positions", ", ".join(f"{p['coin']} {p['szi']}" for p in summary["open_positions"]) or "none"),
        (
            "frame to decision",
            f"p50 {_us(latency['p50'])}  p99 {_us(latency['p99'])}  max {_us(latency['max'])}",
        ),
    ]
    if summary.get("trader_equity_usd") is not None:
        rows.append(("equity", f"trader {summary['trader_equity_usd']}  venue {summary['venue_equity_usd']}"))
    for path, row in summary["exit_latency_ns"].items():
        if row["count"]:
            rows.append((f"exit latency, {path}", f"mean {_us(row['mean'])}  p99 {_us(row['p99'])}"))
    rows.append(("digest", summary["digest"]))
    return rows


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"


def _us(ns: float) -> str:
    return f"{ns / 1000:.0f} µs" if ns < 10_000_000 else f"{ns / 1_000_000:.0f} ms"
