"""Actions on the account itself: leverage, isolated margin, schedules, budgets, sub-accounts."""

from __future__ import annotations

from typing import Any

from hip3.sim import deployer, transfers
from hip3.sim.accounts import Account, Ledger
from hip3.sim.engine import Engine, shown_usd
from hip3.sim.orders import ActionRefused
from hip3.sim.wire import UNIT, BadRequest, address, boolean, decimal, notional, usd, whole

DAY_MS = 86_400_000
SCHEDULES_A_DAY = 10
SCHEDULE_VOLUME_MIN = 1_000_000 * 1_000_000
REQUEST_PRICE = 500

DONE = {"type": "default"}


def run_schedule(engine: Engine, account: Account, time_ms: int | None) -> dict[str, Any]:
    """Sets or clears the time at which all orders are cancelled."""
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


def read_leverage(action: dict[str, Any]) -> tuple[int, bool, int]:
    """Asset, whether cross, leverage. Raises BadRequest."""
    return whole(action.get("asset")), boolean(action.get("isCross")), whole(action.get("leverage"))


def run_leverage(engine: Engine, account: Account, wanted: tuple[int, bool, int]) -> dict[str, Any]:
    """Sets an asset's leverage and margin type; an open position follows."""
    asset, is_cross, leverage = wanted
    market = engine.markets.get(asset)
    if market is None:
        raise ActionRefused(f"Asset {asset} does not exist.")
    if is_cross and market.dex.cross_margin == "disabled":
        raise ActionRefused("Cross margin disabled")
    if is_cross and market.spec.only_isolated:
        raise ActionRefused("Cross margin is not allowed for this asset.")
    if not 1 <= leverage <= market.spec.max_leverage:
        raise ActionRefused("Invalid leverage value")
    ledger = engine.ledger(account, market)
    position = ledger.positions.get(asset)
    if position is not None:
        if position.isolated == is_cross:
            raise ActionRefused("Cannot switch leverage type with open position.")
        if leverage < position.leverage and not lower_leverage(engine, ledger, position.asset, leverage):
            kind = "Isolated" if position.isolated else "Cross"
            raise ActionRefused(f"{kind} position does not have sufficient margin available to decrease leverage.")
        position.leverage = leverage
    account.leverages[asset], account.cross[asset] = leverage, is_cross
    account.changed = True
    return DONE


def lower_leverage(engine: Engine, ledger: Ledger, asset: int, leverage: int) -> bool:
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


def read_isolated(action: dict[str, Any]) -> tuple[int, int]:
    """Asset and signed amount in 10^-6 USD. Raises BadRequest."""
    ntli = action.get("ntli")
    boolean(action.get("isBuy"))
    if isinstance(ntli, bool) or not isinstance(ntli, int):
        raise BadRequest
    return whole(action.get("asset")), ntli


def run_isolated(engine: Engine, account: Account, wanted: tuple[int, int]) -> dict[str, Any]:
    """Moves margin into an isolated position, or out of it."""
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


def run_reserve(engine: Engine, account: Account, weight: int) -> dict[str, Any]:
    """Buys requests for money."""
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


def read_top_up(action: dict[str, Any]) -> tuple[int, int]:
    """Asset and the leverage that is wished for, in 10^-8."""
    return whole(action.get("asset")), decimal(action.get("leverage"))


def run_top_up(engine: Engine, account: Account, wanted: tuple[int, int]) -> dict[str, Any]:
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
    return run_isolated(engine, account, (asset, max(0, needed)))


def run_agent_send(engine: Engine, account: Account, wanted: transfers.Send) -> dict[str, Any]:
    """`agentSendAsset`: money within the account."""
    transfers.run_agent_send(engine, account, wanted)
    return DONE


def read_sub(action: dict[str, Any]) -> str:
    """The name of a new sub-account. Raises BadRequest."""
    name = action.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 16:
        raise BadRequest
    return name


def run_sub(engine: Engine, account: Account, name: str) -> dict[str, Any]:
    """Makes a sub-account; the answer has its address."""
    if any(engine.accounts[sub].name == name for sub in account.subs):
        raise ActionRefused(f"Sub-account name already taken: {name}")
    user = f"0x{engine.rng.getrandbits(160):040x}"
    sub = engine.account(user)
    sub.master, sub.name, sub.funded = account.user, name, True
    account.subs.append(user)
    return {"type": "createSubAccount", "data": user}


def read_sub_transfer(action: dict[str, Any]) -> tuple[str, bool, int]:
    """Sub-account, direction and amount in 10^-6 USD. Raises BadRequest."""
    return address(action.get("subAccountUser")), boolean(action.get("isDeposit")), whole(action.get("usd"))


def run_sub_transfer(engine: Engine, account: Account, wanted: tuple[str, bool, int]) -> dict[str, Any]:
    """Moves money between an account and its sub-account."""
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


def run_vault(_: Engine, __: Account, vault: str) -> dict[str, Any]:
    """There are no vaults here."""
    raise ActionRefused(f"Vault not registered: {vault}")


def run_abstraction(engine: Engine, account: Account, kind: Any) -> dict[str, Any]:
    """Makes the account unified, or gives it collateral per dex again."""
    transfers.set_abstraction(engine, account, str(kind))
    return DONE


def run_deploy(engine: Engine, account: Account, wanted: tuple[str, Any]) -> dict[str, Any]:
    """Does what a deployer asks."""
    deployer.run(engine, account, wanted)
    return DONE
