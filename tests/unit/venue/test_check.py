"""`hip3 check`: every finding that would stop a start, with its level, its remedy and the exit status."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from hip3.config import Config, load
from hip3.credentials import throw_away_signer
from hip3.errors import ConfigError, VenueUnreachable
from hip3.sessions import DAY_NS
from hip3.venue import check
from hip3.venue.check import Finding, preflight
from hip3.venue.discovery import Market
from hip3.venue.endpoints import Endpoint
from hip3.venue.info import Info

SIGNER = throw_away_signer()
WHERE = Endpoint("sim", "ws://127.0.0.1:1/ws", "http://127.0.0.1:1", False)
Venue = Callable[..., None]


def state(value: str, *coins: str) -> dict[str, Any]:
    rows = [{"position": {"coin": coin, "szi": "1", "unrealizedPnl": "0.0"}} for coin in coins]
    summary = {"accountValue": value, "totalRawUsd": value}
    return {"marginSummary": summary, "withdrawable": value, "assetPositions": rows}


def market(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "szDecimals": 2, "maxLeverage": 20, "growthMode": "enabled", **fields}


ANSWERS: dict[Any, Any] = {
    "perpDexs": [None, {"name": "xyz"}, {"name": "flx"}],
    "allPerpMetas": [
        {"universe": [], "collateralToken": 0},
        {"universe": [market("xyz:SILVER"), market("xyz:GOLD")], "collateralToken": 0},
        {"universe": [market("flx:TSLA")], "collateralToken": 360},
    ],
    "spotMeta": {"tokens": [{"index": 0, "name": "USDC"}, {"index": 360, "name": "USDH"}]},
    "userRole": {"role": "user"},
    "userAbstraction": "disabled",
    "spotClearinghouseState": {"balances": []},
    ("clearinghouseState", "xyz"): state("1000"),
    ("clearinghouseState", "flx"): state("500"),
    "openOrders": [],
    "userFees": {"userCrossRate": "0.00045", "activeReferralDiscount": "0.0"},
}


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch, answering: Callable[[dict[Any, Any]], Info]) -> Venue:
    """Puts a venue with these answers over the defaults, or one that fails, behind the check."""

    class Http:
        async def close(self) -> None:
            """Nothing to close."""

    def put(answers: dict[Any, Any] | None = None, error: Exception | None = None) -> None:
        async def open_venue(config: Config, stack: AsyncExitStack) -> Any:
            if error is not None:
                raise error
            return WHERE, SIGNER

        monkeypatch.setattr(check, "open_venue", open_venue)
        monkeypatch.setattr(check, "HttpClient", lambda *_: Http())
        monkeypatch.setattr(check, "Info", lambda _: answering(ANSWERS | (answers or {})))

    put()
    return put


def configured(*overrides: str) -> Config:
    return load(None, ["entry.sizing_alpha=0.3", *overrides], {"XDG_CONFIG_HOME": "/nowhere"})


async def findings(*overrides: str) -> tuple[dict[str, list[Finding]], int]:
    found, status = await preflight(configured(*overrides))
    levels = {level: [f for f in found if f.level == level] for level in ("ok", "warning", "error")}
    assert sum(map(len, levels.values())) == len(found)
    assert all(f.remedy for f in levels["warning"] + levels["error"] if "stay untouched" not in f.text) or status >= 2
    return levels, status


@pytest.mark.usefixtures("venue")
async def test_a_venue_without_faults_gives_only_good_lines() -> None:
    levels, status = await findings()
    assert (levels["warning"], levels["error"], status) == ([], [], 0)
    assert [f.text for f in levels["ok"]] == [
        f"venue sim at http://127.0.0.1:1; key of {SIGNER.address}",
        "3 markets on 2 dexs",
        f"account {SIGNER.address} (user, disabled), equity 1500 USD",
        "fees both ways and the least net edge fit under every threshold",
    ]


@pytest.mark.usefixtures("venue")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            '{"user":"me","reason":"why","kind":"kill","time_ms":1764043200000}',
            "killed by me: why, since 2025-11-25 04:00 UTC",
        ),
        ('{"user":"","reason":"halt","kind":"halt","time_ms":1764043200000}', "halt: halt, since 2025-11-25 04:00 UTC"),
        ('{"user":"me","reason":"why","kind":"kill","time_ms":10000000000000000000}', "killed by me: why"),
        ("anything", "killed"),
    ],
)
def test_a_latch_is_told_with_who_set_it_why_and_when(tmp_path: Path, body: str, told: str) -> None:
    latch = tmp_path / "KILL"
    latch.write_text(body)
    config = load(None, [f"control.latch={latch}"], environment={})
    assert check._latch(config) == [Finding("error", told, "hip3 unkill")]


async def test_alerts_that_could_not_be_sent_are_found_before_a_start() -> None:
    levels, status = await findings("alerts.urls_file=/nowhere/urls", "alerts.ping_url=ftp://elsewhere/ping")
    told = [f.text for f in levels["error"]]
    assert len(told) == 2
    assert told[0] == "alerts.urls_file: /nowhere/urls: No such file or directory"
    assert told[1].startswith("alerts.ping_url: ")
    assert status == 1


@pytest.mark.usefixtures("venue")
async def test_metrics_that_could_not_be_served_are_found_before_a_start() -> None:
    levels, status = await findings("metrics.port=9184", "metrics.token_file=/nowhere/token")
    errors = [finding.text for finding in levels["error"]]
    assert (errors, status) == (["metrics.token_file: /nowhere/token: No such file or directory"], 1)


@pytest.mark.usefixtures("venue")
@pytest.mark.parametrize(
    ("overrides", "why", "remedy"),
    [
        (
            ["entry.market_notional_usd_max=49", "entry.order_notional_usd_min=50"],
            "entry.market_notional_usd_max is 49 USD, below the least order of 50 USD: nothing could trade",
            "raise entry.market_notional_usd_max to 50 or more",
        ),
        (
            ["entry.total_notional_usd_max=49", "entry.order_notional_usd_min=50"],
            "entry.total_notional_usd_max is 49 USD, below the least order of 50 USD: nothing could trade",
            "raise entry.total_notional_usd_max to 50 or more",
        ),
        (
            ["exit.primary=false", "exit.backup=false"],
            "both exit paths are off",
            "set exit.primary or exit.backup to true",
        ),
        (
            ["market.xyz:SLIVER.threshold_bps=3"],
            "[market.\"xyz:SLIVER\"]: the venue has no such market; did you mean 'xyz:SILVER'?",
            "correct the name",
        ),
    ],
)
async def test_what_would_keep_every_order_away_is_an_error(overrides: list[str], why: str, remedy: str) -> None:
    levels, status = await findings(*overrides)
    assert ([(f.text, f.remedy) for f in levels["error"]], status) == ([(why, remedy)], 1)


@pytest.mark.usefixtures("venue")
async def test_sizes_that_come_out_below_the_venues_minimum_are_warned_of_with_the_least_touch() -> None:
    levels, status = await findings("entry.sizing_alpha=0.1")
    (warning,) = levels["warning"]
    # 10 USD = alpha * touch * touch / full, so the touch is the root of 10 * 5000 / 0.1.
    assert warning.text == "touches under 707.11 USD give orders under 10 USD at sizing_alpha 0.1"
    assert status == 0
    assert (await findings("entry.sizing_alpha=0.2"))[0]["warning"] == []


@pytest.mark.parametrize(
    ("answers", "why", "remedy"),
    [
        ({("clearinghouseState", "flx"): state("0.0")}, "flx has no collateral: its USDH balance is zero", "sendAsset"),
        (
            {("clearinghouseState", "xyz"): state("9", "xyz:GOLD")},
            "open positions will be taken over: xyz:GOLD",
            "exclude their markets",
        ),
        ({"openOrders": [{}]}, "2 open orders of others stay untouched", ""),
    ],
)
async def test_what_a_start_would_work_around_is_a_warning(
    venue: Venue, answers: dict[Any, Any], why: str, remedy: str
) -> None:
    venue(answers)
    levels, status = await findings()
    (warning,) = levels["warning"]
    assert warning.text.startswith(why)
    assert remedy in warning.remedy
    assert (levels["error"], status) == ([], 0)


async def test_an_account_without_any_collateral_or_unknown_to_the_venue_is_an_error(venue: Venue) -> None:
    venue({("clearinghouseState", "xyz"): state("0"), ("clearinghouseState", "flx"): state("0")})
    levels, status = await findings()
    assert ([f.text for f in levels["error"]], status) == (["no dex has collateral: nothing could trade"], 1)
    assert len(levels["warning"]) == 2
    venue({"userRole": {"role": "missing"}})
    levels, status = await findings()
    assert ([f.text for f in levels["error"]], status) == ([f"the venue does not know {SIGNER.address}"], 1)
    assert "approveAgent" in levels["error"][0].remedy


MASTER = "0x" + "d" * 40
NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
AS_AGENT = {"userRole": {"role": "agent", "data": {"user": MASTER}}, "webData2": {"agentAddress": None}}


def until(left_ms: int) -> list[dict[str, Any]]:
    return [{"name": "hip3", "address": SIGNER.address, "validUntil": NOW_MS + left_ms}]


@pytest.mark.parametrize(
    ("agents", "level", "text"),
    [
        (until(89 * 24 * HOUR_MS + 1), "ok", "until 2027-04-14 08:00 UTC, 89 days from now"),
        (until(7 * 24 * HOUR_MS + 1), "ok", "until 2027-01-22 08:00 UTC, 7 days from now"),
        (until(7 * 24 * HOUR_MS), "warning", "until 2027-01-22 08:00 UTC, 7 days from now"),
        (until(24 * HOUR_MS + 1), "warning", "until 2027-01-16 08:00 UTC, 24 hours from now"),
        (until(24 * HOUR_MS), "error", "24 hours from now; in the last hour nothing is entered"),
        (until(0), "error", f"the approval for {MASTER} ended at 2027-01-15 08:00 UTC"),
        ([], "warning", f"agent {SIGNER.address} is in no list of {MASTER}: until when it is approved is not known"),
    ],
)
async def test_the_agents_approval_is_told_with_its_end(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, agents: Any, level: str, text: str
) -> None:
    monkeypatch.setattr(check.time, "time_ns", lambda: NOW_MS * 1_000_000)
    venue(AS_AGENT | {"extraAgents": agents})
    levels, status = await findings()
    (found,) = [f for f in levels[level] if "agent" in f.text and f.text.startswith("agent")]
    assert text in found.text
    assert agents == [] or found.text.startswith(f"agent hip3 ({SIGNER.address})")
    assert status == (level == "error")


async def test_the_unnamed_agent_is_told_as_far_as_the_venue_tells_it(venue: Venue) -> None:
    venue(AS_AGENT | {"extraAgents": [], "webData2": {"agentAddress": SIGNER.address, "agentValidUntil": None}})
    levels, status = await findings()
    told = f"the unnamed agent {SIGNER.address} is approved for {MASTER}; the venue does not tell until when"
    assert (told in [f.text for f in levels["ok"]], status) == (True, 0)


@pytest.mark.usefixtures("venue")
async def test_a_key_that_can_withdraw_is_an_error_where_it_would_sign_and_a_warning_where_it_would_not() -> None:
    told = f"this is the key of {SIGNER.address} itself: it can withdraw"
    levels, status = await findings("venue.name=testnet")
    assert ([f.text for f in levels["error"]], status) == ([told], 1)
    assert "--i-know-master-key" in levels["error"][0].remedy
    levels, status = await findings("venue.name=testnet", "run.mode=observe")
    assert ([f.text for f in levels["warning"]], status) == ([told], 0)


async def test_fees_above_the_threshold_are_warned_of_per_market(venue: Venue) -> None:
    dear = [market(f"xyz:M{i}", growthMode=None) for i in range(6)]
    metas = [ANSWERS["allPerpMetas"][0], {"universe": dear, "collateralToken": 0}, ANSWERS["allPerpMetas"][2]]
    venue({"allPerpMetas": metas})
    # 9 bps both ways and 7 bps of net edge and slippage make 25.
    assert (await findings("entry.threshold_bps=25"))[0]["warning"] == []
    levels, _ = await findings("entry.threshold_bps=24.9", "market.xyz:M0.threshold_bps=25")
    (warning,) = levels["warning"]
    text = "fees exceed the threshold on 5 markets (xyz:M1, xyz:M2, xyz:M3, xyz:M4, xyz:M5): only larger edges enter"
    assert warning.text == text
    levels, _ = await findings("entry.threshold_bps=24.9")
    assert "on 6 markets (xyz:M0, xyz:M1, xyz:M2, xyz:M3, xyz:M4 and 1 more)" in levels["warning"][0].text


@pytest.mark.parametrize(
    ("error", "status"), [(VenueUnreachable("the venue does not answer"), 3), (ConfigError("no agent key: …"), 2)]
)
async def test_a_venue_or_key_that_is_not_there_ends_the_check_with_its_status(
    venue: Venue, error: Exception, status: int
) -> None:
    venue(error=error)
    levels, found = await findings("exit.primary=false", "exit.backup=false")
    assert [f.text for f in levels["error"]] == ["both exit paths are off", str(error)]
    assert found == status


def test_the_command_prints_lines_with_remedies_or_one_object(venue: Venue, capsys: pytest.CaptureFixture[str]) -> None:
    venue({"openOrders": [{}], "userRole": {"role": "missing"}})
    assert check.main(configured(), as_json=True) == 1
    text = capsys.readouterr().out
    body = orjson.loads(text)
    assert text.count("\n") == 1
    assert body["ok"] is False
    assert {"level", "text", "remedy"} == set(body["findings"][0])
    assert check.main(configured(), as_json=False) == 1
    shown = capsys.readouterr().out
    assert "error   the venue does not know" in shown
    assert "→ fund the account, or approve this agent" in shown
    venue()
    assert check.main(configured(), as_json=True) == 0
    assert orjson.loads(capsys.readouterr().out)["ok"] is True


@pytest.mark.usefixtures("venue")
async def test_markets_with_the_same_blackout_are_one_line_that_tells_when_it_changes() -> None:
    now = datetime.now(UTC)
    around = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    levels, status = await findings(f"blackout.windows={around}", 'market."xyz:GOLD".blackout_windows=')
    lines = [f.text for f in levels["ok"] if "no entries" in f.text]
    assert (len(lines), status) == (1, 0)
    assert lines[0].startswith(f"xyz:SILVER, flx:TSLA: no entries at {around}; out now, until ")
    assert f"{now + timedelta(hours=1):%H:%M} UTC" in lines[0]
    levels, _ = await findings('market."xyz:GOLD".blackout_windows=00:00-12:00,12:00-00:00')
    assert any("xyz:GOLD" in f.text and "out now, until a restart" in f.text for f in levels["ok"])


@pytest.mark.usefixtures("venue")
async def test_an_exchange_that_is_not_known_is_an_error() -> None:
    levels, status = await findings("blackout.calendar=XNYSE")
    assert "did you mean XNYS?" in levels["error"][0].text
    assert status == 2


def test_a_calendar_that_soon_ends_is_warned_of_with_the_remedy() -> None:
    markets = [Market(110_000, 1, "xyz", "xyz:SILVER", 2, 20, True, Decimal(1), "cross", False)]
    config = configured("blackout.calendar=XNYS")
    now_ns = time.time_ns()
    assert [f.level for f in check._blackouts(config, markets, now_ns)] == ["ok"]
    found = check._blackouts(config, markets, now_ns + 350 * DAY_NS)
    assert [f.level for f in found] == ["ok", "warning"]
    assert "from then on nothing enters" in found[1].text
    assert "exchange-calendars" in found[1].remedy
