"""Metrics of each market and each open position: as many rows as markets are traded, never more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hip3.metrics.family import Family, Kind, Row, gauge
from hip3.metrics.reading import Reading
from hip3.status.rows import MARKET_STATES


def _by_coin(
    part: str, name: str, meaning: str, value: Callable[[dict[str, Any]], Any], kind: Kind = "gauge"
) -> Family:
    """A figure of each row of a part of the snapshot (`markets`, `positions`); absent where there is none."""

    def rows(reading: Reading) -> Iterator[Row]:
        for row in reading.snapshot[part]:
            found = value(row)
            if found is not None:
                yield (row["coin"],), float(found)

    return Family(name, kind, meaning, ("coin",), rows)


def _seconds(age_ms: int | None) -> float | None:
    return None if age_ms is None else age_ms / 1000


def _notionals(r: Reading) -> Iterator[Row]:
    for row in r.snapshot["positions"]:
        yield (row["coin"], row["side"]), float(row["notional_usd"])


def _states(r: Reading) -> Iterator[Row]:
    for row in r.snapshot["markets"]:
        yield (row["coin"], row["state"]), 1.0


def _by_state(r: Reading) -> Iterator[Row]:
    counted = Counter(row["state"] for row in r.snapshot["markets"])
    for state in MARKET_STATES:
        yield (state,), counted[state]


POSITIONS = (
    gauge("hip3_positions_open", "Open positions.", lambda r: len(r.snapshot["positions"])),
    Family("hip3_position_notional_usd", "gauge", "Size at the entry price.", ("coin", "side"), _notionals),
    _by_coin(
        "positions",
        "hip3_position_pnl_usd",
        "What closing at the touch would bring, before fees.",
        lambda row: row["pnl_usd"],
    ),
    _by_coin("positions", "hip3_position_held_seconds", "Time since the entry.", lambda row: row["held_s"]),
    _by_coin("positions", "hip3_position_overdue_seconds", "Time beyond the time stop.", lambda row: row["overdue_s"]),
    _by_coin(
        "positions",
        "hip3_position_leaving_seconds",
        "How long its flatten order has held the claim; absent without one.",
        lambda row: None if row["leaving"] is None else row["leaving"]["for_ms"] / 1000,
    ),
)
MARKETS = (
    Family("hip3_markets", "gauge", "Markets in each state.", ("state",), _by_state),
    Family(
        "hip3_market_state",
        "gauge",
        "1 for the state of the market: the first that holds of off, halted, capped, blacked_out, stale, ready.",
        ("coin", "state"),
        _states,
    ),
    _by_coin(
        "markets", "hip3_market_buy_edge_bps", "What a buy at the ask would gain.", lambda row: row["buy_edge_bps"]
    ),
    _by_coin(
        "markets", "hip3_market_sell_edge_bps", "What a sale at the bid would gain.", lambda row: row["sell_edge_bps"]
    ),
    _by_coin(
        "markets",
        "hip3_market_max_edge_bps",
        "The largest edge of the run, of either side.",
        lambda row: row["max_edge_bps"],
    ),
    _by_coin("markets", "hip3_market_threshold_bps", "The edge that enters.", lambda row: row["threshold_bps"]),
    _by_coin(
        "markets",
        "hip3_market_threshold_ratio",
        "The largest edge of the run as a share of the threshold.",
        lambda row: row["threshold_pct"] / 100,
    ),
    _by_coin(
        "markets", "hip3_market_updates_total", "Updates of the market.", lambda row: row["updates"], kind="counter"
    ),
    _by_coin("markets", "hip3_market_book_age_seconds", "Age of the touch.", lambda row: _seconds(row["book_age_ms"])),
    _by_coin(
        "markets",
        "hip3_market_oracle_age_seconds",
        "Age of the oracle's message.",
        lambda row: _seconds(row["oracle_age_ms"]),
    ),
)
