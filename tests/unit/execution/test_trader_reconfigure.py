"""Other settings for a running trader: what it enters by from then on, what stays, and that a replay follows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hip3._hip3 import CoreError, Signer
from hip3.config import load
from hip3.research.replay import feed

from .desk_bench import GOLD, KEY, SILVER, T0
from .trader_bench import TraderBench, market


def settings(*overrides: str, blackouts: list[list[tuple[int, int]]] | None = None) -> bytes:
    config = load(None, list(overrides), {"XDG_CONFIG_HOME": "/nonexistent"})
    return orjson.dumps(config.core_settings() | {"blackouts": blackouts or []})


def markets(**silver: Any) -> bytes:
    return orjson.dumps([market(SILVER, "xyz:SILVER") | silver, market(GOLD, "xyz:GOLD")])


def started() -> TraderBench:
    bench = TraderBench()
    bench.begin()
    return bench


def refusals(bench: TraderBench) -> set[str]:
    return {name for name, count in bench.trader.engine.counters().items() if name.startswith("refused_") and count}


def test_a_higher_threshold_holds_from_then_on() -> None:
    bench = started()
    bench.trader.reconfigure(settings(), markets(entry_threshold_bps="50"), bench.now_ns)
    bench.signal()
    assert bench.wait(50) == []
    assert bench.enter("xyz:GOLD").request["action"]["orders"][0]["a"] == GOLD
    assert {row.coin: row.threshold_bps for row in bench.trader.engine.edge_summary()}["xyz:SILVER"] == 50.0


def test_a_blackout_keeps_its_markets_out_until_its_end_and_no_other() -> None:
    bench = started()
    ends_ns = bench.now_ns + 60_000_000_000
    bench.trader.reconfigure(settings(blackouts=[[(T0 - 1, ends_ns)]]), markets(blackout=0), bench.now_ns)
    bench.signal()
    assert bench.wait(50) == []
    assert "refused_blacked_out" in refusals(bench)
    bench.now_ns = ends_ns - 1
    bench.signal()
    assert bench.wait(0) == []
    bench.now_ns = ends_ns
    assert bench.enter().request["action"]["orders"][0]["a"] == SILVER


def test_a_market_without_a_blackout_is_entered_during_that_of_another() -> None:
    bench = started()
    bench.trader.reconfigure(settings(blackouts=[[(T0 - 1, 2**63 - 1)]]), markets(blackout=0), bench.now_ns)
    assert bench.enter("xyz:GOLD").request["action"]["orders"][0]["a"] == GOLD


def test_a_position_is_left_during_a_blackout() -> None:
    bench = started()
    size = bench.hold()
    bench.trader.reconfigure(settings(blackouts=[[(T0 - 1, 2**63 - 1)]]), markets(blackout=0), bench.now_ns)
    order = bench.leave().request["action"]["orders"][0]
    assert (order["s"], order["r"]) == (size, True)


def test_a_pause_outlives_other_settings() -> None:
    bench = started()
    bench.trader.stop_entries(bench.now_ns)
    bench.trader.reconfigure(settings(), markets(), bench.now_ns)
    bench.signal()
    assert bench.wait(50) == []
    bench.trader.resume_entries(bench.now_ns)
    assert bench.enter()


@pytest.mark.parametrize(
    ("told_settings", "told_markets"),
    [
        (b"{}", markets(entry_threshold_bps="50")),
        (settings("entry.threshold_bps=50"), b"[]x"),
        (settings(blackouts=[[(5, 4)]]), markets(entry_threshold_bps="50")),
        (settings(blackouts=[[(1, 3), (2, 4)]]), markets(entry_threshold_bps="50")),
    ],
)
def test_what_cannot_be_read_changes_nothing_and_is_not_recorded(told_settings: bytes, told_markets: bytes) -> None:
    bench = started()
    inputs = len(bench.inputs)
    with pytest.raises(CoreError):
        bench.trader.reconfigure(told_settings, told_markets, bench.now_ns)
    assert len(bench.inputs) == inputs
    assert bench.enter()


def test_a_replay_takes_the_change_at_the_same_moment() -> None:
    bench = started()
    bench.enter("xyz:GOLD")
    bench.trader.reconfigure(settings(blackouts=[[(T0, 2**63 - 1)]]), markets(blackout=0), bench.now_ns)
    bench.signal()
    bench.wait(2000)
    again = bench.start.build(Signer(bytearray(KEY), False))
    for now_ns, line in bench.inputs:
        feed(again, now_ns, line)
    assert again.engine.digest() == bench.trader.engine.digest()
    assert again.engine.counters() == bench.trader.engine.counters()
    assert again.engine.counters()["refused_blacked_out"] > 0
