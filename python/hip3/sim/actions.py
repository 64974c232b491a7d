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
from hip3.sim import account_actions as own
from hip3.sim import deployer, orders, transfers
from hip3.sim.accounts import Account
from hip3.sim.engine import REQUESTS_FREE, Engine, shown_usd
from hip3.sim.nonces import NonceSet
from hip3.sim.orders import ActionRefused
from hip3.sim.transfers import USER_SIGNED, TransferRefused
from hip3.sim.wire import BadRequest, address, whole

OVER_LIMIT_PAUSE_MS = 10_000
STALE_WEIGHT = 5


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
    "scheduleCancel": Action(lambda a: whole(a["time"]) if a.get("time") is not None else None, own.run_schedule),
    "updateLeverage": Action(own.read_leverage, own.run_leverage),
    "updateIsolatedMargin": Action(own.read_isolated, own.run_isolated),
    "topUpIsolatedOnlyMargin": Action(own.read_top_up, own.run_top_up),
    "agentSendAsset": Action(transfers.read_send, own.run_agent_send),
    "reserveRequestWeight": Action(lambda a: whole(a.get("weight")), own.run_reserve),
    "createSubAccount": Action(own.read_sub, own.run_sub),
    "subAccountTransfer": Action(own.read_sub_transfer, own.run_sub_transfer),
    "vaultTransfer": Action(lambda a: address(a.get("vaultAddress")), own.run_vault),
    "agentSetAbstraction": Action(lambda a: a.get("abstraction"), own.run_abstraction),
    "perpDeploy": Action(deployer.read, own.run_deploy),
    "setReferrer": Action(lambda _: None, lambda *_: own.DONE),
    "noop": Action(lambda _: None, lambda *_: own.DONE),
}
