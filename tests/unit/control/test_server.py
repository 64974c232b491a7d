"""The control socket: what it takes, what it refuses, and what mainnet asks for besides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hip3.control.server import ControlServer


class Trader:
    """Something to control that only keeps what it was told."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.told: list[str] = []

    def pause(self) -> str:
        self.told.append("pause")
        return "paused"

    def resume(self) -> str:
        self.told.append("resume")
        return "resumed"

    def flatten(self, coins: list[str]) -> str:
        self.told.append("flatten " + ",".join(coins))
        return "flatten"


class Desk:
    """A trader and its control socket."""

    def __init__(self, venue: str, home: Path) -> None:
        self.trader = Trader(venue)
        self.home = home
        self.server = ControlServer(self.trader, home / "s.control", home / "KILL")

    async def say(self, **asked: Any) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(str(self.server.path))
        writer.write(json.dumps(asked).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readline())
        writer.close()
        return answer


@pytest.fixture(params=["sim", "testnet", "mainnet"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(request.param, tmp_path)
    task = asyncio.create_task(made.server.run())
    while not made.server.path.exists():  # noqa: ASYNC110 - a file has no event to wait for
        await asyncio.sleep(0.01)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_mainnet_takes_no_verb_that_was_not_confirmed(desk: Desk) -> None:
    assert (await desk.say(verb="about"))["venue"] == desk.trader.venue
    on_mainnet = desk.trader.venue == "mainnet"
    for verb in ("pause", "resume", "flatten"):
        for confirmed in (None, False, "true", 1):
            answer = await desk.say(verb=verb, confirmed=confirmed)
            assert (answer["status"] == "err") == on_mainnet
    assert (desk.trader.told == []) == on_mainnet
    assert (desk.home / "control.log").exists() != on_mainnet
    assert (await desk.say(verb="flatten", coins=["xyz:A"], confirmed=True))["status"] == "ok"
    assert desk.trader.told[-1] == "flatten xyz:A"


async def test_asking_who_is_there_changes_nothing_and_is_no_line_of_the_log(desk: Desk) -> None:
    await desk.say(verb="about")
    assert desk.trader.told == []
    assert not (desk.home / "control.log").exists()
