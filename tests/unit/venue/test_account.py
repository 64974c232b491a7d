"""The account as the venue tells of it: whom a key acts for, unified and per-dex collateral, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hip3.errors import ConfigError, VenueRefused
from hip3.venue.account import AccountReport, collateral_problems, read_account, read_state, resolve_user
from hip3.venue.discovery import Dex, Universe
from hip3.venue.info import Info

Answering = Callable[[dict[Any, Any]], Info]
AGENT, MASTER, SUB, OTHER = ("0x" + digit * 20 for digit in ("a1", "b2", "c3", "d4"))
UNIVERSE = Universe((Dex(0, "", 0, "USDC"), Dex(1, "xyz", 0, "USDC"), Dex(2, "km", 360, "USDH")), ())
ROLES = {
    ("userRole", AGENT): {"role": "agent", "data": {"user": MASTER.upper().replace("X", "x")}},
    ("userRole", MASTER): {"role": "user"},
    ("userRole", SUB): {"role": "subAccount", "data": {"master": MASTER}},
    ("userRole", OTHER): {"role": "user"},
}


def state(value: str, raw: str | None = None, positions: dict[str, tuple[str, str]] | None = None) -> dict[str, Any]:
    rows = [
        {"type": "oneWay", "position": {"coin": coin, "szi": szi, "unrealizedPnl": pnl}}
        for coin, (szi, pnl) in (positions or {}).items()
    ]
    summary = {"accountValue": value, "totalRawUsd": raw or value, "totalNtlPos": "0.0", "totalMarginUsed": "0.0"}
    return {"marginSummary": summary, "withdrawable": value, "assetPositions": rows, "time": 1}


def report(form: str, spot: dict[int, str], **values: str) -> AccountReport:
    names = {"main": "", "xyz": "xyz", "km": "km"}
    dexs = {
        names[key]: read_state(names[key], UNIVERSE.dex_of(names[key]).collateral, state(value))
        for key, value in values.items()
    }
    return AccountReport(MASTER, AGENT, "agent", form, dexs, {k: Decimal(v) for k, v in spot.items()}, 0, MASTER)


@pytest.mark.parametrize(
    ("signer", "named", "user", "role"),
    [
        (AGENT, "", MASTER, "agent"),
        (AGENT, MASTER.upper().replace("X", "x"), MASTER, "agent"),
        (AGENT, SUB, SUB, "agent"),
        (MASTER, "", MASTER, "user"),
        (MASTER, SUB, SUB, "user"),
    ],
)
async def test_a_key_acts_for_its_master_or_itself_or_their_sub_account(
    answering: Answering, signer: str, named: str, user: str, role: str
) -> None:
    assert await resolve_user(answering(ROLES), signer, named) == (user, role)


@pytest.mark.parametrize("signer", [AGENT, MASTER])
async def test_an_account_that_the_key_does_not_act_for_is_refused(answering: Answering, signer: str) -> None:
    told = rf"^account\.address: this key does not act for {OTHER}, it acts for {MASTER}$"
    with pytest.raises(ConfigError, match=told):
        await resolve_user(answering(ROLES), signer, OTHER)
    strange = ROLES | {("userRole", SUB): {"role": "subAccount", "data": {"master": OTHER}}}
    with pytest.raises(ConfigError, match=SUB):
        await resolve_user(answering(strange), signer, SUB)


async def test_a_vault_may_be_named_and_an_unknown_key_is_reported_as_missing(answering: Answering) -> None:
    assert await resolve_user(answering(ROLES | {("userRole", OTHER): {"role": "vault"}}), AGENT, OTHER) == (
        OTHER,
        "agent",
    )
    missing = {"userRole": {"role": "missing"}}
    assert await resolve_user(answering(missing), AGENT, "") == (AGENT, "missing")
    assert await resolve_user(answering(missing), AGENT, MASTER) == (MASTER, "missing")


async def test_the_captured_role_is_read(answering: Answering, captured: Callable[[str], Any]) -> None:
    pair = captured("frames/http_sdk_user_role.json")
    user = pair["request"]["user"]
    assert await resolve_user(answering({"userRole": pair["response"]}), user, "") == (user, "vault")


@pytest.mark.parametrize("answer", [None, [], {}, {"role": "agent"}, {"role": "agent", "data": {}}])
async def test_a_role_of_another_shape_is_the_venues_fault(answering: Answering, answer: Any) -> None:
    with pytest.raises(VenueRefused, match="userRole of the venue cannot be read"):
        await resolve_user(answering({"userRole": answer}), AGENT, "")


async def test_the_account_is_read_exactly_over_every_dex(answering: Answering) -> None:
    info = answering(
        ROLES
        | {
            "userAbstraction": "disabled",
            "spotClearinghouseState": {"balances": [{"coin": "USDC", "token": 0, "total": "14.625485"}]},
            ("clearinghouseState", "xyz"): state("1000.1", "700.05", {"xyz:SILVER": ("-1.25", "-3.5")}),
            ("clearinghouseState", "km"): state("5.5"),
            ("openOrders", "xyz"): [{}, {}],
            ("openOrders", "km"): [{}],
        }
    )
    account = await read_account(info, AGENT, "", UNIVERSE, ["xyz", "km"])
    assert (account.user, account.signer, account.role, account.form) == (MASTER, AGENT, "agent", "disabled")
    assert account.owner == MASTER
    assert not account.is_unified
    assert (account.open_orders, account.spot) == (3, {0: Decimal("14.625485")})
    xyz = account.dexs["xyz"]
    assert (xyz.collateral, xyz.raw_usd, xyz.unrealized) == ("USDC", Decimal("700.05"), Decimal("-3.5"))
    assert xyz.positions == (("xyz:SILVER", Decimal("-1.25")),)
    assert account.equity(["xyz", "km"], UNIVERSE) == Decimal("1005.6")
    assert account.baseline(["xyz", "km"], UNIVERSE) == Decimal("705.55")


@pytest.mark.parametrize("form", ["unifiedAccount", "portfolioMargin"])
def test_a_unified_account_is_worth_its_spot_once_for_each_token_and_its_open_profit(form: str) -> None:
    account = report(form, {0: "100", 360: "7", 150: "5"}, main="0", xyz="0", km="0")
    account.dexs["xyz"] = read_state("xyz", "USDC", state("250", "-50", {"xyz:GOLD": ("1", "2.5")}))
    assert account.is_unified
    assert account.equity(["", "xyz"], UNIVERSE) == Decimal("102.5")
    assert account.equity(["", "xyz", "km"], UNIVERSE) == Decimal("109.5")
    assert account.baseline(["", "xyz"], UNIVERSE) == Decimal("-197.5")


@pytest.mark.parametrize("form", ["disabled", "default", "dexAbstraction"])
def test_missing_collateral_of_a_dex_names_dex_token_and_remedy(form: str) -> None:
    account = report(form, {0: "500", 360: "500"}, main="10", xyz="0.0", km="0")
    problems = collateral_problems(account, UNIVERSE, ["", "xyz", "km"])
    assert problems == [
        (
            "xyz has no collateral: its USDC balance is zero",
            "move USDC to xyz with sendAsset (token USDC, destinationDex 'xyz')",
        ),
        (
            "km has no collateral: its USDH balance is zero",
            "move USDH to km with sendAsset (token USDH, destinationDex 'km')",
        ),
    ]
    assert collateral_problems(report(form, {}, main="0"), UNIVERSE, [""])[0][0].startswith("the main dex has no")


def test_a_unified_account_lacks_the_tokens_that_it_does_not_hold_on_spot() -> None:
    account = report("unifiedAccount", {0: "500", 360: "0"}, xyz="0", km="0")
    assert collateral_problems(account, UNIVERSE, ["xyz", "km"]) == [
        (
            "km has no collateral: the account holds no USDH",
            "buy USDH on spot: a unified account backs km with its spot balance",
        )
    ]


async def test_captured_balances_with_many_tokens_are_read(
    answering: Answering, captured: Callable[[str], Any]
) -> None:
    balances = captured("frames/http_spot_clearinghouse_state.json")
    info = answering(ROLES | {"userAbstraction": "unifiedAccount", "spotClearinghouseState": balances})
    account = await read_account(info, AGENT, "", UNIVERSE, [])
    assert account.spot[0] == Decimal("14.625485")
    assert len(account.spot) == len(balances["balances"])


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ({"spotClearinghouseState": []}, "spotClearinghouseState"),
        ({"spotClearinghouseState": {"balances": [{"token": 0, "total": "much"}]}}, "spotClearinghouseState"),
        ({"clearinghouseState": {}}, "clearinghouseState"),
        ({"clearinghouseState": {**state("1"), "withdrawable": None}}, "clearinghouseState"),
    ],
)
async def test_a_state_of_another_shape_is_the_venues_fault(
    answering: Answering, answers: dict[Any, Any], what: str
) -> None:
    whole = {"userAbstraction": "disabled", "spotClearinghouseState": {"balances": []}, "openOrders": []}
    with pytest.raises(VenueRefused, match=f"^{what} of the venue cannot be read"):
        await read_account(answering(ROLES | whole | answers), AGENT, "", UNIVERSE, ["xyz"])
