"""One moment of a run as plain data: what the views draw, what alerts are judged by, what the status socket sends.

The fields are a contract (`version` says which one); amounts are exact decimal texts, edges and distances in
basis points, ages in milliseconds, latencies in nanoseconds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol

from hip3.alerts.board import AlertBoard
from hip3.clock import Clock
from hip3.config import Config
from hip3.control.guard import DayGuard
from hip3.execution.backup import MarkRegressionMonitor
from hip3.execution.blackout import Blackouts
from hip3.execution.orders import OrderKind, OrderState
from hip3.execution.summary import latency_row, trader_equity_usd
from hip3.execution.trader import Trader
from hip3.startup import Stage
from hip3.status.history import EdgeHistory
from hip3.status.rows import MS, MarketRules, Standing, market_row, position_row
from hip3.venue.agent import ApprovalWatch
from hip3.venue.budget import RequestBudget
from hip3.venue.link import Link

VERSION = 2
#: Rows of orders, fills and exits in a snapshot.
RECENT_MAX = 20

Snapshot = dict[str, Any]


class Source(Protocol):
    """The parts of a run that a snapshot reads."""

    config: Config
    stage: Stage
    clock: Clock
    trader: Trader
    backup: MarkRegressionMonitor
    order_link: Link
    data_link: Link
    budget: RequestBudget
    alerts: AlertBoard
    guard: DayGuard
    blackouts: Blackouts
    approval: ApprovalWatch
    started_ns: int

    @property
    def problems(self) -> dict[str, str]:
        """Parts of the run that do not work and do not end it, by name."""
        ...


class SnapshotSource:
    """Takes snapshots of a run; one call reads one moment under the trader's lock."""

    def __init__(self, source: Source) -> None:
        stage, config = source.stage, source.config
        self._source = source
        self._baseline = stage.account.baseline(stage.dexs, stage.universe)
        self._equity_at_start = stage.account.equity(stage.dexs, stage.universe)
        self._edges = EdgeHistory()
        self.take_over(config, stage.start.markets)

    def take_over(self, config: Config, markets: list[dict[str, Any]]) -> None:
        """Goes by this configuration and these terms of markets from here on."""
        self._rules = MarketRules.read(config)
        self._fingerprint = config.fingerprint()
        self._off = {spec["coin"] for spec in markets if not spec["entry_enabled"]}

    def sample(self) -> Snapshot:
        """The snapshot of now, and what later ones need of it. To be called once a second."""
        snapshot = self.take()
        self._edges.sample(
            self._source.clock.now_ns(),
            ((row["coin"], _larger(row["buy_edge_bps"], row["sell_edge_bps"])) for row in snapshot["markets"]),
        )
        return snapshot

    def take(self) -> Snapshot:
        """The snapshot of now."""
        source = self._source
        now_ns = source.clock.now_ns()
        with source.trader.reading():
            return {
                "version": VERSION,
                "time_ms": now_ns // MS,
                "header": self._header(now_ns),
                "positions": self._positions(now_ns),
                "markets": self._markets(now_ns),
                "orders": self._orders(now_ns),
                "fills": self._fills(now_ns),
                "exits": self._exits(now_ns),
                "exit_counts": [
                    {"reason": reason, "path": path, "count": count}
                    for (reason, path), count in sorted(source.trader.tally.exit_counts.items())
                ],
                "alerts": source.alerts.rows(now_ns),
                "refusals": self._refusals(),
                "problems": source.problems,
            }

    def _header(self, now_ns: int) -> dict[str, Any]:
        source = self._source
        trader, stage = source.trader, source.stage
        equity = trader_equity_usd(trader, self._baseline)
        timings = trader.tally.timings
        account = stage.account.user
        live = trader.desk.table.live.values()
        return {
            "venue": stage.where.name,
            "mode": source.config.text("run.mode"),
            "config": self._fingerprint,
            "state": trader.state.value,
            "state_why": trader.state_why,
            "uptime_s": round((now_ns - source.started_ns) / 1e9, 1),
            "account": f"{account[:6]}…{account[-4:]}",
            "equity_usd": format(equity, "f"),
            "pnl_usd": format(equity - self._equity_at_start, "f"),
            "day_pnl_usd": format(source.guard.book.pnl_usd, "f"),
            "fees_usd": format(sum((Decimal(row[2]) for row in trader.engine.cash()), Decimal(0)), "f"),
            "order_link": source.order_link.is_ready,
            "data_link": source.data_link.is_ready,
            "order_link_drops": source.order_link.drops,
            "data_link_drops": source.data_link.drops,
            "order_age_ms": source.order_link.data_age_ms,
            "data_age_ms": source.data_link.data_age_ms,
            "frame_to_decision_ns": latency_row(timings.frame_to_decision),
            "frame_to_wire_ns": latency_row(timings.frame_to_wire),
            "exit_to_wire_ns": latency_row(timings.exit_to_wire),
            "agent_valid_until_ms": source.approval.valid_until_ms,
            "requests_left": source.budget.left,
            "requests_cap": source.budget.cap,
            "in_flight": len(trader.desk.posts),
            "in_flight_max": source.config.number("orders.in_flight_max"),
            "entries": trader.tally.entries,
            "exits": sum(trader.tally.exit_counts.values()),
            "fills": trader.tally.fills,
            "unknown_orders": sum(order.state is OrderState.UNKNOWN for order in live),
            "flattens_duplicate": trader.desk.flattens_duplicate,
            "frames_malformed": trader.engine.counters()["frames_malformed"],
            "backup_age_ms": (now_ns - source.backup.swept_ns) // MS if source.backup.is_alive() else None,
        }

    def _positions(self, now_ns: int) -> list[dict[str, Any]]:
        source = self._source
        engine = source.trader.engine
        claims = {claim.asset: claim for claim in engine.claims()}
        armed = {"primary": self._primary_armed(), "backup": self._backup_armed(now_ns)}
        return [
            position_row(
                position, engine.get_snapshot(position.asset), claims.get(position.asset), armed, self._rules, now_ns
            )
            for position in engine.positions()
        ]

    def _primary_armed(self) -> bool:
        return self._rules.primary and self._source.data_link.is_ready

    def _backup_armed(self, now_ns: int) -> bool:
        """On, alive, and not late by more than four of its intervals."""
        late_ns = 5 * self._rules.backup_interval_ns
        backup = self._source.backup
        return self._rules.backup and backup.is_alive() and now_ns - backup.swept_ns < late_ns

    def _markets(self, now_ns: int) -> list[dict[str, Any]]:
        trader = self._source.trader
        rows = []
        for edge in trader.engine.edge_summary():
            snapshot = trader.engine.get_snapshot(edge.asset)
            if snapshot is not None:
                standing = Standing(
                    is_off=edge.coin in self._off,
                    trouble=trader.tally.troubles.get(edge.coin),
                    blackout_until_ns=self._source.blackouts.until_ns(edge.coin, now_ns),
                )
                points = self._edges.points(edge.coin)
                rows.append(market_row(edge, snapshot, standing, points, self._rules, now_ns))
        rows.sort(key=lambda row: -float(row["threshold_pct"]))
        return rows

    def _orders(self, now_ns: int) -> list[dict[str, Any]]:
        table = self._source.trader.desk.table
        recent = [*reversed(table.live.values()), *_newest(table.history)]
        return [
            {
                "time_ms": order.decided_ns // MS,
                "age_s": _seconds(now_ns - order.decided_ns),
                "coin": order.coin,
                "kind": order.kind.value,
                "side": "buy" if order.is_buy else "sell",
                "px": order.px,
                "sz": order.sz,
                "filled_sz": format(order.applied, "f"),
                "edge_bps": order.edge_bps,
                "state": order.state.value,
                "took_ms": (order.ended_ns - order.decided_ns) // MS if order.ended_ns else None,
                "why": order.refusal or order.reason,
                "path": order.path if order.kind is OrderKind.FLATTEN else "",
            }
            for order in recent[:RECENT_MAX]
        ]

    def _fills(self, now_ns: int) -> list[dict[str, Any]]:
        return [
            {
                "time_ms": fill.time_ns // MS,
                "age_s": _seconds(now_ns - fill.time_ns),
                "coin": fill.coin,
                "kind": fill.kind,
                "side": "buy" if fill.is_buy else "sell",
                "px": fill.px,
                "sz": fill.sz,
                "fee_usd": fill.fee,
                "closed_pnl_usd": fill.closed_pnl,
            }
            for fill in _newest(self._source.trader.tally.recent_fills)
        ]

    def _exits(self, now_ns: int) -> list[dict[str, Any]]:
        return [
            {
                "time_ms": e.time_ns // MS,
                "age_s": _seconds(now_ns - e.time_ns),
                "coin": e.coin,
                "reason": e.reason,
                "path": e.path,
                "sz": e.sz,
                "avg_px": None if e.avg_px is None else format(e.avg_px.normalize(), "f"),
                "entry_edge_bps": e.entry_edge_bps,
                "exit_edge_bps": e.exit_edge_bps,
                "held_s": _seconds(e.held_ns),
                "pnl_usd": None if e.pnl_usd is None else format(e.pnl_usd, "f"),
            }
            for e in _newest(self._source.trader.tally.exits)
        ]

    def _refusals(self) -> dict[str, int]:
        """Refused entries by the code of the gate; `no_edge` counts the updates without any edge to speak of."""
        trader = self._source.trader
        core = {
            name.removeprefix("refused_"): count
            for name, count in trader.engine.counters().items()
            if name.startswith("refused_") and count
        }
        for code, count in trader.tally.refusals.items():
            core[code] = core.get(code, 0) + count
        return dict(sorted(core.items(), key=lambda item: -item[1]))


def _newest(kept: Any) -> list[Any]:
    return list(reversed(list(kept)[-RECENT_MAX:]))


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 1)


def _larger(*edges: str | None) -> float | None:
    return max((float(edge) for edge in edges if edge is not None), default=None)
