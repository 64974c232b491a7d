"""One moment of a run as plain data: what the views draw and what the status socket sends.

The fields are a contract (`version` says which one); amounts are exact decimal texts, edges in basis
points, ages in milliseconds, latencies in nanoseconds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol

from hip3.clock import Clock
from hip3.config import Config
from hip3.execution.summary import latency_row, trader_equity_usd
from hip3.execution.trader import Trader
from hip3.startup import Stage
from hip3.status.log import Log
from hip3.venue.link import Link

VERSION = 1
#: Rows of orders and exits in a snapshot.
RECENT_MAX = 20
MS = 1_000_000

Snapshot = dict[str, Any]


class Source(Protocol):
    """The parts of a run that a snapshot reads."""

    config: Config
    stage: Stage
    clock: Clock
    trader: Trader
    order_link: Link
    data_link: Link
    log: Log
    started_ns: int


class SnapshotSource:
    """Takes snapshots of a run; one call reads one moment under the trader's lock."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._baseline: Decimal | None = None

    def take(self) -> Snapshot:
        """The snapshot of now."""
        source = self._source
        now_ns = source.clock.now_ns()
        with source.trader.reading():
            return {
                "version": VERSION,
                "time_ms": now_ns // MS,
                "header": self._header(now_ns),
                "positions": [self._position(p, now_ns) for p in source.trader.engine.positions()],
                "markets": self._markets(now_ns),
                "orders": self._orders(),
                "exits": self._exits(now_ns),
                "alerts": [{"level": x, "event": e, "text": t} for x, e, t in list(source.log.kept)[-5:]],
                "refusals": dict(source.trader.tally.refusals),
            }

    def _header(self, now_ns: int) -> dict[str, Any]:
        source = self._source
        trader, stage = source.trader, source.stage
        if self._baseline is None:
            self._baseline = stage.account.baseline(stage.dexs, stage.universe)
        equity = trader_equity_usd(trader, self._baseline)
        start = stage.account.equity(stage.dexs, stage.universe)
        decision, wire = (
            latency_row(trader.tally.timings.frame_to_decision),
            latency_row(trader.tally.timings.exit_to_wire),
        )
        account = stage.account.user
        return {
            "venue": stage.where.name,
            "mode": source.config.text("run.mode"),
            "state": trader.state.value,
            "uptime_s": round((now_ns - source.started_ns) / 1e9, 1),
            "account": f"{account[:6]}…{account[-4:]}",
            "equity_usd": format(equity, "f"),
            "pnl_usd": format(equity - start, "f"),
            "order_link": source.order_link.is_ready,
            "data_link": source.data_link.is_ready,
            "data_age_ms": source.data_link.data_age_ms,
            "frame_to_decision_ns": decision,
            "exit_to_wire_ns": wire,
            "entries": trader.tally.entries,
            "exits": sum(trader.tally.exit_counts.values()),
            "fills": trader.tally.fills,
            "in_flight": len(trader.desk.posts),
            "flattens_duplicate": trader.desk.flattens_duplicate,
        }

    def _position(self, position: Any, now_ns: int) -> dict[str, Any]:
        snapshot = self._source.trader.engine.get_snapshot(position.asset)
        long = Decimal(position.szi) > 0
        touch = None
        edge = None
        mark = None
        if snapshot is not None:
            touch = snapshot.bid_px if long else snapshot.ask_px
            edge = snapshot.buy_edge_bps if long else snapshot.sell_edge_bps
            mark = snapshot.mark_px
        pnl = None
        if touch is not None:
            pnl = format(Decimal(position.szi) * (Decimal(touch) - Decimal(position.entry_px)), "f")
        return {
            "coin": position.coin,
            "side": "long" if long else "short",
            "szi": position.szi,
            "entry_px": position.entry_px,
            "mark_px": mark,
            "entry_edge_bps": position.entry_edge_bps,
            "edge_bps": edge,
            "pnl_usd": pnl,
            "held_s": round((now_ns - position.entry_ns) / 1e9, 1),
            "is_flattening": self._source.trader.engine.is_flattening(position.asset),
        }

    def _markets(self, now_ns: int) -> list[dict[str, Any]]:
        engine = self._source.trader.engine
        config = self._source.config
        rows: list[dict[str, Any]] = []
        for edge in engine.edge_summary():
            snapshot = engine.get_snapshot(edge.asset)
            if snapshot is None:
                continue
            book_age = (now_ns - snapshot.book_recv_ns) // MS if snapshot.book_recv_ns else None
            oracle_age = (now_ns - snapshot.oracle_recv_ns) // MS if snapshot.oracle_recv_ns else None
            fresh = (
                book_age is not None
                and oracle_age is not None
                and book_age <= config.number("entry.book_age_ms_max")
                and oracle_age <= config.number("entry.oracle_age_ms_max")
            )
            rows.append(
                {
                    "market": edge.market,
                    "coin": edge.coin,
                    "bid_px": snapshot.bid_px,
                    "ask_px": snapshot.ask_px,
                    "oracle_px": snapshot.oracle_px,
                    "book_age_ms": book_age,
                    "oracle_age_ms": oracle_age,
                    "buy_edge_bps": snapshot.buy_edge_bps,
                    "sell_edge_bps": snapshot.sell_edge_bps,
                    "max_edge_bps": round(max(edge.max_buy_edge_bps, edge.max_sell_edge_bps), 2),
                    "threshold_bps": edge.threshold_bps,
                    "threshold_pct": round(edge.threshold_pct, 1),
                    "updates": edge.updates,
                    "state": "ready" if fresh else "stale",
                }
            )
        rows.sort(key=lambda row: -float(row["threshold_pct"]))
        return rows

    def _orders(self) -> list[dict[str, Any]]:
        table = self._source.trader.desk.table
        recent = [*table.live.values(), *reversed(list(table.history)[-RECENT_MAX:])]
        return [
            {
                "time_ms": order.decided_ns // MS,
                "coin": order.coin,
                "kind": order.kind.value,
                "side": "buy" if order.is_buy else "sell",
                "px": order.px,
                "sz": order.sz,
                "filled_sz": format(order.applied, "f"),
                "state": order.state.value,
                "why": order.refusal or order.reason,
            }
            for order in recent[:RECENT_MAX]
        ]

    def _exits(self, now_ns: int) -> list[dict[str, Any]]:
        recent = reversed(list(self._source.trader.tally.exits)[-RECENT_MAX:])
        return [
            {
                "age_s": round((now_ns - e.time_ns) / 1e9, 1),
                "coin": e.coin,
                "reason": e.reason,
                "path": e.path,
                "sz": e.sz,
                "avg_px": None if e.avg_px is None else format(e.avg_px.normalize(), "f"),
            }
            for e in recent
        ]
