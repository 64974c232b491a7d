"""ccxt trades on the venue over REST and over WebSockets; nothing of it is changed but the addresses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .conftest import KEY

# One of its dependencies has no wheel for the newest CPython yet.
ccxt = pytest.importorskip("ccxt")
pro = pytest.importorskip("ccxt.pro")
pytestmark = pytest.mark.filterwarnings("default")
SYMBOL = "XYZ-SILVER/USDC:USDC"


def settings(wallet: Any) -> dict[str, Any]:
    return {
        "walletAddress": wallet.address,
        "privateKey": KEY,
        "options": {"fetchMarkets": {"types": ["swap", "hip3"]}},
    }


def pointed_at(exchange: Any, url: str) -> Any:
    ws = url.replace("http", "ws", 1) + "/ws"
    exchange.urls["api"] = {"public": url, "private": url, "ws": {"public": ws}}
    return exchange


def test_a_session_over_rest(url: str, wallet: Any) -> None:
    exchange = pointed_at(ccxt.hyperliquid(settings(wallet)), url)
    markets = exchange.load_markets()
    assert markets[SYMBOL]["id"] == "110026"
    assert exchange.fetch_balance()["USDC"]["total"] == 10000
    ask = exchange.fetch_order_book(SYMBOL)["asks"][0][0]
    opened = exchange.create_order(SYMBOL, "market", "buy", 2, price=ask)
    assert opened["filled"] == 2
    (held,) = exchange.fetch_positions([SYMBOL])
    assert (held["contracts"], held["side"]) == (2, "long")
    rested = exchange.create_order(SYMBOL, "limit", "buy", 1, 80.0)
    exchange.edit_order(rested["id"], SYMBOL, "limit", "buy", 2, 81.0)
    (row,) = exchange.fetch_open_orders(SYMBOL)
    assert (row["price"], row["amount"]) == (81, 2)
    exchange.cancel_order(row["id"], SYMBOL)
    assert exchange.fetch_order(row["id"], SYMBOL)["status"] == "canceled"
    closed = exchange.create_order(SYMBOL, "market", "sell", 2, price=ask, params={"reduceOnly": True})
    assert closed["filled"] == 2
    assert exchange.fetch_positions([SYMBOL]) == []
    trades = exchange.fetch_my_trades(SYMBOL)
    assert sum(trade["amount"] for trade in trades) == 4
    assert exchange.set_leverage(5, SYMBOL, {"marginMode": "cross"})["status"] == "ok"
    assert exchange.fetch_ohlcv(SYMBOL, "1m")
    assert exchange.fetch_trades(SYMBOL)
    with pytest.raises(ccxt.InvalidOrder, match=r"minimum value"):
        exchange.create_order(SYMBOL, "limit", "buy", 0.1, 80.0)


async def test_a_session_over_websockets(url: str, wallet: Any) -> None:
    exchange = pointed_at(pro.hyperliquid(settings(wallet)), url)
    try:
        await exchange.load_markets()
        book = await exchange.watch_order_book(SYMBOL)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert (await exchange.watch_ticker(SYMBOL))["last"] > 0
        orders = asyncio.create_task(exchange.watch_orders())
        trades = asyncio.create_task(exchange.watch_my_trades())
        prints = asyncio.create_task(exchange.watch_trades(SYMBOL))
        await asyncio.sleep(0.5)
        rested = await exchange.create_order_ws(SYMBOL, "limit", "buy", 1, 80.0)
        (seen,) = await asyncio.wait_for(orders, 10)
        assert (seen["id"], seen["status"]) == (rested["id"], "open")
        await exchange.create_order_ws(SYMBOL, "market", "buy", 1, price=book["asks"][0][0])
        assert sum(trade["amount"] for trade in await asyncio.wait_for(trades, 10)) == 1
        assert await asyncio.wait_for(prints, 10)
        await exchange.cancel_order_ws(rested["id"], SYMBOL)
    finally:
        await exchange.close()
