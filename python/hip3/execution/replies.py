"""What the venue's answers mean for orders: pure functions from an answer to outcomes.

Texts and shapes are those of the venue's exchange endpoint; an answer of a shape that is not known
says nothing about the order (`Told.NOTHING`), which makes it unknown and leads to a query.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from typing import Any

import orjson

from hip3.execution.orders import OrderState


class Told(Enum):
    """How much an answer says about one order."""

    ENDED = auto()
    ALIVE = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One order's part of an answer. `executed` is None where the answer does not tell it."""

    told: Told
    end: OrderState | None = None
    executed: Decimal | None = None
    oid: int | None = None
    text: str = ""


class Consequence(Enum):
    """What a refusal means beyond its own order."""

    NONE = auto()
    #: The venue wants fewer requests: entries rest, exits go on.
    SLOW_DOWN = auto()
    #: The account cannot open positions: entries stop until somebody acts.
    STOP_ENTRIES = auto()
    #: Nothing signed by this key is taken: the trader stops.
    HALT = auto()
    #: The local belief about a position is wrong: the account is read again.
    RESYNC = auto()


_CONSEQUENCES = (
    ("Too many cumulative requests", Consequence.SLOW_DOWN),
    ("User or API Wallet", Consequence.HALT),
    ("Unable to recover signer", Consequence.HALT),
    ("Must deposit before performing actions", Consequence.STOP_ENTRIES),
    ("Insufficient margin to place order", Consequence.STOP_ENTRIES),
    ("Reduce only order would increase position", Consequence.RESYNC),
)

#: Refusals that speak of the market, not of the order, by a part of their text.
_MARKET_TROUBLES = (("trading is halted", "halted"), ("open interest", "capped"))

NOTHING = Outcome(Told.NOTHING)


def consequence_of(text: str) -> Consequence:
    """The consequence of a refusal text; texts are matched by their beginning."""
    body = text.removeprefix("L1 error: ")
    return next((what for prefix, what in _CONSEQUENCES if body.startswith(prefix)), Consequence.NONE)


def market_trouble_of(text: str) -> str | None:
    """What a refusal says of its market, `halted` or `capped` (its open interest), or None."""
    return next((what for part, what in _MARKET_TROUBLES if part in text.lower()), None)


def json_of(payload: bytes) -> Any:
    """The JSON of a payload; None where it cannot be read, which says nothing."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None


def read_answer(payload: Any, count: int) -> list[Outcome]:
    """The outcomes of an action with `count` orders, in request order; missing ones are NOTHING."""
    if not isinstance(payload, dict):
        return [NOTHING] * count
    response = payload.get("response")
    if payload.get("status") == "err" and isinstance(response, str):
        end = OrderState.EXPIRED if response.startswith("Action already expired") else OrderState.REJECTED
        return [Outcome(Told.ENDED, end, Decimal(0), None, response)] * count
    statuses: Any = None
    if payload.get("status") == "ok" and isinstance(response, dict):
        data = response.get("data")
        statuses = data.get("statuses") if isinstance(data, dict) else None
    if not isinstance(statuses, list):
        return [NOTHING] * count
    outcomes = [_read_status(status) for status in statuses[:count]]
    return outcomes + [NOTHING] * (count - len(outcomes))


def _read_status(status: Any) -> Outcome:
    if not isinstance(status, dict):
        return NOTHING
    if isinstance(status.get("error"), str):
        return Outcome(Told.ENDED, OrderState.REJECTED, Decimal(0), None, status["error"])
    filled = status.get("filled")
    if isinstance(filled, dict):
        executed = _decimal(filled.get("totalSz"))
        if executed is not None:
            return Outcome(Told.ENDED, OrderState.FILLED, executed, _oid(filled))
    resting = status.get("resting")
    if isinstance(resting, dict):
        return Outcome(Told.ALIVE, oid=_oid(resting))
    return NOTHING


def read_status_word(word: str, sz: str, orig_sz: str, oid: int) -> Outcome:
    """The meaning of a status word of `orderUpdates` or `orderStatus`.

    `sz` is what remains and `orig_sz` what was asked. Words that are not known but end in `Canceled`
    or `Cancel` are dead, those that end in `Rejected` never lived; any other says nothing.
    """
    remaining, asked = _decimal(sz), _decimal(orig_sz)
    if word == "filled":
        return Outcome(Told.ENDED, OrderState.FILLED, asked, oid)
    if word in ("open", "triggered"):
        return Outcome(Told.ALIVE, oid=oid)
    if word.endswith("Rejected") or word == "rejected":
        return Outcome(Told.ENDED, OrderState.REJECTED, Decimal(0), oid, word)
    if word.endswith(("Canceled", "Cancel")) or word == "canceled":
        executed = asked - remaining if asked is not None and remaining is not None else None
        return Outcome(Told.ENDED, OrderState.CANCELED, executed, oid, word)
    return Outcome(Told.NOTHING, oid=oid)


def read_order_status(data: Any) -> Outcome | None:
    """The meaning of an `orderStatus` reply; None when the venue does not know the order."""
    if not isinstance(data, dict):
        return NOTHING
    if data.get("status") == "unknownOid":
        return None
    record = data.get("order")
    order = record.get("order") if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(order, dict):
        return NOTHING
    oid, word = order.get("oid"), record.get("status")
    if not isinstance(oid, int) or not isinstance(word, str):
        return NOTHING
    outcome = read_status_word(word, str(order.get("sz")), str(order.get("origSz")), oid)
    # The record's remaining size is that of the last status change, so it does not tell what a
    # canceled order executed: its fills do.
    if outcome.end is OrderState.CANCELED:
        return Outcome(outcome.told, outcome.end, None, oid, outcome.text)
    return outcome


def _oid(body: dict[str, Any]) -> int | None:
    oid = body.get("oid")
    return oid if isinstance(oid, int) else None


def _decimal(text: Any) -> Decimal | None:
    try:
        value = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() else None
