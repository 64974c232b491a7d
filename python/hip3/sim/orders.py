"""Actions on orders: `order`, `modify`, `batchModify`, cancels. Readers of shape and their runs."""

from __future__ import annotations

from typing import Any

from hip3.sim.accounts import Account
from hip3.sim.book import Order, Trigger, lot_problem, tick_problem
from hip3.sim.engine import Engine, Refusal
from hip3.sim.triggers import bind, place_trigger
from hip3.sim.wire import BadRequest, address, boolean, cloid, decimal, whole, word

BATCH_MAX = 200
#: Time in force of a request, and what it is here; the venue's own page sends the last.
TIFS = {"Gtc": "Gtc", "Ioc": "Ioc", "Alo": "Alo", "FrontendMarket": "Ioc"}
#: Assets of spot pairs.
SPOT = range(10_000, 100_000)
GROUPINGS = ("na", "normalTpsl", "positionTpsl")
#: Limit prices lie above a fifth of the reference price and at most at five times it.
FAR_LOW, FAR_HIGH = 5, 5
NEVER_PLACED = "Order was never placed, already canceled, or filled."

Row = dict[str, Any]
Statuses = dict[str, Any]


class ActionRefused(Exception):
    """The whole action is refused, with the venue's text."""


def over_weight(count: int) -> None:
    """Refuses batches beyond the venue's bound."""
    if count > BATCH_MAX:
        raise ActionRefused(f"Signed action over weight limit of {BATCH_MAX}.")


def statuses(kind: str, rows: list[Any]) -> Statuses:
    """An answer with one status for each request, in their order."""
    return {"type": kind, "data": {"statuses": rows}}


# --------------------------------------------------------------------- reading


def read_orders(action: dict[str, Any]) -> tuple[list[Row], str]:
    """The orders of an action and their grouping. Raises BadRequest."""
    rows, grouping = action.get("orders"), action.get("grouping")
    if isinstance(grouping, dict) and isinstance(grouping.get("p"), int):
        # A priority fee moves nothing here: blocks are far from full.
        grouping = "na"
    if not isinstance(rows, list) or grouping not in GROUPINGS:
        raise BadRequest
    builder = action.get("builder")
    paid = None
    if builder is not None:
        if not isinstance(builder, dict):
            raise BadRequest
        paid = (address(builder.get("b")), whole(builder.get("f")))
    return [{**_read_order(row), "builder": paid} for row in rows], grouping


def _read_order(row: Any) -> Row:
    if not isinstance(row, dict) or not isinstance(row.get("t"), dict):
        raise BadRequest
    kind = row["t"]
    limit, waits = kind.get("limit"), kind.get("trigger")
    if isinstance(limit, dict):
        tif, trigger = TIFS[word(limit.get("tif"), TIFS)], None
    elif isinstance(waits, dict) and waits.get("tpsl") in ("tp", "sl"):
        trigger = Trigger(decimal(waits.get("triggerPx")), boolean(waits.get("isMarket")), waits["tpsl"])
        tif = "Gtc"
    else:
        raise BadRequest
    return {
        "asset": whole(row.get("a")),
        "is_buy": boolean(row.get("b")),
        "px": decimal(row.get("p")),
        "sz": decimal(row.get("s")),
        "reduce_only": boolean(row.get("r")),
        "tif": tif,
        "trigger": trigger,
        "cloid": None if row.get("c") is None else cloid(row["c"]),
    }


def read_modifies(action: dict[str, Any]) -> list[tuple[int | str, Row]]:
    """The orders to replace and what replaces them. Raises BadRequest."""
    if action["type"] == "modify":
        return [(_order_name(action.get("oid")), {**_read_order(action.get("order")), "builder": None})]
    rows = _rows(action, "modifies")
    return [(_order_name(row.get("oid")), {**_read_order(row.get("order")), "builder": None}) for row in rows]


def _order_name(value: Any) -> int | str:
    return cloid(value) if isinstance(value, str) else whole(value)


def read_cancels(action: dict[str, Any]) -> list[tuple[int, int | str]]:
    """Assets and order ids. Raises BadRequest."""
    return [(whole(row.get("a")), whole(row.get("o"))) for row in _rows(action, "cancels")]


def read_cancels_by_cloid(action: dict[str, Any]) -> list[tuple[int, int | str]]:
    """Assets and client order ids. Raises BadRequest."""
    return [(whole(row.get("asset")), cloid(row.get("cloid"))) for row in _rows(action, "cancels")]


def _rows(action: dict[str, Any], name: str) -> list[Row]:
    rows = action.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest
    return rows


# --------------------------------------------------------------------- running


def static_problem(engine: Engine, row: Row) -> str | None:
    """What is wrong with an order whatever the state of the book, in the venue's words."""
    market = engine.markets.get(row["asset"])
    if market is None:
        return f"Asset {row['asset']} does not exist."
    decimals, told = market.spec.sz_decimals, f" asset={row['asset']}"
    trigger: Trigger | None = row["trigger"]
    sized = lot_problem(row["sz"], decimals) if row["sz"] or trigger is None else None
    if sized is not None:
        return sized if sized.endswith("invalid size.") else sized + told
    for px in (row["px"], *((trigger.px,) if trigger is not None else ())):
        priced = tick_problem(px, decimals)
        if priced is not None:
            return priced if priced.endswith("invalid price.") else priced + told
    if not market.mark < row["px"] * FAR_LOW or row["px"] > FAR_HIGH * market.mark:
        return "Order price cannot be more than 80% away from the reference price"
    return None


def _group_problem(rows: list[Row], grouping: str) -> str | None:
    """What is wrong with a group of triggers."""
    children = rows[1:] if grouping == "normalTpsl" else rows
    if grouping == "na":
        return None
    if grouping == "normalTpsl" and rows[0]["trigger"] is not None:
        return "Trigger order has unexpected side."
    for row in children:
        if row["trigger"] is None or not row["reduce_only"]:
            return "Trigger order is not reduce only."
        if row["is_buy"] != children[0]["is_buy"] or (grouping == "normalTpsl" and row["is_buy"] == rows[0]["is_buy"]):
            return "Trigger order has unexpected side."
    return None


def run_orders(engine: Engine, account: Account, wanted: tuple[list[Row], str]) -> Statuses:
    """Static checks of the whole batch, then each order at run time."""
    rows, grouping = wanted
    if not rows:
        raise ActionRefused("Orders are empty")
    over_weight(len(rows))
    if len({row["asset"] in SPOT for row in rows}) > 1:
        raise ActionRefused("Order action has different asset classes")
    problem = next((p for p in (static_problem(engine, row) for row in rows) if p is not None), None)
    problem = problem or _group_problem(rows, grouping)
    if problem is not None:
        return statuses("order", [{"error": problem}] * len(rows))
    answers: list[Any] = []
    parent: Order | None = None
    children: list[Order] = []
    for number, row in enumerate(rows):
        if grouping == "normalTpsl" and number and parent is None:
            # The parent was refused: its children have nothing to wait for.
            answers.append({"error": f"{answers[0]['error']}"})
            continue
        order = _new(engine, account, row, grouping == "positionTpsl")
        answer = _place(engine, account, order, parent)
        answers.append(answer)
        if isinstance(answer, dict) and "error" in answer:
            continue
        if grouping == "normalTpsl" and number == 0:
            parent = order
        elif order.trigger is not None and grouping != "na":
            children.append(order)
    bind(parent, children)
    return statuses("order", answers)


def _new(engine: Engine, account: Account, row: Row, position_tpsl: bool = False) -> Order:
    terms = {name: value for name, value in row.items() if name != "asset"}
    order = engine.new_order(account, engine.markets[row["asset"]], terms)
    order.position_tpsl = position_tpsl
    return order


def _place(engine: Engine, account: Account, order: Order, parent: Order | None = None) -> Any:
    try:
        if order.builder is not None and order.builder[1] > account.builders.get(order.builder[0], 0):
            account.remember(order)
            engine.set_status(account, order, "rejected")
            raise Refusal("Builder fee has not been approved")
        if order.trigger is not None:
            return place_trigger(engine, account, order, parent)
        return engine.place(account, order)
    except Refusal as refusal:
        return {"error": f"{refusal} asset={order.asset}"}


def find_open(account: Account, name: int | str) -> Order | None:
    """The open order of either id."""
    oid = account.by_cloid.get(name) if isinstance(name, str) else name
    return account.open_orders.get(oid) if oid is not None else None


def run_cancels(engine: Engine, account: Account, wanted: list[tuple[int, int | str]]) -> Statuses:
    """Cancels one by one."""
    over_weight(len(wanted))
    answers: list[Any] = []
    for asset, name in wanted:
        order = find_open(account, name)
        if order is None or order.asset != asset:
            answers.append({"error": f"{NEVER_PLACED} asset={asset}"})
        else:
            engine.cancel(account, order, "canceled")
            answers.append("success")
    return statuses("cancel", answers)


def _replace(engine: Engine, account: Account, name: int | str, row: Row) -> Any:
    old = find_open(account, name)
    if old is None or old.asset != row["asset"]:
        return {"error": "Cannot modify canceled or filled order"}
    problem = static_problem(engine, row)
    if problem is not None:
        return {"error": problem}
    engine.cancel(account, old, "canceled")
    answer = _place(engine, account, _new(engine, account, row))
    if isinstance(answer, dict) and "error" in answer:
        return {"error": f"Error placing new order during modify: {answer['error']}"}
    return answer


def run_modify(engine: Engine, account: Account, wanted: list[tuple[int | str, Row]]) -> Statuses:
    """Cancels an order and places another in its stead."""
    answer = _replace(engine, account, *wanted[0])
    if isinstance(answer, dict) and "error" in answer:
        raise ActionRefused(answer["error"])
    return {"type": "default"}


def run_batch_modify(engine: Engine, account: Account, wanted: list[tuple[int | str, Row]]) -> Statuses:
    """The same for several, each with a status of its own."""
    over_weight(len(wanted))
    return statuses("order", [_replace(engine, account, name, row) for name, row in wanted])
