"""The view while it waits: for a trader that does not answer, in a narrow terminal, with a frozen picture."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hip3.status.choice import Request
from hip3.status.live import BUSY, LiveView

SNAPSHOT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "snapshot.json").read_text(encoding="utf-8")
)


class Trader:
    """What stands at the other end: answers once it is let go."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.goes = asyncio.Event()
        self.taken = 0
        self.snapshot = copy.deepcopy(SNAPSHOT)

    def take(self) -> tuple[dict[str, Any], float]:
        self.taken += 1
        return self.snapshot, 0.0

    async def act(self, request: Request) -> str:
        if request.verb == "quit":
            return ""
        self.asked.append(request)
        if request.verb != "kill":
            await self.goes.wait()
        return f"{request.verb}: done"


@asynccontextmanager
async def running(trader: Trader) -> AsyncIterator[LiveView]:
    view = LiveView(trader.take, 100, trader.act)
    task = asyncio.create_task(view.run())
    try:
        yield view
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what the view holds has no event for it
            await asyncio.sleep(0.01)


def press(view: LiveView, *keys: str) -> None:
    for key in keys:
        view._on_key(key)


def last_line(view: LiveView, snapshot: dict[str, Any]) -> str:
    with view._console.capture() as captured:
        view._console.print(view.draw(snapshot, 0.0))
    return captured.get().splitlines()[-1]


@pytest.fixture(autouse=True)
def sized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")


async def test_a_trader_that_does_not_answer_leaves_the_view_alive() -> None:
    trader = Trader()
    async with running(trader) as view:
        press(view, "p")
        await until(lambda: bool(trader.asked))
        taken = trader.taken
        await until(lambda: trader.taken > taken + 3)
        assert last_line(view, SNAPSHOT) == "asking the trader…"
        press(view, "?")
        await until(lambda: view.choice.showing_help)
        press(view, "p")
        await until(lambda: view.choice.answer == BUSY)
        trader.goes.set()
        await until(lambda: view.choice.answer == "pause: done")
        assert trader.asked == [Request("pause")], "one at a time"
        press(view, "p")
        await until(lambda: len(trader.asked) == 2)


async def test_a_kill_waits_for_no_other_verb() -> None:
    trader = Trader()
    async with running(trader) as view:
        press(view, "p")
        await until(lambda: bool(trader.asked))
        press(view, "K", *"kill", "enter")
        await until(lambda: view.choice.answer == "kill: done")
    assert [request.verb for request in trader.asked] == ["pause", "kill"]


async def test_an_error_in_place_of_an_answer_ends_the_view() -> None:
    trader = Trader()

    async def fail(_: Request) -> str:
        raise ValueError("broken")

    view = LiveView(trader.take, 100, fail)
    press(view, "p")
    async with asyncio.timeout(10):
        with pytest.raises(ValueError, match="broken"):
            await view.run()


async def test_a_frozen_picture_does_not_decide_what_p_means() -> None:
    trader = Trader()
    trader.goes.set()
    trader.snapshot["header"]["state"] = "reducing"
    async with running(trader) as view:
        press(view, "f")
        await until(lambda: view.choice.frozen is not None)
        press(view, "p")
        await until(lambda: len(trader.asked) == 1)
        trader.snapshot = copy.deepcopy(SNAPSHOT)
        await until(lambda: view.choice.answer == "resume: done")
        press(view, "p")
        await until(lambda: len(trader.asked) == 2)
    assert [request.verb for request in trader.asked] == ["resume", "pause"]


async def test_a_terminal_too_narrow_takes_only_q(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    trader = Trader()
    trader.goes.set()
    view = LiveView(trader.take, 100, trader.act)
    press(view, "p", "K", *"kill", "enter", "q")
    async with asyncio.timeout(10):
        await view.run()
    assert trader.asked == []
    assert view.choice.asking is None
