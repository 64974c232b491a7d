"""The agent's approval: read from either list, told in time, entries stopped while there is time to leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hip3.clock import Clock
from hip3.errors import ConfigError, VenueRefused, VenueUnreachable
from hip3.venue.account import AccountReport
from hip3.venue.agent import DAY_MS, HOUR_MS, Approval, ApprovalWatch, ask_approval, read_approval, refuse_unfit_key
from hip3.venue.info import Info

AGENT, MASTER, OTHER = ("0x" + digit * 40 for digit in "abc")
NOW_MS = 1_800_000_000_000
Answering = Callable[[dict[Any, Any]], Info]


def account(role: str, signer: str = AGENT) -> AccountReport:
    return AccountReport(MASTER, signer, role, "disabled", {}, {}, 0, MASTER if role == "agent" else signer)


def approval(until_ms: int | None) -> Approval:
    return Approval(AGENT, MASTER, "hip3", until_ms)


def row(address: str, name: str = "hip3", until: Any = NOW_MS) -> dict[str, Any]:
    return {"name": name, "address": address, "validUntil": until}


def page(address: str | None, until: Any = NOW_MS) -> dict[str, Any]:
    return {"agentAddress": address, "agentValidUntil": until}


@pytest.mark.parametrize(
    ("named", "unnamed", "found"),
    [
        ([row(OTHER, "other", 1), row(AGENT)], page(None), ("hip3", NOW_MS)),
        ([row(AGENT.upper().replace("X", "x"))], page(None), ("hip3", NOW_MS)),
        ([row(OTHER)], page(AGENT), ("", NOW_MS)),
        ([row(OTHER)], page(AGENT, None), ("", None)),
        ([row(OTHER)], page(OTHER), (None, None)),
        ([], page(None), (None, None)),
        ([row(AGENT, until="soon")], page(None), ("hip3", None)),
        ([row(AGENT, until=10**18)], page(None), ("hip3", None)),
        ([row(AGENT, until=-1)], page(None), ("hip3", None)),
        ([{}], page(AGENT), (None, None)),
        (None, page(AGENT), (None, None)),
        ([], [], (None, None)),
        ([], (422, b"no such request"), (None, None)),
    ],
)
async def test_the_approval_is_found_in_either_list_and_strange_answers_tell_nothing(
    answering: Answering, named: Any, unnamed: Any, found: tuple[str | None, int | None]
) -> None:
    info = answering({("extraAgents", MASTER): named, ("webData2", MASTER): unnamed})
    read = await read_approval(info, account("agent"))
    assert read == Approval(AGENT, MASTER, *found)


@pytest.mark.parametrize("role", ["user", "missing", "vault", "subAccount"])
async def test_a_key_that_is_no_agents_has_no_approval_and_nothing_is_asked(answering: Answering, role: str) -> None:
    assert await read_approval(answering({}), account(role)) is None


async def test_a_venue_that_is_silent_is_no_answer(monkeypatch: pytest.MonkeyPatch, answering: Answering) -> None:
    monkeypatch.setattr("hip3.venue.info.PAUSE_S", 0)
    with pytest.raises(VenueUnreachable):
        await ask_approval(answering({"extraAgents": (502, b"")}), AGENT, MASTER)


@pytest.mark.parametrize("role", ["user", "vault", "subAccount"])
def test_a_key_that_can_withdraw_signs_only_when_that_is_said(role: str) -> None:
    own = account(role, MASTER)
    for venue in ("testnet", "mainnet"):
        with pytest.raises(ConfigError, match=f"the key of {MASTER} itself, .* make an agent .* --i-know-master-key"):
            refuse_unfit_key(venue, own, None, NOW_MS, master_allowed=False)
        refuse_unfit_key(venue, own, None, NOW_MS, master_allowed=True)
    refuse_unfit_key("sim", own, None, NOW_MS, master_allowed=False)


def test_an_agent_whose_time_is_over_starts_nothing() -> None:
    for until_ms in (None, NOW_MS + 1):
        refuse_unfit_key("testnet", account("agent"), approval(until_ms), NOW_MS, master_allowed=False)
    told = rf"the approval of agent {AGENT} ended at 2027-01-15 08:00 UTC; make a new agent"
    with pytest.raises(VenueRefused, match=told):
        refuse_unfit_key("testnet", account("agent"), approval(NOW_MS), NOW_MS, master_allowed=True)


class StandingClock(Clock):
    """A clock that is set."""

    now_ms = NOW_MS

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000


def watch(info: Info, until_ms: int | None) -> tuple[ApprovalWatch, StandingClock]:
    clock = StandingClock()
    return ApprovalWatch(info, approval(until_ms), clock), clock


def test_the_last_hour_is_told_with_its_end(answering: Answering) -> None:
    found, clock = watch(answering({}), NOW_MS + DAY_MS)
    assert found.ending() == ""
    clock.now_ms = NOW_MS + DAY_MS - HOUR_MS - 1
    assert found.ending() == ""
    clock.now_ms += 1
    assert found.ending() == "the agent's approval ends at 2027-01-16 08:00 UTC"
    assert watch(answering({}), None)[0].ending() == ""
    assert ApprovalWatch(answering({}), None, clock).ending() == ""


async def test_a_read_takes_a_later_end_and_keeps_the_last_word_without_one(
    monkeypatch: pytest.MonkeyPatch, answering: Answering
) -> None:
    monkeypatch.setattr("hip3.venue.info.PAUSE_S", 0)
    later = [row(AGENT, until=NOW_MS + DAY_MS)]
    for answer, end_ms in ((later, NOW_MS + DAY_MS), ([], NOW_MS), ((502, b""), NOW_MS), ("?", NOW_MS)):
        found, _ = watch(answering({"extraAgents": answer, "webData2": page(None)}), NOW_MS)
        await found.read()
        assert found.valid_until_ms == end_ms
    nobody = ApprovalWatch(answering({}), None, StandingClock())
    await nobody.read()
    assert nobody.valid_until_ms is None


async def test_every_look_of_the_last_hour_says_so_and_an_hourly_read_ends_it(
    monkeypatch: pytest.MonkeyPatch, answering: Answering
) -> None:
    monkeypatch.setattr("hip3.venue.agent.LOOK_S", 0)
    monkeypatch.setattr("hip3.venue.agent.READ_PAUSE_S", 0.05)
    found, _ = watch(answering({"extraAgents": [row(AGENT, until=NOW_MS + DAY_MS)]}), NOW_MS + HOUR_MS)
    told: list[str] = []
    running = asyncio.create_task(found.run(told.append))
    for _ in range(1000):
        await asyncio.sleep(0.005)
        if found.valid_until_ms == NOW_MS + DAY_MS:
            break
    running.cancel()
    assert found.ending() == ""
    assert len(told) > 2
    assert set(told) == {"the agent's approval ends at 2027-01-15 09:00 UTC"}
