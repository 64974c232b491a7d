"""The alerts: what each means, when it holds, and what to do about it. Pure; `docs/runbook.md` has a part for each.

A rule with a `test` is judged by each snapshot and holds while the test gives a text. A rule with `events` holds
for a while after such a notice of the trader. Names are stable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any

from hip3.config import Config
from hip3.venue.agent import LAST_DAY_MS, WARNING_MS, date

#: A flatten order that has held its claim for so long is stuck: twice the longest life of its order.
LEAVING_MS_MAX = 15_000
#: How far beyond its time stop a position may be held before it counts as stuck.
OVERDUE_S_MAX = 10.0
#: The backup is late when it has not looked for so long, whatever its interval (at most 5 s).
BACKUP_AGE_MS_MAX = 12_000
MARKETS_NAMED = 5


class Severity(IntEnum):
    """How soon somebody has to look."""

    WARNING = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """As options and views say it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """Options that the tests compare with."""

    day_loss_usd: Decimal
    requests_left_min: Decimal
    exit_backup: bool

    @classmethod
    def read(cls, config: Config) -> AlertLimits:
        """The limits of a configuration."""
        return cls(
            day_loss_usd=config.decimal("alerts.day_loss_usd"),
            requests_left_min=config.decimal("alerts.requests_left_min"),
            exit_backup=config.switch("exit.backup"),
        )


#: A snapshot (status/snapshot.py) and limits to what is wrong, or None.
Test = Callable[[Mapping[str, Any], AlertLimits], str | None]


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


def _killed(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    head = s["header"]
    return "the kill latch is set" if (head["state"], head["state_why"]) == ("halted", "killed") else None


def _halted(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    head = s["header"]
    return head["state_why"] or "halted" if head["state"] == "halted" and head["state_why"] != "killed" else None


def _hard_stop(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    why: str = s["header"]["state_why"]
    return why.removeprefix("hard stop: ") if why.startswith("hard stop: ") else None


def _order_link_down(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    held = len(s["positions"])
    return None if s["header"]["order_link"] else f"no order link; {held} open position{'s' if held != 1 else ''}"


def _data_link_down(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    return None if s["header"]["data_link"] else f"no market data for {s['header']['data_age_ms'] / 1000:.0f} s"


def _markets_stale(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    states = [row["state"] for row in s["markets"]]
    # What is off or out of session may rest.
    stale, judged = states.count("stale"), states.count("stale") + states.count("ready")
    if not s["header"]["data_link"] or not stale or 2 * stale < judged:
        return None
    return f"{stale} of {judged} markets are stale"


def _backup_silent(s: Mapping[str, Any], limits: AlertLimits) -> str | None:
    age_ms = s["header"]["backup_age_ms"]
    if not limits.exit_backup or (age_ms is not None and age_ms < BACKUP_AGE_MS_MAX):
        return None
    return "the backup monitor has not looked for " + ("ever" if age_ms is None else f"{age_ms / 1000:.0f} s")


def _position_stuck(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    stuck = [
        f"{row['coin']} {row['szi']}"
        for row in s["positions"]
        if (row["leaving"] and row["leaving"]["for_ms"] > LEAVING_MS_MAX) or row["overdue_s"] > OVERDUE_S_MAX
    ]
    return f"{', '.join(stuck[:MARKETS_NAMED])} should have been left" if stuck else None


def _duplicate_flatten(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    count = s["header"]["flattens_duplicate"]
    return f"{count} flatten orders were sent while another of their market lived" if count else None


def _orders_unknown(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    count = s["header"]["unknown_orders"]
    return f"{count} order{'s' if count != 1 else ''} without an answer" if count else None


def _frames_malformed(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    count = s["header"]["frames_malformed"]
    return f"{count} frames could not be read" if count else None


def _day_loss(s: Mapping[str, Any], limits: AlertLimits) -> str | None:
    pnl = Decimal(s["header"]["day_pnl_usd"])
    if not limits.day_loss_usd or pnl > -limits.day_loss_usd:
        return None
    return f"the day has brought {pnl:+.2f} USD after fees"


def _requests_low(s: Mapping[str, Any], limits: AlertLimits) -> str | None:
    left, cap = s["header"]["requests_left"], s["header"]["requests_cap"]
    if cap is None or left > cap * limits.requests_left_min:
        return None
    return f"{left} of {cap} requests are left to this account"


def _part_failed(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    return "; ".join(s["problems"].values()) or None


def _agent_expiring(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    return _approval_ends(s, LAST_DAY_MS, WARNING_MS)


def _agent_last_day(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    return _approval_ends(s, -math.inf, LAST_DAY_MS)


def _approval_ends(s: Mapping[str, Any], above_ms: float, most_ms: int) -> str | None:
    """What is told when so much is left of the agent's approval."""
    end_ms = s["header"]["agent_valid_until_ms"]
    if end_ms is None or not above_ms < end_ms - s["time_ms"] <= most_ms:
        return None
    return f"the agent's approval ends at {date(end_ms)}"


RULES: tuple[Rule, ...] = (
    Rule(
        "killed",
        Severity.CRITICAL,
        "the kill latch is set: nothing is signed any more",
        "look at the venue's page, then hip3 unkill and hip3 run",
        _killed,
    ),
    Rule(
        "halted",
        Severity.CRITICAL,
        "the venue takes nothing that this key signs",
        "leave positions on the venue's page; approve an agent (hip3 check), then hip3 unkill",
        _halted,
    ),
    Rule(
        "hard-stop",
        Severity.CRITICAL,
        "the day's loss reached stop.day_loss_usd: every position is being left, then the run ends",
        "see that the account is flat; understand the loss, then hip3 unkill",
        _hard_stop,
    ),
    Rule(
        "duplicate-flatten",
        Severity.CRITICAL,
        "two flatten orders of one market were alive: a fault of this program",
        "hip3 kill, keep the recording, report it",
        _duplicate_flatten,
    ),
    Rule(
        "position-stuck",
        Severity.CRITICAL,
        "a position is held longer than every exit allows",
        "hip3 flatten MARKET; if it stays, leave it on the venue's page",
        _position_stuck,
    ),
    Rule(
        "backup-silent",
        Severity.CRITICAL,
        "the backup monitor does not look any more",
        "hip3 flatten --all, then restart the trader",
        _backup_silent,
    ),
    Rule(
        "agent-last-day",
        Severity.CRITICAL,
        "the agent's approval ends within a day; in its last hour nothing is entered, and after it nothing can be left",
        "make a new agent (docs/keys.md) and start anew with it",
        _agent_last_day,
    ),
    Rule(
        "order-link-down",
        Severity.CRITICAL,
        "the order connection is down: exits go over HTTP, entries rest",
        "check the network; it reconnects by itself",
        _order_link_down,
        after_s=5.0,
    ),
    Rule(
        "data-link-down",
        Severity.WARNING,
        "the market-data connection is down: no entries; open positions are read over REST",
        "check the network; it reconnects by itself",
        _data_link_down,
        after_s=5.0,
    ),
    Rule(
        "markets-stale",
        Severity.WARNING,
        "connected, but half of the markets get no fresh book or oracle",
        "look at the venue's status; exclude markets that do not trade",
        _markets_stale,
        after_s=30.0,
    ),
    Rule(
        "orders-unknown",
        Severity.WARNING,
        "orders whose fate the venue has not told",
        "nothing: they are asked for until it is proven; look at the links if it lasts",
        _orders_unknown,
        after_s=10.0,
    ),
    Rule(
        "day-loss",
        Severity.CRITICAL,
        "the day's loss is beyond alerts.day_loss_usd",
        "hip3 pause, look at the exits, raise thresholds",
        _day_loss,
    ),
    Rule(
        "agent-expiring",
        Severity.WARNING,
        "the agent's approval ends within a week",
        "make a new agent (docs/keys.md) and start anew with it",
        _agent_expiring,
    ),
    Rule(
        "requests-low",
        Severity.WARNING,
        "few requests are left to this account at the venue",
        "raise thresholds or exclude markets that are refused; volume brings more requests",
        _requests_low,
    ),
    Rule(
        "frames-malformed",
        Severity.WARNING,
        "the venue sends frames that this version cannot read",
        "update hip3; record some minutes and report them",
        _frames_malformed,
    ),
    Rule(
        "part-failed",
        Severity.WARNING,
        "a part of the run that trading does not need has failed",
        "follow the text; trading goes on",
        _part_failed,
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
