"""`hip3 markets`: every market of every dex, with what decides whether it is worth trading."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hip3.config import Config
from hip3.startup import open_venue
from hip3.venue.account import resolve_user
from hip3.venue.discovery import Universe, discover
from hip3.venue.http import HttpClient
from hip3.venue.info import Info

#: Base tier of the venue's fee schedule, where no account is named.
BASE_TAKER_RATE = Decimal("0.00045")


def main(config: Config, as_json: bool) -> int:
    """Prints the markets as a table or one JSON object."""
    rows = asyncio.run(_rows(config))
    if as_json:
        sys.stdout.write(orjson.dumps({"markets": rows}).decode() + "\n")
        return 0
    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("asset", "market", "in", "fee bps", "lot", "lev.", "oracle", "day mn USD"):
        table.add_column(name, justify="left" if name in ("market", "in") else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row["asset"]),
            Text(row["coin"] + (" (delisted)" if row["is_delisted"] else "")),
            row["collateral"],
            row["taker_fee_bps"],
            format(Decimal(1).scaleb(-row["sz_decimals"]), "f"),
            str(row["leverage_max"]),
            row["oracle_px"] or "–",
            f"{float(row['day_notional_usd'] or 0) / 1e6:,.1f}",
        )
    Console().print(table)
    return 0


async def _rows(config: Config) -> list[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        where, signer = await open_venue(config, stack, needs_key=False)
        http = HttpClient(where.http_url, config.number("links.http_timeout_ms") / 1000)
        stack.push_async_callback(http.close)
        info = Info(http)
        universe = await discover(info)
        rate, discount = BASE_TAKER_RATE, Decimal(0)
        if signer is not None:
            user, _ = await resolve_user(info, signer.address, config.text("account.address"))
            rate, discount = await info.user_fees(user)
        contexts = {d.name: (await info.ask(type="metaAndAssetCtxs", dex=d.name))[1] for d in universe.dexs}
        return list(_market_rows(universe, contexts, rate, discount))


def _market_rows(
    universe: Universe, contexts: dict[str, list[dict[str, Any]]], rate: Decimal, discount: Decimal
) -> list[dict[str, Any]]:
    rows = []
    for dex in universe.dexs:
        own = [m for m in universe.markets if m.dex == dex.name]
        for market, ctx in zip(own, contexts[dex.name], strict=False):
            fee = market.taker_fee_bps(rate, discount)
            rows.append(
                {
                    "asset": market.asset,
                    "coin": market.coin,
                    "dex": market.dex,
                    "collateral": dex.collateral,
                    "taker_fee_bps": format(fee.normalize(), "f"),
                    "sz_decimals": market.sz_decimals,
                    "leverage_max": market.leverage_max,
                    "margin_mode": market.margin_mode,
                    "growth_mode": market.growth_mode,
                    "is_delisted": market.is_delisted,
                    "oracle_px": ctx.get("oraclePx"),
                    "day_notional_usd": ctx.get("dayNtlVlm"),
                }
            )
    return rows
