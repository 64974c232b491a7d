"""`BatchScheduler`: what goes out together, and in which order. No clock, no bytes, no venue."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeVar

from hip3.execution.orders import Order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of the scheduler: queue lengths in orders, the window in milliseconds."""

    reduce_only_max: int = 500
    cancel_max: int = 200
    new_max: int = 1000
    window_ms: int = 20
    #: Orders in one signed action, under the venue's own weight limit for a batch.
    batch_max: int = 40


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """One order to cancel, by the client id it was sent with."""

    asset: int
    cloid: str


class BatchScheduler:
    """Three bounded queues: reduce-only goes first and at once, cancels next, entries coalesce.

    A full queue refuses (the enqueue returns False) and is counted; nothing is dropped silently.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self.limits = limits
        self.refused_full = 0
        self._reduce_only: deque[Order] = deque()
        self._cancels: deque[CancelRequest] = deque()
        self._new: deque[Order] = deque()
        self._new_due_ns: int | None = None

    def enqueue_reduce_only(self, order: Order) -> bool:
        """Puts a flatten order in front; it is due at once."""
        return self._put(self._reduce_only, order, self.limits.reduce_only_max)

    def enqueue_cancel(self, request: CancelRequest) -> bool:
        """Queues a cancel; it is due at once, behind flatten orders."""
        return self._put(self._cancels, request, self.limits.cancel_max)

    def enqueue_new(self, order: Order, now_ns: int) -> bool:
        """Queues an entry; the window opens with the first one waiting."""
        if not self._put(self._new, order, self.limits.new_max):
            return False
        if self._new_due_ns is None:
            self._new_due_ns = now_ns + self.limits.window_ms * 1_000_000
        return True

    def _put(self, queue: deque[T], item: T, limit: int) -> bool:
        if len(queue) >= limit:
            self.refused_full += 1
            return False
        queue.append(item)
        return True

    def due_ns(self) -> int | None:
        """When something is to be taken: 0 for at once, None for never."""
        if self._reduce_only or self._cancels:
            return 0
        return self._new_due_ns

    def take_reduce_only(self) -> list[Order]:
        """The next batch of flatten orders, oldest first."""
        return self._take(self._reduce_only)

    def take_cancels(self) -> list[CancelRequest]:
        """The next batch of cancels, oldest first."""
        return self._take(self._cancels)

    def take_new(self, now_ns: int) -> list[Order]:
        """The next batch of entries, when their window has closed."""
        if self._new_due_ns is None or now_ns < self._new_due_ns:
            return []
        batch = self._take(self._new)
        if not self._new:
            self._new_due_ns = None
        return batch

    def drop_new(self) -> list[Order]:
        """Empties the entry queue: entries stop here, none of them was sent."""
        dropped = list(self._new)
        self._new.clear()
        self._new_due_ns = None
        return dropped

    def _take(self, queue: deque[T]) -> list[T]:
        return [queue.popleft() for _ in range(min(len(queue), self.limits.batch_max))]

    def __len__(self) -> int:
        return len(self._reduce_only) + len(self._cancels) + len(self._new)
