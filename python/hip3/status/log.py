"""Log lines on standard error, one for each thing worth knowing: for people on a terminal, as JSON elsewhere.

For people: `time level event key=value …`. As JSON: one object a line with `time` (RFC 3339, UTC), `level`,
`event` and the fields. A line that says the same again and again is cut short and its repeats are counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from hip3.execution.outbound import Notice

#: Texts of the venue are cut here, and their control characters are escaped.
TEXT_MAX = 300
#: The same line at most so often within the span; the rest is counted and told at its end.
REPEATS_MAX = 5
REPEAT_SPAN_NS = 10_000_000_000
#: Lines whose repeats are watched; the one that began first is forgotten beyond.
WATCHED_MAX = 256

Identity = tuple[str, ...]


@dataclass(slots=True)
class _Repeats:
    """How often a line has come since `since_ns`, and how many of them were held back."""

    since_ns: int
    count: int = 0
    held_back: int = 0


class Log:
    """Makes lines and hands them to `put`, which takes them or says that it cannot: those are counted."""

    def __init__(self, put: Callable[[str], bool], now_ns: Callable[[], int], *, as_json: bool) -> None:
        self._put = put
        self._now_ns = now_ns
        self._as_json = as_json
        self._lost = 0
        self._repeats: OrderedDict[Identity, _Repeats] = OrderedDict()

    def event(self, level: str, event: str, **fields: Any) -> None:
        """Writes one line; fields that are None or empty are left out."""
        shown = {key: value for key, value in fields.items() if value is not None and value != ""}
        now_ns = self._now_ns()
        self._tell_held_back(now_ns)
        if self._is_fresh(level, event, shown, now_ns):
            self._write(now_ns, level, event, shown)

    def notices(self, notices: Iterable[Notice]) -> None:
        """Writes what the trader has to say."""
        for notice in notices:
            self.event(notice.level, notice.event, **notice.fields)
        self._tell_held_back(self._now_ns())

    def _is_fresh(self, level: str, event: str, fields: dict[str, Any], now_ns: int) -> bool:
        """Whether the line may be written. Lines are the same when their words are; numbers and ids differ always."""
        words = (f"{key}={value}" for key, value in fields.items() if isinstance(value, str) and key != "cloid")
        identity = (level, event, *words)
        seen = self._repeats.get(identity)
        if seen is None:
            seen = self._repeats[identity] = _Repeats(now_ns)
            if len(self._repeats) > WATCHED_MAX:
                self._tell(now_ns, *self._repeats.popitem(last=False))
        seen.count += 1
        if seen.count <= REPEATS_MAX:
            return True
        seen.held_back += 1
        return False

    def _tell_held_back(self, now_ns: int) -> None:
        """Ends the spans that are over, in the order in which they began."""
        while self._repeats:
            identity, seen = next(iter(self._repeats.items()))
            if now_ns - seen.since_ns < REPEAT_SPAN_NS:
                return
            del self._repeats[identity]
            self._tell(now_ns, identity, seen)

    def _tell(self, now_ns: int, identity: Identity, seen: _Repeats) -> None:
        if seen.held_back:
            level, event, *words = identity
            self._write(now_ns, level, "repeated", {"of": event, "times": seen.held_back, "with": " ".join(words)})

    def _write(self, now_ns: int, level: str, event: str, fields: dict[str, Any]) -> None:
        if self._lost and self._put(self._line(now_ns, "warning", "log_lines_lost", {"lines": self._lost})):
            self._lost = 0
        if not self._put(self._line(now_ns, level, event, fields)):
            self._lost += 1

    def _line(self, now_ns: int, level: str, event: str, fields: dict[str, Any]) -> str:
        time = datetime.fromtimestamp(now_ns / 1e9, UTC)
        if self._as_json:
            stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            row = {"time": stamp, "level": level, "event": event, **{k: _plain(v) for k, v in fields.items()}}
            return orjson.dumps(row).decode()
        return f"{time:%H:%M:%S.%f}"[:-3] + f" {level:<7} {event} {_text(fields)}".rstrip()


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else _escaped(value)


def _escaped(value: Any) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))[:TEXT_MAX]


def _text(fields: dict[str, Any]) -> str:
    shown = ((key, _escaped(value)) for key, value in fields.items())
    return " ".join(f'{key}="{text}"' if " " in text else f"{key}={text}" for key, text in shown)
