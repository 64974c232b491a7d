"""Trigger orders: accepted, waiting, fired by the mark; take-profit and stop-loss groups around a parent."""

from __future__ import annotations

from typing import Any

from hip3.sim.accounts import Account
from hip3.sim.book import Order
from hip3.sim.engine import Engine, Refusal
from hip3.sim.market import LiveMarket
from hip3.sim.wire import text


def fires_above(order: Order) -> bool:
    """Whether the order fires at marks at or above its price: a sell to take profit, a buy to stop a loss."""
    assert order.trigger is not None
    return (order.trigger.kind == "tp") != order.is_buy


def reached(order: Order, mark: int) -> bool:
    """Whether the mark fires the order."""
    assert order.trigger is not None
    return mark >= order.trigger.px if fires_above(order) else mark <= order.trigger.px


def condition(order: Order) -> str:
    """The venue's words for what the order waits for."""
    if order.trigger is None:
        return "N/A"
    if order.fired:
        return "Triggered"
    px = text(order.trigger.px).removesuffix(".0")
    return f"Price {'above' if fires_above(order) else 'below'} {px}"


def order_type(order: Order) -> str:
    """The venue's name of the order's kind."""
    if order.trigger is None:
        return "Limit"
    name = "Take Profit" if order.trigger.kind == "tp" else "Stop"
    return f"{name} {'Market' if order.trigger.is_market else 'Limit'}"


def place_trigger(engine: Engine, account: Account, order: Order, parent: Order | None = None) -> str:
    """Takes a trigger order in; the word of the answer. Raises Refusal."""
    market = engine.markets[order.asset]
    account.remember(order)
    try:
        engine.check_count(account, order)
        waits_for_fill = parent is not None and parent.sz > 0
        if not waits_for_fill and reached(order, market.mark):
            raise Refusal("Invalid TP/SL price.", "badTriggerPxRejected")
        if order.position_tpsl and engine.position_sz(account, market) * (1 if order.is_buy else -1) >= 0:
            raise Refusal("Reduce only order would increase position.")
    except Refusal as refusal:
        engine.set_status(account, order, refusal.word)
        raise
    order.parent = parent if waits_for_fill else None
    engine.waiting.setdefault(order.asset, {})[order.oid] = order
    account.open_orders[order.oid] = order
    engine.set_status(account, order, "open")
    return "waitingForFill" if waits_for_fill else "waitingForTrigger"


def bind(parent: Order | None, children: list[Order]) -> None:
    """Ties a group together: children die with their parent, and the end of one child ends the others."""
    if parent is not None:
        parent.children = [child for child in children if child.parent is parent]
    for child in children:
        child.children = [other for other in children if other is not child]


def fire(engine: Engine) -> None:
    """Wakes every waiting order that the marks have reached."""
    for asset, orders in engine.waiting.items():
        market = engine.markets[asset]
        due = [order for order in orders.values() if order.awake and reached(order, market.mark)]
        for order in due:
            if orders.pop(order.oid, None) is not None:
                _fire_one(engine, engine.accounts[order.user], market, order)


def _fire_one(engine: Engine, account: Account, market: LiveMarket, order: Order) -> None:
    assert order.trigger is not None
    account.open_orders.pop(order.oid, None)
    order.fired = True
    held = engine.position_sz(account, market)
    if order.position_tpsl or (order.reduce_only and order.sz > abs(held)):
        order.sz = abs(held)
        order.orig_sz = order.orig_sz or order.sz
    engine.set_status(account, order, "triggered")
    event: dict[str, Any] = {"coin": order.coin, "oid": order.oid, "triggerPx": text(order.trigger.px)}
    engine.user_events.append((account.user, {"triggerActivated": event}))
    order.tif = "Ioc" if order.trigger.is_market else "Gtc"
    try:
        if order.trigger.is_market and market.book.best_px(not order.is_buy) is None:
            engine.set_status(account, order, "marketOrderNoLiquidityRejected")
            return
        engine.place(account, order)
    except Refusal:
        # The record says why; a fired trigger has nobody to answer to.
        return
