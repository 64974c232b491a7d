"""Reads of `/info`: one table of all requests. A new one is a function in its room and an entry there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hip3.sim import info_account, info_markets, info_orders
from hip3.sim.asking import Body
from hip3.sim.engine import Engine
from hip3.sim.wire import BadRequest

READS: dict[str, Callable[[Engine, Body], Any]] = {**info_markets.READS, **info_account.READS, **info_orders.READS}


def answer(engine: Engine, body: Any) -> Any:
    """The answer to one request. Raises BadRequest for an unknown type or a malformed field."""
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise BadRequest
    handler = READS.get(body["type"])
    if handler is None:
        raise BadRequest
    return handler(engine, body)
