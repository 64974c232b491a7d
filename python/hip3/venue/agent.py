"""The agent's approval: for which account it may act, and until when.

The venue forgets an agent whose time is over, and what is held then can be left by nobody but the account itself.
So it is told days before, and entries stop while there is time to leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from hip3.clock import Clock
from hip3.errors import ConfigError, Hip3Error, VenueRefused
from hip3.venue.account import AccountReport
from hip3.venue.info import Info, understood

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
#: From here on somebody is told; from here on urgently; from here on nothing is entered.
WARNING_MS = 7 * DAY_MS
LAST_DAY_MS = DAY_MS
NO_ENTRIES_MS = HOUR_MS
#: A new approval of the same agent is noticed within this time.
READ_PAUSE_S = 3600.0
LOOK_S = 0.25
#: The last moment that a date can be written for.
TIME_MS_MAX = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Approval:
    """An agent as the venue has it. `name` is None for one that no list of the venue has.

    `valid_until_ms` is venue time; None where the venue does not tell it.
    """

    agent: str
    owner: str
    name: str | None
    valid_until_ms: int | None

    def left_ms(self, now_ms: int) -> int | None:
        """What is left of it; negative once it is over, None where that is not known."""
        return None if self.valid_until_ms is None else self.valid_until_ms - now_ms


def date(time_ms: int) -> str:
    """A venue time as people read it."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


async def read_approval(info: Info, account: AccountReport) -> Approval | None:
    """The approval of the key that `account` was read with; None for a key that is no agent's."""
    return await ask_approval(info, account.signer, account.owner) if account.role == "agent" else None


async def ask_approval(info: Info, agent: str, owner: str) -> Approval:
    """The approval as the venue tells it now; an answer of another shape tells nothing. VenueUnreachable."""
    try:
        named = await info.ask(type="extraAgents", user=owner)
        with understood("extraAgents"):
            for row in named:
                if str(row["address"]).lower() == agent:
                    return Approval(agent, owner, str(row["name"]), _time_ms(row["validUntil"]))
        # The unnamed agent stands in the state that the venue's own page reads, and nowhere else.
        state = await info.ask(type="webData2", user=owner)
        with understood("webData2"):
            if str(state["agentAddress"]).lower() == agent:
                return Approval(agent, owner, "", _time_ms(state["agentValidUntil"]))
    except VenueRefused:
        pass
    return Approval(agent, owner, None, None)


def _time_ms(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= TIME_MS_MAX else None


def is_master_key(account: AccountReport) -> bool:
    """Whether the key is that of an account and not an agent's: it could withdraw."""
    return account.role not in ("agent", "missing")


def refuse_unfit_key(
    venue: str, account: AccountReport, approval: Approval | None, now_ms: int, *, master_allowed: bool
) -> None:
    """Raises before real orders are signed with a key that can withdraw, or whose time is over."""
    if venue != "sim" and is_master_key(account) and not master_allowed:
        raise ConfigError(
            f"this is the key of {account.signer} itself, which can withdraw; "
            "make an agent (docs/keys.md), or say --i-know-master-key"
        )
    left_ms = None if approval is None else approval.left_ms(now_ms)
    if approval is not None and left_ms is not None and left_ms <= 0:
        ended = date(approval.valid_until_ms or 0)
        raise VenueRefused(f"the approval of agent {approval.agent} ended at {ended}; make a new agent (docs/keys.md)")


class ApprovalWatch:
    """Keeps the approval of a run: read again every hour, and told of in its last one."""

    def __init__(self, info: Info, approval: Approval | None, clock: Clock) -> None:
        self.approval = approval
        self._info = info
        self._clock = clock

    @property
    def valid_until_ms(self) -> int | None:
        """Its end; None where there is none or it is not known."""
        return None if self.approval is None else self.approval.valid_until_ms

    async def run(self, on_ending: Callable[[str], None]) -> None:
        """Looks until cancelled; `on_ending` is called with the reason at each look of the last hour."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + READ_PAUSE_S
        while True:
            why = self.ending()
            if why:
                on_ending(why)
            if loop.time() >= due_s:
                await self.read()
                due_s = loop.time() + READ_PAUSE_S
            await asyncio.sleep(LOOK_S)

    def ending(self) -> str:
        """Why nothing may be entered any more; empty before the last hour."""
        end_ms = self.valid_until_ms
        if end_ms is None or end_ms - self._clock.now_ns() // 1_000_000 > NO_ENTRIES_MS:
            return ""
        return f"the agent's approval ends at {date(end_ms)}"

    async def read(self) -> None:
        """One read; where it tells nothing the last word stands."""
        if self.approval is None:
            return
        try:
            found = await ask_approval(self._info, self.approval.agent, self.approval.owner)
        except Hip3Error:
            return
        if found.valid_until_ms is not None:
            self.approval = found
