"""WebSocket subscriptions: who listens to what, acknowledgements, snapshots, and the venue's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from hip3.sim.wire import BadRequest, address

#: Subscriptions of one address, users among them, and messages a minute.
SUBSCRIPTIONS_MAX = 1000
USERS_MAX = 10

Subscription = dict[str, Any]
Key = tuple[str, ...]


def frame(channel: str, data: Any) -> bytes:
    """One frame."""
    return orjson.dumps({"channel": channel, "data": data})


def parse_error(message: bytes) -> bytes:
    """What the venue says to a message it cannot read: no id, the message echoed."""
    told = message.decode(errors="replace")
    return frame("error", f"Error parsing JSON into valid websocket request: {told}")


def read_subscription(raw: Any, coins: set[str], dexs: set[str]) -> tuple[Subscription, Key]:
    """The subscription with defaults filled in, as it is acknowledged, and its key. Raises BadRequest."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise BadRequest
    reader = READERS.get(raw["type"])
    if reader is None:
        raise BadRequest
    full = reader(raw, coins, dexs)
    return full, tuple(str(value) for value in full.values())


def _coin(raw: Subscription, coins: set[str], _: set[str]) -> Subscription:
    if raw.get("coin") not in coins:
        raise BadRequest
    return {"type": raw["type"], "coin": raw["coin"]}


def _user(raw: Subscription, _: set[str], __: set[str]) -> Subscription:
    return {"type": raw["type"], "user": address(raw.get("user"))}


def _user_fills(raw: Subscription, _: set[str], __: set[str]) -> Subscription:
    merged = raw.get("aggregateByTime") or False
    if not isinstance(merged, bool):
        raise BadRequest
    return {"type": raw["type"], "user": address(raw.get("user")), "aggregateByTime": merged}


def _user_dex(raw: Subscription, _: set[str], dexs: set[str]) -> Subscription:
    dex = raw.get("dex") or ""
    if dex not in dexs:
        raise BadRequest
    return {"type": raw["type"], "user": address(raw.get("user")), "dex": dex}


READERS: dict[str, Callable[[Subscription, set[str], set[str]], Subscription]] = {
    "bbo": _coin,
    "activeAssetCtx": _coin,
    "orderUpdates": _user,
    "userFills": _user_fills,
    "clearinghouseState": _user_dex,
}


class Hub:
    """Listeners by subscription, in the order in which they subscribed."""

    def __init__(self) -> None:
        self._listeners: dict[Key, dict[int, None]] = {}
        self._by_connection: dict[int, dict[Key, Subscription]] = {}

    def connect(self, conn: int) -> None:
        """A new connection without subscriptions."""
        self._by_connection[conn] = {}

    def disconnect(self, conn: int) -> None:
        """Forgets a connection and its subscriptions."""
        for key in self._by_connection.pop(conn, {}):
            self._drop(key, conn)

    def subscribe(self, conn: int, full: Subscription, key: Key) -> str | None:
        """Adds a subscription, or says in the venue's words why not."""
        own = self._by_connection[conn]
        if key in own:
            return f"Already subscribed: {orjson.dumps(full).decode()}"
        if len(own) >= SUBSCRIPTIONS_MAX:
            return "Cannot track more than 1000 total subscriptions."
        users = {s["user"] for s in own.values() if "user" in s} | ({full["user"]} if "user" in full else set())
        if len(users) > USERS_MAX:
            return "Cannot track more than 10 total users."
        own[key] = full
        self._listeners.setdefault(key, {})[conn] = None
        return None

    def unsubscribe(self, conn: int, full: Subscription, key: Key) -> str | None:
        """Ends a subscription, or says in the venue's words why not."""
        if self._by_connection[conn].pop(key, None) is None:
            return f"Already unsubscribed: {orjson.dumps(full).decode()}"
        self._drop(key, conn)
        return None

    def listeners(self, *key: str) -> list[int]:
        """Connections that listen to a subscription."""
        return list(self._listeners.get(key, ()))

    def has(self, *key: str) -> bool:
        """Whether anybody listens."""
        return key in self._listeners

    def _drop(self, key: Key, conn: int) -> None:
        found = self._listeners.get(key, {})
        found.pop(conn, None)
        if not found:
            self._listeners.pop(key, None)
