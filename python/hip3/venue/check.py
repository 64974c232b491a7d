"""`hip3 check`: everything that would stop a start, each with its remedy, without trading."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from decimal import Decimal

import orjson
from rich.console import Console
from rich.text import Text

from hip3.config import Config
from hip3.control.latch import latch_path, read_latch
from hip3.errors import ConfigError, Hip3Error
from hip3.metrics.service import settings_of
from hip3.startup import open_venue
from hip3.venue.account import AccountReport, collateral_problems, read_account
from hip3.venue.discovery import Market, Universe, discover, nearest
from hip3.venue.http import HttpClient
from hip3.venue.info import Info

#: The venue refuses orders worth less than this, in collateral units.
VENUE_NOTIONAL_USD_MIN = Decimal(10)
STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check: `level` is ok, warning or error."""

    level: str
    text: str
    remedy: str = ""


def main(config: Config, as_json: bool) -> int:
    """Prints the findings; exit status 1 when any of them is an error, 3 when the venue is not there."""
    findings, status = asyncio.run(preflight(config))
    if as_json:
        body = {"ok": status == 0, "findings": [asdict(f) for f in findings]}
        sys.stdout.write(orjson.dumps(body).decode() + "\n")
        return status
    console = Console()
    for finding in findings:
        line = Text(f"{finding.level:<8}", style=STYLES[finding.level])
        line.append(finding.text, style="default")
        if finding.remedy:
            line.append(f"\n         → {finding.remedy}", style="italic")
        console.print(line)
    return status


async def preflight(config: Config) -> tuple[list[Finding], int]:
    """All findings and the exit status they mean."""
    findings = _latch(config) + _metrics(config) + _limits(config)
    failed = 1 if any(f.level == "error" for f in findings) else 0
    async with AsyncExitStack() as stack:
        try:
            where, signer = await open_venue(config, stack)
            assert signer is not None
            findings.append(Finding("ok", f"venue {where.name} at {where.http_url}; key of {signer.address}"))
            http = HttpClient(where.http_url, config.number("links.http_timeout_ms") / 1000)
            stack.push_async_callback(http.close)
            info = Info(http)
            universe = await discover(info)
            markets = universe.select(
                config.texts("markets.include"), config.texts("markets.exclude"), config.number("markets.max")
            )
            dexs = sorted({m.dex for m in markets})
            findings.append(Finding("ok", f"{len(markets)} markets on {len(dexs)} dexs"))
            findings += _market_sections(config, universe)
            account = await read_account(info, signer.address, config.text("account.address"), universe, dexs)
            rate, discount = await info.user_fees(account.user)
        except Hip3Error as error:
            findings.append(Finding("error", str(error)))
            return findings, max(failed, error.exit_status)
    findings += _account(account, universe, dexs)
    findings += _fees(config, markets, rate, discount)
    return findings, 1 if any(f.level == "error" for f in findings) else 0


def _latch(config: Config) -> list[Finding]:
    """Whether the kill latch forbids a start."""
    latch = read_latch(latch_path(config, os.environ))
    return [] if latch is None else [Finding("error", latch.told(), "hip3 unkill")]


def _metrics(config: Config) -> list[Finding]:
    """Whether the metrics that are asked for could be served."""
    try:
        settings_of(config)
    except ConfigError as error:
        return [Finding("error", str(error), "correct it, or leave metrics.port and metrics.token_file unset")]
    return []


def _limits(config: Config) -> list[Finding]:
    """Whether any order could pass every gate and limit at once."""
    findings = []
    minimum = max(VENUE_NOTIONAL_USD_MIN, config.decimal("entry.order_notional_usd_min"))
    for key in ("entry.max_notional_usd", "entry.market_notional_usd_max", "entry.total_notional_usd_max"):
        if config.decimal(key) < minimum:
            text = f"{key} is {config.decimal(key)} USD, below the least order of {minimum} USD: nothing could trade"
            findings.append(Finding("error", text, f"raise {key} to {minimum} or more"))
    alpha, floor = config.decimal("entry.sizing_alpha"), config.decimal("entry.touch_notional_usd_min")
    full = config.decimal("entry.touch_notional_usd_full")
    least_touch = (minimum * full / alpha).sqrt().quantize(Decimal("0.01"))
    if least_touch > floor:
        text = f"touches under {least_touch} USD give orders under {minimum} USD at sizing_alpha {alpha}"
        findings.append(Finding("warning", text, "expect refusals size_below_minimum, or raise entry.sizing_alpha"))
    if not config.switch("exit.primary") and not config.switch("exit.backup"):
        findings.append(Finding("error", "both exit paths are off", "set exit.primary or exit.backup to true"))
    return findings


def _market_sections(config: Config, universe: Universe) -> list[Finding]:
    """Markets that have options of their own but do not exist."""
    names = [m.coin for m in universe.markets]
    unknown = [coin for coin in config.markets if coin not in names]
    text = '[market."{}"]: the venue has no such market{}'
    return [Finding("error", text.format(coin, nearest(coin, names)), "correct the name") for coin in unknown]


def _account(account: AccountReport, universe: Universe, dexs: list[str]) -> list[Finding]:
    if account.role == "missing":
        text = f"the venue does not know {account.signer}"
        return [Finding("error", text, "fund the account, or approve this agent for it (approveAgent)")]
    equity = account.equity(dexs, universe)
    findings = [Finding("ok", f"account {account.user} ({account.role}, {account.form}), equity {equity:f} USD")]
    for problem, remedy in collateral_problems(account, universe, dexs):
        findings.append(Finding("warning", f"{problem}: its markets are left out", remedy))
    if len(collateral_problems(account, universe, dexs)) == len(dexs):
        findings.append(Finding("error", "no dex has collateral: nothing could trade", "fund one of them"))
    held = [coin for dex in account.dexs.values() for coin, _ in dex.positions]
    if held:
        text = f"open positions will be taken over: {', '.join(held)}"
        findings.append(Finding("warning", text, "exclude their markets to leave them alone"))
    if account.open_orders:
        findings.append(Finding("warning", f"{account.open_orders} open orders of others stay untouched"))
    return findings


def _fees(config: Config, markets: list[Market], rate: Decimal, discount: Decimal) -> list[Finding]:
    """Markets whose fees alone eat the threshold."""
    cost = config.decimal("entry.min_net_edge_bps") + config.decimal("entry.slippage_cost_bps")
    hopeless = [
        m.coin
        for m in markets
        if 2 * m.taker_fee_bps(rate, discount) + cost > Decimal(str(config.for_market(m.coin, "threshold_bps")))
    ]
    if not hopeless:
        return [Finding("ok", "fees both ways and the least net edge fit under every threshold")]
    named = ", ".join(hopeless[:5]) + (", …" if len(hopeless) > 5 else "")
    text = f"fees exceed the threshold on {len(hopeless)} markets ({named}): only larger edges enter"
    return [Finding("warning", text, "exclude them or raise their threshold_bps")]
