"""Signed actions: read, admit, execute. A new action is a reader and an entry in the table.

The order of checks is the venue's: shape (422), signature, nonce, expiry, static checks of a whole batch,
then each order at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hip3._hip3 import recover_l1
from hip3.sim.accounts import Account
from hip3.sim.book import lot_problem, tick_problem
from hip3.sim.engine import Engine, Refusal
from hip3.sim.wire import BadRequest, address, boolean, cloid, decimal, usd, whole

BATCH_MAX = 200
REQUESTS_FREE = 10_000
OVER_LIMIT_PAUSE_MS = 10_000
SCHEDULE_VOLUME_MIN = 1_000_000 * 1_000_000
#: Prices may lie within these bounds of the reference price: a fifth to five times.
FAR_LOW_NUM, FAR_LOW_DEN, FAR_HIGH = 1, 5, 5
TIFS = ("Gtc", "Ioc", "Alo")


class Refused(Exception):
    """The whole action is refused, with the venue's text."""


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


def read(body: Any) -> Signed:
    """Reads the envelope and the action's shape. Raises BadRequest (422) for what cannot be read."""
    if not isinstance(body, dict) or not isinstance(body.get("action"), dict):
        raise BadRequest
    action, signature = body["action"], body.get("signature")
    if not isinstance(signature, dict) or not isinstance(action.get("type"), str):
        raise BadRequest
    kind = ACTIONS.get(action["type"])
    if kind is None:
        raise BadRequest
    r, s, v = signature.get("r"), signature.get("s"), signature.get("v")
    if not (isinstance(r, str) and isinstance(s, str) and isinstance(v, int)):
        raise BadRequest
    vault, expires = body.get("vaultAddress"), body.get("expiresAfter")
    parsed = kind.read(action)
    return Signed(
        action=action,
        parsed=parsed,
        nonce=whole(body.get("nonce")),
        vault=None if vault is None else address(vault),
        expires_ms=None if expires is None else whole(expires),
        r=r,
        s=s,
        v=v,
        group=kind.group(parsed),
    )


def execute(engine: Engine, signed: Signed, mainnet: bool) -> dict[str, Any]:
    """Admits and runs one action; the answer as `/exchange` gives it."""
    try:
        account = _admit(engine, signed, mainnet)
        kind = ACTIONS[signed.action["type"]]
        weight = kind.weight(signed.parsed)
        _limit_requests(engine, account, weight)
        response = kind.run(engine, account, signed.parsed)
        account.requests += weight
        return {"status": "ok", "response": response}
    except Refused as refusal:
        return {"status": "err", "response": str(refusal)}


def _admit(engine: Engine, signed: Signed, mainnet: bool) -> Account:
    try:
        signer = recover_l1(
            orjson.dumps(signed.action),
            signed.nonce,
            signed.vault,
            signed.expires_ms,
            mainnet,
            signed.r,
            signed.s,
            signed.v,
        )
    except ValueError:
        raise Refused("Unable to recover signer.") from None
    account = engine.accounts.get(signer)
    if account is None or account.internal:
        raise Refused(f"User or API Wallet {signer} does not exist.")
    if signed.vault is not None:
        raise Refused(f"Vault not registered: {signed.vault}")
    problem = account.nonces.admit(signed.nonce, engine.now_ms)
    if problem is not None:
        raise Refused(problem)
    if signed.expires_ms is not None and engine.now_ms > signed.expires_ms:
        raise Refused("Action already expired")
    return account


def _limit_requests(engine: Engine, account: Account, weight: int) -> None:
    cap = REQUESTS_FREE + account.volume // 1_000_000
    if account.requests + weight <= cap:
        return
    if engine.now_ms - account.last_over_ms < OVER_LIMIT_PAUSE_MS:
        raise Refused(
            f"Too many cumulative requests sent ({account.requests + weight} > {cap}) for cumulative volume traded "
            f"${usd(account.volume)}. Place taker orders to free up 1 request per USDC traded."
        )
    account.last_over_ms = engine.now_ms


# ------------------------------------------------------------------- orders


def _read_orders(action: dict[str, Any]) -> list[dict[str, Any]]:
    rows = action.get("orders")
    if not isinstance(rows, list) or action.get("grouping") != "na":
        raise BadRequest
    return [_read_order(row) for row in rows]


def _read_order(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise BadRequest
    limit = row.get("t", {}).get("limit") if isinstance(row.get("t"), dict) else None
    if not isinstance(limit, dict) or limit.get("tif") not in TIFS:
        raise BadRequest
    return {
        "asset": whole(row.get("a")),
        "is_buy": boolean(row.get("b")),
        "px": decimal(row.get("p")),
        "sz": decimal(row.get("s")),
        "reduce_only": boolean(row.get("r")),
        "tif": limit["tif"],
        "cloid": None if row.get("c") is None else cloid(row["c"]),
    }


def _static_problem(engine: Engine, row: dict[str, Any]) -> str | None:
    market = engine.markets.get(row["asset"])
    if market is None:
        return f"Asset {row['asset']} does not exist."
    decimals = market.spec.sz_decimals
    sized = lot_problem(row["sz"], decimals)
    if sized is not None:
        return sized if sized.endswith("invalid size.") else f"{sized} asset={row['asset']}"
    priced = tick_problem(row["px"], decimals)
    if priced is not None:
        return priced if priced.endswith("invalid price.") else f"{priced} asset={row['asset']}"
    if not FAR_LOW_NUM * market.mark < row["px"] * FAR_LOW_DEN or row["px"] > FAR_HIGH * market.mark:
        return "Order price cannot be more than 80% away from the reference price"
    return None


def _run_orders(engine: Engine, account: Account, rows: list[dict[str, Any]]) -> dict[str, Any]:
    if not rows:
        raise Refused("Orders are empty")
    if len(rows) > BATCH_MAX:
        raise Refused(f"Signed action over weight limit of {BATCH_MAX}.")
    problem = next((p for p in (_static_problem(engine, row) for row in rows) if p is not None), None)
    if problem is not None:
        return _statuses("order", [{"error": problem}] * len(rows))
    statuses: list[Any] = []
    for row in rows:
        terms = {name: value for name, value in row.items() if name != "asset"}
        order = engine.new_order(account, engine.markets[row["asset"]], terms)
        try:
            statuses.append(engine.place(account, order))
        except Refusal as refusal:
            statuses.append({"error": f"{refusal} asset={row['asset']}"})
    return _statuses("order", statuses)


def _statuses(kind: str, statuses: list[Any]) -> dict[str, Any]:
    return {"type": kind, "data": {"statuses": statuses}}


# ------------------------------------------------------------------ cancels


def _read_cancels(action: dict[str, Any]) -> list[tuple[int, int | str]]:
    return [(whole(row.get("a")), whole(row.get("o"))) for row in _rows(action, "cancels")]


def _read_cancels_by_cloid(action: dict[str, Any]) -> list[tuple[int, int | str]]:
    return [(whole(row.get("asset")), cloid(row.get("cloid"))) for row in _rows(action, "cancels")]


def _rows(action: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = action.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest
    return rows


def _run_cancels(engine: Engine, account: Account, wanted: list[tuple[int, int | str]]) -> dict[str, Any]:
    if len(wanted) > BATCH_MAX:
        raise Refused(f"Signed action over weight limit of {BATCH_MAX}.")
    statuses: list[Any] = []
    for asset, name in wanted:
        oid = account.by_cloid.get(name) if isinstance(name, str) else name
        order = account.open_orders.get(oid) if oid is not None else None
        if order is None or order.asset != asset:
            text = f"Order was never placed, already canceled, or filled. asset={asset}"
            statuses.append({"error": text})
        else:
            engine.cancel(account, order, "canceled")
            statuses.append("success")
    return _statuses("cancel", statuses)


# ------------------------------------------------------------------- others


def _run_schedule(engine: Engine, account: Account, time_ms: int | None) -> dict[str, Any]:
    if time_ms is not None:
        if account.volume < SCHEDULE_VOLUME_MIN:
            traded = usd(account.volume // 10_000 * 10_000)
            raise Refused(
                f"Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: ${traded}."
            )
        if time_ms < engine.now_ms + 5_000:
            raise Refused("Scheduled cancel time must be at least 5 seconds in the future.")
    account.cancel_at_ms = time_ms
    return {"type": "default"}


def _read_schedule(action: dict[str, Any]) -> int | None:
    return whole(action["time"]) if "time" in action else None


def _read_leverage(action: dict[str, Any]) -> tuple[int, bool, int]:
    return whole(action.get("asset")), boolean(action.get("isCross")), whole(action.get("leverage"))


def _run_leverage(engine: Engine, account: Account, wanted: tuple[int, bool, int]) -> dict[str, Any]:
    asset, is_cross, leverage = wanted
    market = engine.markets.get(asset)
    if market is None:
        raise Refused(f"Asset {asset} does not exist.")
    if is_cross and market.spec.only_isolated:
        raise Refused("Cross margin is not allowed for this asset.")
    if not 1 <= leverage <= market.spec.max_leverage:
        raise Refused("Invalid leverage value")
    position = engine.ledger(account, market).positions.get(asset)
    if position is not None:
        if position.isolated == is_cross:
            raise Refused("Cannot switch leverage type with open position.")
        if leverage < position.leverage:
            kind = "Isolated" if position.isolated else "Cross"
            raise Refused(f"{kind} position does not have sufficient margin available to decrease leverage.")
        position.leverage = leverage
    account.leverages[asset] = leverage
    return {"type": "default"}


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of action: how it is read, its group within a block, its weight, how it runs.

    Groups: 0 sends no order that could take, 1 cancels, 2 has an order that could take.
    """

    read: Callable[[dict[str, Any]], Any]
    run: Callable[[Engine, Account, Any], dict[str, Any]]
    group: Callable[[Any], int]
    weight: Callable[[Any], int]


def _one(_: Any) -> int:
    return 1


ACTIONS = {
    "order": Action(_read_orders, _run_orders, lambda rows: 0 if all(row["tif"] == "Alo" for row in rows) else 2, len),
    "cancel": Action(_read_cancels, _run_cancels, _one, len),
    "cancelByCloid": Action(_read_cancels_by_cloid, _run_cancels, _one, len),
    "scheduleCancel": Action(_read_schedule, _run_schedule, lambda _: 0, _one),
    "updateLeverage": Action(_read_leverage, _run_leverage, lambda _: 0, _one),
    "noop": Action(lambda _: None, lambda *_: {"type": "default"}, lambda _: 0, _one),
}
