"""`EdgeLog`: tells the edge tracker's period summaries in the log, one line a market and one for all."""

from __future__ import annotations

from hip3._hip3 import EdgePeriod, Engine
from hip3.execution.tally import Tally

#: How often the tracker is asked whether its period (`edges.period_ms`) has ended.
LOOK_NS = 1_000_000_000


class EdgeLog:
    """`due_ns` is when it wants to be called next."""

    def __init__(self, engine: Engine, tally: Tally) -> None:
        self.due_ns = 0
        self._engine = engine
        self._tally = tally

    def log(self, now_ns: int) -> None:
        """Notes the summary of a period that has ended; nothing before it is due."""
        if now_ns < self.due_ns:
            return
        self.due_ns = now_ns + LOOK_NS
        period: EdgePeriod | None = self._engine.maybe_log(now_ns)
        if period is None:
            return
        for row in period.rows:
            self._tally.note(
                "info",
                "edges",
                market=row.market,
                max_buy_edge_bps=round(row.max_buy_edge_bps, 2),
                max_sell_edge_bps=round(row.max_sell_edge_bps, 2),
                threshold_bps=row.threshold_bps,
                threshold_pct=round(row.threshold_pct),
                updates=row.updates,
            )
        self._tally.note(
            "info",
            "edges_period",
            global_max_edge_bps=round(period.global_max_edge_bps, 2),
            threshold_bps=period.threshold_bps,
            markets_tracked=period.markets_tracked,
        )
