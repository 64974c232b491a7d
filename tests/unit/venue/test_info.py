"""Reads over HTTP: a busy venue is asked again within bounds, a refusal is final, orders follow no redirect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hip3.errors import VenueRefused, VenueUnreachable
from hip3.venue import info
from hip3.venue.http import BlockingHttp, HttpClient
from hip3.venue.info import TRIES_MAX, Info


class Http:
    """Gives one outcome after another: an error to raise, or a status and body."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return (outcome, b'"busy"') if isinstance(outcome, int) else outcome


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "PAUSE_S", 0)


def asking(*outcomes: Any) -> tuple[Info, Http]:
    http = Http(*outcomes)
    return Info(http), http  # type: ignore[arg-type]


@pytest.mark.parametrize("trouble", [429, 500, 502, 503, 504, ConnectionResetError("reset"), TimeoutError()])
async def test_passing_trouble_is_asked_again_and_lasting_trouble_ends_after_four_tries(trouble: Any) -> None:
    reads, _ = asking(trouble, trouble, trouble, (200, b"[1]"))
    assert await reads.ask(type="meta") == [1]
    reads, http = asking(*[trouble] * (TRIES_MAX + 1))
    with pytest.raises(VenueUnreachable, match=r"^the venue does not answer info meta: ") as told:
        await reads.ask(type="meta")
    assert len(http.outcomes) == 1
    assert not str(told.value).endswith(": ")


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ((422, b"Failed to deserialize"), "info meta: HTTP 422: Failed to deserialize"),
        ((307, b""), "info meta: HTTP 307: "),
        ((403, b"\xff" * 999), "info meta: HTTP 403: "),
        ((200, b"<html>"), "info meta: the answer is no JSON"),
    ],
)
async def test_a_refusal_is_final_and_quoted_in_bounds(outcome: Any, why: str) -> None:
    reads, http = asking(outcome, 200)
    with pytest.raises(VenueRefused) as told:
        await reads.ask(type="meta")
    assert str(told.value).startswith(why)
    assert len(str(told.value)) < 300
    assert len(http.outcomes) == 1


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (b"{}", lambda reads: reads.user_fees("0x")),
        (b'{"userCrossRate":"x","activeReferralDiscount":"0"}', lambda reads: reads.user_fees("0x")),
        (b"[]", lambda reads: reads.spot_token_names()),
    ],
)
async def test_an_answer_of_another_shape_is_the_venues_fault(answer: bytes, read: Callable[[Info], Any]) -> None:
    with pytest.raises(VenueRefused, match="of the venue cannot be read"):
        await read(asking((200, answer))[0])


async def test_no_client_follows_a_redirect() -> None:
    reached = []

    async def away(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(await request.read())
        return web.Response(text="{}")

    app = web.Application()
    app.add_routes([web.post("/exchange", away), web.post("/elsewhere", elsewhere)])
    async with TestServer(app) as server:
        client = HttpClient(str(server.make_url("/")), 5)
        assert (await client.post("/exchange", b"signed"))[0] == 307
        await client.close()
        blocking = BlockingHttp(str(server.make_url("/")), 5)
        assert (await asyncio.to_thread(blocking.post, "/exchange", b"signed"))[0] == 307
    assert reached == []


async def test_without_a_listener_both_clients_raise_an_os_error() -> None:
    client = HttpClient("http://127.0.0.1:9", 1)
    with pytest.raises(OSError, match=r"127.0.0.1:9"):
        await client.post("/info", b"{}")
    await client.close()
    with pytest.raises(OSError, match="refused"):
        BlockingHttp("http://127.0.0.1:9", 1).post("/info", b"{}")
