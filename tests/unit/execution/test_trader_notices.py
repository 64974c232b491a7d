"""What the trader tells and counts: links, resyncs, refusals that need a look at the account, partial exits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hip3.execution.orders import Order, OrderKind
from hip3.execution.tally import EXITS_MAX, NOTICES_MAX, Tally

from .desk_bench import USER

if TYPE_CHECKING:
    from .trader_bench import TraderBench

    Make = Callable[..., TraderBench]

NO_MATCH = {"error": "Order could not immediately match against any resting orders. asset=110026"}


def test_trading_begins_with_link_and_account_and_not_before(trader_bench: Make) -> None:
    bench = trader_bench()
    states: list[str] = []
    bench.trader.on_link(True, bench.now_ns)
    states.append(bench.trader.state.value)
    bench.account("flx")
    states.append(bench.trader.state.value)
    bench.account("xyz")
    states.append(bench.trader.state.value)
    bench.account("xyz")
    assert states == ["starting", "starting", "trading"]
    assert len(bench.notices("trading")) == 1


def test_a_link_that_goes_down_drops_queued_entries_and_asks_for_live_orders(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    sent = bench.enter("xyz:GOLD")
    bench.signal("xyz:SILVER")
    bench.trader.on_link(False, bench.now_ns)
    (end,) = bench.notices("order_end")
    assert (end["coin"], end["state"], end["why"]) == ("xyz:SILVER", "not_sent", "order link down")
    (asked,) = bench.wait(0)
    assert asked.request == {"type": "orderStatus", "user": USER, "oid": sent.cloids[0]}


def test_an_entry_that_filled_nothing_is_no_entry(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.answer(bench.enter(), NO_MATCH)
    assert bench.trader.tally.entries == 0
    assert bench.trader.desk.table.ended == {"rejected": 1}


def test_an_exit_counts_when_the_last_lot_is_gone(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    sent = bench.leave()
    bench.fill(sent, "1", "100.44")
    assert bench.trader.tally.exit_counts == {}
    (position,) = bench.trader.engine.positions()
    bench.fill(sent, position.szi, "100.44")
    assert bench.trader.tally.exit_counts == {("mark_regression", "primary"): 1}


def test_a_flatten_that_would_increase_asks_for_the_fills_at_once(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    asked = bench.answer(bench.leave(), {"error": "Reduce only order would increase position. asset=110026"})
    assert [sent.request["type"] for sent in asked] == ["userFillsByTime"]
    assert bench.trader.engine.claims() == []


def test_stopped_entries_are_refused_inside_the_core(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.trader.stop_entries(bench.now_ns)
    bench.signal()
    assert bench.counter("refused_entries_off") > 0
    assert bench.counter("entries") == 0


def test_a_quiet_frame_with_a_position_open_may_bring_a_deadline(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    assert bench.trader.on_frame(b'{"channel":"pong"}', bench.now_ns) is True


def test_fills_that_never_come_are_told_as_given_up(trader_bench: Make) -> None:
    bench = trader_bench(settle_checks_max=2)
    bench.begin()
    sent = bench.enter()
    bench.answer(sent, {"filled": {"totalSz": "1", "avgPx": "100", "oid": 5}})
    for _ in range(10):
        for asked in bench.wait(1000):
            bench.reply(asked, [])
    (told,) = bench.notices("order_given_up")
    assert (told["cloid"], told["coin"]) == (sent.cloids[0], "xyz:SILVER")
    assert bench.trader.desk.table.live == {}


def test_a_size_that_the_venue_corrects_is_told(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    sz = bench.hold()
    for _ in range(4):
        bench.wait(4000)
        bench.account()
    (told,) = bench.notices("position_resync")
    assert told == {"coin": "xyz:SILVER", "was": sz, "now": "0"}
    assert bench.trader.engine.positions() == []


def test_what_cannot_be_read_and_what_the_venue_complains_of_is_told(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.trader.on_frame(b"{", bench.now_ns)
    bench.frame("error", "Cannot track more than 10 total users.")
    told: list[Any] = [(n.level, n.event) for n in bench.trader.take_notices()]
    assert told == [("warning", "malformed_frame"), ("warning", "venue_error")]


def test_notices_and_exits_that_nobody_fetches_are_bounded() -> None:
    tally = Tally()
    left = Order("0x1", OrderKind.FLATTEN, 110_026, "xyz:SILVER", False, "1", "1", 2, 0, "time_stop", "backup")
    for number in range(NOTICES_MAX + 5):
        tally.note("info", "x", number=number)
        tally.count_flat("xyz:SILVER", left, Decimal(number), number)
    assert len(tally.notices) == NOTICES_MAX
    assert tally.notices[0].fields == {"number": 5}
    assert len(tally.exits) == EXITS_MAX
    assert tally.exit_counts == {("time_stop", "backup"): NOTICES_MAX + 5}
