"""The trader under control: paused, resumed, flattened in part, halted, killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from hip3.execution.outbound import Route
from hip3.execution.trader import TradingState
from hip3.research.replay import feed

from .trader_bench import GOLD, SILVER, TraderBench

Make = Callable[..., TraderBench]


def test_a_paused_trader_exits_and_does_not_enter(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    bench.trader.stop_entries(bench.now_ns)
    assert bench.trader.state is TradingState.REDUCING
    bench.signal("xyz:GOLD")
    assert bench.wait(50) == []
    assert bench.leave().message.kind == "flatten"
    assert bench.trader.resume_entries(bench.now_ns)
    assert bench.trader.state is TradingState.TRADING
    bench.signal("xyz:GOLD")
    (sent,) = bench.wait(50)
    assert sent.request["action"]["orders"][0]["a"] == GOLD


def test_one_market_is_flattened_and_the_other_stays(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    assert bench.trader.flatten("operator", bench.now_ns, {GOLD}) == 0
    assert bench.read() == []
    assert bench.trader.flatten("operator", bench.now_ns, {GOLD, SILVER}) == 1
    (sent,) = bench.read()
    assert sent.request["action"]["orders"][0]["a"] == SILVER


def test_a_halted_trader_lets_reads_leave_and_no_signed_action(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    sent = bench.leave()
    assert bench.trader.withheld(sent.message, bench.now_ns) is None
    assert bench.trader.withheld(sent.message, sent.message.expires_ns) == "expired before sending"
    bench.trader.halt("killed", bench.now_ns)
    assert bench.trader.withheld(sent.message, bench.now_ns) == "halted"
    assert not bench.trader.resume_entries(bench.now_ns)
    assert bench.trader.state is TradingState.HALTED
    # What became of an order that may have left is asked for all the same.
    bench.trader.on_lost(sent.id, bench.now_ns)
    asked = bench.wait(1000)
    assert asked
    assert {question.message.route for question in asked} == {Route.INFO}
    assert bench.trader.withheld(asked[0].message, bench.now_ns) is None


def test_a_killed_signer_leaves_no_claim_and_no_order(trader_bench: Make, tmp_path: Path) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    path = tmp_path / "KILL"
    path.touch()
    signer = bench.trader.desk._signer
    signer.watch_kill_file(path)
    while not signer.is_killed:
        pass
    bench.wait(1500)
    assert bench.bbo("100.44", "100.5") + bench.sweep() == []
    assert bench.trader.engine.claims() == []
    assert len(bench.trader.desk.table.live) == 0
    assert bench.trader.desk.is_killed


def test_control_is_in_the_recording_and_replays(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.trader.stop_entries(bench.now_ns)
    bench.trader.resume_entries(bench.now_ns)
    bench.hold()
    bench.trader.flatten("operator", bench.now_ns, {SILVER})
    bench.trader.halt("killed", bench.now_ns)
    kinds = [orjson.loads(line)["data"]["kind"] for _, line in bench.inputs if b'"hip3"' in line[:20]]
    assert {"stop_entries", "resume_entries", "flatten", "halt"} <= set(kinds)
    again = trader_bench().start.build(signer=bench.trader.desk._signer)
    for now_ns, line in bench.inputs:
        feed(again, now_ns, line)
    assert again.engine.digest() == bench.trader.engine.digest()
    assert again.state is bench.trader.state is TradingState.HALTED
