"""The trader's inputs: answers of every shape, lost ones, its clock, its deadlines, and the same again on replay."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hip3._hip3 import Signer
from hip3.errors import ConfigError
from hip3.execution.orders import OrderState
from hip3.execution.session import SessionStart
from hip3.execution.summary import summarize
from hip3.execution.venue_clock import VenueClock
from hip3.research.replay import control_of, feed

from .desk_bench import KEY

if TYPE_CHECKING:
    from .desk_bench import Sent
    from .trader_bench import TraderBench

    Make = Callable[..., TraderBench]

MS = 1_000_000
NO_MATCH = {"error": "Order could not immediately match against any resting orders. asset=110026"}


def asked(sent: list[Sent], kind: str) -> Sent:
    """The one request of this type."""
    (found,) = [one for one in sent if one.request.get("type") == kind]
    return found


def test_a_link_that_comes_up_asks_for_the_fills_of_the_gap_and_a_minute_before(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    lost_ns = bench.now_ns
    bench.trader.on_link(False, bench.now_ns)
    bench.now_ns += 300_000 * MS
    bench.trader.on_link(True, bench.now_ns)
    assert asked(bench.read(), "userFillsByTime").request["startTime"] == lost_ns // MS - 60_000


def test_a_fill_missed_in_the_gap_is_applied_once_from_the_answer(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    entry = bench.enter()
    sz = entry.request["action"]["orders"][0]["s"]
    bench.trader.on_link(False, bench.now_ns)
    bench.trader.on_link(True, bench.now_ns)
    question = asked(bench.read(), "userFillsByTime")
    row = bench.fill_row(entry, sz, "100")
    bench.reply(question, [row])
    bench.frame("userFills", {"user": "0x0", "fills": [row]})
    (position,) = bench.trader.engine.positions()
    assert position.szi == sz
    assert bench.trader.tally.fills == 1


def test_a_lost_entry_that_was_filled_is_found_by_its_record_and_its_fills(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    entry = bench.enter()
    sz = entry.request["action"]["orders"][0]["s"]
    bench.trader.on_lost(entry.id, bench.now_ns)
    question = asked(bench.wait(0), "orderStatus")
    row = {"oid": 5, "sz": "0.0", "origSz": sz}
    bench.reply(question, {"status": "order", "order": {"order": row, "status": "canceled"}})
    fills = asked(bench.wait(0), "userFillsByTime")
    bench.reply(fills, [bench.fill_row(entry, "1", "100")])
    assert bench.trader.desk.table.ended == {"partly_filled": 1}
    assert bench.trader.tally.entries == 1


def test_fills_that_cannot_be_read_prove_nothing(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    entry = bench.enter()
    (order,) = bench.trader.desk.table.live.values()
    bench.frame("orderUpdates", [update(entry, "canceled", "x")])
    fills = asked(bench.wait(0), "userFillsByTime")
    bench.reply(fills, [{**bench.fill_row(entry, "1", "100"), "sz": "?"}])
    assert order.state.value == "settling"
    again = asked(bench.wait(1000), "userFillsByTime")
    bench.reply(again, [bench.fill_row(entry, "1", "100")])
    assert order.state is OrderState.PARTLY_FILLED


def update(sent: Sent, status: str, left: str) -> dict[str, Any]:
    order = sent.request["action"]["orders"][0]
    row = {"coin": "xyz:SILVER", "side": "B", "limitPx": "100", "sz": left, "oid": 5, "timestamp": 1}
    row |= {"origSz": order["s"], "cloid": order["c"]}
    return {"order": row, "status": status, "statusTimestamp": 1}


@pytest.mark.parametrize(
    "payload", [None, 7, "text", [], {"type": "orderStatus"}, {"data": None}, {"data": {"status": "unknownOid"}}]
)
def test_replies_of_any_shape_are_taken(trader_bench: Make, payload: object) -> None:
    bench = trader_bench()
    bench.begin()
    bench.trader.on_lost(bench.enter().id, bench.now_ns)
    question = asked(bench.wait(0), "orderStatus")
    bench.post(question, "info", payload)
    bench.post(question, "info", payload)
    assert len(bench.trader.desk.table.live) == 1
    assert asked(bench.wait(2000)[:1], "orderStatus").request == question.request


def test_an_error_without_an_outcome_leads_to_a_question(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.post(bench.enter(), "error", "500 Internal Server Error")
    assert [n["text"] for n in bench.notices("post_error")] == ['"500 Internal Server Error"']
    assert asked(bench.wait(0), "orderStatus")


@pytest.mark.parametrize("ahead_ms", [0, 30_000])
def test_a_clock_that_is_ahead_of_the_venue_proves_no_absence_early(trader_bench: Make, ahead_ms: int) -> None:
    bench = trader_bench()
    bench.venue_lag_ms = ahead_ms
    bench.begin()
    entry = bench.enter()
    bench.trader.on_lost(entry.id, bench.now_ns)
    begun_ns = bench.now_ns
    while bench.trader.desk.table.live:
        for question in bench.wait(100):
            if question.request["type"] == "orderStatus":
                bench.reply(question, {"status": "unknownOid"})
        assert bench.now_ns - begun_ns < 60_000 * MS
    assert bench.trader.desk.table.ended == {"proven_absent": 1}
    assert bench.venue_ms > entry.request["expiresAfter"] + 1000
    assert bench.venue_ms < entry.request["expiresAfter"] + 1000 + 2300, "proven late"


def test_without_any_venue_time_nothing_is_proven(trader_bench: Make) -> None:
    bench = trader_bench()
    assert VenueClock(bench.trader.engine).now_ms(bench.now_ns) == 0


def test_the_nearest_deadline_is_told(trader_bench: Make) -> None:
    bench = trader_bench()
    assert bench.trader.next_timer_ns() == 0
    bench.begin()
    bench.trader.on_timer(bench.now_ns)
    assert bench.trader.next_timer_ns() == bench.now_ns + 1000 * MS
    bench.signal()
    assert bench.trader.next_timer_ns() == bench.now_ns + 20 * MS
    entry = bench.wait(20)[0]
    bench.fill(entry, entry.request["action"]["orders"][0]["s"], "100")
    bench.answer(entry, {"filled": {"totalSz": entry.request["action"]["orders"][0]["s"], "oid": 5}})
    held_ns = bench.now_ns
    bench.bbo("100.44", "100.5")
    assert bench.trader.engine.next_deadline_ns() == held_ns + 1000 * MS
    assert bench.trader.next_timer_ns() <= held_ns + 1000 * MS
    (sent,) = bench.wait(1000)
    assert (sent.message.kind, bench.now_ns) == ("flatten", held_ns + 1000 * MS)


def test_a_quiet_frame_asks_for_nothing_and_a_deciding_one_does(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    quiet = orjson.dumps({"channel": "pong"})
    assert bench.trader.on_frame(quiet, bench.now_ns) is False
    bench.signal()
    bench.wait(20)
    assert bench.trader.on_frame(b"{", bench.now_ns) is True


def test_edges_are_logged_once_a_period(trader_bench: Make) -> None:
    bench = trader_bench("edges.period_ms=5000")
    bench.begin()
    bench.ctx("100.2")
    bench.bbo("99.9", "100")
    bench.wait(11_000)
    assert len(bench.notices("edges_period")) == 2


# ------------------------------------------------------------------ replay


def wander(bench: TraderBench) -> None:
    """Some minutes of a market with every kind of input, decided by a fixed seed."""
    rng = random.Random(5)
    bench.begin()
    for _ in range(400):
        oracle = 100 + rng.choice([-0.5, 0.0, 0.0, 0.5])
        sent = bench.wait(rng.randrange(1, 400)) + bench.ctx(f"{oracle:.2f}") + bench.bbo("99.95", "100.05")
        sent += bench.sweep()
        if rng.random() < 0.02:
            bench.trader.on_link(False, bench.now_ns)
            bench.trader.on_link(True, bench.now_ns)
            sent += bench.read()
        for one in sent:
            respond(bench, one, rng.random())
    bench.trader.stop_entries(bench.now_ns)
    bench.trader.flatten("operator", bench.now_ns)
    bench.read()


def respond(bench: TraderBench, sent: Sent, luck: float) -> None:
    if sent.request.get("type") == "orderStatus":
        bench.reply(sent, {"status": "unknownOid"})
    elif sent.request.get("type") == "userFillsByTime":
        bench.reply(sent, [])
    elif luck < 0.15:
        bench.trader.on_lost(sent.id, bench.now_ns)
    elif luck < 0.3:
        bench.trader.on_unsent(sent.id, "expired before sending", bench.now_ns)
    elif luck < 0.4:
        bench.answer(sent, NO_MATCH)
    else:
        order = sent.request["action"]["orders"][0]
        bench.fill(sent, order["s"], "100")
        bench.answer(sent, {"filled": {"totalSz": order["s"], "avgPx": "100", "oid": 5}})


def test_the_same_inputs_again_give_the_same_decisions_counts_and_orders(trader_bench: Make) -> None:
    bench = trader_bench()
    wander(bench)
    kinds = {control["kind"] for _, line in bench.inputs if (control := control_of(line)) is not None}
    assert kinds == {"timer", "sweep", "link", "lost", "unsent", "stop_entries", "flatten"}
    first = summarize(bench.trader)
    assert first["entries"] >= 3
    assert first["exits"]["total"] >= 3
    assert first["flattens_duplicate"] == 0

    control = control_of(bench.start.to_line())
    assert control is not None
    again = SessionStart.from_data(control).build(Signer(bytearray(KEY), False))
    bodies: list[bytes] = []
    take = again.take_outbound

    def spy() -> Any:
        message = take()
        if message is not None:
            bodies.append(message.body)
        return message

    again.take_outbound = spy  # type: ignore[method-assign]
    for now_ns, line in bench.inputs:
        feed(again, now_ns, line)
    assert summarize(again) == first
    assert bodies == [sent.message.body for sent in bench.read.all]


def test_a_start_line_of_another_format_or_with_damage_is_refused(trader_bench: Make) -> None:
    line = orjson.loads(trader_bench().start.to_line())["data"]
    with pytest.raises(ConfigError, match="format 99"):
        SessionStart.from_data({**line, "format": 99})
    for key in ("engine_settings", "markets", "session", "desk", "dexs", "sends_orders"):
        damaged = {name: value for name, value in line.items() if name != key}
        with pytest.raises(ConfigError, match="damaged"):
            SessionStart.from_data(damaged)
