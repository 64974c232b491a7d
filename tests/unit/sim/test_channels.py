"""Subscriptions and posts as the venue answers them: acknowledgements, snapshots, errors, limits, faults."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest

from hip3.sim.journal import Journal, check
from hip3.sim.limits import Minute, action_weight, info_weight
from hip3.sim.rules import LimitRules
from hip3.sim.scenario import load
from hip3.sim.venue import Faulty, TooMany, Venue

from .exchange import ISO, SILVER, START_MS, Exchange, still

USER = "0x" + "ab" * 20
COIN = {"coin": "xyz:SILVER"}
#: Subscription, what the acknowledgement adds, the channel of the snapshot or None.
SUBSCRIPTIONS: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
    ({"type": "allMids"}, {}, "allMids"),
    ({"type": "allMids", "dex": "xyz"}, {}, "allMids"),
    ({"type": "bbo", **COIN}, {}, "bbo"),
    ({"type": "l2Book", **COIN}, {"nSigFigs": None, "mantissa": None, "fast": False}, "l2Book"),
    ({"type": "l2Book", **COIN, "nSigFigs": 3, "fast": True}, {"mantissa": None}, "l2Book"),
    ({"type": "trades", **COIN}, {}, "trades"),
    ({"type": "candle", **COIN, "interval": "5m"}, {}, None),
    ({"type": "activeAssetCtx", **COIN}, {}, "activeAssetCtx"),
    ({"type": "allDexsAssetCtxs"}, {}, "allDexsAssetCtxs"),
    ({"type": "activeAssetData", "user": USER, **COIN}, {}, "activeAssetData"),
    ({"type": "orderUpdates", "user": USER}, {}, None),
    ({"type": "userFills", "user": USER}, {"aggregateByTime": False}, "userFills"),
    ({"type": "userEvents", "user": USER}, {}, None),
    ({"type": "userFundings", "user": USER}, {}, "userFundings"),
    ({"type": "userNonFundingLedgerUpdates", "user": USER}, {}, "userNonFundingLedgerUpdates"),
    ({"type": "notification", "user": USER}, {}, None),
    ({"type": "webData3", "user": USER}, {}, "webData3"),
    ({"type": "openOrders", "user": USER}, {"dex": ""}, "openOrders"),
    ({"type": "clearinghouseState", "user": USER, "dex": "xyz"}, {}, "clearinghouseState"),
    ({"type": "allDexsClearinghouseState", "user": USER}, {}, "allDexsClearinghouseState"),
    ({"type": "spotState", "user": USER}, {}, "spotState"),
]


class Socket:
    """One connection to a venue without sockets."""

    def __init__(self, venue: Venue, peer: str = "here") -> None:
        self.venue = venue
        number = venue.connect(peer)
        assert number is not None
        self.number = number

    def say(self, message: Any) -> list[Any]:
        self.venue.on_message(self.number, message if isinstance(message, str | bytes) else json.dumps(message))
        return self.heard()

    def heard(self) -> list[Any]:
        return [json.loads(data) for number, data in self.venue.drain() if number == self.number]

    def subscribe(self, **subscription: Any) -> list[Any]:
        return self.say({"method": "subscribe", "subscription": subscription})


@pytest.fixture
def socket() -> Socket:
    venue = Venue(load("default"), START_MS, 1)
    venue.step(START_MS)
    return Socket(venue)


@pytest.mark.parametrize(("asked", "added", "snapshot"), SUBSCRIPTIONS)
def test_a_subscription_is_acknowledged_whole_and_ends(
    socket: Socket, asked: dict[str, Any], added: dict[str, Any], snapshot: str | None
) -> None:
    shouted = {key: value.upper().replace("0X", "0x") if key == "user" else value for key, value in asked.items()}
    first, *rest = socket.subscribe(**shouted)
    full = {**asked, **added}
    assert first == {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": full}}
    assert [frame["channel"] for frame in rest] == ([] if snapshot is None else [snapshot])
    (again,) = socket.subscribe(**asked)
    assert again["channel"] == "error"
    assert again["data"].startswith("Already subscribed: {")
    (ended,) = socket.say({"method": "unsubscribe", "subscription": asked})
    assert ended["data"]["method"] == "unsubscribe"
    (told,) = socket.say({"method": "unsubscribe", "subscription": asked})
    assert told["data"].startswith("Already unsubscribed: {")
    socket.venue.step(START_MS + 10_000)
    assert socket.heard() == []


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "3",
        b"\xff\xfe",
        {"method": "dance"},
        {"method": "subscribe"},
        {"method": "subscribe", "subscription": {"type": "bbo"}},
        {"method": "subscribe", "subscription": {"type": "bbo", "coin": "xyz:silver"}},
        {"method": "subscribe", "subscription": {"type": "bbo", "coin": ["xyz:SILVER"]}},
        {"method": "subscribe", "subscription": {"type": "webData2", "user": USER}},
        {"method": "subscribe", "subscription": {"type": "candle", "coin": "BTC", "interval": "7m"}},
        {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC", "nSigFigs": 9}},
        {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC", "mantissa": 2}},
        {"method": "subscribe", "subscription": {"type": "userFills", "user": "0x12"}},
        {"method": "subscribe", "subscription": {"type": "openOrders", "user": USER, "dex": "nope"}},
        {"method": "post", "id": "x", "request": {"type": "info", "payload": {"type": "meta"}}},
        {"method": "post", "id": -1, "request": {}},
        {"method": "post", "id": 1},
        {"method": "post", "id": 1, "request": {"type": "explorer", "payload": {}}},
        {"method": "post", "id": 1, "request": {"type": "action", "payload": {"action": {"type": "order"}}}},
    ],
)
def test_what_cannot_be_read_is_echoed_without_an_id(socket: Socket, message: Any) -> None:
    (told,) = socket.say(message)
    assert told["channel"] == "error"
    assert told["data"].startswith("Error parsing JSON into valid websocket request: ")


def test_posts_are_answered_by_their_id_reads_before_actions() -> None:
    client = Exchange(scenario=still())
    socket = Socket(client.venue)
    action = client.envelope({"type": "noop"})
    assert socket.say({"method": "post", "id": 7, "request": {"type": "action", "payload": action}}) == []
    (read,) = socket.say({"method": "post", "id": 8, "request": {"type": "info", "payload": {"type": "meta"}}})
    assert (read["data"]["id"], read["data"]["response"]["payload"]["type"]) == (8, "meta")
    unknown = {"type": "info", "payload": {"type": "l2Book", "coin": "NOPE"}}
    (nothing,) = socket.say({"method": "post", "id": 9, "request": unknown})
    assert nothing["data"]["response"]["payload"]["data"] is None
    (wrong,) = socket.say({"method": "post", "id": 10, "request": {"type": "info", "payload": {"type": "nope"}}})
    assert wrong["data"]["response"]["type"] == "error"
    client.step()
    (done,) = socket.heard()
    assert done["data"] == {
        "id": 7,
        "response": {"type": "action", "payload": {"status": "ok", "response": {"type": "default"}}},
    }


def test_limits_of_an_address_are_the_venues_own() -> None:
    venue = Venue(load("default"), START_MS, 1)
    venue.step(START_MS)
    sockets = [Socket(venue) for _ in range(10)]
    assert venue.connect("here") is None
    assert venue.connect("elsewhere") is not None
    venue.disconnect(sockets[0].number)
    assert venue.connect("here") is not None
    for coin in list(venue.engine.by_coin):
        sockets[1].subscribe(type="bbo", coin=coin)
    for number in range(11):
        told = sockets[2].subscribe(type="orderUpdates", user=f"0x{number:040x}")
    assert told[0]["data"] == "Cannot track more than 10 total users."
    for _ in range(2000):
        told = sockets[3].say('{"method":"ping"}')
    assert told == [{"channel": "error", "data": "Too many messages sent."}]
    venue.step(START_MS + 61_000)
    venue.drain()
    assert sockets[3].say('{"method":"ping"}') == [{"channel": "pong"}]
    for _ in range(60):
        venue.info({"type": "meta"}, "reader")
    with pytest.raises(TooMany):
        venue.info({"type": "meta"}, "reader")
    venue.step(START_MS + 122_000)
    assert venue.info({"type": "meta"}, "reader")


def test_a_thousand_subscriptions_are_the_most() -> None:
    world = replace(load("load"), limits=LimitRules(users=0, subscriptions=100))
    venue = Venue(world, START_MS, 1)
    socket = Socket(venue)
    told = [socket.subscribe(type="bbo", coin=coin) for coin in list(venue.engine.by_coin)[:101]]
    assert told[-1][0]["data"] == "Cannot track more than 100 total subscriptions."
    assert LimitRules().subscriptions == 1000


def test_posts_in_flight_are_bounded() -> None:
    client = Exchange(scenario=still())
    socket = Socket(client.venue)
    for number in range(101):
        request = {"type": "action", "payload": client.envelope({"type": "noop"})}
        told = socket.say({"method": "post", "id": number, "request": request})
    assert told[0]["data"]["response"] == {"type": "error", "payload": "429 Too Many Requests"}
    client.step()
    assert len(socket.heard()) == 100


def test_weights_are_those_of_the_page() -> None:
    assert [info_weight(kind, None) for kind in ("l2Book", "userRole", "meta")] == [2, 60, 20]
    assert info_weight("userFills", [0] * 45) == 22
    assert info_weight("candleSnapshot", [0] * 120) == 22
    assert action_weight({"type": "order", "orders": [0] * 85}) == 3
    minute = Minute(10)
    minute.add(0, 4)
    minute.add(0, 5)
    assert not minute.full(59_999)
    minute.add(59_999, 1)
    assert minute.full(59_999)
    assert not minute.full(60_000)


# ------------------------------------------------------------------------ faults


def test_a_muted_channel_is_silent_and_comes_back(socket: Socket) -> None:
    socket.subscribe(type="bbo", coin="BTC")
    socket.subscribe(type="activeAssetCtx", coin="BTC")
    socket.venue.happen({"kind": "mute", "channel": "bbo", "seconds": 5})
    for number in range(1, 50):
        socket.venue.step(START_MS + number * 100)
    assert {frame["channel"] for frame in socket.heard()} == {"activeAssetCtx"}
    for number in range(50, 100):
        socket.venue.step(START_MS + number * 100)
    assert {frame["channel"] for frame in socket.heard()} == {"activeAssetCtx", "bbo"}


def test_a_late_feed_keeps_its_order(socket: Socket) -> None:
    socket.subscribe(type="bbo", coin="BTC")
    socket.venue.happen({"kind": "feed_latency", "ms": 500, "seconds": 60})
    times = []
    for number in range(1, 60):
        socket.venue.step(START_MS + number * 100)
        times += [(START_MS + number * 100) - frame["data"]["time"] for frame in socket.heard()]
    assert set(times) == {500}


def test_acks_replies_and_requests_can_be_lost() -> None:
    client = Exchange(scenario=still())
    socket = Socket(client.venue)
    client.venue.happen({"kind": "drop_acks", "seconds": 1})
    assert [frame["channel"] for frame in socket.subscribe(type="bbo", coin="abc:ISO")] == ["bbo"]
    client.venue.happen({"kind": "lose_replies", "seconds": 1})
    answers: list[Any] = []
    row = {"type": "order", "orders": [client.row(asset=ISO, sz="1")], "grouping": "na"}
    client.venue.exchange(client.envelope(row), answers.append)
    client.step()
    # The order was done; only its answer is lost.
    assert (answers, client.position("abc:ISO")) == ([], "1.0")
    client.step(12)
    client.venue.happen({"kind": "lose_requests", "seconds": 1})
    client.venue.exchange(client.envelope(row), answers.append)
    client.step(15)
    assert (answers, client.position("abc:ISO")) == ([], "1.0")
    assert client.send({"type": "noop"})["status"] == "ok"


def test_answers_can_be_late_and_overtake_each_other() -> None:
    client = Exchange(scenario=still())
    told: list[tuple[int, int]] = []
    client.venue.happen({"kind": "latency", "ms": 400, "share": 0.5, "seconds": 60})
    for number in range(20):
        client.venue.exchange(
            client.envelope({"type": "noop"}), lambda _, n=number: told.append((n, client.venue.now_ms))
        )
        client.step()
    client.step(5)
    assert sorted(number for number, _ in told) == list(range(20))
    assert [number for number, _ in told] != list(range(20))


def test_a_gateway_in_trouble_answers_in_the_venues_stead(socket: Socket) -> None:
    socket.venue.happen({"kind": "errors", "status": 503, "seconds": 1})
    with pytest.raises(Faulty) as caught:
        socket.venue.info({"type": "meta"})
    assert caught.value.status == 503
    (told,) = socket.say({"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": "meta"}}})
    assert told["data"]["response"] == {"type": "error", "payload": "503"}
    socket.venue.step(START_MS + 2000)
    assert socket.venue.info({"type": "meta"})


def test_disconnects_name_every_connection(socket: Socket) -> None:
    other = Socket(socket.venue)
    socket.venue.happen({"kind": "disconnect"})
    assert socket.venue.kicked == [socket.number, other.number]


# --------------------------------------------------------------------- the log


def test_the_log_makes_the_same_state_again(tmp_path: Any) -> None:
    path = tmp_path / "venue.log"
    journal = Journal(str(path))
    journal.begin("lossy", 5, START_MS)
    client = Exchange(scenario=load("lossy"), seed=5, journal=journal)
    client.venue.happen({"kind": "halt", "coin": "xyz:GOLD"})
    for number in range(200):
        rows = [client.row(asset=SILVER + number % 3, sz="1", is_buy=number % 2 > 0)]
        with contextlib.suppress(Faulty):
            client.venue.exchange(client.envelope({"type": "order", "orders": rows, "grouping": "na"}), lambda _: None)
        client.step(3)
    journal.end(client.venue.digest())
    found = check(str(path))
    assert found["digest"] == client.venue.digest()
    assert (found["money"], found["unbalanced_markets"]) == (0, 0)
    assert found["inputs"] > 150
