"""Whatever comes in is answered; nothing that a client can send makes the venue fail or lose money."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import pytest

from hip3.sim import info
from hip3.sim.rules import LimitRules
from hip3.sim.scenario import Scenario
from hip3.sim.wire import BadRequest

from .exchange import CROSS, ISO, Exchange, still
from .test_channels import SUBSCRIPTIONS, Socket
from .test_reads import BASICS

JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 10**18, 2**63, 2**64 - 1, 1.5, -0.0, 1e300, "", "0", "-1", "1e5", "nan",
    "99999999999999", "0.00000001", "0x", "0x" + "f" * 40, "xyz:SILVER", "\x00", "é" * 50, [], {}, [[]], [None],
    {"a": 1}, "Ioc", "tp",
]  # fmt: skip


def actions(client: Exchange) -> list[dict[str, Any]]:
    row = client.row(asset=CROSS, sz="1")
    trigger = {"isMarket": True, "triggerPx": "90", "tpsl": "sl"}
    coins = ["abc:CROSS", "abc:ISO", "abc:STRICT"]
    pairs = [[coin, "100"] for coin in coins]
    oracle = {"dex": "abc", "oraclePxs": pairs, "markPxs": [], "externalPerpPxs": pairs}
    return [
        {"type": "order", "orders": [row, {**row, "r": True, "t": {"trigger": trigger}}], "grouping": "na"},
        {"type": "order", "orders": [row], "grouping": "normalTpsl", "builder": {"b": "0x" + "ab" * 20, "f": 1}},
        {"type": "modify", "oid": 1, "order": row},
        {"type": "batchModify", "modifies": [{"oid": 1, "order": row}]},
        {"type": "cancel", "cancels": [{"a": CROSS, "o": 1}]},
        {"type": "cancelByCloid", "cancels": [{"asset": CROSS, "cloid": "0x" + "1" * 32}]},
        {"type": "scheduleCancel", "time": client.now_ms + 60_000},
        {"type": "updateLeverage", "asset": ISO, "isCross": False, "leverage": 3},
        {"type": "updateIsolatedMargin", "asset": ISO, "isBuy": True, "ntli": 1},
        {"type": "topUpIsolatedOnlyMargin", "asset": ISO, "leverage": "2"},
        {"type": "reserveRequestWeight", "weight": 1},
        {"type": "createSubAccount", "name": "x"},
        {"type": "agentSetAbstraction", "abstraction": "u"},
        {"type": "perpDeploy", "setOracle": oracle},
        {"type": "perpDeploy", "haltTrading": {"coin": "abc:ISO", "isHalted": True}},
        {"type": "perpDeploy", "setOpenInterestCaps": [["abc:ISO", 50_000_000]]},
        {"type": "noop"},
    ]


def boundless() -> Scenario:
    none = LimitRules(**{item.name: 0 for item in fields(LimitRules)})
    return replace(still(), limits=none)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*here, key))
    return found


def spoil(rng: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    """The same with one or two places replaced or taken out."""
    spoiled = copy.deepcopy(value)
    for _ in range(rng.randint(1, 2)):
        spots = paths(spoiled)
        if not spots:
            break
        *way, last = rng.choice(spots)
        place: Any = spoiled
        for key in way:
            place = place[key]
        if rng.random() < 0.2:
            place.pop(last)
        else:
            place[last] = copy.deepcopy(rng.choice(JUNK))
    return spoiled


@pytest.mark.parametrize("seed", range(4))
def test_spoiled_actions_are_answered_and_conserve(seed: int) -> None:
    client, rng = Exchange(scenario=boundless()), random.Random(seed)
    client.venue.appoint("abc", client.user)
    client.one(asset=ISO, sz="5")
    valid = actions(client)
    answered = 0
    for _ in range(400):
        action = rng.choice(valid)
        if rng.random() < 0.8:
            action = spoil(rng, action)
        client.nonce += 1
        try:
            # Signed as it is, where it can be signed at all: the checks behind the signature are to be met.
            body = client.envelope(action)
        except Exception:
            signature = {"r": "0x1", "s": "0x1", "v": 27}
            body = {"action": action, "nonce": client.nonce, "signature": signature}
        if rng.random() < 0.2:
            body = spoil(rng, body)
        answers: list[Any] = []
        with suppress(BadRequest):
            client.venue.exchange(json.loads(json.dumps(body)), answers.append)
        client.step()
        assert all(answer["status"] in ("ok", "err") for answer in answers)
        answered += len(answers)
    assert answered > 50


@pytest.mark.parametrize("seed", range(4))
def test_spoiled_messages_and_reads_are_answered(seed: int) -> None:
    client, rng = Exchange(scenario=boundless()), random.Random(seed)
    socket = Socket(client.venue)
    reads = [{**BASICS, "type": kind} for kind in info.READS]
    for _ in range(800):
        body = spoil(rng, rng.choice(reads))
        with suppress(BadRequest):
            client.venue.info(body)
        subscription = {"method": "subscribe", "subscription": dict(rng.choice(SUBSCRIPTIONS)[0])}
        post = {"method": "post", "id": 1, "request": {"type": "info", "payload": body}}
        message = json.dumps(spoil(rng, rng.choice([subscription, post])))
        cut = message[: rng.randrange(len(message))] if rng.random() < 0.2 else message
        assert socket.say(cut)
    client.step(3)
