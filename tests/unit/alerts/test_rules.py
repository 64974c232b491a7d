"""Each alert: the snapshot that raises it, the same one changed that does not, and when it counts."""

from __future__ import annotations

import copy
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hip3.alerts.board import EVENT_NS, AlertBoard
from hip3.alerts.conditions import AlertLimits
from hip3.alerts.rules import BY_NAME, RULES, judge

DATA = Path(__file__).parents[2] / "data"
LIMITS = AlertLimits(day_loss_usd=Decimal(100), requests_left_min=Decimal("0.1"), exit_backup=True)
S = 1_000_000_000


def snapshot(**header: Any) -> dict[str, Any]:
    """A trader that is well, but for what the test changes."""
    found: dict[str, Any] = copy.deepcopy(json.loads((DATA / "snapshot.json").read_text(encoding="utf-8")))
    for row in found["markets"]:
        row["state"] = "ready"
    found["positions"] = [row | {"leaving": None, "overdue_s": 0.0} for row in found["positions"][:1]]
    found["problems"] = {}
    found["header"] |= {"backup_age_ms": 50, "frames_malformed": 0, "unknown_orders": 0, **header}
    return found


def leaving(for_ms: int) -> dict[str, Any]:
    found = snapshot()
    found["positions"][0]["leaving"] = {"reason": "time_stop", "path": "backup", "for_ms": for_ms}
    return found


def overdue(seconds: float) -> dict[str, Any]:
    found = snapshot()
    found["positions"][0]["overdue_s"] = seconds
    return found


def stale(share: float) -> dict[str, Any]:
    found = snapshot()
    for row in found["markets"][: int(len(found["markets"]) * share)]:
        row["state"] = "stale"
    return found


NOW_MS = snapshot()["time_ms"]
DAY_MS = 86_400_000

CASES: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "killed": [(snapshot(state="halted", state_why="killed"), snapshot(state="halted", state_why="halted"))],
    "halted": [(snapshot(state="halted", state_why="halted"), snapshot(state="reducing", state_why="paused"))],
    "hard-stop": [
        (
            snapshot(state="reducing", state_why="hard stop: the UTC day has brought -251.00 USD"),
            snapshot(state="reducing", state_why="paused"),
        )
    ],
    "duplicate-flatten": [(snapshot(flattens_duplicate=1), snapshot(flattens_duplicate=0))],
    "position-stuck": [(leaving(15_001), leaving(15_000)), (overdue(10.1), overdue(10.0))],
    "backup-silent": [
        (snapshot(backup_age_ms=12_000), snapshot(backup_age_ms=11_999)),
        (snapshot(backup_age_ms=None), snapshot()),
    ],
    "order-link-down": [(snapshot(order_link=False), snapshot())],
    "data-link-down": [(snapshot(data_link=False), snapshot())],
    "markets-stale": [(stale(0.5), stale(0.4)), (stale(1), snapshot(data_link=False))],
    "orders-unknown": [(snapshot(unknown_orders=2), snapshot())],
    "day-loss": [(snapshot(day_pnl_usd="-100"), snapshot(day_pnl_usd="-99.999"))],
    "requests-low": [
        (snapshot(requests_left=1000, requests_cap=10_000), snapshot(requests_left=1001, requests_cap=10_000)),
        (snapshot(requests_left=0, requests_cap=10_000), snapshot(requests_left=None, requests_cap=None)),
    ],
    "agent-expiring": [
        (snapshot(agent_valid_until_ms=NOW_MS + 7 * DAY_MS), snapshot(agent_valid_until_ms=NOW_MS + 7 * DAY_MS + 1)),
        (snapshot(agent_valid_until_ms=NOW_MS + DAY_MS + 1), snapshot(agent_valid_until_ms=NOW_MS + DAY_MS)),
        (snapshot(agent_valid_until_ms=NOW_MS + 3 * DAY_MS), snapshot(agent_valid_until_ms=None)),
    ],
    "agent-last-day": [
        (snapshot(agent_valid_until_ms=NOW_MS + DAY_MS), snapshot(agent_valid_until_ms=NOW_MS + DAY_MS + 1)),
        (snapshot(agent_valid_until_ms=NOW_MS - 1), snapshot(agent_valid_until_ms=None)),
    ],
    "frames-malformed": [(snapshot(frames_malformed=1), snapshot())],
    "part-failed": [({**snapshot(), "problems": {"status": "no status socket"}}, snapshot())],
}


@pytest.mark.parametrize("name", CASES)
def test_an_alert_is_raised_at_its_limit_and_not_before(name: str) -> None:
    for raised, quiet in CASES[name]:
        assert name in judge(raised, LIMITS)
        assert name not in judge(quiet, LIMITS)


def test_every_alert_with_a_test_has_a_case_and_every_other_has_events() -> None:
    assert {rule.name for rule in RULES if rule.test} == set(CASES)
    assert all(rule.events for rule in RULES if rule.test is None)
    assert len(BY_NAME) == len(RULES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name) for rule in RULES)


def test_a_trader_that_is_well_has_no_alert_and_a_starting_one_is_not_judged() -> None:
    assert judge(snapshot(), LIMITS) == {}
    assert judge(snapshot(state="starting", order_link=False), LIMITS) == {}


def test_limits_that_are_off_raise_nothing() -> None:
    off = AlertLimits(day_loss_usd=Decimal(0), requests_left_min=Decimal(0), exit_backup=False)
    assert judge(snapshot(day_pnl_usd="-99999", backup_age_ms=None), off) == {}


def test_an_alert_counts_only_after_its_time_and_ends_when_its_test_does() -> None:
    board, found = AlertBoard(), {"order-link-down": "no order link"}
    assert board.update(0, found) == []
    assert board.update(5 * S - 1, found) == []
    (raised,) = board.update(5 * S, found)
    assert (raised.rule.name, raised.raised) == ("order-link-down", True)
    assert board.update(6 * S, found) == []
    (ended,) = board.update(7 * S, {})
    assert (ended.rule.name, ended.raised) == ("order-link-down", False)
    assert board.rows(8 * S) == []


def test_a_test_that_fails_in_between_begins_anew() -> None:
    board, found = AlertBoard(), {"order-link-down": "no order link"}
    board.update(0, found)
    board.update(3 * S, {})
    assert board.update(6 * S, found) == []


def test_a_notice_is_counted_shown_for_a_while_and_forgotten() -> None:
    board = AlertBoard()
    for second in range(3):
        board.note(second * S, "position_resync", {"coin": "xyz:A", "was": "0", "now": "1"})
    board.note(0, "fill", {"coin": "xyz:A"})
    assert [change.raised for change in board.update(3 * S, {})] == [True]
    (row,) = board.rows(3 * S)
    assert (row["name"], row["count"], row["text"]) == ("position-resync", 3, "xyz:A 0 1")
    assert board.update(2 * S + EVENT_NS - 1, {}) == []
    assert [change.raised for change in board.update(2 * S + EVENT_NS, {})] == [False]


def test_the_gravest_stand_first_and_texts_are_bounded() -> None:
    board = AlertBoard()
    board.note(0, "venue_error", {"text": "x" * 5000})
    board.note(1, "entries_stopped", {"text": "Insufficient margin to place order", "remedy": "fund the dex"})
    rows = board.rows(2)
    assert [row["severity"] for row in rows] == ["critical", "warning"]
    assert rows[0]["text"] == "Insufficient margin to place order"
    assert len(rows[1]["text"]) == 300
