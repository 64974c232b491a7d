"""The replay venue: recorded frames are the market, at their time, and only displayed size can be taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hip3.errors import ConfigError
from hip3.sim.playback import BLOCK_MS, Playback, market_frames, scan, world
from hip3.sim.scenario import Scenario, load
from hip3.sim.venue import Venue

from .exchange import SILVER, START_MS, Exchange

T0 = 1_700_000_000_000_000_000
COIN = "xyz:SILVER"


def bbo(at_ms: int, bid: tuple[str, str] | None, ask: tuple[str, str] | None, coin: str = COIN) -> tuple[int, Any]:
    levels = [None if level is None else {"px": level[0], "sz": level[1], "n": 1} for level in (bid, ask)]
    return at_ms, {"channel": "bbo", "data": {"coin": coin, "time": at_ms, "bbo": levels}}


def context(at_ms: int, oracle: str, coin: str = COIN) -> tuple[int, Any]:
    return at_ms, {"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": {"oraclePx": oracle, "markPx": oracle}}}


def ladder(at_ms: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> tuple[int, Any]:
    levels = [[{"px": px, "sz": sz, "n": 1} for px, sz in side] for side in (bids, asks)]
    return at_ms, {"channel": "l2Book", "data": {"coin": COIN, "time": at_ms, "levels": levels}}


def trade(at_ms: int, px: str, sz: str) -> tuple[int, Any]:
    row = {"coin": COIN, "side": "B", "px": px, "sz": sz, "time": at_ms, "hash": "0x0", "tid": 1, "users": ["", ""]}
    return at_ms, {"channel": "trades", "data": [row]}


def write(path: Path, rows: list[tuple[int, Any]]) -> Path:
    path.write_text(
        "".join(f"{T0 + at * 1_000_000} {json.dumps(frame, separators=(',', ':'))}\n" for at, frame in rows)
    )
    return path


class Replayed(Exchange):
    """A client on a replay venue."""

    def __init__(self, path: Path, speed: float = 1.0, **changes: int) -> None:
        self.recording = scan(path)
        self.scenario: Scenario = replace(world(self.recording, load("default")), **changes)  # type: ignore[arg-type]
        self.playback = Playback(self.recording, START_MS, speed)
        super().__init__(scenario=self.scenario, agents=[self.playback])

    def until(self, at_ms: int) -> None:
        while self.venue.now_ms < START_MS + at_ms:
            self.venue.step(min(self.venue.now_ms + BLOCK_MS, START_MS + at_ms))

    def prices(self) -> tuple[Any, ...]:
        market = self.venue.engine.by_coin[COIN]
        return (*(None if level is None else level[:2] for level in market.book.touch()), market.oracle)


def u(text: str) -> int:
    return round(float(text) * 10**8)


def test_books_and_oracles_are_there_at_their_time(tmp_path: Path) -> None:
    rows = [
        bbo(0, ("94", "10"), ("94.1", "5")),
        context(0, "94.05"),
        bbo(1000, ("95", "1"), None),
        context(1500, "95.55"),
        bbo(2000, None, None),
    ]
    client = Replayed(write(tmp_path / "r.jsonl", rows))
    client.until(900)
    assert client.prices() == ((u("94"), u("10")), (u("94.1"), u("5")), u("94.05"))
    client.until(1200)
    assert client.prices() == ((u("95"), u("1")), None, u("94.05"))
    client.until(1600)
    assert client.prices()[2] == u("95.55")
    assert not client.playback.done
    client.until(2040)
    assert client.prices()[:2] == (None, None)
    assert client.playback.done
    assert (client.playback.played, client.playback.skipped) == (5, 0)


def test_speed_shortens_the_time(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [bbo(0, ("94", "1"), ("95", "1")), bbo(60_000, ("96", "1"), ("97", "1"))])
    client = Replayed(path, speed=60)
    client.until(980)
    assert client.prices()[0] == (u("94"), u("1"))
    client.until(1020)
    assert client.prices()[0] == (u("96"), u("1"))


def test_displayed_size_is_gone_until_the_next_update_of_the_book(tmp_path: Path) -> None:
    rows = [context(0, "94"), bbo(0, ("93.9", "10"), ("94.1", "5")), bbo(3000, ("93.9", "10"), ("94.1", "5"))]
    client = Replayed(write(tmp_path / "r.jsonl", rows))
    client.until(100)
    assert client.one(sz="3", px="94.1")["filled"]["totalSz"] == "3.0"
    assert client.one(sz="3", px="94.1")["filled"]["totalSz"] == "2.0"
    assert "could not immediately match" in client.error(sz="3", px="94.1")
    client.until(3040)
    assert client.one(sz="5", px="94.1")["filled"]["totalSz"] == "5.0"
    assert client.position() == "10.0"


def test_levels_behind_the_touch_come_from_the_last_ladder(tmp_path: Path) -> None:
    rows = [
        context(0, "94"),
        ladder(0, [("93.9", "1"), ("93.8", "2")], [("94.1", "1"), ("94.2", "2"), ("94.3", "4")]),
        bbo(500, ("93.9", "1"), ("94.2", "1")),
    ]
    client = Replayed(write(tmp_path / "r.jsonl", rows))
    client.until(600)
    asks = client.read(type="l2Book", coin=COIN)["levels"][1]
    assert [(level["px"], level["sz"]) for level in asks] == [("94.2", "1.0"), ("94.3", "4.0")]


def test_a_resting_order_fills_when_the_book_comes_through_it(tmp_path: Path) -> None:
    rows = [context(0, "94"), bbo(0, ("93.9", "9"), ("94.1", "9")), bbo(2000, ("93.4", "9"), ("93.5", "4"))]
    client = Replayed(write(tmp_path / "r.jsonl", rows))
    client.until(100)
    client.one(sz="6", px="93.6", tif="Gtc")
    client.until(2040)
    # Four were displayed at a price through ours; the rest waits.
    assert client.position() == "4.0"
    assert client.read(type="openOrders", dex="xyz")[0]["sz"] == "2.0"


def test_orders_and_answers_take_their_time(tmp_path: Path) -> None:
    rows = [context(0, "94"), bbo(0, ("93.9", "9"), ("94.1", "9")), bbo(300, ("94.4", "9"), ("94.5", "9"))]
    client = Replayed(write(tmp_path / "r.jsonl", rows), order_latency_ms=400, answer_latency_ms=200)
    client.until(100)
    told: list[Any] = []
    body = {"type": "order", "orders": [client.row(sz="1", px="94.1")], "grouping": "na"}
    client.venue.exchange(client.envelope(body), lambda answer: told.append((client.venue.now_ms, answer)))
    client.until(1000)
    ((at_ms, answer),) = told
    # Four hundred milliseconds later the ask had gone.
    assert "could not immediately match" in answer["response"]["data"]["statuses"][0]["error"]
    assert at_ms - START_MS >= 100 + 400 + 200


def test_trades_are_printed_and_unknown_coins_get_a_market(tmp_path: Path) -> None:
    rows = [
        trade(100, "94.2", "3"),
        bbo(0, ("1.25", "7"), ("1.26", "7"), "new:COIN"),
        bbo(0, ("700.5", "7.25"), ("700.6", "7"), "MAIN"),
    ]
    client = Replayed(write(tmp_path / "r.jsonl", rows))
    client.until(200)
    (printed,) = client.read(type="recentTrades", coin=COIN)
    assert (printed["px"], printed["sz"], printed["side"]) == ("94.2", "3.0", "B")
    assert [dex["name"] for dex in client.read(type="perpDexs")[1:]] == ["xyz", "flx", "new"]
    assert client.read(type="meta", dex="new")["universe"][0]["name"] == "new:COIN"
    assert client.read(type="meta")["universe"][-1]["szDecimals"] == 2
    # Known markets keep the asset ids of their dex.
    assert client.venue.engine.by_coin[COIN].spec.asset == SILVER


@pytest.mark.parametrize("text", ["", "nonsense\n", f"{T0} [1]\n", f'{T0} {{"channel":"pong"}}\n'])
def test_a_recording_without_markets_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no market frames"):
        scan(path)
    with pytest.raises(ConfigError, match="no recording there"):
        scan(tmp_path / "nowhere")


def test_broken_frames_are_passed_over(tmp_path: Path) -> None:
    rows = [bbo(0, ("94", "1"), ("95", "1")), (10, {"channel": "bbo", "data": {"coin": COIN, "bbo": [{}]}})]
    path = write(tmp_path / "r.jsonl", rows)
    with path.open("a") as file:
        file.write(f'{T0 + 5} {{"channel":"bbo","data":\n{T0 + 6} {{"channel":"activeAssetCtx","data":{{}}}}\n')
    recording = scan(path)
    assert recording.frames == len(list(market_frames(path)))
    venue = Venue(world(recording, load("default")), START_MS, 1, None, [playback := Playback(recording, START_MS, 1)])
    venue.step(START_MS + 100)
    assert (playback.played, playback.skipped, playback.done) == (1, 2, True)


def test_captured_frames_can_be_the_market(tmp_path: Path) -> None:
    captured = Path(__file__).parents[4] / "shared" / "data" / "frames" / "ws_captured.jsonl"
    if not captured.exists():
        pytest.skip("no captured frames beside the checkout")
    frames = [(n, json.loads(line)) for n, line in enumerate(captured.read_text().splitlines())]
    client = Replayed(write(tmp_path / "r.jsonl", frames))
    client.until(1000)
    assert client.playback.skipped == 0
    assert client.read(type="l2Book", coin="BTC")["levels"][0][0]["px"] == "83757.0"
