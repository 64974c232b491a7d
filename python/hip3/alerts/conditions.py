"""When an alert holds: each a pure function from a snapshot and limits to what is wrong, or None."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
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


def killed(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Halted by the latch, whoever set it."""
    head = s["header"]
    return "the kill latch is set" if (head["state"], head["state_why"]) == ("halted", "killed") else None


def halted(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Halted by the venue's word."""
    head = s["header"]
    return head["state_why"] or "halted" if head["state"] == "halted" and head["state_why"] != "killed" else None


def hard_stop(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """The reason of a day that has ended."""
    why: str = s["header"]["state_why"]
    return why.removeprefix("hard stop: ") if why.startswith("hard stop: ") else None


def order_link_down(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Orders cannot leave by the WebSocket."""
    held = len(s["positions"])
    return None if s["header"]["order_link"] else f"no order link; {held} open position{'s' if held != 1 else ''}"


def data_link_down(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """No market data comes."""
    return None if s["header"]["data_link"] else f"no market data for {s['header']['data_age_ms'] / 1000:.0f} s"


def markets_stale(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """At least half of the markets that could be entered now are not fresh."""
    states = [row["state"] for row in s["markets"]]
    # What is off or out of session may rest.
    stale, judged = states.count("stale"), states.count("stale") + states.count("ready")
    if not s["header"]["data_link"] or not stale or 2 * stale < judged:
        return None
    return f"{stale} of {judged} markets are stale"


def backup_silent(s: Mapping[str, Any], limits: AlertLimits) -> str | None:
    """The second exit path is on and does not look."""
    age_ms = s["header"]["backup_age_ms"]
    if not limits.exit_backup or (age_ms is not None and age_ms < BACKUP_AGE_MS_MAX):
        return None
    return "the backup monitor has not looked for " + ("ever" if age_ms is None else f"{age_ms / 1000:.0f} s")


def position_stuck(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Positions that every exit should have left."""
    stuck = [
        f"{row['coin']} {row['szi']}"
        for row in s["positions"]
        if (row["leaving"] and row["leaving"]["for_ms"] > LEAVING_MS_MAX) or row["overdue_s"] > OVERDUE_S_MAX
    ]
    return f"{', '.join(stuck[:MARKETS_NAMED])} should have been left" if stuck else None


def duplicate_flatten(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """What one claim a market makes impossible."""
    count = s["header"]["flattens_duplicate"]
    return f"{count} flatten orders were sent while another of their market lived" if count else None


def orders_unknown(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Orders that were sent and not answered in time."""
    count = s["header"]["unknown_orders"]
    return f"{count} order{'s' if count != 1 else ''} without an answer" if count else None


def frames_malformed(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Frames that were skipped."""
    count = s["header"]["frames_malformed"]
    return f"{count} frames could not be read" if count else None


def day_loss(s: Mapping[str, Any], limits: AlertLimits) -> str | None:
    """A loss of the day that somebody has to see."""
    pnl = Decimal(s["header"]["day_pnl_usd"])
    if not limits.day_loss_usd or pnl > -limits.day_loss_usd:
        return None
    return f"the day has brought {pnl:+.2f} USD after fees"


def requests_low(s: Mapping[str, Any], limits: AlertLimits) -> str | None:
    """Little is left of what the venue takes from the account."""
    left, cap = s["header"]["requests_left"], s["header"]["requests_cap"]
    if cap is None or left > cap * limits.requests_left_min:
        return None
    return f"{left} of {cap} requests are left to this account"


def part_failed(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """What each part that failed says of itself."""
    return "; ".join(s["problems"].values()) or None


def agent_expiring(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """Less than a week, and more than a day."""
    return _approval_ends(s, LAST_DAY_MS, WARNING_MS)


def agent_last_day(s: Mapping[str, Any], _: AlertLimits) -> str | None:
    """A day or less."""
    return _approval_ends(s, -math.inf, LAST_DAY_MS)


def _approval_ends(s: Mapping[str, Any], above_ms: float, most_ms: int) -> str | None:
    """What is told when so much is left of the agent's approval."""
    end_ms = s["header"]["agent_valid_until_ms"]
    if end_ms is None or not above_ms < end_ms - s["time_ms"] <= most_ms:
        return None
    return f"the agent's approval ends at {date(end_ms)}"
