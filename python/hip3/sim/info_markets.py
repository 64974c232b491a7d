"""Reads of markets: metas, contexts, books, prints, funding, limits."""

from __future__ import annotations

from typing import Any

from hip3.sim import margin
from hip3.sim.asking import Body, dex_of, market_of, span_of, within
from hip3.sim.book import level_json
from hip3.sim.engine import Engine
from hip3.sim.market import LiveMarket
from hip3.sim.scenario import Dex
from hip3.sim.tape import INTERVALS, RECENT_TRADES
from hip3.sim.wire import BadRequest, text, usd, word

BOOK_LEVELS = 20
FUNDING_ROWS = 500
HOUR_MS = 3_600_000
Level = tuple[int, int, int]


def perp_dexs(engine: Engine, _: Body) -> Any:
    """All dexs by index; the main one, index 0, is null."""
    rows: list[Any] = [None]
    for dex in engine.scenario.dexs[1:]:
        markets = sorted((engine.markets[market.asset] for market in dex.markets), key=lambda m: m.key)
        rows.append(
            {
                "name": dex.name,
                "fullName": dex.full_name,
                "deployer": engine.deployer(dex),
                "oracleUpdater": None,
                "feeRecipient": dex.fee_recipient,
                "assetToStreamingOiCap": [[market.key, text(market.oi_cap_usd, 0)] for market in markets],
                "subDeployers": [],
                "assetToFundingMultiplier": [[market.key, "0.5"] for market in markets],
                "assetToFundingInterestRate": [],
                "assetToFundingClamp": [],
            }
        )
    return rows


def margin_table(market: LiveMarket) -> Body:
    """The market's margin table as the venue shows it."""
    tiers = margin.tiers(market)
    described = f"tiered {tiers[0].leverage}x" if len(tiers) > 1 else ""
    rows = [{"lowerBound": usd(tier.lower), "maxLeverage": tier.leverage} for tier in tiers]
    return {"description": described, "marginTiers": rows}


def meta_of(engine: Engine, dex: Dex) -> Body:
    """The universe of one dex in the order of its indices, its margin tables, its collateral."""
    markets = [engine.markets[market.asset] for market in dex.markets]
    tables = {market.spec.margin_table_id: margin_table(market) for market in markets}
    return {
        "universe": [market.universe_entry() for market in markets],
        "marginTables": [[number, table] for number, table in sorted(tables.items())],
        "collateralToken": dex.collateral_token,
    }


def contexts_of(engine: Engine, dex: Dex) -> list[Body]:
    """Contexts of one dex in the order of its universe."""
    return [engine.markets[market.asset].context() for market in dex.markets]


def _meta(engine: Engine, body: Body) -> Any:
    return meta_of(engine, dex_of(engine, body))


def _meta_and_contexts(engine: Engine, body: Body) -> Any:
    dex = dex_of(engine, body)
    return [meta_of(engine, dex), contexts_of(engine, dex)]


def _margin_table(engine: Engine, body: Body) -> Any:
    number = body.get("id")
    for market in engine.markets.values():
        if market.spec.margin_table_id == number:
            return margin_table(market)
    if isinstance(number, bool) or not isinstance(number, int):
        raise BadRequest
    return {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": number}]}


def mids_of(engine: Engine, dex: Dex) -> dict[str, str]:
    """Mid prices of one dex; the mark where the book is not two-sided."""
    return {market.coin: text(engine.markets[market.asset].mid()) for market in dex.markets}


def book_of(market: LiveMarket, now_ms: int, figures: int | None, mantissa: int | None, most: int) -> Body:
    """Both sides of the book, levels put together to `figures` significant figures where that is asked for."""
    sides = []
    for is_buy in (True, False):
        depth = market.book.depth(is_buy, most if figures is None else None)
        levels = depth if figures is None else _together(depth, is_buy, figures, mantissa or 1)[:most]
        sides.append([level_json(level, text) for level in levels])
    return {"coin": market.key, "time": now_ms, "levels": sides}


def _together(depth: list[Level], is_buy: bool, figures: int, mantissa: int) -> list[Level]:
    """Levels rounded away from the touch onto a coarser grid."""
    found: dict[int, Level] = {}
    for px, sz, count in depth:
        step = 10 ** max(0, len(str(px)) - figures) * mantissa
        rounded = px // step * step if is_buy else -(-px // step) * step
        _, size, orders = found.get(rounded, (rounded, 0, 0))
        found[rounded] = (rounded, size + sz, orders + count)
    return list(found.values())


def figures_of(body: Body) -> tuple[int | None, int | None]:
    """`nSigFigs` (2 to 5 or null) and `mantissa` (1, 2 or 5, with five figures only). Raises BadRequest."""
    figures, mantissa = body.get("nSigFigs"), body.get("mantissa")
    if figures not in (None, 2, 3, 4, 5) or mantissa not in (None, 1, 2, 5):
        raise BadRequest
    if mantissa is not None and figures != 5:
        raise BadRequest
    return figures, mantissa


def _l2_book(engine: Engine, body: Body) -> Any:
    market, (figures, mantissa) = market_of(engine, body), figures_of(body)
    return None if market is None else book_of(market, engine.now_ms, figures, mantissa, BOOK_LEVELS)


def _candles(engine: Engine, body: Body) -> Any:
    asked = body.get("req")
    if not isinstance(asked, dict):
        raise BadRequest
    interval = word(asked.get("interval"), INTERVALS)
    market, (start, end) = market_of(engine, asked), span_of(asked)
    return [] if market is None else market.tape.candles(interval, start, min(end, engine.now_ms))


def _recent_trades(engine: Engine, body: Body) -> Any:
    market = market_of(engine, body)
    return None if market is None else list(reversed(market.tape.trades))[:RECENT_TRADES]


def _funding_history(engine: Engine, body: Body) -> Any:
    market = market_of(engine, body)
    span_of(body)
    return None if market is None else within(market.tape.funding, body, FUNDING_ROWS)


def _predicted_fundings(engine: Engine, _: Body) -> Any:
    next_ms = (engine.now_ms // HOUR_MS + 1) * HOUR_MS
    rows = []
    for market in engine.markets.values():
        if market.dex.index == 0:
            told = {"fundingRate": text(market.funding_rate, 10), "nextFundingTime": next_ms, "fundingIntervalHours": 1}
            rows.append([market.key, [["HlPerp", told]]])
    return rows


def _limits(engine: Engine, body: Body) -> Any:
    dex = dex_of(engine, body)
    markets = [engine.markets[market.asset] for market in dex.markets]
    return {
        "totalOiCap": "10000000000.0",
        "oiSzCapPerPerp": "20000000000.0",
        "maxTransferNtl": "3000000000.0",
        "coinToOiCap": [[market.key, text(market.oi_cap_usd, 0)] for market in markets],
    }


def _dex_status(engine: Engine, body: Body) -> Any:
    dex = dex_of(engine, body)
    total = 0
    for account in engine.accounts.values():
        ledger = account.ledgers.get(engine.ledger_key(account, dex))
        if ledger is not None and not account.internal:
            total += ledger.total_raw() + sum(position.cost for position in ledger.positions.values())
    return {"totalNetDeposit": usd(total)}


def capped(engine: Engine, dex: Dex) -> list[str]:
    """Coins of a dex whose open interest is at its cap."""
    return [market.coin for market in dex.markets if engine.markets[market.asset].capped]


def spot_meta(engine: Engine, _: Body) -> Any:
    """Collateral tokens; the venue here has no spot books."""
    tokens = [
        {
            "name": token.name,
            "szDecimals": 8 if token.index == 0 else 2,
            "weiDecimals": 8,
            "index": token.index,
            "tokenId": token.token_id,
            "isCanonical": token.index == 0,
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        }
        for token in engine.scenario.tokens
    ]
    return {"universe": [], "tokens": tokens}


def _all_metas(engine: Engine, _: Body) -> Any:
    return [meta_of(engine, dex) for dex in engine.scenario.dexs]


READS = {
    "perpDexs": perp_dexs,
    "meta": _meta,
    "allPerpMetas": _all_metas,
    "metaAndAssetCtxs": _meta_and_contexts,
    "marginTable": _margin_table,
    "allMids": lambda engine, body: mids_of(engine, dex_of(engine, body)),
    "l2Book": _l2_book,
    "candleSnapshot": _candles,
    "recentTrades": _recent_trades,
    "fundingHistory": _funding_history,
    "predictedFundings": _predicted_fundings,
    "perpDexLimits": _limits,
    "perpDexStatus": _dex_status,
    "perpsAtOpenInterestCap": lambda engine, body: capped(engine, dex_of(engine, body)),
    "spotMeta": spot_meta,
    "spotMetaAndAssetCtxs": lambda engine, body: [spot_meta(engine, body), []],
    "exchangeStatus": lambda engine, _: {"time": engine.now_ms, "specialStatuses": None},
    "outcomeMeta": lambda *_: {"outcomes": [], "questions": []},
}
