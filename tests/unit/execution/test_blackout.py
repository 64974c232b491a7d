"""Which markets are out: the same spans that the core decides by, as views and logs ask for them."""

from __future__ import annotations

from hip3.execution.blackout import Blackouts

SCHEDULES = [[(10, 20), (30, 40)], [(35, 50)]]
MARKETS = [
    {"coin": "xyz:A", "blackout": 0},
    {"coin": "xyz:B", "blackout": 1},
    {"coin": "xyz:C", "blackout": 1},
    {"coin": "xyz:D", "blackout": None},
    {"coin": "xyz:E"},
]


def test_a_market_is_out_from_the_start_of_a_span_to_just_before_its_end() -> None:
    found = Blackouts(SCHEDULES, MARKETS)
    assert [found.until_ns("xyz:A", now) for now in (9, 10, 19, 20, 29, 30, 39, 40)] == [
        None,
        20,
        20,
        None,
        None,
        40,
        40,
        None,
    ]
    assert found.until_ns("xyz:D", 15) is None
    assert found.until_ns("xyz:E", 15) is None
    assert found.until_ns("never:HEARD", 15) is None


def test_all_markets_of_a_schedule_are_out_together() -> None:
    found = Blackouts(SCHEDULES, MARKETS)
    assert found.out(5) == frozenset()
    assert found.out(12) == {"xyz:A"}
    assert found.out(36) == {"xyz:A", "xyz:B", "xyz:C"}
    assert found.out(45) == {"xyz:B", "xyz:C"}
    assert Blackouts([], []).out(45) == frozenset()
