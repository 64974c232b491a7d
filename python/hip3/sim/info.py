"""Reads of `/info`. A new request is a function and an entry in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hip3.sim.accounts import Account, Position
from hip3.sim.book import Order, level_json
from hip3.sim.engine import USER_ADD_RATE, USER_CROSS_RATE, Engine
from hip3.sim.scenario import Dex
from hip3.sim.wire import BadRequest, address, notional, text, usd

Body = dict[str, Any]
FILLS_PER_ANSWER = 2000
BOOK_LEVELS = 20
FREE_REQUESTS = 10_000


def answer(engine: Engine, body: Any) -> Any:
    """The answer to one request. Raises BadRequest for an unknown type or a malformed field."""
    if not isinstance(body, dict):
        raise BadRequest
    handler = INFOS.get(str(body.get("type")))
    if handler is None:
        raise BadRequest
    return handler(engine, body)


# ------------------------------------------------------------------ markets


def _dex(engine: Engine, body: Body) -> Dex:
    name = body.get("dex") or ""
    found = next((dex for dex in engine.scenario.dexs if dex.name == name), None)
    if found is None:
        raise BadRequest
    return found


def _perp_dexs(engine: Engine, _: Body) -> Any:
    rows: list[Any] = [None]
    for dex in engine.scenario.dexs[1:]:
        caps = sorted([market.coin, text(market.oi_cap_usd, 0)] for market in dex.markets)
        rows.append(
            {
                "name": dex.name,
                "fullName": dex.full_name,
                "deployer": dex.deployer,
                "oracleUpdater": None,
                "feeRecipient": dex.fee_recipient,
                "assetToStreamingOiCap": caps,
                "subDeployers": [],
                "assetToFundingMultiplier": [],
                "assetToFundingInterestRate": [],
                "assetToFundingClamp": [],
            }
        )
    return rows


def _meta(engine: Engine, dex: Dex) -> Body:
    tables = {market.max_leverage for market in dex.markets}
    rows = [[most, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": most}]}] for most in tables]
    return {
        "universe": [engine.markets[market.asset].universe_entry() for market in dex.markets],
        "marginTables": sorted(rows, key=lambda row: str(row[0])),
        "collateralToken": dex.collateral_token,
    }


def context(engine: Engine, asset: int) -> Body:
    """One asset context with the open interest of all accounts."""
    held = 0
    for account in engine.accounts.values():
        for ledger in account.ledgers.values():
            position = ledger.positions.get(asset)
            if position is not None and position.szi > 0 and not account.internal:
                held += position.szi
    return engine.markets[asset].context(held)


def _meta_and_contexts(engine: Engine, body: Body) -> Any:
    dex = _dex(engine, body)
    return [_meta(engine, dex), [context(engine, market.asset) for market in dex.markets]]


def _all_mids(engine: Engine, body: Body) -> Any:
    mids = {}
    for market in _dex(engine, body).markets:
        bid, ask = engine.markets[market.asset].book.touch()
        if bid is not None and ask is not None:
            mids[market.coin] = text((bid[0] + ask[0]) // 2)
    return mids


def _l2_book(engine: Engine, body: Body) -> Any:
    market = next((m for m in engine.markets.values() if m.key == body.get("coin")), None)
    if market is None:
        return None
    sides = [[level_json(level, text) for level in market.book.depth(side, BOOK_LEVELS)] for side in (True, False)]
    return {"coin": market.key, "time": engine.now_ms, "levels": sides}


def _limits(engine: Engine, body: Body) -> Any:
    dex = _dex(engine, body)
    return {
        "totalOiCap": "10000000000.0",
        "oiSzCapPerPerp": "20000000000.0",
        "maxTransferNtl": "3000000000.0",
        "coinToOiCap": [[market.coin, text(market.oi_cap_usd, 0)] for market in dex.markets],
    }


def _spot_meta(engine: Engine, _: Body) -> Any:
    tokens = [
        {
            "name": token.name,
            "szDecimals": 8,
            "weiDecimals": 8,
            "index": token.index,
            "tokenId": f"0x{token.index:032x}",
            "isCanonical": token.index == 0,
            "evmContract": None,
            "fullName": None,
        }
        for token in engine.scenario.tokens
    ]
    return {"universe": [], "tokens": tokens}


# ------------------------------------------------------------------ account


def _account(engine: Engine, body: Body) -> Account | None:
    found = engine.accounts.get(address(body.get("user")))
    return None if found is not None and found.internal else found


def _role(engine: Engine, body: Body) -> Any:
    return {"role": "missing" if _account(engine, body) is None else "user"}


def _abstraction(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    return "unifiedAccount" if account is not None and account.unified else "default"


def _extra_agents(_: Engine, body: Body) -> Any:
    address(body.get("user"))
    return []


def _fees(engine: Engine, body: Body) -> Any:
    address(body.get("user"))
    return {
        "dailyUserVlm": [],
        "feeSchedule": {
            "cross": str(USER_CROSS_RATE),
            "add": str(USER_ADD_RATE),
            "spotCross": "0.0007",
            "spotAdd": "0.0004",
            "tiers": {"vip": [], "mm": []},
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [],
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


def _spot_state(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    balances = []
    if account is not None and account.unified:
        for key, ledger in account.ledgers.items():
            token = engine.scenario.token(-1 - key)
            total = ledger.total_raw() + sum(p.cost for p in ledger.positions.values())
            balances.append(
                {"coin": token.name, "token": token.index, "total": usd(total), "hold": "0.0", "entryNtl": "0.0"}
            )
    return {"balances": balances}


def clearinghouse_state(engine: Engine, account: Account | None, dex: Dex) -> Body:
    """The account on one dex; a unified one shows its positions here and its money on spot."""
    positions: list[Position] = []
    raw = cross_raw = 0
    if account is not None:
        key = -1 - dex.collateral_token if account.unified else dex.index
        ledger = account.ledgers.get(key)
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
    maintenance = sum(abs(worth[p.asset]) // (2 * engine.markets[p.asset].spec.max_leverage) for p in cross)
    free = cross_value - sum(used[p.asset] for p in cross)
    return {
        "marginSummary": _summary(raw + sum(worth.values()), total, raw, sum(used.values())),
        "crossMarginSummary": _summary(
            cross_value, sum(abs(worth[p.asset]) for p in cross), cross_raw, sum(used[p.asset] for p in cross)
        ),
        "crossMaintenanceMarginUsed": usd(maintenance),
        "withdrawable": usd(max(0, free)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(engine, p, worth[p.asset], used[p.asset])} for p in positions
        ],
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


def _position(engine: Engine, position: Position, worth: int, used: int) -> Body:
    market = engine.markets[position.asset]
    entry = abs(position.cost) * 10_000_000_000 // abs(position.szi)
    step = 10 ** (1 + market.spec.sz_decimals)
    profit = worth - position.cost
    leverage: Body = {"type": "isolated" if position.isolated else "cross", "value": position.leverage}
    if position.isolated:
        leverage["rawUsd"] = usd(position.raw)
    margin = abs(position.cost) // position.leverage
    return {
        "coin": market.key,
        "szi": text(position.szi),
        "leverage": leverage,
        "entryPx": text(entry // step * step),
        "positionValue": usd(abs(worth)),
        "unrealizedPnl": usd(profit),
        "returnOnEquity": text(profit * 10**10 // margin if margin else 0, 10),
        "liquidationPx": None,
        "marginUsed": usd(used),
        "maxLeverage": market.spec.max_leverage,
        "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
    }


def _state(engine: Engine, body: Body) -> Any:
    return clearinghouse_state(engine, _account(engine, body), _dex(engine, body))


# ------------------------------------------------------------------- orders


def order_json(order: Order, sz: int) -> Body:
    """An order as `openOrders` and `orderUpdates` show it."""
    shown: Body = {
        "coin": order.coin,
        "side": "B" if order.is_buy else "A",
        "limitPx": text(order.px),
        "sz": text(sz),
        "oid": order.oid,
        "timestamp": order.time_ms,
        "origSz": text(order.orig_sz),
    }
    if order.reduce_only:
        shown["reduceOnly"] = True
    if order.cloid is not None:
        shown["cloid"] = order.cloid
    return shown


def _record(order: Order, sz: int) -> Body:
    return {
        "coin": order.coin,
        "side": "B" if order.is_buy else "A",
        "limitPx": text(order.px),
        "sz": text(sz),
        "oid": order.oid,
        "timestamp": order.time_ms,
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": order.reduce_only,
        "orderType": "Limit",
        "origSz": text(order.orig_sz),
        "tif": order.tif,
        "cloid": order.cloid,
    }


def _own_open(engine: Engine, body: Body) -> list[Order]:
    account, dex = _account(engine, body), _dex(engine, body)
    orders = [] if account is None else list(account.open_orders.values())
    return [order for order in orders if engine.markets[order.asset].dex is dex]


def _open_orders(engine: Engine, body: Body) -> Any:
    return [order_json(order, order.sz) for order in _own_open(engine, body)]


def _frontend_open_orders(engine: Engine, body: Body) -> Any:
    return [_record(order, order.sz) for order in _own_open(engine, body)]


def _order_status(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    name = body.get("oid")
    if isinstance(name, bool) or not isinstance(name, int | str):
        raise BadRequest
    order = None
    if account is not None:
        oid = account.by_cloid.get(name.lower()) if isinstance(name, str) else name
        order = account.orders.get(oid) if oid is not None else None
    if order is None:
        return {"status": "unknownOid"}
    record = _record(order, order.status_sz)
    return {
        "status": "order",
        "order": {"order": record, "status": order.status, "statusTimestamp": order.status_ms},
    }


def _historical_orders(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    orders = [] if account is None else list(account.orders.values())[-FILLS_PER_ANSWER:]
    return [
        {"order": _record(o, o.status_sz), "status": o.status, "statusTimestamp": o.status_ms} for o in reversed(orders)
    ]


def _user_fills(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    fills = [] if account is None else list(account.fills)
    return list(reversed(fills[-FILLS_PER_ANSWER:]))


def _user_fills_by_time(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    start, end = body.get("startTime"), body.get("endTime")
    if not isinstance(start, int) or not isinstance(end, int | None):
        raise BadRequest
    fills = [] if account is None else account.fills
    return [f for f in fills if start <= f["time"] and (end is None or f["time"] <= end)][:FILLS_PER_ANSWER]


def _rate_limit(engine: Engine, body: Body) -> Any:
    account = _account(engine, body)
    volume, used = (0, 0) if account is None else (account.volume, account.requests)
    return {
        "cumVlm": text(volume // 10_000, 2),
        "nRequestsUsed": used,
        "nRequestsCap": FREE_REQUESTS + volume // 1_000_000,
        "nRequestsSurplus": 0,
    }


INFOS: dict[str, Callable[[Engine, Body], Any]] = {
    "perpDexs": _perp_dexs,
    "meta": lambda engine, body: _meta(engine, _dex(engine, body)),
    "allPerpMetas": lambda engine, _: [_meta(engine, dex) for dex in engine.scenario.dexs],
    "metaAndAssetCtxs": _meta_and_contexts,
    "allMids": _all_mids,
    "l2Book": _l2_book,
    "perpDexLimits": _limits,
    "perpsAtOpenInterestCap": lambda engine, body: [
        m.coin for m in _dex(engine, body).markets if engine.markets[m.asset].capped
    ],
    "spotMeta": _spot_meta,
    "userRole": _role,
    "userAbstraction": _abstraction,
    "extraAgents": _extra_agents,
    "userFees": _fees,
    "spotClearinghouseState": _spot_state,
    "clearinghouseState": _state,
    "openOrders": _open_orders,
    "frontendOpenOrders": _frontend_open_orders,
    "orderStatus": _order_status,
    "historicalOrders": _historical_orders,
    "userFills": _user_fills,
    "userFillsByTime": _user_fills_by_time,
    "userRateLimit": _rate_limit,
}
