"""What a trader has done so far: counts, recent exits, latencies and notices. Counts only, decides nothing."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hip3._hip3 import Fill, LatencyHistogram
from hip3.execution.orders import Order, OrderKind
from hip3.execution.outbound import Notice

#: Notices kept for a shell that does not fetch them.
NOTICES_MAX = 1000
#: Exits and fills kept for the status view.
EXITS_MAX = 200
FILLS_MAX = 200


@dataclass(frozen=True, slots=True)
class Exit:
    """One position left: why, through which path, how much, and the average price of its flatten order.

    Edges in basis points: of the entry (None when the position was adopted), and of closing when it was decided.
    `pnl_usd` is the round trip after fees and funding, exact; None where its entry was not ours.
    """

    time_ns: int
    coin: str
    reason: str
    path: str
    sz: str
    avg_px: Decimal | None
    entry_edge_bps: str | None = None
    exit_edge_bps: str | None = None
    held_ns: int = 0
    pnl_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FillSeen:
    """One fill that was applied, in the venue's texts; `kind` is that of its order, empty for one that is not ours."""

    time_ns: int
    coin: str
    is_buy: bool
    px: str
    sz: str
    fee: str
    closed_pnl: str
    kind: str


@dataclass(frozen=True, slots=True)
class MarketTrouble:
    """What the venue's last refusal said of a market: `halted` or `capped`."""

    time_ns: int
    kind: str


@dataclass(slots=True)
class Timings:
    """Latency histograms in nanoseconds; filled only where the shell gave a stopwatch."""

    frame_to_decision: LatencyHistogram = field(default_factory=LatencyHistogram)
    frame_to_wire: LatencyHistogram = field(default_factory=LatencyHistogram)
    exit_to_wire: LatencyHistogram = field(default_factory=LatencyHistogram)
    exit_latency: dict[str, LatencyHistogram] = field(
        default_factory=lambda: {"primary": LatencyHistogram(), "backup": LatencyHistogram()}
    )


@dataclass(slots=True)
class Tally:
    """Every count of a trader outside the core and the desk. `exit_counts` is by (reason, path)."""

    entries: int = 0
    fills: int = 0
    would_be_entries: int = 0
    exit_counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    exits: deque[Exit] = field(default_factory=lambda: deque(maxlen=EXITS_MAX))
    recent_fills: deque[FillSeen] = field(default_factory=lambda: deque(maxlen=FILLS_MAX))
    #: By coin, until a fill there; at most one for each market.
    troubles: dict[str, MarketTrouble] = field(default_factory=dict)
    #: Cash of a market (Engine.cash) when it was last flat: what came since is the round trip's.
    cash_when_flat: dict[str, Decimal] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    timings: Timings = field(default_factory=Timings)
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=NOTICES_MAX))

    def note(self, level: str, event: str, **fields: Any) -> None:
        """Keeps one notice for the log; the oldest gives way."""
        self.notices.append(Notice(level, event, fields))

    def count_fill(self, fill: Fill, order: Order | None, now_ns: int) -> None:
        """Counts a fill that was applied; a market that fills is in no trouble."""
        self.fills += 1
        kind = "" if order is None else order.kind.value
        self.recent_fills.append(
            FillSeen(now_ns, fill.coin, fill.is_buy, fill.px, fill.sz, fill.fee, fill.closed_pnl, kind)
        )
        self.troubles.pop(fill.coin, None)

    def count_flat(self, coin: str, order: Order | None, cash: Decimal, now_ns: int) -> None:
        """Counts a position that was left to the last lot, by our flatten order or otherwise.

        `cash` is that of the market (Engine.cash): what it gained since the market was last flat is the round trip's
        profit, after fees and funding.
        """
        pnl_usd = cash - self.cash_when_flat.get(coin, Decimal(0))
        self.cash_when_flat[coin] = cash
        if order is None or order.kind is not OrderKind.FLATTEN:
            return
        self.exit_counts[order.reason, order.path] += 1
        self.exits.append(
            Exit(
                time_ns=now_ns,
                coin=coin,
                reason=order.reason,
                path=order.path,
                sz=order.sz,
                avg_px=order.avg_px,
                entry_edge_bps=order.entry_edge_bps,
                exit_edge_bps=order.edge_bps,
                held_ns=now_ns - order.entry_ns if order.entry_ns else 0,
                pnl_usd=None if order.entry_edge_bps is None else pnl_usd,
            )
        )
