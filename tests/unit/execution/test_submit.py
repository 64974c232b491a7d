"""The dispatcher: each message leaves once, by socket or by HTTP, and what comes back reaches the trader as a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
import pytest

from hip3.clock import Clock
from hip3.execution.outbound import Route
from hip3.execution.submit import HTTP_IN_FLIGHT_MAX, Dispatcher, frame_of_answer

if TYPE_CHECKING:
    from .trader_bench import TraderBench

    Make = Callable[..., TraderBench]

MS = 1_000_000
REFUSED = b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"error":"no"}]}}}'


class BenchClock(Clock):
    """The bench's clock."""

    def __init__(self, bench: TraderBench) -> None:
        super().__init__()
        self._bench = bench

    def now_ns(self) -> int:
        return self._bench.now_ns


class Doors:
    """An order socket and an HTTP client that remember what left through them."""

    def __init__(self, bench: TraderBench, takes: bool = True) -> None:
        self.takes = takes
        self.offered = 0
        self.over_ws: list[bytes] = []
        self.over_http: list[tuple[str, bytes]] = []
        self.answer: tuple[int, bytes] | Exception = (200, REFUSED)
        self.open = asyncio.Event()
        self.open.set()
        self.dispatcher = Dispatcher(bench.trader, BenchClock(bench), self, self.post)

    def send(self, data: bytes) -> bool:
        self.offered += 1
        if self.takes:
            self.over_ws.append(data)
        return self.takes

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.over_http.append((path, body))
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def pump(self) -> None:
        """Sends, and lets every request that can end do so."""
        self.dispatcher.pump()
        for _ in range(5):
            await asyncio.sleep(0)


def leaving(bench: TraderBench) -> None:
    """A flatten order waits in the outbox."""
    bench.begin()
    bench.hold()
    bench.wait(1500)
    bench.trader.flatten("operator", bench.now_ns)


def outcome(bench: TraderBench) -> str:
    """How the flatten order stands."""
    orders = [*bench.trader.desk.table.live.values(), *bench.trader.desk.table.history]
    return next(order.state.value for order in orders if order.kind.value == "flatten")


async def test_the_socket_is_taken_first_and_the_way_to_the_wire_is_measured(trader_bench: Make) -> None:
    bench = trader_bench()
    leaving(bench)
    doors = Doors(bench)
    bench.now_ns += 3 * MS
    await doors.pump()
    await doors.pump()
    (post,) = doors.over_ws
    assert orjson.loads(post)["request"]["payload"]["action"]["orders"][0]["r"] is True
    assert (doors.over_http, doors.dispatcher.sent_ws, doors.dispatcher.sent_http) == ([], 1, 0)
    timings = bench.trader.tally.timings
    assert timings.frame_to_wire.max() == timings.exit_to_wire.max() == 3 * MS
    assert outcome(bench) == "sent"


async def test_what_the_socket_refuses_goes_over_http_with_the_same_bytes_once(trader_bench: Make) -> None:
    bench = trader_bench()
    leaving(bench)
    message = bench.trader.desk.posts.outbox[0]
    doors = Doors(bench, takes=False)
    await doors.pump()
    await doors.pump()
    assert doors.over_http == [("/exchange", message.body)]
    assert orjson.loads(message.post)["request"]["payload"] == orjson.loads(message.body)
    assert (doors.dispatcher.sent_ws, doors.dispatcher.sent_http) == (0, 1)
    assert outcome(bench) == "rejected"
    assert bench.trader.engine.claims() == []


async def test_a_crowded_socket_is_not_even_asked(trader_bench: Make) -> None:
    bench = trader_bench(in_flight_max=1, in_flight_high_water=1)
    bench.begin()
    bench.hold()
    bench.trader.on_link(True, bench.now_ns)
    bench.read()
    bench.trader.flatten("operator", bench.now_ns)
    doors = Doors(bench)
    await doors.pump()
    assert doors.offered == 0
    assert len(doors.over_http) == 1


@pytest.mark.parametrize(("late_ms", "leaves"), [(4999, True), (5000, False)])
async def test_an_expired_message_does_not_leave_and_frees_its_claim(
    trader_bench: Make, late_ms: int, leaves: bool
) -> None:
    bench = trader_bench()
    leaving(bench)
    doors = Doors(bench)
    bench.now_ns += late_ms * MS
    await doors.pump()
    assert len(doors.over_ws) + len(doors.over_http) == int(leaves)
    assert outcome(bench) == ("sent" if leaves else "not_sent")
    assert len(bench.trader.engine.claims()) == int(leaves)


async def test_a_message_that_expires_while_it_waits_for_a_place_does_not_leave(trader_bench: Make) -> None:
    bench = trader_bench()
    bench.begin()
    bench.hold()
    doors = Doors(bench, takes=False)
    doors.open.clear()
    for _ in range(HTTP_IN_FLIGHT_MAX):
        bench.trader.desk.ask_fills((), 0, bench.now_ns, 0)
    await doors.pump()
    bench.trader.flatten("operator", bench.now_ns)
    await doors.pump()
    assert len(doors.over_http) == HTTP_IN_FLIGHT_MAX
    bench.now_ns += 5000 * MS
    doors.open.set()
    await doors.pump()
    assert [path for path, _ in doors.over_http] == ["/info"] * HTTP_IN_FLIGHT_MAX
    assert outcome(bench) == "not_sent"


@pytest.mark.parametrize(
    "answer", [(500, REFUSED), (200, b"<html>"), (200, b""), (200, b"\xff"), OSError("reset"), TimeoutError()]
)
async def test_an_answer_that_says_nothing_is_a_lost_one(
    trader_bench: Make, answer: tuple[int, bytes] | Exception
) -> None:
    bench = trader_bench()
    leaving(bench)
    doors = Doors(bench, takes=False)
    doors.answer = answer
    await doors.pump()
    assert outcome(bench) == "sent"
    assert len(doors.over_http) == 1
    assert len(bench.trader.engine.claims()) == 1
    bench.trader.on_timer(bench.now_ns)
    (asked,) = bench.read()
    assert asked.request["type"] == "orderStatus"


async def test_what_an_answer_leads_to_is_sent_at_once(trader_bench: Make) -> None:
    bench = trader_bench()
    leaving(bench)
    doors = Doors(bench, takes=False)
    doors.answer = (200, REFUSED.replace(b"no", b"Reduce only order would increase position."))
    await doors.pump()
    assert [path for path, _ in doors.over_http] == ["/exchange", "/info"]


async def test_closing_waits_for_requests_under_way_and_then_cancels_them(trader_bench: Make) -> None:
    bench = trader_bench()
    leaving(bench)
    doors = Doors(bench, takes=False)
    doors.open.clear()
    await doors.pump()
    asyncio.get_running_loop().call_later(0.01, doors.open.set)
    await doors.dispatcher.close(5.0)
    assert outcome(bench) == "rejected"
    bench.now_ns += 1000 * MS
    doors.open.clear()
    bench.trader.flatten("operator", bench.now_ns)
    await doors.pump()
    assert len(doors.over_http) == 2
    await doors.dispatcher.close(0.01)
    doors.open.set()
    await asyncio.sleep(0)
    assert len(bench.trader.engine.claims()) == 1


def test_answers_become_frames_of_their_route() -> None:
    assert orjson.loads(frame_of_answer(3, Route.EXCHANGE, 200, b'{"status":"ok"}') or b"") == {
        "channel": "post",
        "data": {"id": 3, "response": {"type": "action", "payload": {"status": "ok"}}},
    }
    read = orjson.loads(frame_of_answer(4, Route.INFO, 200, b"[1]") or b"")
    assert read["data"] == {"id": 4, "response": {"type": "info", "payload": {"type": "http", "data": [1]}}}
    assert frame_of_answer(5, Route.EXCHANGE, 429, b'{"status":"err","response":"x"}') is None
