"""The second path to an exit: on a thread of its own, in real time, with the event loop standing still."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from hip3.clock import Clock
from hip3.execution import backup
from hip3.execution.backup import MarkRegressionMonitor, StaleBookReader
from hip3.execution.submit import Dispatcher

from ..unit.execution.trader_bench import TraderBench

MS = 1_000_000
INTERVAL_MS, STALL_MS = 50, 100


class Scene:
    """A held position whose book has come back, a dispatcher in the loop, a monitor in its thread."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.bench = TraderBench("exit.primary=false", "exit.min_holding_ms=0")
        self.bench.now_ns = self.clock.now_ns() - 100 * MS
        self.bench.begin()
        self.bench.hold()
        self.over_ws: list[dict[str, Any]] = []
        self.over_http: list[dict[str, Any]] = []
        self.answer: tuple[int, bytes] | OSError = OSError("reset")
        self.wakes = 0
        self.loop = asyncio.get_running_loop()
        self.dispatcher = Dispatcher(self.bench.trader, self.clock, self, self.post_in_loop)
        self.monitor = MarkRegressionMonitor(
            self.bench.trader, self.clock, self.wake, self.post, INTERVAL_MS, stall_ms=STALL_MS
        )

    def come_back(self) -> None:
        """The book meets the oracle: the exit is due from now on."""
        self.bench.now_ns = self.clock.now_ns()
        assert self.bench.bbo("100.44", "100.5") == []

    def send(self, data: bytes) -> bool:
        self.over_ws.append(orjson.loads(data)["request"]["payload"])
        return True

    async def post_in_loop(self, path: str, body: bytes) -> tuple[int, bytes]:
        raise AssertionError("the socket takes everything")

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        assert threading.current_thread() is self.monitor
        self.over_http.append(orjson.loads(body))
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    def wake(self) -> None:
        self.wakes += 1
        self.loop.call_soon_threadsafe(self.dispatcher.pump)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Runs the loop with its heartbeat until the condition holds."""
        async with asyncio.timeout(5):
            while not condition():
                self.monitor.beat()
                await asyncio.sleep(0.01)


@pytest.fixture
async def scene() -> Any:
    made = Scene()
    yield made
    made.monitor.stop()
    assert not made.monitor.is_alive()


def flattens(sent: list[dict[str, Any]]) -> list[str]:
    """Client ids of the reduce-only orders."""
    return [order["c"] for one in sent for order in one.get("action", {}).get("orders", []) if order["r"]]


def filled(scene: Scene) -> tuple[int, bytes]:
    (position,) = scene.bench.trader.engine.positions()
    status = {"filled": {"totalSz": position.szi, "avgPx": "100.44", "oid": 6}}
    return 200, orjson.dumps({"status": "ok", "response": {"type": "order", "data": {"statuses": [status]}}})


async def test_with_a_living_loop_the_exit_leaves_through_its_socket(scene: Scene) -> None:
    scene.monitor.start()
    scene.come_back()
    due_s = time.monotonic()
    await scene.until(lambda: bool(scene.over_ws))
    assert time.monotonic() - due_s < 0.5
    await asyncio.sleep(0)
    assert len(flattens(scene.over_ws)) == 1
    assert (scene.over_http, scene.monitor.sent_over_http, scene.monitor.claims) == ([], 0, 1)


@pytest.mark.parametrize("answered", [True, False])
async def test_with_a_blocked_loop_the_exit_leaves_by_the_monitors_own_post_once(scene: Scene, answered: bool) -> None:
    if answered:
        scene.answer = filled(scene)
    scene.monitor.start()
    scene.come_back()
    time.sleep(0.6)  # noqa: ASYNC251
    sent = flattens(scene.over_http)
    assert len(sent) == scene.monitor.sent_over_http == 1
    assert scene.wakes >= 3, "it went on looking"
    await scene.until(lambda: scene.wakes > 20)
    scene.bench.trader.on_timer(scene.clock.now_ns())
    scene.dispatcher.pump()
    assert flattens(scene.over_ws) == []
    assert flattens(scene.over_http) == sent
    questions = {one.get("type") for one in scene.over_ws + scene.over_http} - {None}
    assert questions == ({"userFillsByTime"} if answered else {"orderStatus"})
    assert scene.bench.trader.desk.flattens_sent == 1
    assert scene.bench.trader.desk.flattens_duplicate == 0
    assert len(scene.bench.trader.engine.claims()) == 1


async def test_a_message_that_expired_in_a_blocked_loop_is_not_sent(scene: Scene) -> None:
    scene.come_back()
    scene.bench.trader.flatten("operator", scene.clock.now_ns() - 5100 * MS)
    scene.monitor.heartbeat_ns -= 1000 * MS
    scene.monitor.tick()
    assert scene.monitor.sent_over_http == len(scene.over_http) == 0
    assert scene.bench.trader.desk.table.ended["not_sent"] == 1


async def test_it_looks_every_interval_without_drift(scene: Scene) -> None:
    scene.monitor.start()
    begin_s = time.monotonic()
    await scene.until(lambda: scene.monitor.sweeps >= 12)
    took_s = time.monotonic() - begin_s
    assert 0.5 < took_s < 2.0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_failure_of_its_own_is_kept_for_the_loop_to_see(scene: Scene) -> None:
    error = RuntimeError("our bug")

    def fail() -> None:
        raise error

    monitor = MarkRegressionMonitor(scene.bench.trader, scene.clock, fail, scene.post, 20)
    monitor.start()
    monitor.join(timeout=5)
    assert monitor.failure is error


# ------------------------------------------------------- books over REST


def rest(oracle: str, bid: str, clock: Clock) -> Callable[[str, bytes], tuple[int, bytes]]:
    """A venue that answers the two reads."""

    def post(path: str, body: bytes) -> tuple[int, bytes]:
        assert path == "/info"
        request = orjson.loads(body)
        if request["type"] == "l2Book":
            levels = [[{"px": px, "sz": "500", "n": 1}] for px in (bid, "100.5")]
            return 200, orjson.dumps({"coin": request["coin"], "time": clock.now_ns() // MS, "levels": levels})
        assert request == {"type": "metaAndAssetCtxs", "dex": "xyz"}
        figures = dict.fromkeys(("funding", "prevDayPx", "dayNtlVlm", "openInterest"), "1.0")
        ctx = {**figures, "oraclePx": oracle, "markPx": "100.0", "midPx": None, "impactPxs": None, "premium": None}
        return 200, orjson.dumps([{"universe": [{"name": "xyz:GOLD"}, {"name": "xyz:SILVER"}]}, [{}, ctx]])

    return post


@pytest.fixture
def stale() -> tuple[TraderBench, Clock]:
    """A position whose last frames are ten seconds old; the primary path alone is on."""
    clock = Clock()
    bench = TraderBench("exit.backup=false", "exit.min_holding_ms=0", "exit.time_stop_ms=600000")
    bench.now_ns = clock.now_ns() - 10_000 * MS
    bench.begin()
    bench.hold()
    return bench, clock


def test_a_stale_book_is_read_over_rest_and_decided_on(stale: tuple[TraderBench, Clock]) -> None:
    bench, clock = stale
    reader = StaleBookReader(bench.trader, clock, rest("100.45", "100.44", clock), 2000)
    reader.read_stale()
    assert (reader.reads, reader.failures) == (2, 0)
    (sent,) = bench.read()
    assert sent.message.kind == "flatten"
    assert reader.reads == 2
    reader.read_stale()
    assert reader.reads == 2, "what was just read is fresh"


def test_the_reader_runs_on_its_own_thread(stale: tuple[TraderBench, Clock], monkeypatch: pytest.MonkeyPatch) -> None:
    bench, clock = stale
    monkeypatch.setattr(backup, "REST_READ_PAUSE_S", 0.01)
    reader = StaleBookReader(bench.trader, clock, rest("100.45", "100.0", clock), 2000)
    reader.start()
    deadline_s = time.monotonic() + 5
    while reader.reads < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    reader.stop()
    assert not reader.is_alive()
    snapshot = bench.trader.engine.get_snapshot(110_026)
    assert snapshot is not None
    assert snapshot.bid_px == "100"
    assert bench.read() == [], "the book has not come back"


def test_fresh_frames_are_not_read_again(stale: tuple[TraderBench, Clock]) -> None:
    bench, clock = stale
    bench.now_ns = clock.now_ns()
    bench.bbo("99.9", "100")
    bench.ctx("100.45")
    reader = StaleBookReader(bench.trader, clock, rest("100.45", "100.44", clock), 2000)
    reader.read_stale()
    assert reader.reads == 0


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"null", b"[]", b"[1,2]", b'[{"universe":7},[]]', b'[{"universe":[1,{"name":[]}]},[{},{}]]', b"7"],
)
def test_answers_of_any_shape_leave_the_reader_alive(stale: tuple[TraderBench, Clock], answer: bytes) -> None:
    bench, clock = stale
    for status in (200, 500):
        told = (status, answer)
        reader = StaleBookReader(bench.trader, clock, lambda path, body, told=told: told, 2000)  # type: ignore[misc]
        reader.read_stale()
        assert reader.reads == 2
    assert reader.failures == 2
    assert bench.read() == []
