"""`PostBook`: messages on their way out and messages that await an answer. Knows no order and decides nothing.

Every message has an id that is used once. The outbox holds what is to leave; a post is awaited from its
handing out until its answer, its loss or its deadline, so both are bounded by what was asked within one
deadline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import orjson

from hip3.execution.outbound import Outbound, Route

MS = 1_000_000
#: An answer is awaited this many answer deadlines: a late one still tells an order's end.
DEADLINES_AWAITED = 5


@dataclass(frozen=True, slots=True)
class Post:
    """A message awaiting its answer: an action with its orders, or a query about one order."""

    kind: str
    cloids: tuple[str, ...]
    deadline_ns: int
    asked_venue_ms: int = 0


class PostBook:
    """See the module's head. `crowded_from` is the number of posts that the venue lets wait on one socket."""

    def __init__(self, answer_deadline_ms: int, crowded_from: int) -> None:
        self.outbox: deque[Outbound] = deque()
        self.awaited: dict[int, Post] = {}
        self._answer_deadline_ms = answer_deadline_ms
        self._crowded_from = crowded_from
        self._last_id = 0

    def open(self, kind: str, cloids: tuple[str, ...], now_ns: int, venue_ms: int = 0) -> int:
        """A new post and its id, awaited from now on."""
        self._last_id += 1
        deadline_ns = now_ns + DEADLINES_AWAITED * self._answer_deadline_ms * MS
        self.awaited[self._last_id] = Post(kind, cloids, deadline_ns, venue_ms)
        return self._last_id

    def take(self, post_id: int) -> Post | None:
        """Ends the wait for a post; None when it is not awaited (any more)."""
        return self.awaited.pop(post_id, None)

    def hand_out(
        self, post_id: int, route: Route, post: bytes, body: bytes, expires_ms: int, origin_ns: int, kind: str
    ) -> None:
        """Puts the bytes of an open post into the outbox."""
        crowded = len(self.awaited) > self._crowded_from
        self.outbox.append(Outbound(post_id, route, post, body, expires_ms * MS, origin_ns, crowded, kind))

    def ask(self, kind: str, request: dict[str, object], cloids: tuple[str, ...], now_ns: int, venue_ms: int) -> None:
        """Hands out a read of the account; its answer comes back under `kind`."""
        post_id = self.open(kind, cloids, now_ns, venue_ms)
        body = orjson.dumps(request)
        post = b'{"method":"post","id":%d,"request":{"type":"info","payload":%b}}' % (post_id, body)
        self.hand_out(post_id, Route.INFO, post, body, now_ns // MS + self._answer_deadline_ms, 0, kind)

    def has_room(self) -> bool:
        """Whether one more post stays within what may wait on one socket."""
        return len(self.awaited) < self._crowded_from

    def on_their_way(self) -> list[int]:
        """Ids of the awaited posts that have left the outbox."""
        waiting = {message.post_id for message in self.outbox}
        return [post_id for post_id in self.awaited if post_id not in waiting]

    def drop_overdue(self, now_ns: int) -> None:
        """Waits no longer for answers whose deadline has passed."""
        for post_id in [i for i, post in self.awaited.items() if post.deadline_ns <= now_ns]:
            del self.awaited[post_id]

    def next_deadline_ns(self) -> int | None:
        """When `drop_overdue` has something to do; None for never."""
        return min((post.deadline_ns for post in self.awaited.values()), default=None)

    def __len__(self) -> int:
        return len(self.awaited)
