"""WebSocket subscriptions: what may be asked for, acknowledgements with defaults, who listens to what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hip3.sim.info_markets import figures_of
from hip3.sim.tape import INTERVALS
from hip3.sim.wire import BadRequest, address, word

Subscription = dict[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Names that a subscription may use."""

    coins: frozenset[str]
    dexs: frozenset[str]


def frame(channel: str, data: Any) -> bytes:
    """One frame."""
    return orjson.dumps({"channel": channel, "data": data})


def parse_error(message: bytes) -> bytes:
    """What the venue says to a message it cannot read: no id, the message echoed."""
    told = message.decode(errors="replace")
    return frame("error", f"Error parsing JSON into valid websocket request: {told}")


def key_of(full: Subscription) -> Key:
    """The identity of a subscription whose defaults are filled in."""
    return tuple(str(value) for value in full.values())


def read_subscription(raw: Any, world: World) -> Subscription:
    """The subscription with defaults filled in, as it is acknowledged. Raises BadRequest."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise BadRequest
    reader = READERS.get(raw["type"])
    if reader is None:
        raise BadRequest
    return {"type": raw["type"], **reader(raw, world)}


def _none(_: Subscription, __: World) -> Subscription:
    return {}


def _coin(raw: Subscription, world: World) -> Subscription:
    coin = raw.get("coin")
    if not isinstance(coin, str) or coin not in world.coins:
        raise BadRequest
    return {"coin": coin}


def _book(raw: Subscription, world: World) -> Subscription:
    figures, mantissa = figures_of(raw)
    fast = raw.get("fast") or False
    if not isinstance(fast, bool):
        raise BadRequest
    return {**_coin(raw, world), "nSigFigs": figures, "mantissa": mantissa, "fast": fast}


def _candle(raw: Subscription, world: World) -> Subscription:
    return {**_coin(raw, world), "interval": word(raw.get("interval"), INTERVALS)}


def _dex(raw: Subscription, world: World) -> Subscription:
    dex = raw.get("dex") or ""
    if not isinstance(dex, str) or dex not in world.dexs:
        raise BadRequest
    return {"dex": dex}


def _mids(raw: Subscription, world: World) -> Subscription:
    return _dex(raw, world) if raw.get("dex") is not None else {}


def _user(raw: Subscription, _: World) -> Subscription:
    return {"user": address(raw.get("user"))}


def _user_fills(raw: Subscription, world: World) -> Subscription:
    merged = raw.get("aggregateByTime") or False
    if not isinstance(merged, bool):
        raise BadRequest
    return {**_user(raw, world), "aggregateByTime": merged}


def _user_dex(raw: Subscription, world: World) -> Subscription:
    return {**_user(raw, world), **_dex(raw, world)}


def _user_coin(raw: Subscription, world: World) -> Subscription:
    return {**_user(raw, world), **_coin(raw, world)}


READERS: dict[str, Callable[[Subscription, World], Subscription]] = {
    "allMids": _mids,
    "bbo": _coin,
    "l2Book": _book,
    "trades": _coin,
    "candle": _candle,
    "activeAssetCtx": _coin,
    "allDexsAssetCtxs": _none,
    "activeAssetData": _user_coin,
    "orderUpdates": _user,
    "userFills": _user_fills,
    "userEvents": _user,
    "userFundings": _user,
    "userNonFundingLedgerUpdates": _user,
    "notification": _user,
    "webData3": _user,
    "openOrders": _user_dex,
    "clearinghouseState": _user_dex,
    "allDexsClearinghouseState": _user,
    "spotState": _user,
    "userTwapSliceFills": _user,
    "userTwapHistory": _user,
}


class Hub:
    """Listeners by subscription, in the order in which they subscribed."""

    def __init__(self, subscriptions_max: int, users_max: int) -> None:
        self._subscriptions_max = subscriptions_max
        self._users_max = users_max
        self._listeners: dict[Key, dict[int, None]] = {}
        self._by_type: dict[str, dict[Key, Subscription]] = {}
        self._by_connection: dict[int, dict[Key, Subscription]] = {}

    def connect(self, conn: int) -> None:
        """A new connection without subscriptions."""
        self._by_connection[conn] = {}

    def disconnect(self, conn: int) -> None:
        """Forgets a connection and its subscriptions."""
        for key in self._by_connection.pop(conn, {}):
            self._drop(key, conn)

    def subscribe(self, conn: int, full: Subscription) -> str | None:
        """Adds a subscription, or says in the venue's words why not."""
        own, key = self._by_connection[conn], key_of(full)
        if key in own:
            return f"Already subscribed: {orjson.dumps(full).decode()}"
        if self._subscriptions_max and len(own) >= self._subscriptions_max:
            return f"Cannot track more than {self._subscriptions_max} total subscriptions."
        users = {s["user"] for s in own.values() if "user" in s} | ({full["user"]} if "user" in full else set())
        if self._users_max and len(users) > self._users_max:
            return f"Cannot track more than {self._users_max} total users."
        own[key] = full
        self._listeners.setdefault(key, {})[conn] = None
        self._by_type.setdefault(key[0], {})[key] = full
        return None

    def unsubscribe(self, conn: int, full: Subscription) -> str | None:
        """Ends a subscription, or says in the venue's words why not."""
        key = key_of(full)
        if self._by_connection[conn].pop(key, None) is None:
            return f"Already unsubscribed: {orjson.dumps(full).decode()}"
        self._drop(key, conn)
        return None

    def listeners(self, *key: str) -> list[int]:
        """Connections that listen to a subscription."""
        return list(self._listeners.get(key, ()))

    def live(self, kind: str) -> list[tuple[Key, Subscription]]:
        """Subscriptions of one type that somebody listens to."""
        return list(self._by_type.get(kind, {}).items())

    def _drop(self, key: Key, conn: int) -> None:
        found = self._listeners.get(key, {})
        found.pop(conn, None)
        if not found:
            self._listeners.pop(key, None)
            self._by_type.get(key[0], {}).pop(key, None)
