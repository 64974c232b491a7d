"""What the reads of `/info` have in common: the dex, market, account and span of time that a request names."""

from __future__ import annotations

from typing import Any

from hip3.sim.accounts import Account
from hip3.sim.engine import Engine
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Dex
from hip3.sim.wire import BadRequest, address

Body = dict[str, Any]


def dex_of(engine: Engine, body: Body) -> Dex:
    """The dex of a request; a missing or empty name is the main one. Raises BadRequest."""
    name = body.get("dex") or ""
    found = engine.dex(name) if isinstance(name, str) else None
    if found is None:
        raise BadRequest
    return found


def market_of(engine: Engine, body: Body) -> LiveMarket | None:
    """The market of a request's coin, or None. Raises BadRequest when there is no coin."""
    coin = body.get("coin")
    if not isinstance(coin, str):
        raise BadRequest
    return engine.by_coin.get(coin)


def account_of(engine: Engine, body: Body) -> Account | None:
    """The account of a request's user, or None. Raises BadRequest when there is no address."""
    found = engine.accounts.get(address(body.get("user")))
    return None if found is not None and found.internal else found


def span_of(body: Body, required: bool = True) -> tuple[int, int]:
    """Start and end in milliseconds, both inclusive. Raises BadRequest."""
    start, end = body.get("startTime"), body.get("endTime")
    if start is None and not required:
        start = 0
    for value in (start, end):
        if isinstance(value, bool) or not isinstance(value, int | None):
            raise BadRequest
    if start is None:
        raise BadRequest
    return start, (1 << 62) if end is None else int(end)


def within(rows: Any, body: Body, most: int, required: bool = True) -> list[Body]:
    """Rows whose `time` lies within the request's span, oldest first."""
    start, end = span_of(body, required)
    return [row for row in rows if start <= row["time"] <= end][:most]
