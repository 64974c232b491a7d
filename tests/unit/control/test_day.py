"""The day's PnL over restarts, and the loss that ends it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hip3.clock import Clock
from hip3.control.day import DAY_NS, HOLDS_NS, DayBook, LossLimit, day_path
from hip3.control.guard import DayGuard
from hip3.errors import ConfigError, Stopped

NOON = 20_000 * DAY_NS + DAY_NS // 2


def test_the_day_begins_with_the_run_and_again_at_midnight() -> None:
    day = DayBook(None, NOON)
    assert day.take(NOON, Decimal("1000")) == 0
    assert day.take(NOON + 1, Decimal("990.5")) == Decimal("-9.5")
    assert day.take(20_001 * DAY_NS, Decimal("991")) == 0
    assert day.take(20_001 * DAY_NS + 1, Decimal("1001")) == 10


def test_what_earlier_runs_of_the_day_lost_counts_and_what_happened_between_does_not(tmp_path: Path) -> None:
    path = day_path(tmp_path / "KILL", "testnet", "0xAB")
    assert path == tmp_path / "day-testnet-0xab.json"
    first = DayBook(path, NOON)
    first.take(NOON, Decimal("1000"))
    first.take(NOON, Decimal("900.25"))
    first.save()
    assert json.loads(path.read_text()) == {"day": "2024-10-04", "pnl_usd": "-99.75"}
    again = DayBook(path, NOON + 1)
    assert again.pnl_usd == Decimal("-99.75")
    assert again.take(NOON + 2, Decimal("5000")) == Decimal("-99.75")
    assert again.take(NOON + 3, Decimal("4999")) == Decimal("-100.75")
    assert DayBook(path, NOON + DAY_NS).pnl_usd == 0


@pytest.mark.parametrize("body", ["", "[]", '{"day":"2024-10-04"}', '{"day":"2024-10-04","pnl_usd":"x"}', "\x00" * 9])
def test_a_file_that_nobody_can_read_is_no_day_without_a_loss(tmp_path: Path, body: str) -> None:
    (tmp_path / "day").write_text(body)
    with pytest.raises(ConfigError, match="remove it"):
        DayBook(tmp_path / "day", NOON)


def test_a_day_that_cannot_be_kept_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    day = DayBook(None, NOON)
    day.save()
    assert not day.failure
    day.path = tmp_path / "file" / "day.json"
    day.save()
    assert "after a restart" in day.failure


def test_a_loss_counts_once_it_has_lasted() -> None:
    limit = LossLimit(Decimal(100))
    assert not limit.is_reached(NOON, Decimal(-100))
    assert not limit.is_reached(NOON + HOLDS_NS - 1, Decimal(-101))
    assert not limit.is_reached(NOON + HOLDS_NS, Decimal("-99.99")), "an odd mark begins anew"
    assert not limit.is_reached(NOON + HOLDS_NS, Decimal(-100))
    assert limit.is_reached(NOON + 2 * HOLDS_NS, Decimal(-100))
    assert not LossLimit(Decimal(0)).is_beyond(Decimal(-(10**9)))


def test_no_start_on_a_day_that_is_over(tmp_path: Path) -> None:
    day = DayBook(None, NOON)
    day.take(NOON, Decimal(1000))
    day.take(NOON, Decimal(700))
    with pytest.raises(Stopped, match=r"brought -300.00 USD after fees; stop.day_loss_usd is 250"):
        DayGuard(day, LossLimit(Decimal(250)), Clock(), lambda: Decimal(0))


def test_nothing_is_judged_while_a_position_has_no_mark() -> None:
    equities = iter([None, Decimal(1000), None, Decimal(1000)])
    guard = DayGuard(DayBook(None, NOON), LossLimit(Decimal(1)), Clock(), lambda: next(equities))
    assert [guard.look() for _ in range(4)] == [False] * 4
    assert guard.book.pnl_usd == 0
