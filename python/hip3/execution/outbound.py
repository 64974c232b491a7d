"""What the trader hands to the shell: bytes to send and notices to log. No behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Route(StrEnum):
    """The venue's endpoint for a message; as a WebSocket post both go over one socket."""

    EXCHANGE = "/exchange"
    INFO = "/info"


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message for the venue: `post` for the WebSocket, `body` for HTTP, never both.

    `expires_ns` is the local time after which it must not leave any more; `origin_ns` the receive
    time of the input that caused it, for the frame-to-wire measurement (0: not measured). `crowded` keeps
    it off the WebSocket, whose posts in flight are at their limit.
    """

    post_id: int
    route: Route
    post: bytes
    body: bytes
    expires_ns: int
    origin_ns: int = 0
    crowded: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing worth a log line: a stable event name and its fields, ready to show."""

    level: str
    event: str
    fields: dict[str, Any] = field(default_factory=dict)
