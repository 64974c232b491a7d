"""`AlertBoard`: which alerts hold now, since when, and how often they came. Without clock and without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hip3.alerts.rules import BY_EVENT, RULES, Rule

#: How long an alert that came from a notice is shown after the last one.
EVENT_NS = 300_000_000_000
TEXT_MAX = 300


@dataclass(slots=True)
class Active:
    """One alert that holds."""

    rule: Rule
    text: str
    since_ns: int
    last_ns: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """An alert that began (`raised`) or ended."""

    rule: Rule
    text: str
    raised: bool


class AlertBoard:
    """At most one entry for each rule, so it is bounded by their number."""

    def __init__(self) -> None:
        self._active: dict[str, Active] = {}
        #: Tests that hold, but not for long enough yet.
        self._pending: dict[str, int] = {}
        self._changes: list[Change] = []

    def note(self, now_ns: int, event: str, fields: Mapping[str, Any]) -> None:
        """Takes a notice of the trader; only those that a rule names count."""
        rule = BY_EVENT.get(event)
        if rule is not None:
            told = " ".join(str(value) for name, value in fields.items() if name not in ("remedy", "cloid", "id"))
            self._raise(rule, told, now_ns)

    def update(self, now_ns: int, found: Mapping[str, str]) -> list[Change]:
        """Takes what `judge` found now; returns what began and what ended since the last call."""
        for rule in RULES:
            text = found.get(rule.name)
            if text is None:
                self._pending.pop(rule.name, None)
                self._end_if_over(rule, now_ns)
                continue
            since_ns = self._pending.setdefault(rule.name, now_ns)
            if now_ns - since_ns >= rule.after_s * 1e9:
                self._raise(rule, text, now_ns)
        changes, self._changes = self._changes, []
        return changes

    def rows(self, now_ns: int) -> list[dict[str, Any]]:
        """What a snapshot shows: the gravest first, then the newest."""
        active = sorted(self._active.values(), key=lambda a: (-a.rule.severity, -a.since_ns))
        return [
            {
                "name": a.rule.name,
                "severity": a.rule.severity.word,
                "text": a.text,
                "remedy": a.rule.remedy,
                "since_s": round((now_ns - a.since_ns) / 1e9, 1),
                "count": a.count,
            }
            for a in active
        ]

    def _raise(self, rule: Rule, text: str, now_ns: int) -> None:
        text = text[:TEXT_MAX]
        active = self._active.get(rule.name)
        if active is None:
            self._active[rule.name] = Active(rule, text, now_ns, now_ns)
            self._changes.append(Change(rule, text, raised=True))
            return
        active.count += bool(rule.events)
        active.text, active.last_ns = text, now_ns

    def _end_if_over(self, rule: Rule, now_ns: int) -> None:
        active = self._active.get(rule.name)
        if active is None or (rule.events and now_ns - active.last_ns < EVENT_NS):
            return
        del self._active[rule.name]
        self._changes.append(Change(rule, active.text, raised=False))
