"""When markets are not entered: windows by the clocks of their zone, an exchange's sessions, and what is not known."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from hip3.errors import ConfigError
from hip3.sessions import END_NS, HORIZON_DAYS, MINUTE_NS, Rule, known_until_ns, merged, read_window, spans_of

S = 1_000_000_000


def at(text: str) -> int:
    """A time in UTC, as nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def windows(*texts: str) -> Rule:
    return Rule(texts, "", 0)


def is_out(rule: Rule, now: str, moment: str) -> bool:
    return any(start <= at(moment) < end for start, end in spans_of(rule, at(now)))


def changes(rule: Rule, now: str, day: str) -> list[str]:
    """The moments of a day at which the rule begins or ends to hold, in UTC."""
    times = sorted(t for span in spans_of(rule, at(now)) for t in span if t < END_NS)
    told = [datetime.fromtimestamp(t / S, UTC).isoformat(" ", "minutes") for t in times]
    return [text[11:16] for text in told if text.startswith(day)]


def test_a_daily_window_holds_each_day_from_its_start_to_just_before_its_end() -> None:
    rule = windows("20:55-21:05")
    assert changes(rule, "2026-03-02", "2026-03-02") == ["20:55", "21:05"]
    assert changes(rule, "2026-03-02", "2026-07-11") == ["20:55", "21:05"]
    assert is_out(rule, "2026-03-02", "2026-03-04 20:55:00")
    assert is_out(rule, "2026-03-02", "2026-03-04 21:04:59")
    assert not is_out(rule, "2026-03-02", "2026-03-04 21:05:00")


def test_a_window_over_midnight_and_one_that_began_before_now_hold() -> None:
    assert is_out(windows("23:30-00:30"), "2026-03-04 00:10", "2026-03-04 00:10")
    weekend = windows("Fri 21:00-Sun 22:00")
    assert is_out(weekend, "2026-03-08 12:00", "2026-03-08 12:00")
    assert changes(weekend, "2026-03-08 12:00", "2026-03-08") == ["22:00"]
    assert changes(weekend, "2026-03-08 12:00", "2026-03-13") == ["21:00"]
    assert changes(windows("Sun 23:00-Mon 01:00"), "2026-03-02", "2026-03-09") == ["01:00"]


def test_a_zone_moves_a_window_with_its_clocks() -> None:
    rule = windows("17:00-18:00 America/New_York")
    assert changes(rule, "2026-03-01", "2026-03-06") == ["22:00", "23:00"]
    assert changes(rule, "2026-03-01", "2026-03-09") == ["21:00", "22:00"]
    weekly = windows("Fri 17:00-Sun 18:00 America/New_York")
    assert changes(weekly, "2026-03-01", "2026-03-08") == ["22:00"], "the clocks moved within it"


def test_where_clocks_change_inside_a_window_it_is_the_longer_reading() -> None:
    rule = windows("01:00-02:30 America/New_York")
    assert changes(rule, "2026-03-01", "2026-03-08") == ["06:00", "07:30"], "2:30 is skipped"
    assert changes(rule, "2026-10-20", "2026-11-01") == ["05:00", "07:30"], "1:00 comes twice"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("25:00-26:00", "is not of the form"),
        ("20:55", "is not of the form"),
        ("Fri 21:00-22:00", "is not of the form"),
        ("21:00-Fri 22:00", "is not of the form"),
        ("fri 21:00-sun 22:00", "is not of the form"),
        ("20:55-21:05 ", "is not of the form"),
        ("", "is not of the form"),
        ("20:55-20:55", "begins and ends at the same time"),
        ("Mon 01:00-Mon 01:00", "begins and ends at the same time"),
        ("17:00-18:00 America/New_Yrok", "did you mean America/New_York?"),
        ("17:00-18:00 America", "is no time zone"),
        ("17:00-18:00 ../passwd", "is not of the form"),
        ("17:00-18:00 a/../../etc", "is no time zone"),
    ],
)
def test_what_is_no_window_is_refused_by_the_name_of_its_option(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"^blackout\.windows: ") as told:
        read_window("blackout.windows", text)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_an_exchange_closes_for_nights_weekends_holidays_and_half_days() -> None:
    rule = Rule((), "XNYS", 0)
    assert changes(rule, "2026-11-20", "2026-11-25") == ["14:30", "21:00"]
    assert changes(rule, "2026-11-20", "2026-11-26") == [], "Thanksgiving"
    assert changes(rule, "2026-11-20", "2026-11-27") == ["14:30", "18:00"], "the half day after it"
    assert changes(rule, "2026-11-20", "2026-11-28") == []
    assert is_out(rule, "2026-11-20", "2026-11-28 15:00")
    assert changes(rule, "2026-06-01", "2026-06-10") == ["13:30", "20:00"], "summer time"


def test_a_margin_keeps_off_open_close_and_the_lunch_break() -> None:
    rule = Rule((), "XTKS", 10)
    assert changes(rule, "2026-11-20", "2026-11-25") == ["00:10", "02:20", "03:40", "06:20"]


def test_sessions_without_a_gap_between_them_have_no_close_between_them() -> None:
    rule = Rule((), "us_futures", 30)
    assert changes(rule, "2026-11-20", "2026-11-24") == []
    assert changes(rule, "2026-11-20", "2026-11-22") == ["23:30"]


def test_windows_and_sessions_hold_together() -> None:
    rule = Rule(("15:00-15:30", "20:30-23:00"), "XNYS", 0)
    assert changes(rule, "2026-11-20", "2026-11-25") == ["14:30", "15:00", "15:30", "20:30"]


def test_beyond_what_is_known_nothing_is_entered() -> None:
    now = at("2026-03-02 12:00")
    assert spans_of(windows(), now) == ()
    spans = spans_of(windows("20:55-21:05"), now)
    assert spans[-1][1] == END_NS
    assert known_until_ns(spans) == at("2026-03-02") + HORIZON_DAYS * 1440 * MINUTE_NS
    exchange = spans_of(Rule((), "XNYS", 0), now)
    assert exchange[-1][1] == END_NS
    assert all(a[1] < b[0] for a, b in pairwise(exchange)), "sorted, disjoint, not touching"


def test_an_exchange_that_nobody_knows_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"blackout\.calendar: 'XNYSE' is no exchange .* did you mean XNYS\?"):
        spans_of(Rule((), "XNYSE", 0), at("2026-03-02"))


def test_a_calendar_that_knows_no_day_from_here_on_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^blackout\.calendar: .*XSHG"):
        spans_of(Rule((), "XSHG", 0), at("2090-01-02"))


def test_a_missing_library_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ConfigError, match=r"pip install 'hip3\[sessions\]'"):
        spans_of(Rule((), "XNYS", 0), at("2026-03-02"))


def test_merged_spans_neither_overlap_nor_touch() -> None:
    assert merged([(5, 7), (1, 2), (2, 3), (6, 9), (20, 21)]) == ((1, 3), (5, 9), (20, 21))
