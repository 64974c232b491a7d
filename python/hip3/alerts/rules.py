"""The alerts: what each means, how grave it is, and what to do about it. Pure; `docs/runbook.md` has a part for each.

A rule with a `test` is judged by each snapshot and holds while the test gives a text. A rule with `events` holds
for a while after such a notice of the trader. Names are stable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from hip3.alerts import conditions
from hip3.alerts.conditions import AlertLimits, Test


class Severity(IntEnum):
    """How soon somebody has to look."""

    WARNING = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """As options and views say it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert. `after_s`: how long its test must hold before it counts."""

    name: str
    severity: Severity
    meaning: str
    remedy: str
    test: Test | None = None
    after_s: float = 0.0
    events: tuple[str, ...] = ()


RULES: tuple[Rule, ...] = (
    Rule(
        "killed",
        Severity.CRITICAL,
        "the kill latch is set: nothing is signed any more",
        "look at the venue's page, then hip3 unkill and hip3 run",
        conditions.killed,
    ),
    Rule(
        "halted",
        Severity.CRITICAL,
        "the venue takes nothing that this key signs",
        "leave positions on the venue's page; approve an agent (hip3 check), then hip3 unkill",
        conditions.halted,
    ),
    Rule(
        "hard-stop",
        Severity.CRITICAL,
        "the day's loss reached stop.day_loss_usd: every position is being left, then the run ends",
        "see that the account is flat; understand the loss, then hip3 unkill",
        conditions.hard_stop,
    ),
    Rule(
        "duplicate-flatten",
        Severity.CRITICAL,
        "two flatten orders of one market were alive: a fault of this program",
        "hip3 kill, keep the recording, report it",
        conditions.duplicate_flatten,
    ),
    Rule(
        "position-stuck",
        Severity.CRITICAL,
        "a position is held longer than every exit allows",
        "hip3 flatten MARKET; if it stays, leave it on the venue's page",
        conditions.position_stuck,
    ),
    Rule(
        "backup-silent",
        Severity.CRITICAL,
        "the backup monitor does not look any more",
        "hip3 flatten --all, then restart the trader",
        conditions.backup_silent,
    ),
    Rule(
        "agent-last-day",
        Severity.CRITICAL,
        "the agent's approval ends within a day; in its last hour nothing is entered, and after it nothing can be left",
        "make a new agent (docs/keys.md) and start anew with it",
        conditions.agent_last_day,
    ),
    Rule(
        "order-link-down",
        Severity.CRITICAL,
        "the order connection is down: exits go over HTTP, entries rest",
        "check the network; it reconnects by itself",
        conditions.order_link_down,
        after_s=5.0,
    ),
    Rule(
        "data-link-down",
        Severity.WARNING,
        "the market-data connection is down: no entries; open positions are read over REST",
        "check the network; it reconnects by itself",
        conditions.data_link_down,
        after_s=5.0,
    ),
    Rule(
        "markets-stale",
        Severity.WARNING,
        "connected, but half of the markets get no fresh book or oracle",
        "look at the venue's status; exclude markets that do not trade",
        conditions.markets_stale,
        after_s=30.0,
    ),
    Rule(
        "orders-unknown",
        Severity.WARNING,
        "orders whose fate the venue has not told",
        "nothing: they are asked for until it is proven; look at the links if it lasts",
        conditions.orders_unknown,
        after_s=10.0,
    ),
    Rule(
        "day-loss",
        Severity.CRITICAL,
        "the day's loss is beyond alerts.day_loss_usd",
        "hip3 pause, look at the exits, raise thresholds",
        conditions.day_loss,
    ),
    Rule(
        "agent-expiring",
        Severity.WARNING,
        "the agent's approval ends within a week",
        "make a new agent (docs/keys.md) and start anew with it",
        conditions.agent_expiring,
    ),
    Rule(
        "requests-low",
        Severity.WARNING,
        "few requests are left to this account at the venue",
        "raise thresholds or exclude markets that are refused; volume brings more requests",
        conditions.requests_low,
    ),
    Rule(
        "frames-malformed",
        Severity.WARNING,
        "the venue sends frames that this version cannot read",
        "update hip3; record some minutes and report them",
        conditions.frames_malformed,
    ),
    Rule(
        "part-failed",
        Severity.WARNING,
        "a part of the run that trading does not need has failed",
        "follow the text; trading goes on",
        conditions.part_failed,
    ),
    Rule(
        "entries-stopped",
        Severity.CRITICAL,
        "the venue refuses entries of this account, for want of collateral",
        "fund the dex, then hip3 resume",
        events=("entries_stopped",),
    ),
    Rule(
        "position-resync",
        Severity.WARNING,
        "the venue's position differed from ours and was taken over",
        "see whether somebody else trades on this account",
        events=("position_resync",),
    ),
    Rule(
        "order-given-up",
        Severity.CRITICAL,
        "the venue told of fills that it never delivered",
        "compare positions with the venue's page",
        events=("order_given_up",),
    ),
    Rule(
        "slowed-down",
        Severity.WARNING,
        "the venue asks for fewer requests: entries rest for ten seconds each time",
        "raise thresholds, or trade fewer markets",
        events=("slowed_down",),
    ),
    Rule(
        "venue-error",
        Severity.WARNING,
        "the venue sent an error text",
        "read it; subscriptions are asked for again by themselves",
        events=("venue_error", "post_error"),
    ),
)

BY_NAME: dict[str, Rule] = {rule.name: rule for rule in RULES}
BY_EVENT: dict[str, Rule] = {event: rule for rule in RULES for event in rule.events}


def judge(snapshot: Mapping[str, Any], limits: AlertLimits) -> dict[str, str]:
    """The rules whose tests hold for this snapshot, each with what is wrong. A starting trader is not judged."""
    if snapshot["header"]["state"] == "starting":
        return {}
    found = {}
    for rule in RULES:
        text = None if rule.test is None else rule.test(snapshot, limits)
        if text is not None:
            found[rule.name] = text
    return found
