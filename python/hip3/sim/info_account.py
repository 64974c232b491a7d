"""Reads of accounts: money, margin, roles, agents, fees, limits, history."""

from __future__ import annotations

from typing import Any

from hip3.sim import margin
from hip3.sim.accounts import Account, Ledger, Position
from hip3.sim.asking import Body, account_of, dex_of, market_of, within
from hip3.sim.engine import REQUESTS_FREE, USER_ADD_RATE, USER_CROSS_RATE, Engine
from hip3.sim.info_markets import capped, contexts_of, meta_of
from hip3.sim.info_orders import own_open, record_json
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Dex
from hip3.sim.wire import address, notional, text, usd

ROWS_PER_ANSWER = 500
DAY_MS = 86_400_000
#: Windows of `portfolio`; None is all time.
WINDOWS: tuple[tuple[str, int | None], ...] = (
    ("day", DAY_MS),
    ("week", 7 * DAY_MS),
    ("month", 30 * DAY_MS),
    ("allTime", None),
)
#: 14-day volume in USD above which the rates hold, taker and maker: the fee page, base tiers.
VIP_TIERS = (
    ("5000000.0", "0.0004", "0.00012"),
    ("25000000.0", "0.00035", "0.00008"),
    ("100000000.0", "0.0003", "0.00004"),
    ("500000000.0", "0.00028", "0.0"),
    ("2000000000.0", "0.00026", "0.0"),
    ("7000000000.0", "0.00024", "0.0"),
)
MAKER_TIERS = (("0.005", "-0.00001"), ("0.015", "-0.00002"), ("0.03", "-0.00003"))
STAKING_TIERS = (("10.0", "0.05"), ("100.0", "0.1"), ("1000.0", "0.15"), ("10000.0", "0.2"), ("100000.0", "0.3"))


# --------------------------------------------------------------------- money


def state_of(engine: Engine, account: Account | None, dex: Dex) -> Body:
    """The account on one dex; a unified one shows its positions here and its money on spot."""
    positions: list[Position] = []
    raw = cross_raw = 0
    ledger: Ledger | None = None
    if account is not None:
        ledger = account.ledgers.get(engine.ledger_key(account, dex))
        if ledger is not None:
            positions = [p for a, p in sorted(ledger.positions.items()) if engine.markets[a].dex is dex]
            raw = -sum(p.cost for p in positions) if account.unified else ledger.total_raw()
            cross_raw = 0 if account.unified else ledger.cash
    marks = engine.marks
    worth = {p.asset: notional(marks[p.asset], p.szi) for p in positions}
    total = sum(abs(value) for value in worth.values())
    used = {p.asset: _margin_used(p, worth[p.asset]) for p in positions}
    cross = [p for p in positions if not p.isolated]
    cross_value = cross_raw + sum(worth[p.asset] for p in cross)
    needed = sum(margin.maintenance(engine.markets[p.asset], worth[p.asset]) for p in cross)
    free = cross_value - sum(used[p.asset] for p in cross)
    held = engine.reserved(account, dex) if account is not None and not account.unified else 0
    shown = [] if ledger is None or account is None else [_position(engine, ledger, p) for p in positions]
    return {
        "marginSummary": _summary(raw + sum(worth.values()), total, raw, sum(used.values())),
        "crossMarginSummary": _summary(
            cross_value, sum(abs(worth[p.asset]) for p in cross), cross_raw, sum(used[p.asset] for p in cross)
        ),
        "crossMaintenanceMarginUsed": usd(needed),
        "withdrawable": usd(max(0, free - held)),
        "assetPositions": [{"type": "oneWay", "position": position} for position in shown],
        "time": engine.now_ms,
    }


def _summary(value: int, total: int, raw: int, used: int) -> Body:
    return {
        "accountValue": usd(value),
        "totalNtlPos": usd(total),
        "totalRawUsd": usd(raw),
        "totalMarginUsed": usd(used),
    }


def _margin_used(position: Position, worth: int) -> int:
    return worth + position.raw if position.isolated else -(-abs(worth) // position.leverage)


def _position(engine: Engine, ledger: Ledger, position: Position) -> Body:
    market, mark = engine.markets[position.asset], engine.marks[position.asset]
    worth = notional(mark, position.szi)
    entry = abs(position.cost) * 10_000_000_000 // abs(position.szi)
    step = 10 ** (1 + market.spec.sz_decimals)
    profit = worth - position.cost
    leverage: Body = {"type": "isolated" if position.isolated else "cross", "value": position.leverage}
    if position.isolated:
        leverage["rawUsd"] = usd(position.raw)
        equity, needed = margin.isolated_equity(position, mark), margin.maintenance(market, worth)
    else:
        equity = margin.cross_equity(ledger, engine.marks)
        needed = margin.cross_maintenance(ledger, engine.marks, engine.markets)
    initial = abs(position.cost) // position.leverage
    since_open, since_change = position.funding, position.funding - position.funding_changed
    return {
        "coin": market.key,
        "szi": text(position.szi),
        "leverage": leverage,
        "entryPx": text(entry // step * step),
        "positionValue": usd(abs(worth)),
        "unrealizedPnl": usd(profit),
        "returnOnEquity": text(profit * 10**10 // initial if initial else 0, 10),
        "liquidationPx": margin.liquidation_px(position, market, mark, equity, needed),
        "marginUsed": usd(_margin_used(position, worth)),
        "maxLeverage": market.spec.max_leverage,
        "cumFunding": {"allTime": usd(since_open), "sinceOpen": usd(since_open), "sinceChange": usd(since_change)},
    }


def spot_state_of(engine: Engine, account: Account | None) -> Body:
    """Balances by token. A unified account's back all dexs; then what is free after maintenance is told too."""
    if account is None:
        return {"balances": []}
    if not account.unified:
        rows = [_balance(engine, token, amount, 0) for token, amount in sorted(account.spot.items()) if amount]
        return {"balances": rows}
    balances, free = [], []
    for key, ledger in sorted(account.ledgers.items(), reverse=True):
        total = ledger.total_raw() + sum(p.cost for p in ledger.positions.values())
        hold = sum(_margin_used(p, notional(engine.marks[p.asset], p.szi)) for p in ledger.positions.values())
        balances.append(_balance(engine, -1 - key, total, hold))
        equity = margin.cross_equity(ledger, engine.marks)
        needed = margin.cross_maintenance(ledger, engine.marks, engine.markets)
        free.append([-1 - key, usd(max(0, equity - needed))])
    return {"balances": balances, "tokenToAvailableAfterMaintenance": free}


def _balance(engine: Engine, token: int, total: int, hold: int) -> Body:
    name = engine.scenario.token(token).name
    return {"coin": name, "token": token, "total": usd(total), "hold": usd(hold), "entryNtl": "0.0"}


def asset_data_of(engine: Engine, user: str, market: LiveMarket) -> Body:
    """What the account could trade in a market at the mark: sizes and money to buy and to sell."""
    account = engine.accounts.get(user) or Account(user)
    leverage, mark = engine.leverage(account, market), engine.marks[market.spec.asset]
    ledger = engine.ledger_of(account, market) or Ledger()
    free = max(0, ledger.available(engine.marks) - engine.reserved(account, market.dex))
    held = ledger.positions.get(market.spec.asset)
    money = [free, free]
    if held is not None:
        # The side that closes may use the margin of the position twice: once to close, once to open beyond.
        money[0 if held.szi < 0 else 1] += 2 * _margin_used(held, notional(mark, held.szi))
    step = 10 ** (8 - market.spec.sz_decimals)
    sizes = [amount * leverage * 10_000_000_000 // mark // step * step for amount in money]
    shown: Body = {"type": "cross" if engine.is_cross(account, market) else "isolated", "value": leverage}
    if held is not None and held.isolated:
        shown["rawUsd"] = usd(held.raw)
    return {
        "user": user,
        "coin": market.key,
        "leverage": shown,
        "maxTradeSzs": [text(size) for size in sizes],
        "availableToTrade": [usd(amount) for amount in money],
        "markPx": text(mark),
    }


def _asset_data(engine: Engine, body: Body) -> Any:
    market, user = market_of(engine, body), address(body.get("user"))
    return None if market is None else asset_data_of(engine, user, market)


# -------------------------------------------------------------- who it is


def _role(engine: Engine, body: Body) -> Any:
    user = address(body.get("user"))
    agent = engine.agents.get(user)
    if agent is not None:
        return {"role": "agent", "data": {"user": agent.master}}
    account = account_of(engine, body)
    if account is None:
        return {"role": "missing"}
    return {"role": "user"} if account.master is None else {"role": "subAccount", "data": {"master": account.master}}


def _abstraction(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    return "unifiedAccount" if account is not None and account.unified else "default"


def _extra_agents(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    agents = [] if account is None else [agent for agent in account.agents.values() if agent.name]
    return [{"name": a.name, "address": a.address, "validUntil": a.valid_until_ms} for a in agents]


def _sub_accounts(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    if account is None or not account.subs:
        return None
    rows = []
    for sub in (engine.accounts[user] for user in account.subs):
        state = state_of(engine, sub, engine.scenario.dexs[0])
        rows.append(
            {
                "name": sub.name,
                "subAccountUser": sub.user,
                "master": account.user,
                "clearinghouseState": state,
                "spotState": spot_state_of(engine, sub),
            }
        )
    return rows


def _max_builder_fee(engine: Engine, body: Body) -> Any:
    account, builder = account_of(engine, body), address(body.get("builder"))
    return 0 if account is None else account.builders.get(builder, 0)


def _referral(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    return {
        "referredBy": None,
        "cumVlm": usd(0 if account is None else account.volume),
        "unclaimedRewards": "0.0",
        "claimedRewards": "0.0",
        "builderRewards": "0.0",
        "tokenToState": [],
        "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
        "rewardHistory": [],
    }


def _fees(engine: Engine, body: Body) -> Any:
    address(body.get("user"))
    vip = [{"ntlCutoff": cut, "cross": cross, "add": add} for cut, cross, add in VIP_TIERS]
    return {
        "dailyUserVlm": [],
        "feeSchedule": {
            "cross": str(USER_CROSS_RATE),
            "add": str(USER_ADD_RATE),
            "spotCross": "0.0007",
            "spotAdd": "0.0004",
            "tiers": {"vip": vip, "mm": [{"makerFractionCutoff": cut, "add": add} for cut, add in MAKER_TIERS]},
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [
                {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
                *({"bpsOfMaxSupply": held, "discount": off} for held, off in STAKING_TIERS),
            ],
        },
        "userCrossRate": str(USER_CROSS_RATE),
        "userAddRate": str(USER_ADD_RATE),
        "userSpotCrossRate": "0.0007",
        "userSpotAddRate": "0.0004",
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def _rate_limit(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body) or Account("")
    return {
        "cumVlm": text(account.volume // 10_000, 2),
        "nRequestsUsed": account.requests,
        "nRequestsCap": REQUESTS_FREE + account.reserved + account.credit // 1_000_000,
        "nRequestsSurplus": 0,
    }


# ------------------------------------------------------------------ history


def _user_funding(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    rows = within([] if account is None else account.fundings, body, ROWS_PER_ANSWER)
    return [funding_row(row) for row in rows]


def funding_row(event: Body) -> Body:
    """One funding payment as the history shows it."""
    delta = {name: value for name, value in event.items() if name != "time"}
    return {"time": event["time"], "hash": "0x" + "0" * 64, "delta": {"type": "funding", **delta}}


def _ledger_updates(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    return within([] if account is None else account.updates, body, ROWS_PER_ANSWER)


def equity_of(engine: Engine, account: Account) -> int:
    """All of an account's money and positions at mark, spot balances counted at one dollar."""
    return sum(account.spot.values()) + sum(ledger.value(engine.marks) for ledger in account.ledgers.values())


def _portfolio(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    history = [] if account is None else [*account.equity_history, _sample(engine, account)]
    rows = []
    for prefix in ("", "perp"):
        for name, span in WINDOWS:
            shown = [row for row in history if span is None or row[0] >= engine.now_ms - span]
            first = shown[0][1] - shown[0][2] if shown else 0
            volume = shown[-1][3] - shown[0][3] if shown else 0
            data = {
                "accountValueHistory": [[at_ms, usd(value)] for at_ms, value, *_ in shown],
                "pnlHistory": [[at_ms, usd(value - put_in - first)] for at_ms, value, put_in, _ in shown],
                "vlm": usd(volume),
            }
            rows.append([prefix + (name[0].upper() + name[1:] if prefix else name), data])
    return rows


def _sample(engine: Engine, account: Account) -> tuple[int, int, int, int]:
    return engine.now_ms, equity_of(engine, account), account.deposited, account.volume


def sample_equity(engine: Engine) -> None:
    """Notes the equity of every account that is not the venue's own, for `portfolio`."""
    for account in engine.accounts.values():
        if not account.internal:
            account.equity_history.append(_sample(engine, account))


# --------------------------------------------------------------- dashboards


def user_state_of(engine: Engine, user: str) -> Body:
    """The part of `webData3` about the user."""
    account = engine.accounts.get(user) or Account(user)
    unnamed = account.agents.get("")
    return {
        "agentAddress": None if unnamed is None else unnamed.address,
        "agentValidUntil": None if unnamed is None else unnamed.valid_until_ms,
        "cumLedger": usd(account.deposited),
        "serverTime": engine.now_ms,
        "isVault": False,
        "user": user,
        "dexAbstractionEnabled": False,
        "abstraction": "unifiedAccount" if account.unified else "default",
    }


def web_data3_of(engine: Engine, user: str) -> Body:
    """What the venue's own page reads: the user, and a row for each dex."""
    rows = []
    for dex in engine.scenario.dexs:
        row: Body = {"totalVaultEquity": "0.0"}
        full = capped(engine, dex)
        if full:
            row["perpsAtOpenInterestCap"] = full
        rows.append(row)
    return {"userState": user_state_of(engine, user), "perpDexStates": rows}


def _web_data2(engine: Engine, body: Body) -> Any:
    account, user, main = account_of(engine, body), address(body.get("user")), engine.scenario.dexs[0]
    told = user_state_of(engine, user)
    return {
        "clearinghouseState": state_of(engine, account, main),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": [record_json(order, order.sz) for order in own_open(engine, user, main)],
        "agentAddress": told["agentAddress"],
        "agentValidUntil": told["agentValidUntil"],
        "cumLedger": told["cumLedger"],
        "meta": meta_of(engine, main),
        "assetCtxs": contexts_of(engine, main),
        "serverTime": engine.now_ms,
        "isVault": False,
        "user": user,
        "twapStates": [],
        "spotState": spot_state_of(engine, account),
        "perpsAtOpenInterestCap": capped(engine, main),
    }


def _nothing(engine: Engine, body: Body) -> Any:
    account_of(engine, body)
    return []


def _delegator(engine: Engine, body: Body) -> Any:
    account_of(engine, body)
    return {"delegated": "0.0", "undelegated": "0.0", "totalPendingWithdrawal": "0.0", "nPendingWithdrawals": 0}


def _state(engine: Engine, body: Body) -> Any:
    return state_of(engine, account_of(engine, body), dex_of(engine, body))


READS = {
    "clearinghouseState": _state,
    "spotClearinghouseState": lambda engine, body: spot_state_of(engine, account_of(engine, body)),
    "activeAssetData": _asset_data,
    "userRole": _role,
    "userAbstraction": _abstraction,
    "extraAgents": _extra_agents,
    "subAccounts": _sub_accounts,
    "maxBuilderFee": _max_builder_fee,
    "referral": _referral,
    "userFees": _fees,
    "userRateLimit": _rate_limit,
    "userFunding": _user_funding,
    "userNonFundingLedgerUpdates": _ledger_updates,
    "portfolio": _portfolio,
    "webData2": _web_data2,
    "userVaultEquities": _nothing,
    "userTwapSliceFills": _nothing,
    "userTwapSliceFillsByTime": _nothing,
    "twapHistory": _nothing,
    "delegations": _nothing,
    "delegatorHistory": _nothing,
    "delegatorRewards": _nothing,
    "delegatorSummary": _delegator,
}
