"""The state of a market, from what came of it last and how long ago."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hip3.status.rows import MarketRules, Standing, market_row

NOW_NS = 1_000_000_000_000
MS = 1_000_000
RULES = MarketRules(
    book_age_ms_max=2000,
    oracle_age_ms_max=8000,
    exit_threshold_bps=Decimal(5),
    min_holding_ns=0,
    time_stop_ns=0,
    primary=True,
    backup=True,
    backup_interval_ns=1,
)


def state(
    bid: str | None, ask: str | None, book_age_ms: int | None, oracle_age_ms: int | None, **standing: Any
) -> object:
    def received(age_ms: int | None) -> int:
        return 0 if age_ms is None else NOW_NS - age_ms * MS

    edge = SimpleNamespace(
        market="dex_1:110001 (A)",
        coin="xyz:A",
        max_buy_edge_bps=1.0,
        max_sell_edge_bps=0.0,
        threshold_bps=40.0,
        threshold_pct=2.5,
        p50_bps=0.0,
        p90_bps=0.0,
        p99_bps=0.0,
        updates=1,
    )
    market = SimpleNamespace(
        bid_px=bid,
        bid_sz=bid,
        ask_px=ask,
        ask_sz=ask,
        oracle_px="10",
        mark_px="10",
        book_recv_ns=received(book_age_ms),
        oracle_recv_ns=received(oracle_age_ms),
        oracle_changed_ns=0,
        buy_edge_bps=None,
        sell_edge_bps=None,
    )
    standing = {"is_off": False, "trouble": None, "blackout_until_ns": None} | standing
    row = market_row(cast(Any, edge), cast(Any, market), Standing(**standing), [], RULES, NOW_NS)
    return row["state"]


@pytest.mark.parametrize(
    ("bid", "ask", "book_age_ms", "oracle_age_ms", "expected"),
    [
        ("9", "11", 10, 10, "ready"),
        ("9", "11", 2001, 10, "stale"),
        (None, None, 10, 10, "halted"),
        (None, None, 60_000, 10, "halted"),
        (None, None, 10, None, "halted"),
        (None, None, 60_000, 60_000, "stale"),
        (None, None, None, 10, "stale"),
        ("9", None, 10, 10, "ready"),
    ],
)
def test_a_market_whose_book_is_empty_while_frames_come_is_halted(
    bid: str | None, ask: str | None, book_age_ms: int | None, oracle_age_ms: int | None, expected: str
) -> None:
    assert state(bid, ask, book_age_ms, oracle_age_ms) == expected


def test_an_empty_book_is_told_before_a_blackout_and_after_what_was_switched_off() -> None:
    assert state(None, None, 10, 10, blackout_until_ns=NOW_NS + 1) == "halted"
    assert state("9", "11", 10, 10, blackout_until_ns=NOW_NS + 1) == "blacked_out"
    assert state(None, None, 10, 10, is_off=True) == "off"
