"""The trader from frames to orders: entry, fill, exit; its gates and states; and no claim outlives its order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from hip3.execution.batch import BatchLimits
from hip3.execution.orders import OrderKind
from hip3.execution.trader import TradingState

if TYPE_CHECKING:
    from .trader_bench import TraderBench

    Make = Callable[..., TraderBench]

MS = 1_000_000
SILVER = 110_026
NO_MATCH = {"error": "Order could not immediately match against any resting orders. asset=110026"}


def test_a_dislocation_becomes_an_entry_a_position_and_one_exit(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    sz = bench.hold()
    sent = bench.leave()
    (order,) = sent.request["action"]["orders"]
    assert (order["a"], order["b"], order["s"], order["r"]) == (SILVER, False, sz, True)
    bench.answer(sent, {"filled": {"totalSz": sz, "avgPx": "100.44", "oid": 6}})
    bench.fill(sent, sz, "100.44")
    tally = bench.trader.tally
    assert (tally.entries, tally.fills, dict(tally.exit_counts)) == (1, 2, {("mark_regression", "primary"): 1})
    (left,) = tally.exits
    assert (left.coin, left.avg_px, left.sz) == ("xyz:SILVER", Decimal("100.44"), sz)
    assert bench.trader.engine.positions() == []
    assert bench.trader.engine.claims() == []
    assert bench.trader.desk.table.live == {}
    assert bench.trader.desk.flattens_duplicate == 0


def test_notices_tell_the_story_once(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    sent = bench.leave()
    bench.answer(sent, NO_MATCH)
    story = [(notice.level, notice.event) for notice in bench.trader.take_notices()]
    assert story == [
        ("info", "trading"),
        ("info", "entry_signal"),
        ("info", "fill"),
        ("info", "order_end"),
        ("info", "exit"),
        ("warning", "order_end"),
    ]
    assert bench.trader.take_notices() == []


# ------------------------------------------------------------------- gates


def refused(bench: TraderBench) -> dict[str, int]:
    """The counts of refusals after a signal that must not be sent, nor stay reserved."""
    bench.signal()
    assert [sent for sent in bench.wait(100) if sent.cloids] == []
    assert bench.counter("entries") == 1
    assert bench.counter("refused_entry_pending") == 0
    bench.bbo("99.9", "100")
    assert bench.counter("refused_entry_pending") == 0, "the reservation was not given back"
    return dict(bench.trader.tally.refusals)


def test_nothing_is_sent_before_the_start_is_complete(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.account()
    assert bench.trader.state is TradingState.STARTING
    assert refused(bench).keys() == {"stopped"}


def test_observing_counts_would_be_entries_and_sends_nothing(trader_bench: Make) -> None:
    bench = trader_bench(sends_orders=False)
    bench.account()
    assert bench.trader.state is TradingState.TRADING
    counts = refused(bench)
    assert counts == {"observe_only": bench.trader.tally.would_be_entries}
    assert bench.read.all == []


def test_a_link_that_is_down_refuses_entries(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.trader.on_link(False, bench.now_ns)
    assert refused(bench).keys() == {"order_link_down"}
    assert bench.trader.state is TradingState.TRADING


def test_too_many_posts_in_flight_refuse_entries(trader_bench: Make) -> None:
    bench = trader_bench(in_flight_max=2, in_flight_high_water=1)
    bench.begin()
    bench.trader.on_link(True, bench.now_ns)
    bench.read()
    assert refused(bench).keys() == {"in_flight_high"}


def test_a_full_queue_of_entries_is_a_refusal_too(trader_bench: Make) -> None:
    bench = trader_bench(batch=BatchLimits(new_max=1))
    bench.begin()
    bench.signal("xyz:SILVER")
    bench.signal("xyz:GOLD")
    assert bench.trader.tally.refusals == {"queue_full": 1}
    assert bench.trader.desk.table.ended == {"not_sent": 1}
    assert len(bench.wait(20)) == 1


def test_asking_for_fewer_requests_rests_entries_for_ten_seconds(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.refuse(bench.enter(), "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded")
    for _ in range(9):
        bench.wait(1000)
        bench.signal()
    assert bench.trader.tally.refusals.keys() == {"slowed_down"}
    assert bench.trader.desk.table.ended == {"rejected": 1}
    bench.wait(1000)
    assert bench.enter().message.kind == "entry"
    assert bench.trader.state is TradingState.TRADING


# ------------------------------------------------------------------ states


@pytest.mark.parametrize(
    "text", ["Insufficient margin to place order. asset=1", "Must deposit before performing actions. User: 0x1"]
)
def test_an_account_that_cannot_open_stops_entries_and_goes_on_leaving(trader_bench: Make, text: str) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    bench.signal("xyz:GOLD")
    (sent,) = bench.wait(20)
    bench.answer(sent, {"error": text})
    assert bench.trader.state is TradingState.REDUCING
    assert len(bench.notices("entries_stopped")) == 1
    assert bench.leave().message.kind == "flatten"


def test_a_key_that_the_venue_does_not_take_halts_everything_for_good(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    sent = bench.enter("xyz:GOLD")
    bench.refuse(sent, "User or API Wallet 0xf941 does not exist.")
    assert bench.trader.state is TradingState.HALTED
    bench.wait(1500)
    assert bench.bbo("100.44", "100.5") == bench.sweep() == []
    bench.trader.flatten("operator", bench.now_ns)
    assert bench.read() == []
    assert bench.trader.engine.claims() == []
    assert bench.counter("claims_released_not_sent") >= 1
    bench.trader.stop_entries(bench.now_ns)
    assert bench.trader.state is TradingState.HALTED


def test_a_halt_is_not_lifted_by_a_later_refusal(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    first, second = bench.enter("xyz:SILVER"), bench.enter("xyz:GOLD")
    bench.refuse(first, "Unable to recover signer.")
    bench.answer(second, {"error": "Insufficient margin to place order. asset=110003"})
    assert bench.trader.state is TradingState.HALTED


def test_a_halt_ends_entries_that_wait_in_their_window(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    sent = bench.enter("xyz:SILVER")
    bench.signal("xyz:GOLD")
    bench.refuse(sent, "Unable to recover signer.")
    assert bench.wait(20) == []
    assert bench.trader.desk.table.ended == {"rejected": 1, "not_sent": 1}


def test_stopping_entries_ends_the_queued_and_leaves_exits_alone(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    bench.signal("xyz:GOLD")
    bench.trader.stop_entries(bench.now_ns)
    assert bench.trader.state is TradingState.REDUCING
    assert bench.wait(100) == []
    assert bench.leave().message.kind == "flatten"


def test_flatten_leaves_every_position_once(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    assert bench.trader.flatten("operator", bench.now_ns) == 1
    assert bench.trader.flatten("operator", bench.now_ns) == 0
    (sent,) = bench.read()
    assert sent.message.kind == "flatten"
    assert bench.sweep() == []


def test_a_frame_and_a_sweep_of_one_moment_send_one_flatten(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    sent = bench.leave()
    assert bench.sweep() == bench.bbo("100.45", "100.5") == bench.sweep() == []
    bench.answer(sent, NO_MATCH)
    assert bench.trader.desk.flattens_sent == 1
    assert bench.trader.desk.flattens_duplicate == 0


# ------------------------------------------------------------------ claims


def end_rejected(bench: TraderBench) -> None:
    bench.answer(bench.leave(), NO_MATCH)


def end_unsent(bench: TraderBench) -> None:
    bench.trader.on_unsent(bench.leave().id, "expired before sending", bench.now_ns)


def end_absent(bench: TraderBench) -> None:
    bench.trader.on_lost(bench.leave().id, bench.now_ns)
    for _ in range(200):
        for asked in bench.wait(50):
            bench.reply(asked, {"status": "unknownOid"})


def end_partly(bench: TraderBench) -> None:
    sent = bench.leave()
    bench.fill(sent, "1", "100.44")
    bench.answer(sent, {"filled": {"totalSz": "1", "avgPx": "100.44", "oid": 5}})


def end_queue_full(bench: TraderBench) -> None:
    limits = bench.trader.desk.scheduler
    limits.limits = BatchLimits(reduce_only_max=0)
    bench.wait(1500)
    assert bench.bbo("100.44", "100.5") == bench.sweep() == []
    limits.limits = BatchLimits()


@pytest.mark.parametrize(
    ("end", "counter"),
    [
        (end_rejected, "rejected"),
        (end_unsent, "not_sent"),
        (end_absent, "proven_absent"),
        (end_partly, "partly_filled"),
        (end_queue_full, "not_sent"),
    ],
)
def test_every_end_of_a_flatten_gives_the_market_back_to_the_backup(
    trader_bench: Make, end: Callable[[TraderBench], None], counter: str
) -> None:
    bench = trader_bench("exit.primary=false")
    bench.begin()
    bench.hold()
    end(bench)
    assert bench.counter(f"claims_released_{counter}") == 1
    assert bench.trader.engine.claims() == []
    bench.now_ns += 400 * MS
    assert bench.ctx("100.45") == bench.bbo("100.44", "100.5") == []
    (again,) = bench.sweep()
    assert again.message.kind == "flatten"
    flattens = [o for o in bench.trader.desk.table.live.values() if o.kind is OrderKind.FLATTEN]
    assert [order.path for order in flattens] == ["backup"]
    assert bench.trader.desk.flattens_duplicate == 0
