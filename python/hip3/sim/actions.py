"""Signed actions: read, admit, execute. A new action is a reader and an entry in the table.

The order of checks is the venue's: shape (422), signature, nonce, expiry, static checks of a whole batch,
then each order at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hip3._hip3 import recover_l1, recover_user
from hip3.sim import deployer, orders, transfers
from hip3.sim.accounts import Account, Ledger
from hip3.sim.engine import REQUESTS_FREE, Engine, shown_usd
from hip3.sim.nonces import NonceSet
from hip3.sim.orders import ActionRefused
from hip3.sim.transfers import USER_SIGNED, TransferRefused
from hip3.sim.wire import UNIT, BadRequest, address, boolean, decimal, notional, usd, whole

OVER_LIMIT_PAUSE_MS = 10_000
STALE_WEIGHT = 5
DAY_MS = 86_400_000
SCHEDULES_A_DAY = 10
SCHEDULE_VOLUME_MIN = 1_000_000 * 1_000_000
REQUEST_PRICE = 500


@dataclass(frozen=True, slots=True)
class Signed:
    """One request of `/exchange`: the raw action and the envelope. `group` is its place within a block."""

    action: dict[str, Any]
    parsed: Any
    nonce: int
    vault: str | None
    expires_ms: int | None
    r: str
    s: str
    v: int
    group: int

    @property
    def kind(self) -> str:
        """The action's type."""
        return str(self.action["type"])


def read(body: Any) -> Signed:
    """Reads the envelope and the action's shape. Raises BadRequest (422) for what cannot be read."""
    if not isinstance(body, dict) or not isinstance(body.get("action"), dict):
        raise BadRequest
    action, signature = body["action"], body.get("signature")
    if not isinstance(signature, dict) or not isinstance(action.get("type"), str):
        raise BadRequest
    r, s, v = signature.get("r"), signature.get("s"), signature.get("v")
    if not (isinstance(r, str) and isinstance(s, str) and isinstance(v, int) and 0 <= v < 256):
        raise BadRequest
    vault, expires = body.get("vaultAddress"), body.get("expiresAfter")
    name = action["type"]
    if name in USER_SIGNED:
        if action.get("hyperliquidChain") not in ("Mainnet", "Testnet"):
            raise BadRequest
        parsed, group = USER_SIGNED[name].read(action), 0
        transfers.nonce_of(name, action)
    elif name in ACTIONS:
        parsed = ACTIONS[name].read(action)
        group = ACTIONS[name].group(parsed)
    else:
        raise BadRequest
    return Signed(
        action=action,
        parsed=parsed,
        nonce=whole(body.get("nonce")),
        vault=None if vault is None else address(vault),
        expires_ms=None if expires is None else whole(expires),
        r=r,
        s=s,
        v=v,
        group=group,
    )


def execute(engine: Engine, signed: Signed, network: str) -> dict[str, Any]:
    """Admits and runs one action; the answer as `/exchange` gives it. `network`: mainnet, testnet or any."""
    try:
        if signed.kind in USER_SIGNED:
            account = _admit_user(engine, signed, network)
            USER_SIGNED[signed.kind].run(engine, account, signed.parsed)
            return {"status": "ok", "response": {"type": "default"}}
        account = _admit(engine, signed, network)
        kind = ACTIONS[signed.kind]
        weight = kind.weight(signed.parsed)
        _limit_requests(engine, account, weight, is_cancel=signed.group == 1)
        response = kind.run(engine, account, signed.parsed)
        account.requests += weight
        return {"status": "ok", "response": response}
    except (ActionRefused, TransferRefused, deployer.DeployRefused) as refusal:
        return {"status": "err", "response": str(refusal)}


# ------------------------------------------------------------------- admission


def _signer(engine: Engine, signed: Signed, network: str) -> str:
    """The address that signed. With network `any` both hashes are tried, the one that was known last first."""
    body = orjson.dumps(signed.action)
    either = (engine.mainnet_first, not engine.mainnet_first)
    found = []
    for mainnet in {"mainnet": (True,), "testnet": (False,)}.get(network, either):
        try:
            signer = recover_l1(
                body, signed.nonce, signed.vault, signed.expires_ms, mainnet, signed.r, signed.s, signed.v
            )
        except ValueError:
            raise ActionRefused("Unable to recover signer.") from None
        if signer in engine.accounts or signer in engine.agents:
            engine.mainnet_first = mainnet
            return signer
        found.append(signer)
    return found[0]


def _admit(engine: Engine, signed: Signed, network: str) -> Account:
    signer = _signer(engine, signed, network)
    agent = engine.agents.get(signer)
    if agent is not None and agent.valid_until_ms < engine.now_ms:
        agent = None
    account = engine.accounts.get(agent.master if agent is not None else signer)
    if account is None or account.internal:
        raise ActionRefused(f"User or API Wallet {signer} does not exist.")
    if not account.funded:
        raise ActionRefused(f"Must deposit before performing actions. User: {account.user}")
    if signed.vault is not None:
        sub = engine.accounts.get(signed.vault)
        if sub is None or sub.master != account.user:
            raise ActionRefused(f"Vault not registered: {signed.vault}")
        account = sub
    _burn_nonce(engine, signer, signed.nonce)
    if signed.expires_ms is not None and engine.now_ms > signed.expires_ms:
        account.requests += STALE_WEIGHT
        raise ActionRefused("Action already expired")
    return account


def _admit_user(engine: Engine, signed: Signed, network: str) -> Account:
    chain = signed.action["hyperliquidChain"]
    if network != "any" and (chain == "Mainnet") != (network == "mainnet"):
        raise ActionRefused("Mainnet and testnet require different signature.")
    if transfers.nonce_of(signed.kind, signed.action) != signed.nonce:
        raise ActionRefused("Nonce mismatch.")
    try:
        signer = recover_user(signed.kind, orjson.dumps(signed.action), signed.r, signed.s, signed.v)
    except ValueError:
        raise ActionRefused("Unable to recover signer.") from None
    account = engine.accounts.get(signer)
    if account is None or account.internal or not account.funded:
        raise ActionRefused(f"Must deposit before performing actions. User: {signer}")
    _burn_nonce(engine, signer, signed.nonce)
    return account


def _burn_nonce(engine: Engine, signer: str, nonce: int) -> None:
    problem = engine.nonces.setdefault(signer, NonceSet()).admit(nonce, engine.now_ms)
    if problem is not None:
        raise ActionRefused(problem)


def _limit_requests(engine: Engine, account: Account, weight: int, *, is_cancel: bool) -> None:
    cap = REQUESTS_FREE + account.reserved + account.credit // 1_000_000
    most = min(cap + 100_000, 2 * cap) if is_cancel else cap
    if account.requests + weight <= most:
        return
    if engine.now_ms - account.last_over_ms < OVER_LIMIT_PAUSE_MS:
        raise ActionRefused(
            f"Too many cumulative requests sent ({account.requests + weight} > {cap}) for cumulative volume traded "
            f"${shown_usd(account.volume)}. Place taker orders to free up 1 request per USDC traded."
        )
    account.last_over_ms = engine.now_ms


# ---------------------------------------------------------------- other actions

DONE = {"type": "default"}


def _run_schedule(engine: Engine, account: Account, time_ms: int | None) -> dict[str, Any]:
    if time_ms is not None:
        if account.volume < SCHEDULE_VOLUME_MIN:
            raise ActionRefused(
                "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. "
                f"Traded: ${shown_usd(account.volume)}."
            )
        if time_ms < engine.now_ms + 5_000:
            raise ActionRefused("Scheduled cancel time must be at least 5 seconds in the future.")
        day, fired = account.cancels_fired
        if day == engine.now_ms // DAY_MS and fired >= SCHEDULES_A_DAY:
            raise ActionRefused(f"Too many scheduled cancels triggered for the day. Limit is {SCHEDULES_A_DAY}")
    account.cancel_at_ms = time_ms
    return DONE


def _read_leverage(action: dict[str, Any]) -> tuple[int, bool, int]:
    return whole(action.get("asset")), boolean(action.get("isCross")), whole(action.get("leverage"))


def _run_leverage(engine: Engine, account: Account, wanted: tuple[int, bool, int]) -> dict[str, Any]:
    asset, is_cross, leverage = wanted
    market = engine.markets.get(asset)
    if market is None:
        raise ActionRefused(f"Asset {asset} does not exist.")
    if is_cross and market.spec.only_isolated:
        raise ActionRefused("Cross margin is not allowed for this asset.")
    if not 1 <= leverage <= market.spec.max_leverage:
        raise ActionRefused("Invalid leverage value")
    ledger = engine.ledger(account, market)
    position = ledger.positions.get(asset)
    if position is not None:
        if position.isolated == is_cross:
            raise ActionRefused("Cannot switch leverage type with open position.")
        if leverage < position.leverage and not _lower_leverage(engine, ledger, position.asset, leverage):
            kind = "Isolated" if position.isolated else "Cross"
            raise ActionRefused(f"{kind} position does not have sufficient margin available to decrease leverage.")
        position.leverage = leverage
    account.leverages[asset], account.cross[asset] = leverage, is_cross
    account.changed = True
    return DONE


def _lower_leverage(engine: Engine, ledger: Ledger, asset: int, leverage: int) -> bool:
    """Whether the position can be backed at a lower leverage; an isolated one takes the difference at once."""
    position = ledger.positions[asset]
    worth = abs(engine.marks[asset] * position.szi // 10_000_000_000)
    more = -(-worth // leverage) - worth // position.leverage
    if more > ledger.available(engine.marks):
        return False
    if position.isolated:
        ledger.cash -= more
        position.raw += more
    return True


def _read_isolated(action: dict[str, Any]) -> tuple[int, int]:
    ntli = action.get("ntli")
    boolean(action.get("isBuy"))
    if isinstance(ntli, bool) or not isinstance(ntli, int):
        raise BadRequest
    return whole(action.get("asset")), ntli


def _run_isolated(engine: Engine, account: Account, wanted: tuple[int, int]) -> dict[str, Any]:
    asset, ntli = wanted
    market = engine.markets.get(asset)
    if market is None:
        raise ActionRefused(f"Asset {asset} does not exist.")
    ledger = engine.ledger(account, market)
    position = ledger.positions.get(asset)
    if position is None or not position.isolated:
        raise ActionRefused("Position does not use isolated margin.")
    if ntli >= 0:
        possible = ntli <= ledger.available(engine.marks)
    else:
        worth = engine.marks[asset] * position.szi // 10_000_000_000
        spare = position.raw + worth - -(-abs(worth) // position.leverage)
        possible = market.spec.margin_mode != "strictIsolated" and -ntli <= spare
    if not possible:
        raise ActionRefused("Insufficient margin to update isolated margin.")
    ledger.cash -= ntli
    position.raw += ntli
    account.changed = True
    return DONE


def _run_reserve(engine: Engine, account: Account, weight: int) -> dict[str, Any]:
    ledger = account.ledgers.setdefault(-1 if account.unified else 0, Ledger())
    cost = weight * REQUEST_PRICE
    if cost > ledger.available(engine.marks):
        raise ActionRefused("Insufficient balance to reserve request weight.")
    ledger.cash -= cost
    fees = engine.account(transfers.BRIDGE)
    fees.internal = True
    fees.ledgers.setdefault(0, Ledger()).cash += cost
    account.reserved += weight
    return DONE


def _read_top_up(action: dict[str, Any]) -> tuple[int, int]:
    """Asset and the leverage that is wished for, in 10^-8."""
    return whole(action.get("asset")), decimal(action.get("leverage"))


def _run_top_up(engine: Engine, account: Account, wanted: tuple[int, int]) -> dict[str, Any]:
    """Adds as much margin as brings an isolated position to a leverage."""
    asset, leverage = wanted
    market = engine.markets.get(asset)
    if market is None or leverage <= 0:
        raise ActionRefused(f"Asset {asset} does not exist." if market is None else "Invalid leverage value")
    ledger = engine.ledger(account, market)
    position = ledger.positions.get(asset)
    if position is None or not position.isolated:
        raise ActionRefused("Position does not use isolated margin.")
    worth = notional(engine.marks[asset], position.szi)
    needed = abs(worth) * UNIT // leverage - (position.raw + worth)
    return _run_isolated(engine, account, (asset, max(0, needed)))


def _run_agent_send(engine: Engine, account: Account, wanted: transfers.Send) -> dict[str, Any]:
    transfers.run_agent_send(engine, account, wanted)
    return DONE


def _read_sub(action: dict[str, Any]) -> str:
    name = action.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 16:
        raise BadRequest
    return name


def _run_sub(engine: Engine, account: Account, name: str) -> dict[str, Any]:
    if any(engine.accounts[sub].name == name for sub in account.subs):
        raise ActionRefused(f"Sub-account name already taken: {name}")
    user = f"0x{engine.rng.getrandbits(160):040x}"
    sub = engine.account(user)
    sub.master, sub.name, sub.funded = account.user, name, True
    account.subs.append(user)
    return {"type": "createSubAccount", "data": user}


def _read_sub_transfer(action: dict[str, Any]) -> tuple[str, bool, int]:
    return address(action.get("subAccountUser")), boolean(action.get("isDeposit")), whole(action.get("usd"))


def _run_sub_transfer(engine: Engine, account: Account, wanted: tuple[str, bool, int]) -> dict[str, Any]:
    user, is_deposit, amount = wanted
    sub = engine.accounts.get(user)
    if sub is None or sub.master != account.user:
        raise ActionRefused(f"Vault not registered: {user}")
    source, target = (account, sub) if is_deposit else (sub, account)
    transfers.take(engine, source, 0, amount)
    transfers.give(target, 0, amount)
    delta = {"type": "subAccountTransfer", "usdc": usd(amount), "user": source.user, "destination": target.user}
    for side in (source, target):
        engine.note_update(side, delta)
    return DONE


def _run_vault(_: Engine, __: Account, vault: str) -> dict[str, Any]:
    raise ActionRefused(f"Vault not registered: {vault}")


def _run_abstraction(engine: Engine, account: Account, kind: Any) -> dict[str, Any]:
    transfers.set_abstraction(engine, account, str(kind))
    return DONE


def _run_deploy(engine: Engine, account: Account, wanted: tuple[str, Any]) -> dict[str, Any]:
    deployer.run(engine, account, wanted)
    return DONE


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of action: how it is read, its group within a block, its weight, how it runs.

    Groups: 0 sends no order that could take, 1 cancels, 2 has an order that could take.
    """

    read: Callable[[dict[str, Any]], Any]
    run: Callable[[Engine, Account, Any], dict[str, Any]]
    group: Callable[[Any], int] = lambda _: 0
    weight: Callable[[Any], int] = lambda _: 1


def _taking(rows: list[orders.Row]) -> int:
    return 0 if all(row["tif"] == "Alo" or row["trigger"] is not None for row in rows) else 2


def _order_group(wanted: tuple[list[orders.Row], str]) -> int:
    return _taking(wanted[0])


def _modify_group(wanted: list[tuple[int | str, orders.Row]]) -> int:
    return _taking([row for _, row in wanted])


ACTIONS = {
    "order": Action(orders.read_orders, orders.run_orders, _order_group, lambda wanted: len(wanted[0])),
    "modify": Action(orders.read_modifies, orders.run_modify, _modify_group),
    "batchModify": Action(orders.read_modifies, orders.run_batch_modify, _modify_group, len),
    "cancel": Action(orders.read_cancels, orders.run_cancels, lambda _: 1, len),
    "cancelByCloid": Action(orders.read_cancels_by_cloid, orders.run_cancels, lambda _: 1, len),
    "scheduleCancel": Action(lambda a: whole(a["time"]) if a.get("time") is not None else None, _run_schedule),
    "updateLeverage": Action(_read_leverage, _run_leverage),
    "updateIsolatedMargin": Action(_read_isolated, _run_isolated),
    "topUpIsolatedOnlyMargin": Action(_read_top_up, _run_top_up),
    "agentSendAsset": Action(transfers.read_agent_send, _run_agent_send),
    "reserveRequestWeight": Action(lambda a: whole(a.get("weight")), _run_reserve),
    "createSubAccount": Action(_read_sub, _run_sub),
    "subAccountTransfer": Action(_read_sub_transfer, _run_sub_transfer),
    "vaultTransfer": Action(lambda a: address(a.get("vaultAddress")), _run_vault),
    "agentSetAbstraction": Action(lambda a: a.get("abstraction"), _run_abstraction),
    "perpDeploy": Action(deployer.read, _run_deploy),
    "setReferrer": Action(lambda _: None, lambda *_: DONE),
    "noop": Action(lambda _: None, lambda *_: DONE),
}
