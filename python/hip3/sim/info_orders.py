"""Reads of orders and fills, and the shapes in which both travel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hip3.sim.asking import Body, account_of, dex_of, within
from hip3.sim.book import Order
from hip3.sim.engine import Engine
from hip3.sim.scenario import Dex
from hip3.sim.triggers import condition, order_type
from hip3.sim.wire import BadRequest, text, usd

ROWS_PER_ANSWER = 2000
PX_DECIMALS_MERGED = 10


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


def record_json(order: Order, sz: int) -> Body:
    """An order as `frontendOpenOrders` and `orderStatus` show it."""
    waits = [child for child in order.children if child.parent is order]
    return {
        "coin": order.coin,
        "side": "B" if order.is_buy else "A",
        "limitPx": text(order.px),
        "sz": text(sz),
        "oid": order.oid,
        "timestamp": order.time_ms,
        "triggerCondition": condition(order),
        "isTrigger": order.trigger is not None,
        "triggerPx": text(order.trigger.px) if order.trigger is not None else "0.0",
        "children": [record_json(child, child.sz) for child in waits],
        "isPositionTpsl": order.position_tpsl,
        "reduceOnly": order.reduce_only,
        "orderType": order_type(order),
        "origSz": text(order.orig_sz),
        "tif": None if order.waits else order.tif,
        "cloid": order.cloid,
    }


def own_open(engine: Engine, user: str, dex: Dex) -> list[Order]:
    """Resting and waiting orders of an account on one dex."""
    account = engine.accounts.get(user)
    orders = [] if account is None else list(account.open_orders.values())
    return [order for order in orders if engine.markets[order.asset].dex is dex]


def _own_open(engine: Engine, body: Body) -> list[Order]:
    account, dex = account_of(engine, body), dex_of(engine, body)
    return [] if account is None else own_open(engine, account.user, dex)


def _status_row(order: Order) -> Body:
    return {
        "order": record_json(order, order.status_sz),
        "status": order.status,
        "statusTimestamp": order.status_ms,
    }


def _order_status(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    name = body.get("oid")
    if isinstance(name, bool) or not isinstance(name, int | str):
        raise BadRequest
    order = None
    if account is not None:
        oid = account.by_cloid.get(name.lower()) if isinstance(name, str) else name
        order = account.orders.get(oid) if oid is not None else None
    return {"status": "unknownOid"} if order is None else {"status": "order", "order": _status_row(order)}


def _historical_orders(engine: Engine, body: Body) -> Any:
    account = account_of(engine, body)
    orders = [] if account is None else list(account.orders.values())[-ROWS_PER_ANSWER:]
    return [_status_row(order) for order in reversed(orders)]


def merged(fills: Iterable[Body]) -> list[Body]:
    """Fills of one order and time put together: sizes, fees and profits added, the price averaged."""
    found: dict[tuple[int, int], list[Body]] = {}
    for fill in fills:
        found.setdefault((fill["oid"], fill["time"]), []).append(fill)
    return [parts[0] if len(parts) == 1 else _merge(parts) for parts in found.values()]


def _scaled(value: str, decimals: int) -> int:
    whole, _, fraction = value.lstrip("-").partition(".")
    number: int = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or 0)
    return -number if value.startswith("-") else number


def _merge(parts: list[Body]) -> Body:
    sizes = [_scaled(part["sz"], 8) for part in parts]
    worth = sum(_scaled(part["px"], 8) * sz for part, sz in zip(parts, sizes, strict=True))
    made = dict(parts[0])
    px = worth * 10**PX_DECIMALS_MERGED // (sum(sizes) * 10**8)
    made |= {"px": text(px, PX_DECIMALS_MERGED), "sz": text(sum(sizes))}
    for name in ("fee", "closedPnl", "builderFee"):
        if name in made:
            made[name] = usd(sum(_scaled(part[name], 6) for part in parts))
    return made


def _merging(body: Body) -> bool:
    wanted = body.get("aggregateByTime") or False
    if not isinstance(wanted, bool):
        raise BadRequest
    return wanted


def _user_fills(engine: Engine, body: Body) -> Any:
    account, merge = account_of(engine, body), _merging(body)
    fills = [] if account is None else list(account.fills)
    shown = merged(fills) if merge else fills
    return list(reversed(shown[-ROWS_PER_ANSWER:]))


def _user_fills_by_time(engine: Engine, body: Body) -> Any:
    account, merge = account_of(engine, body), _merging(body)
    fills = within([] if account is None else account.fills, body, ROWS_PER_ANSWER)
    if body.get("reversed"):
        fills.reverse()
    return merged(fills) if merge else fills


READS = {
    "openOrders": lambda engine, body: [order_json(order, order.sz) for order in _own_open(engine, body)],
    "frontendOpenOrders": lambda engine, body: [record_json(order, order.sz) for order in _own_open(engine, body)],
    "orderStatus": _order_status,
    "historicalOrders": _historical_orders,
    "userFills": _user_fills,
    "userFillsByTime": _user_fills_by_time,
}
