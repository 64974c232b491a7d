"""The control socket: what it takes, what it refuses, and what mainnet asks for besides."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hip3.control.server import CLIENTS_MAX, VERBS, ControlServer


class Trader:
    """Something to control that only keeps what it was told."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.state = "trading"
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

    async def reload(self) -> str:
        self.told.append("reload")
        return "reloaded"


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
    for verb in VERBS:
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


async def test_what_came_of_a_verb_is_in_the_log(desk: Desk) -> None:
    await desk.say(verb="reload", confirmed=True, reason="why not")
    (line,) = (desk.home / "control.log").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert (row["verb"], row["reason"], row["told"]) == ("reload", "why not", "reloaded")
    assert row["user"]


async def test_more_requests_at_once_than_there_is_room_for_are_not_heard(desk: Desk) -> None:
    waiting = [await asyncio.open_unix_connection(str(desk.server.path)) for _ in range(CLIENTS_MAX)]
    reader, writer = await asyncio.open_unix_connection(str(desk.server.path))
    assert await reader.read() == b"", "closed without an answer"
    writer.close()
    waiting[0][1].write(b'{"verb":"about"}\n')
    assert json.loads(await waiting[0][0].readline())["status"] == "ok"
    for _, idle in waiting:
        idle.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can ask as another user")
async def test_another_user_is_not_heard_even_where_the_modes_let_them_in() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        desk = Desk("sim", Path(home))
        task = asyncio.create_task(desk.server.run())
        while not desk.server.path.exists():  # noqa: ASYNC110 - a file has no event to wait for
            await asyncio.sleep(0.01)
        desk.server.path.chmod(0o666)
        os.seteuid(65534)
        try:
            reader, writer = await asyncio.open_unix_connection(str(desk.server.path))
        finally:
            os.seteuid(0)
        writer.write(b'{"verb":"pause"}\n')
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert desk.trader.told == []
        assert (await desk.say(verb="pause"))["status"] == "ok"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_was_given_up_is_not_done_when_it_is_read(desk: Desk) -> None:
    now_ms = time.time_ns() // 1_000_000
    answer = await desk.say(verb="pause", confirmed=True, until_ms=now_ms - 1)
    assert (answer["status"], answer["text"]) == ("err", "it came too late and was not done")
    assert desk.trader.told == []
    assert (await desk.say(verb="pause", confirmed=True, until_ms=now_ms + 5000))["status"] == "ok"


async def test_about_tells_state_and_latch(desk: Desk) -> None:
    answer = await desk.say(verb="about")
    assert (answer["state"], answer["latch"]) == ("trading", str(desk.home / "KILL"))


async def test_a_verb_that_cannot_be_written_down_is_done_and_says_so(desk: Desk) -> None:
    (desk.home / "control.log").mkdir()
    answer = await desk.say(verb="pause", confirmed=True)
    assert answer["status"] == "ok"
    assert "the log of control cannot be written" in answer["text"]
    assert desk.trader.told == ["pause"]
