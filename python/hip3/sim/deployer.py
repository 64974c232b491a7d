"""What a builder dex's deployer may do: oracle prices, halts, open-interest caps (`perpDeploy`)."""

from __future__ import annotations

from typing import Any

from hip3.sim import liquidation
from hip3.sim.accounts import Account
from hip3.sim.book import Order
from hip3.sim.engine import Engine
from hip3.sim.market import LiveMarket
from hip3.sim.matching import NO_HASH, book_side
from hip3.sim.scenario import Dex
from hip3.sim.wire import BadRequest, boolean, decimal

Pairs = dict[str, int]


class DeployRefused(Exception):
    """The deployer's action is refused, with a text."""


def read(action: dict[str, Any]) -> tuple[str, Any]:
    """The one thing that the action asks for and its body. Raises BadRequest."""
    asked = {name: body for name, body in action.items() if name != "type"}
    if len(asked) != 1:
        raise BadRequest
    ((name, body),) = asked.items()
    reader = READERS.get(name)
    if reader is None:
        raise BadRequest
    return name, reader(body)


def _pairs(rows: Any) -> Pairs:
    if not isinstance(rows, list):
        raise BadRequest
    found: Pairs = {}
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str):
            raise BadRequest
        found[row[0]] = decimal(row[1])
    return found


def _read_oracle(body: Any) -> tuple[str, Pairs, list[Pairs], Pairs]:
    if not isinstance(body, dict) or not isinstance(body.get("dex"), str) or not isinstance(body.get("markPxs"), list):
        raise BadRequest
    marks = [_pairs(rows) for rows in body["markPxs"]]
    if len(marks) > 2:
        raise BadRequest
    return body["dex"], _pairs(body.get("oraclePxs")), marks, _pairs(body.get("externalPerpPxs"))


def _read_halt(body: Any) -> tuple[str, bool]:
    if not isinstance(body, dict) or not isinstance(body.get("coin"), str):
        raise BadRequest
    return body["coin"], boolean(body.get("isHalted"))


def _read_caps(body: Any) -> dict[str, int]:
    if not isinstance(body, list):
        raise BadRequest
    caps: dict[str, int] = {}
    for row in body:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str):
            raise BadRequest
        caps[row[0]] = row[1] if isinstance(row[1], int) else decimal(row[1]) // 100_000_000
    return caps


READERS = {"setOracle": _read_oracle, "haltTrading": _read_halt, "setOpenInterestCaps": _read_caps}


def run(engine: Engine, account: Account, wanted: tuple[str, Any]) -> None:
    """Does what the deployer of the dex asks. Raises DeployRefused."""
    name, body = wanted
    if name == "setOracle":
        _set_oracle(engine, account, *body)
    elif name == "haltTrading":
        market = _market(engine, body[0])
        _own(engine, account, market.dex)
        if body[1]:
            halt(engine, market)
        else:
            market.halted = False
    else:
        for coin, cap in body.items():
            market = _market(engine, coin)
            _own(engine, account, market.dex)
            if cap < max(1_000_000, market.open_interest() * market.mark // 10**16 // 2):
                raise DeployRefused("Open interest cap is too low")
            market.oi_cap_usd = cap


def _own(engine: Engine, account: Account, dex: Dex) -> None:
    if engine.deployer(dex) != account.user:
        raise DeployRefused("Only the deployer of the perp DEX can do this")


def _market(engine: Engine, coin: str) -> LiveMarket:
    found = engine.by_coin.get(coin)
    if found is None:
        raise DeployRefused(f"Unknown coin {coin}")
    return found


def _set_oracle(
    engine: Engine, account: Account, name: str, oracles: Pairs, marks: list[Pairs], external: Pairs
) -> None:
    dex = engine.dex(name)
    if dex is None or dex.index == 0:
        raise DeployRefused("Invalid perp DEX")
    _own(engine, account, dex)
    markets = {market.key: market for market in engine.markets.values() if market.dex is dex}
    if not set(oracles) | {coin for given in marks for coin in given} <= set(markets):
        raise DeployRefused("Unknown coin")
    if set(external) != set(markets):
        raise DeployRefused("externalPerpPxs must name every asset of the perp DEX")
    if any(not markets[coin].may_speak(engine.now_ms) for coin in oracles):
        raise DeployRefused("Oracle price update too often")
    engine.scripted.add(dex.index)
    for coin, px in oracles.items():
        inputs = [given[coin] for given in marks if coin in given]
        markets[coin].set_oracle(px, inputs, engine.now_ms)
        engine.marks[markets[coin].spec.asset] = markets[coin].mark


def halt(engine: Engine, market: LiveMarket) -> None:
    """Stops a market: all orders are cancelled and all positions settle at the mark."""
    market.halted = True
    asset = market.spec.asset
    for account in list(engine.accounts.values()):
        for order in list(account.open_orders.values()):
            if order.asset == asset and order.oid in account.open_orders:
                engine.cancel(account, order, "delistedCanceled")
    settlement = engine.account(liquidation.BACKSTOP)
    settlement.internal = True
    for account in list(engine.accounts.values()):
        ledger = engine.ledger_of(account, market)
        position = ledger.positions.get(asset) if ledger is not None else None
        if position is None or account is settlement:
            continue
        _settle(engine, account, settlement, market, position.szi)


def _settle(engine: Engine, account: Account, other: Account, market: LiveMarket, szi: int) -> None:
    px, size = market.mark, abs(szi)
    marks = {"crossed": True, "tid": engine.rng.getrandbits(50), "hash": NO_HASH, "dir": "Settlement"}
    for side, is_buy in ((account, szi < 0), (other, szi > 0)):
        terms: dict[str, Any] = {"is_buy": is_buy, "px": px, "sz": size, "tif": "Ioc", "reduce_only": False}
        order: Order = engine.new_order(side, market, {**terms, "cloid": None})
        book_side(engine, side, market, order, size, px, 0, marks)
