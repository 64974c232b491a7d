"""The account as the venue sees it: its role, its form, its collateral on every dex."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hip3.errors import ConfigError
from hip3.venue.discovery import Universe
from hip3.venue.info import Info, understood

#: Answers of `userAbstraction` under which one spot balance backs all dexs.
UNIFIED_FORMS = frozenset({"unifiedAccount", "portfolioMargin"})


@dataclass(frozen=True, slots=True)
class DexAccount:
    """One dex of the account; amounts in its collateral token."""

    dex: str
    collateral: str
    account_value: Decimal
    raw_usd: Decimal
    withdrawable: Decimal
    positions: tuple[tuple[str, Decimal], ...]
    unrealized: Decimal
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountReport:
    """The account at one moment. `user` is the account, `signer` the key's own address, `owner` whom it acts for."""

    user: str
    signer: str
    role: str
    form: str
    dexs: dict[str, DexAccount]
    spot: dict[int, Decimal]
    open_orders: int
    owner: str

    @property
    def is_unified(self) -> bool:
        """Whether one spot balance backs every dex."""
        return self.form in UNIFIED_FORMS

    def equity(self, dexs: list[str], universe: Universe) -> Decimal:
        """Collateral and open profit over `dexs`, in dollars of their collateral."""
        if self.is_unified:
            tokens = {universe.dex_of(name).collateral_token for name in dexs}
            spot = sum((self.spot.get(token, Decimal(0)) for token in tokens), Decimal(0))
            return spot + sum((self.dexs[name].unrealized for name in dexs), Decimal(0))
        return sum((self.dexs[name].account_value for name in dexs), Decimal(0))

    def baseline(self, dexs: list[str], universe: Universe) -> Decimal:
        """The cash under the positions: what equity would be with every open position at a mark of zero."""
        held = sum((self.dexs[n].account_value - self.dexs[n].raw_usd for n in dexs), Decimal(0))
        return self.equity(dexs, universe) - held


async def resolve_user(info: Info, signer: str, account: str) -> tuple[str, str]:
    """The account that this signer acts for, in lower case, and the signer's role.

    An agent acts for its master, any other key for itself. `account` (empty for none) may name a sub-account
    or vault of theirs; any other account is a ConfigError: its positions would be read, another's traded.
    """
    owner, kind = await _owner(info, signer)
    return await _acts_for(info, owner, kind, account), kind


async def _acts_for(info: Info, owner: str, kind: str, account: str) -> str:
    named = account.lower()
    if not named or named == owner:
        return owner
    if kind != "missing":
        answer = await info.ask(type="userRole", user=named)
        with understood("userRole"):
            role = str(answer["role"])
            master = str(answer["data"]["master"]).lower() if role == "subAccount" else ""
        if role != "vault" and master != owner:
            raise ConfigError(f"account.address: this key does not act for {named}, it acts for {owner}")
    return named


async def _owner(info: Info, signer: str) -> tuple[str, str]:
    answer = await info.ask(type="userRole", user=signer)
    with understood("userRole"):
        kind = str(answer["role"])
        return (str(answer["data"]["user"]) if kind == "agent" else signer).lower(), kind


async def read_account(info: Info, signer: str, account: str, universe: Universe, dexs: list[str]) -> AccountReport:
    """Reads role, form, spot balances, and the state and orders of every dex in `dexs`."""
    owner, role = await _owner(info, signer)
    user = await _acts_for(info, owner, role, account)
    form = str(await info.ask(type="userAbstraction", user=user))
    spot_state = await info.ask(type="spotClearinghouseState", user=user)
    with understood("spotClearinghouseState"):
        spot = {int(row["token"]): Decimal(row["total"]) for row in spot_state["balances"]}
    states: dict[str, DexAccount] = {}
    orders = 0
    for name in dexs:
        state = await info.clearinghouse_state(user, name)
        with understood("clearinghouseState"):
            states[name] = read_state(name, universe.dex_of(name).collateral, state)
        orders += len(await info.ask(type="openOrders", user=user, dex=name))
    return AccountReport(user, signer, role, form, states, spot, orders, owner)


def read_state(dex: str, collateral: str, state: dict[str, Any]) -> DexAccount:
    """One `clearinghouseState`, exact."""
    rows = [row["position"] for row in state["assetPositions"]]
    summary = state["marginSummary"]
    return DexAccount(
        dex=dex,
        collateral=collateral,
        account_value=Decimal(summary["accountValue"]),
        raw_usd=Decimal(summary["totalRawUsd"]),
        withdrawable=Decimal(state["withdrawable"]),
        positions=tuple((row["coin"], Decimal(row["szi"])) for row in rows),
        unrealized=sum((Decimal(row["unrealizedPnl"]) for row in rows), Decimal(0)),
        state=state,
    )


def collateral_problems(report: AccountReport, universe: Universe, dexs: list[str]) -> list[tuple[str, str]]:
    """Dexs on which no order could be margined: what is missing, and the remedy."""
    problems = []
    for name in dexs:
        dex = universe.dex_of(name)
        shown = name or "the main dex"
        if report.is_unified:
            if report.spot.get(dex.collateral_token, Decimal(0)) <= 0:
                remedy = f"buy {dex.collateral} on spot: a unified account backs {shown} with its spot balance"
                problems.append((f"{shown} has no collateral: the account holds no {dex.collateral}", remedy))
        elif report.dexs[name].account_value <= 0:
            remedy = (
                f"move {dex.collateral} to {shown} with sendAsset (token {dex.collateral}, destinationDex {name!r})"
            )
            problems.append((f"{shown} has no collateral: its {dex.collateral} balance is zero", remedy))
    return problems
