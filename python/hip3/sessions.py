"""When a market is not entered: windows of the day or week and an exchange's sessions, as spans of time.

Pure: texts and a time in, spans out. A calendar's rows come from the library `exchange_calendars`, which knows
daylight saving, holidays and half days; it is imported only where a calendar is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hip3.errors import ConfigError
from hip3.options import did_you_mean

#: Half-open `[start, end)` in nanoseconds since the epoch.
Span = tuple[int, int]
#: How far ahead spans reach. Beyond it, or beyond what a calendar knows, nothing is entered.
HORIZON_DAYS = 370
#: How far back they begin: a window may have begun before now.
BACK_DAYS = 8
END_NS = 2**63 - 1
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME = r"([01]\d|2[0-3]):([0-5]\d)"
_WINDOW = re.compile(rf"(?:({'|'.join(DAYS)}) )?{_TIME}-(?:({'|'.join(DAYS)}) )?{_TIME}(?: ([A-Za-z]\S*))?")
MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440
DAY_NS = DAY_MINUTES * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Rule:
    """What one market is told: windows, the exchange's code (or nothing), minutes kept off its open and close."""

    windows: tuple[str, ...]
    calendar: str
    margin_minutes: int


@dataclass(frozen=True, slots=True)
class Window:
    """A time of each day, or with a `weekday` (Monday is 0) of each week, by the clocks of a zone."""

    weekday: int | None
    start_minute: int
    length_minutes: int
    zone: tzinfo


def read_window(key: str, text: str) -> Window:
    """The window that a text says; ConfigError naming the option's key for another form or one without length."""
    found = _WINDOW.fullmatch(text)
    if found is None or (found[1] is None) != (found[4] is None):
        raise ConfigError(
            f'{key}: {text!r} is not of the form "20:55-21:05", "Fri 21:00-Sun 22:00" or "17:00-18:00 America/New_York"'
        )
    first_day, hour, minute, last_day, end_hour, end_minute, zone = found.groups()
    start, end = (
        (DAYS.index(day) * DAY_MINUTES if day else 0) + int(h) * 60 + int(m)
        for day, h, m in ((first_day, hour, minute), (last_day, end_hour, end_minute))
    )
    length = (end - start) % (7 * DAY_MINUTES if first_day else DAY_MINUTES)
    if length == 0:
        raise ConfigError(f"{key}: {text!r} begins and ends at the same time; switch the market off instead")
    weekday = DAYS.index(first_day) if first_day else None
    return Window(weekday, start % DAY_MINUTES, length, _zone(key, zone) if zone else UTC)


def _zone(key: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"{key}: {name!r} is no time zone here{did_you_mean(name, available_timezones())}") from None


def spans_of(rule: Rule, now_ns: int) -> tuple[Span, ...]:
    """The times without entries from now on, sorted and disjoint; none for a rule that says nothing.

    The last span begins where nothing is known any more, and has no end. ConfigError for a window or a code that
    cannot be read, and where the library is missing.
    """
    if not rule.windows and not rule.calendar:
        return ()
    begin_ns = (now_ns // DAY_NS - BACK_DAYS) * DAY_NS
    end_ns = begin_ns + (BACK_DAYS + HORIZON_DAYS) * DAY_NS
    spans = [span for text in rule.windows for span in _occurrences(read_window("blackout.windows", text), begin_ns)]
    if rule.calendar:
        open_spans = _sessions(rule.calendar, begin_ns)
        end_ns = min(end_ns, open_spans[-1][1])
        spans += _between(open_spans, rule.margin_minutes * MINUTE_NS, begin_ns)
    return merged([*(span for span in spans if span[0] < end_ns), (end_ns, END_NS)])


def known_until_ns(spans: tuple[Span, ...]) -> int:
    """Where the last span of `spans_of` begins."""
    return spans[-1][0]


def _occurrences(window: Window, begin_ns: int) -> list[Span]:
    """Each time the window comes. Where clocks change inside it, it is the longer of its two readings."""
    first = datetime.fromtimestamp(begin_ns / 1e9, UTC).date()
    days = (first + timedelta(days=n) for n in range(BACK_DAYS + HORIZON_DAYS))
    return [_on(window, day) for day in days if window.weekday in (None, day.weekday())]


def _on(window: Window, day: date) -> Span:
    starts = datetime(day.year, day.month, day.day, tzinfo=window.zone) + timedelta(minutes=window.start_minute)
    ends = starts + timedelta(minutes=window.length_minutes)
    return min(_readings_ns(starts)), max(_readings_ns(ends))


def _readings_ns(local: datetime) -> tuple[int, int]:
    """A local time before and after a change of clocks; the same twice on all but two days of a year."""
    before, after = (int(local.replace(fold=fold).timestamp()) * 1_000_000_000 for fold in (0, 1))
    return before, after


def _sessions(code: str, begin_ns: int) -> list[Span]:
    """When the exchange is open, breaks left out, as far ahead as its holidays are known."""
    calendars = _library()
    # A session may be named by a day other than that on which it opens.
    first = datetime.fromtimestamp(begin_ns / 1e9, UTC).date() - timedelta(days=3)
    try:
        calendar = calendars.get_calendar(code, start=str(first))
    except calendars.errors.InvalidCalendarName:
        near = did_you_mean(code, calendars.get_calendar_names())
        raise ConfigError(f"blackout.calendar: {code!r} is no exchange that exchange_calendars knows{near}") from None
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(f"blackout.calendar: exchange_calendars cannot give {code}: {error}; update it") from None
    spans: list[Span] = []
    for row in calendar.schedule.itertuples():
        opens, closes, pause, back = (
            None if value is None or value != value else int(value.value)
            for value in (row.open, row.close, row.break_start, row.break_end)
        )
        assert opens is not None
        assert closes is not None
        spans += [(opens, closes)] if pause is None or back is None else [(opens, pause), (back, closes)]
    found = [span for span in spans if span[1] > begin_ns]
    if not found:
        raise ConfigError(f"blackout.calendar: exchange_calendars knows no session of {code} from here on; update it")
    return found


def _library() -> Any:
    try:
        import exchange_calendars  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigError("blackout.calendar needs a library: pip install 'hip3[sessions]'") from None
    return exchange_calendars


def _between(open_spans: list[Span], margin_ns: int, begin_ns: int) -> list[Span]:
    """The times out of session. A session that follows another without a gap has no open and close between them."""
    spans: list[Span] = []
    at = begin_ns
    for start, end in merged(open_spans):
        spans.append((at, start + margin_ns))
        at = end - margin_ns
    spans.append((at, at + margin_ns))
    return [span for span in spans if span[0] < span[1]]


def merged(spans: list[Span]) -> tuple[Span, ...]:
    """The same times as sorted, disjoint spans that do not touch."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)
