"""The ledger of one connection's subscriptions: wanted, asked, acknowledged. Sans-I/O.

A subscription counts only when its acknowledgement came; one whose acknowledgement is late is asked for
again, a bounded number of times, and until then the link is not ready.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

Subscription = dict[str, str]
ACK_TIMEOUT_MS = 3_000
#: Fields that name a subscription; the venue's acknowledgement adds defaults to them.
_NAMING_FIELDS = ("type", "coin", "user", "dex", "interval")


def identity(subscription: dict[str, object]) -> tuple[str, ...]:
    """What names a subscription, whatever defaults the acknowledgement fills in; users in lower case."""
    values = [str(subscription.get(name, "") or "") for name in _NAMING_FIELDS]
    values[2] = values[2].lower()
    return tuple(values)


@dataclass(slots=True)
class _Entry:
    subscription: Subscription
    asked_ns: int = 0
    tries: int = 0
    acked: bool = False


class SubscriptionLedger:
    """See the module's head; one per link, emptied of its state with each new connection."""

    def __init__(self, wanted: list[Subscription]) -> None:
        self._entries = {identity(dict(s)): _Entry(s) for s in wanted}

    def reset(self) -> None:
        """A new connection: nothing is asked and nothing acknowledged."""
        for entry in self._entries.values():
            entry.asked_ns, entry.tries, entry.acked = 0, 0, False

    def frames_to_send(self, now_ns: int) -> list[bytes]:
        """Requests that are due: never asked, or asked without an acknowledgement for three seconds."""
        frames = []
        for entry in self._entries.values():
            late = now_ns - entry.asked_ns >= ACK_TIMEOUT_MS * 1_000_000
            if not entry.acked and (entry.tries == 0 or late):
                entry.asked_ns = now_ns
                entry.tries += 1
                frames.append(orjson.dumps({"method": "subscribe", "subscription": entry.subscription}))
        return frames

    def on_ack(self, subscription: dict[str, object]) -> bool:
        """Notes an acknowledgement; True when it was the last one missing."""
        entry = self._entries.get(identity(subscription))
        if entry is None or entry.acked:
            return False
        entry.acked = True
        return self.is_complete

    def on_error(self, text: str) -> bool:
        """Notes `Already subscribed: {..}`, which says that the first request did arrive."""
        prefix, _, body = text.partition(": ")
        if prefix != "Already subscribed":
            return False
        try:
            subscription = orjson.loads(body)
        except orjson.JSONDecodeError:
            return False
        return isinstance(subscription, dict) and self.on_ack(subscription)

    @property
    def is_complete(self) -> bool:
        """Whether every wanted subscription is acknowledged."""
        return all(entry.acked for entry in self._entries.values())

    @property
    def missing(self) -> list[Subscription]:
        """Those not acknowledged."""
        return [entry.subscription for entry in self._entries.values() if not entry.acked]

    @property
    def tries_max(self) -> int:
        """The most requests that any unacknowledged subscription took on this connection."""
        return max((e.tries for e in self._entries.values() if not e.acked), default=0)
