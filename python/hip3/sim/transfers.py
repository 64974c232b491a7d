"""User-signed actions: money between accounts, dexs and spot, and approvals. Amounts are integers of 10^-6."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hip3.sim.accounts import Account, Agent, Ledger
from hip3.sim.engine import Engine
from hip3.sim.scenario import Token
from hip3.sim.wire import BadRequest, address, boolean, decimal, usd, whole

USDC = 0
SPOT = "spot"
#: Agents: one without a name and three with one; approvals last ninety days, a hundred and eighty at most.
NAMED_AGENTS_MAX = 3
AGENT_DAYS, AGENT_DAYS_MAX = 90, 180
DAY_MS = 86_400_000
WITHDRAWAL_FEE = 1_000_000
BRIDGE = "0xb0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
ABSTRACTIONS = {"unifiedAccount": True, "disabled": False, "u": True, "i": False}
_RATE = re.compile(r"(\d+(?:\.\d+)?)%")


class TransferRefused(Exception):
    """The action is refused, with the venue's text."""


Run = Callable[[Engine, Account, Any], None]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One user-signed action: its reader, its run, and the field that repeats the envelope's nonce."""

    read: Callable[[dict[str, Any]], Any]
    run: Run
    nonce: str


def amount_of(value: Any) -> int:
    """An amount of money. Raises BadRequest; parts below a millionth are cut off."""
    return decimal(value) // 100


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest
    return value


def free(engine: Engine, account: Account, key: int) -> int:
    """What may leave a ledger: all that positions and resting orders do not need."""
    ledger = account.ledgers.get(key)
    if ledger is None:
        return 0
    dex = next((dex for dex in engine.scenario.dexs if engine.ledger_key(account, dex) == key), None)
    reserved = engine.reserved(account, dex) if dex is not None else 0
    return max(0, ledger.available(engine.marks) - reserved)


def _need(amount: int) -> int:
    if amount <= 0:
        raise TransferRefused("Send amount cannot be zero")
    return amount


def take(engine: Engine, account: Account, key: int, amount: int) -> None:
    """Takes money out of a ledger. Raises TransferRefused for what it cannot give."""
    if _need(amount) > free(engine, account, key):
        raise TransferRefused("Insufficient balance for token transfer")
    account.ledgers[key].cash -= amount
    account.deposited -= amount
    account.changed = True


def give(account: Account, key: int, amount: int) -> None:
    """Puts money into a ledger, made on first use."""
    account.ledgers.setdefault(key, Ledger()).cash += amount
    account.deposited += amount
    account.funded = account.changed = True


def _perp_key(account: Account) -> int:
    return -1 if account.unified else 0


# ----------------------------------------------------------------- transfers


def _run_usd_send(engine: Engine, account: Account, wanted: tuple[str, int]) -> None:
    to, amount = wanted
    take(engine, account, _perp_key(account), amount)
    other = engine.account(to)
    give(other, _perp_key(other), amount)
    delta = {"type": "internalTransfer", "usdc": usd(amount), "user": account.user, "destination": to, "fee": "0.0"}
    for side in (account, other):
        engine.note_update(side, delta)


def _run_withdraw(engine: Engine, account: Account, wanted: tuple[str, int]) -> None:
    _, amount = wanted
    if amount <= WITHDRAWAL_FEE:
        raise TransferRefused("Insufficient balance for withdrawal")
    take(engine, account, _perp_key(account), amount)
    bridge = engine.account(BRIDGE)
    bridge.internal = True
    give(bridge, 0, amount)
    paid = amount - WITHDRAWAL_FEE
    engine.note_update(account, {"type": "withdraw", "usdc": usd(paid), "nonce": 0, "fee": usd(WITHDRAWAL_FEE)})


def _run_class(engine: Engine, account: Account, wanted: tuple[int, bool]) -> None:
    amount, to_perp = wanted
    if account.unified:
        raise TransferRefused("Action disabled when unified account is active")
    if to_perp:
        _take_spot(account, USDC, amount)
        give(account, 0, amount)
    else:
        take(engine, account, 0, amount)
        _give_spot(account, USDC, amount)
    engine.note_update(account, {"type": "accountClassTransfer", "usdc": usd(amount), "toPerp": to_perp})


def _take_spot(account: Account, token: int, amount: int) -> None:
    if _need(amount) > account.spot.get(token, 0):
        raise TransferRefused("Insufficient balance for token transfer")
    account.spot[token] -= amount
    account.deposited -= amount
    account.changed = True


def _give_spot(account: Account, token: int, amount: int) -> None:
    account.spot[token] = account.spot.get(token, 0) + amount
    account.deposited += amount
    account.funded = account.changed = True


def _token(engine: Engine, name: str) -> Token:
    short = name.partition(":")[0]
    found = next((token for token in engine.scenario.tokens if token.name == short), None)
    if found is None:
        raise TransferRefused(f"Unknown token {name}")
    return found


def _run_spot_send(engine: Engine, account: Account, wanted: tuple[str, str, int]) -> None:
    to, name, amount = wanted
    token = _token(engine, name)
    other = engine.account(to)
    for side, key in ((account, -1 - token.index), (other, -1 - token.index)):
        if side.unified:
            side.ledgers.setdefault(key, Ledger())
    if account.unified:
        take(engine, account, -1 - token.index, amount)
    else:
        _take_spot(account, token.index, amount)
    if other.unified:
        give(other, -1 - token.index, amount)
    else:
        _give_spot(other, token.index, amount)
    delta = {
        "type": "spotTransfer",
        "token": token.name,
        "amount": usd(amount),
        "usdcValue": usd(amount),
        "user": account.user,
        "destination": to,
        "fee": "0.0",
        "nativeTokenFee": "0.0",
        "nonce": None,
        "feeToken": "",
    }
    for side in (account, other):
        engine.note_update(side, delta)


@dataclass(frozen=True, slots=True)
class Send:
    """A read `sendAsset`."""

    to: str
    source: str
    target: str
    token: str
    amount: int
    sub_account: str


def read_send(action: dict[str, Any]) -> Send:
    """The fields of `sendAsset` and `agentSendAsset`. Raises BadRequest."""
    names = [_text(action.get(name)) for name in ("sourceDex", "destinationDex", "token", "fromSubAccount")]
    return Send(
        address(action.get("destination")), names[0], names[1], names[2], amount_of(action.get("amount")), names[3]
    )


def run_agent_send(engine: Engine, account: Account, wanted: Send) -> None:
    """The variant that an agent may sign: money stays with the account and its sub-accounts."""
    if wanted.to != account.user and wanted.to not in account.subs:
        raise TransferRefused("Agent can only send asset to same user or their sub-accounts.")
    _run_send(engine, account, wanted)


def _run_send(engine: Engine, account: Account, wanted: Send) -> None:
    token = _token(engine, wanted.token)
    if wanted.sub_account:
        sub = engine.accounts.get(wanted.sub_account.lower())
        if sub is None or sub.master != account.user:
            raise TransferRefused(f"Vault not registered: {wanted.sub_account}")
        account = sub
    other = engine.account(wanted.to)
    if account.unified or other.unified:
        if wanted.source != SPOT or wanted.target != SPOT:
            raise TransferRefused("Action disabled when unified account is active")
        _run_spot_send(engine, account, (wanted.to, wanted.token, wanted.amount))
        return
    places = []
    for name in (wanted.source, wanted.target):
        dex = engine.dex(name) if name != SPOT else None
        if dex is None and name != SPOT:
            raise TransferRefused("Invalid perp DEX")
        if dex is not None and dex.collateral_token != token.index:
            raise TransferRefused(f"Unknown token {wanted.token}")
        places.append(dex.index if dex is not None else None)
    source, target = places
    if source is None:
        _take_spot(account, token.index, wanted.amount)
    else:
        take(engine, account, source, wanted.amount)
    if target is None:
        _give_spot(other, token.index, wanted.amount)
    else:
        give(other, target, wanted.amount)
    delta = {
        "type": "send",
        "user": account.user,
        "destination": wanted.to,
        "sourceDex": wanted.source,
        "destinationDex": wanted.target,
        "token": token.name,
        "amount": usd(wanted.amount),
        "usdcValue": usd(wanted.amount),
        "fee": "0.0",
        "nativeTokenFee": "0.0",
        "nonce": None,
        "feeToken": "",
    }
    for side in {account.user: account, other.user: other}.values():
        engine.note_update(side, delta)


# ----------------------------------------------------------------- approvals


def _run_approve(engine: Engine, account: Account, wanted: tuple[str, str]) -> None:
    agent, full = wanted
    name, _, until = full.partition(" valid_until ")
    valid_ms = engine.now_ms + AGENT_DAYS * DAY_MS
    if until:
        if not until.isdigit() or int(until) > engine.now_ms + AGENT_DAYS_MAX * DAY_MS:
            raise TransferRefused("Invalid agent expiration")
        valid_ms = int(until)
    if agent == "0x" + "0" * 40:
        removed = account.agents.pop(name, None)
        if removed is not None:
            engine.agents.pop(removed.address, None)
            account.removal_ms = engine.now_ms
        return
    if account.removal_ms == engine.now_ms:
        raise TransferRefused("User has pending agent removal")
    if agent in engine.agents or agent in engine.accounts:
        raise TransferRefused("Extra agent already used.")
    named = [known for known in account.agents if known and known != name]
    if name and len(named) >= NAMED_AGENTS_MAX + 2 * len(account.subs):
        most = NAMED_AGENTS_MAX + 2 * len(account.subs)
        raise TransferRefused(f"Too many extra agents for cumulative volume traded. Current limit is {most}")
    old = account.agents.get(name)
    if old is not None:
        engine.agents.pop(old.address, None)
        engine.nonces.pop(old.address, None)
    account.agents[name] = engine.agents[agent] = Agent(agent, account.user, name, valid_ms)


def _read_rate(value: Any) -> int:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise BadRequest
    # A per cent is a thousand tenths of a basis point.
    return decimal(found[1]) * 1000 // 100_000_000


def _run_builder(_: Engine, account: Account, wanted: tuple[str, int]) -> None:
    builder, tenths = wanted
    if tenths > 100:
        raise TransferRefused("Builder fee is too high")
    account.builders[builder] = tenths


def set_abstraction(engine: Engine, account: Account, kind: str) -> None:
    """Makes an account unified, or gives it collateral per dex again; only without positions and orders."""
    unified = ABSTRACTIONS.get(kind)
    if unified is None:
        raise TransferRefused("Invalid abstraction")
    if unified == account.unified:
        return
    if account.open_orders or any(ledger.positions for ledger in account.ledgers.values()):
        raise TransferRefused("Cannot change abstraction with open positions or orders.")
    ledgers, spot = account.ledgers, account.spot
    account.unified, account.ledgers, account.spot = unified, {}, {}
    if unified:
        for dex in engine.scenario.dexs:
            if dex.index in ledgers:
                give(account, -1 - dex.collateral_token, ledgers[dex.index].cash)
        for token, amount in spot.items():
            give(account, -1 - token, amount)
    else:
        account.spot = {-1 - key: ledger.cash for key, ledger in ledgers.items()}


def _read_abstraction(action: dict[str, Any]) -> tuple[str, str]:
    return address(action.get("user")), _text(action.get("abstraction"))


def _run_abstraction(engine: Engine, account: Account, wanted: tuple[str, str]) -> None:
    user, kind = wanted
    target = engine.accounts.get(user)
    if target is None or (target is not account and target.master != account.user):
        raise TransferRefused(f"Must deposit before performing actions. User: {user}")
    set_abstraction(engine, target, kind)


def _to(action: dict[str, Any]) -> tuple[str, int]:
    return address(action.get("destination")), amount_of(action.get("amount"))


USER_SIGNED = {
    "usdSend": Transfer(_to, _run_usd_send, "time"),
    "withdraw3": Transfer(_to, _run_withdraw, "time"),
    "spotSend": Transfer(
        lambda a: (address(a.get("destination")), _text(a.get("token")), amount_of(a.get("amount"))),
        _run_spot_send,
        "time",
    ),
    "usdClassTransfer": Transfer(lambda a: (amount_of(a.get("amount")), boolean(a.get("toPerp"))), _run_class, "nonce"),
    "sendAsset": Transfer(read_send, _run_send, "nonce"),
    "approveAgent": Transfer(
        lambda a: (address(a.get("agentAddress")), _text(a.get("agentName") or "")), _run_approve, "nonce"
    ),
    "approveBuilderFee": Transfer(
        lambda a: (address(a.get("builder")), _read_rate(a.get("maxFeeRate"))), _run_builder, "nonce"
    ),
    "userSetAbstraction": Transfer(_read_abstraction, _run_abstraction, "nonce"),
}


def nonce_of(kind: str, action: dict[str, Any]) -> int:
    """The nonce inside a user-signed action."""
    return whole(action.get(USER_SIGNED[kind].nonce))
