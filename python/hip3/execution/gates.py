"""The last look at an entry before it is queued: one pure function, a stable code for each refusal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EntryRefusal(StrEnum):
    """Why an entry signal does not become an order; each is a counter in the summary."""

    STOPPED = "stopped"
    OBSERVE_ONLY = "observe_only"
    ORDER_LINK_DOWN = "order_link_down"
    ACCOUNT_UNREAD = "account_unread"
    SLOWED_DOWN = "slowed_down"
    IN_FLIGHT_HIGH = "in_flight_high"
    QUEUE_FULL = "queue_full"


@dataclass(frozen=True, slots=True)
class EntryContext:
    """What the gates look at, read at one moment."""

    entries_allowed: bool
    sends_orders: bool
    order_link_up: bool
    account_read: bool
    slowed_until_ns: int
    room_in_flight: bool
    now_ns: int


def refuse_entry(context: EntryContext) -> EntryRefusal | None:
    """The first gate that refuses, in fixed order, or None. Exits never pass through here."""
    if not context.entries_allowed:
        return EntryRefusal.STOPPED
    if not context.sends_orders:
        return EntryRefusal.OBSERVE_ONLY
    if not context.order_link_up:
        return EntryRefusal.ORDER_LINK_DOWN
    if not context.account_read:
        return EntryRefusal.ACCOUNT_UNREAD
    if context.now_ns < context.slowed_until_ns:
        return EntryRefusal.SLOWED_DOWN
    if not context.room_in_flight:
        return EntryRefusal.IN_FLIGHT_HIGH
    return None
