"""Hourly funding: premiums sampled with every oracle update, paid between longs and shorts, summing to zero."""

from __future__ import annotations

from typing import Any

from hip3.sim.engine import Engine
from hip3.sim.market import RATE_UNIT, LiveMarket
from hip3.sim.matching import FEES
from hip3.sim.wire import notional, text, usd

HOUR_MS = 3_600_000


def run(engine: Engine) -> None:
    """Settles every full hour that has passed since the last one."""
    hour = engine.now_ms // HOUR_MS
    if engine.funded_hour == hour:
        return
    first = engine.funded_hour is None
    engine.funded_hour = hour
    if first:
        return
    for market in engine.markets.values():
        _settle(engine, market, hour * HOUR_MS)


def _settle(engine: Engine, market: LiveMarket, time_ms: int) -> None:
    premium, rate = market.take_premium()
    row = {"coin": market.key, "fundingRate": text(rate, 10), "premium": text(premium, 10), "time": time_ms}
    market.tape.funding.append(row)
    asset = market.spec.asset
    paid = 0
    for account in engine.accounts.values():
        ledger = engine.ledger_of(account, market)
        position = ledger.positions.get(asset) if ledger is not None else None
        if ledger is None or position is None:
            continue
        worth = notional(market.oracle, position.szi)
        amount = worth * rate
        payment = amount // RATE_UNIT if amount >= 0 else -(-amount // RATE_UNIT)
        if position.isolated:
            position.raw -= payment
        else:
            ledger.cash -= payment
        position.funding += payment
        paid += payment
        account.changed = True
        if not account.internal:
            event = _event(market, position.szi, payment, rate, time_ms)
            account.note_funding(event)
            engine.user_events.append((account.user, {"funding": event}))
    # Truncated payments do not cancel out exactly; the difference is the venue's.
    engine.ledger(engine.account(FEES), market).cash += paid


def _event(market: LiveMarket, szi: int, payment: int, rate: int, time_ms: int) -> dict[str, Any]:
    return {
        "time": time_ms,
        "coin": market.key,
        "usdc": usd(-payment),
        "szi": text(szi),
        "fundingRate": text(rate, 10),
        "nSamples": None,
    }
