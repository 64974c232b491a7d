"""The gates of an entry: each refuses alone, the first one names the refusal, and none is forgotten."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from hip3.execution.gates import EntryContext, EntryRefusal, refuse_entry

OPEN = EntryContext(
    entries_allowed=True,
    sends_orders=True,
    order_link_up=True,
    account_read=True,
    slowed_until_ns=100,
    room_in_flight=True,
    now_ns=100,
)
#: In the order in which they are asked.
GATES = [
    ("entries_allowed", False, EntryRefusal.STOPPED),
    ("sends_orders", False, EntryRefusal.OBSERVE_ONLY),
    ("order_link_up", False, EntryRefusal.ORDER_LINK_DOWN),
    ("account_read", False, EntryRefusal.ACCOUNT_UNREAD),
    ("slowed_until_ns", 101, EntryRefusal.SLOWED_DOWN),
    ("room_in_flight", False, EntryRefusal.IN_FLIGHT_HIGH),
]


def test_open_gates_refuse_nothing() -> None:
    assert refuse_entry(OPEN) is None


@pytest.mark.parametrize(("name", "value", "refusal"), GATES)
def test_each_gate_refuses_alone_by_its_code(name: str, value: object, refusal: EntryRefusal) -> None:
    assert refuse_entry(replace(OPEN, **{name: value})) is refusal  # type: ignore[arg-type]


def test_the_first_closed_gate_names_the_refusal() -> None:
    shut = OPEN
    for name, value, refusal in reversed(GATES):
        shut = replace(shut, **{name: value})  # type: ignore[arg-type]
        assert refuse_entry(shut) is refusal


def test_every_field_and_every_code_is_covered() -> None:
    assert {field.name for field in fields(EntryContext)} - {"now_ns"} == {name for name, _, _ in GATES}
    # A full queue is found by the queue itself.
    assert set(EntryRefusal) - {EntryRefusal.QUEUE_FULL} == {refusal for _, _, refusal in GATES}
