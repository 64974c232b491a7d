"""Rows of a snapshot: one position, one market. Arithmetic for people, in the units that their names end in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hip3._hip3 import Claim, EdgeRow, Position
from hip3._hip3 import Snapshot as MarketSnapshot
from hip3.config import Config
from hip3.execution.tally import MarketTrouble
from hip3.sessions import END_NS

MS = 1_000_000
#: How long a market counts as halted or capped after the venue last said so.
TROUBLE_NS = 60_000_000_000
MILLI = Decimal("0.001")
#: What a market can be; of those that hold, the first is its state.
MARKET_STATES = ("off", "halted", "capped", "blacked_out", "stale", "ready")


@dataclass(frozen=True, slots=True)
class MarketRules:
    """Options that a row is judged by."""

    book_age_ms_max: int
    oracle_age_ms_max: int
    exit_threshold_bps: Decimal
    min_holding_ns: int
    time_stop_ns: int
    primary: bool
    backup: bool
    backup_interval_ns: int

    @classmethod
    def read(cls, config: Config) -> MarketRules:
        """The rules of a configuration."""
        return cls(
            book_age_ms_max=config.number("entry.book_age_ms_max"),
            oracle_age_ms_max=config.number("entry.oracle_age_ms_max"),
            exit_threshold_bps=config.decimal("exit.exit_threshold_bps"),
            min_holding_ns=config.number("exit.min_holding_ms") * MS,
            time_stop_ns=config.number("exit.time_stop_ms") * MS,
            primary=config.switch("exit.primary"),
            backup=config.switch("exit.backup"),
            backup_interval_ns=config.number("exit.backup_interval_ms") * MS,
        )


def position_row(
    position: Position,
    market: MarketSnapshot | None,
    claim: Claim | None,
    armed: dict[str, bool],
    rules: MarketRules,
    now_ns: int,
) -> dict[str, Any]:
    """One open position.

    `edge_bps` is what an entry on its side would gain now. `distance_bps` is how far the touch that closes it is from
    the exit rule, at most 0 once it is reached. `exit_progress` goes from 0 at the entry to 1 at the exit.
    """
    size, entry = Decimal(position.szi), Decimal(position.entry_px)
    long = size > 0
    touch = edge = closing = mark = None
    if market is not None:
        mark = market.mark_px
        touch, edge, closing = (
            (market.bid_px, market.buy_edge_bps, market.sell_edge_bps)
            if long
            else (market.ask_px, market.sell_edge_bps, market.buy_edge_bps)
        )
    pnl = None if touch is None else size * (Decimal(touch) - entry)
    distance = None if closing is None else -Decimal(closing) - rules.exit_threshold_bps
    return {
        "coin": position.coin,
        "side": "long" if long else "short",
        "szi": position.szi,
        "entry_px": position.entry_px,
        "mark_px": mark,
        "touch_px": touch,
        "notional_usd": format((abs(size) * entry).quantize(Decimal("0.01")), "f"),
        "entry_edge_bps": position.entry_edge_bps,
        "edge_bps": edge,
        "pnl_usd": None if pnl is None else format(pnl, "f"),
        "pnl_bps": None if pnl is None or not entry else format((pnl / (abs(size) * entry) * 10_000).quantize(MILLI)),
        "held_s": round((now_ns - position.entry_ns) / 1e9, 1),
        "holding_ends_in_s": _left_s(position.entry_ns + rules.min_holding_ns, now_ns),
        "time_stop_in_s": _left_s(position.entry_ns + rules.time_stop_ns, now_ns),
        "overdue_s": _left_s(now_ns, position.entry_ns + rules.time_stop_ns),
        "distance_bps": None if distance is None else format(distance, "f"),
        "exit_progress": _progress(position.entry_edge_bps, distance, rules.exit_threshold_bps),
        "armed": [path for path, on in armed.items() if on],
        "is_flattening": claim is not None,
        "leaving": None
        if claim is None
        else {"reason": claim.reason, "path": claim.path, "for_ms": (now_ns - claim.claimed_ns) // MS},
        "verified_age_s": round((now_ns - position.verified_ns) / 1e9, 1) if position.verified_ns else None,
    }


def _left_s(until_ns: int, now_ns: int) -> float:
    return round(max(0, until_ns - now_ns) / 1e9, 1)


def _progress(entry_edge_bps: str | None, distance: Decimal | None, exit_bps: Decimal) -> float | None:
    """The share of the way from the entry's edge to the exit that the book has come; None where there is no way."""
    if entry_edge_bps is None or distance is None:
        return None
    way = Decimal(entry_edge_bps) - exit_bps
    if way <= 0:
        return None
    return round(float(min(Decimal(1), max(Decimal(0), 1 - distance / way))), 3)


@dataclass(frozen=True, slots=True)
class Standing:
    """What may stand against entries in a market, whatever its prices."""

    is_off: bool
    trouble: MarketTrouble | None
    blackout_until_ns: int | None

    def word(self, now_ns: int, is_empty: bool) -> str | None:
        """The first that holds, as a state of the market. `is_empty`: nobody bids and nobody asks there."""
        if self.is_off:
            return "off"
        if is_empty:
            return "halted"
        if self.trouble is not None and now_ns - self.trouble.time_ns < TROUBLE_NS:
            return self.trouble.kind
        return None if self.blackout_until_ns is None else "blacked_out"


def market_row(
    edge: EdgeRow,
    market: MarketSnapshot,
    standing: Standing,
    points: list[float | None],
    rules: MarketRules,
    now_ns: int,
) -> dict[str, Any]:
    """One market; `state` is one of `MARKET_STATES`."""
    book_age = _age_ms(market.book_recv_ns, now_ns)
    oracle_age = _age_ms(market.oracle_recv_ns, now_ns)
    book_fresh = book_age is not None and book_age <= rules.book_age_ms_max
    oracle_fresh = oracle_age is not None and oracle_age <= rules.oracle_age_ms_max
    # The last book that came had no side, and frames still come; an empty book changes seldom, so that the oracle's do.
    is_empty = book_age is not None and market.bid_px is None and market.ask_px is None and (book_fresh or oracle_fresh)
    out_ns = standing.blackout_until_ns
    return {
        "market": edge.market,
        "coin": edge.coin,
        "bid_px": market.bid_px,
        "bid_sz": market.bid_sz,
        "ask_px": market.ask_px,
        "ask_sz": market.ask_sz,
        "oracle_px": market.oracle_px,
        "mark_px": market.mark_px,
        "book_age_ms": book_age,
        "oracle_age_ms": oracle_age,
        "oracle_changed_ms": _age_ms(market.oracle_changed_ns, now_ns),
        "buy_edge_bps": market.buy_edge_bps,
        "sell_edge_bps": market.sell_edge_bps,
        "max_edge_bps": round(max(edge.max_buy_edge_bps, edge.max_sell_edge_bps), 2),
        "threshold_bps": edge.threshold_bps,
        "threshold_pct": round(edge.threshold_pct, 1),
        "p50_bps": round(edge.p50_bps, 2),
        "p90_bps": round(edge.p90_bps, 2),
        "p99_bps": round(edge.p99_bps, 2),
        "edges_bps": points,
        "updates": edge.updates,
        "state": standing.word(now_ns, is_empty) or ("ready" if book_fresh and oracle_fresh else "stale"),
        "blackout_ends_in_s": None if out_ns in (None, END_NS) else _left_s(out_ns, now_ns),
    }


def _age_ms(then_ns: int, now_ns: int) -> int | None:
    return (now_ns - then_ns) // MS if then_ns else None
