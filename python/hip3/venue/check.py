"""`hip3 check`: everything that would stop a start, each with its remedy, without trading."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal

import orjson
from rich.console import Console
from rich.text import Text

from hip3.alerts.services import ping_url, services_of
from hip3.config import Config
from hip3.control.latch import latch_path, latch_problem, read_latch
from hip3.errors import ConfigError, Hip3Error
from hip3.metrics.service import settings_of
from hip3.sessions import DAY_NS, END_NS, Rule, known_until_ns, spans_of
from hip3.startup import open_venue
from hip3.terms import blackout_rule, unknown_markets
from hip3.venue.account import AccountReport, collateral_problems, read_account
from hip3.venue.agent import DAY_MS, HOUR_MS, LAST_DAY_MS, WARNING_MS, Approval, date, is_master_key, read_approval
from hip3.venue.discovery import Market, Universe, discover
from hip3.venue.http import HttpClient
from hip3.venue.info import Info

#: The venue refuses orders worth less than this, in collateral units.
VENUE_NOTIONAL_USD_MIN = Decimal(10)
#: Markets that one finding names.
NAMED_MAX = 5
#: A calendar that is known for less than this ahead wants a newer library.
KNOWN_NS_MIN = 30 * DAY_NS
#: The year 2100; later is no time at which a latch was set.
TIME_MS_MAX = 4_102_444_800_000
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
        # A terminal wraps by itself, and a file has no width.
        console.print(line, soft_wrap=True)
    return status


async def preflight(config: Config) -> tuple[list[Finding], int]:
    """All findings and the exit status they mean."""
    findings = _latch(config) + _outside(config) + _limits(config)
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
            findings += [Finding("error", text, "correct the name") for text in unknown_markets(config, universe)]
            findings += _blackouts(config, markets, time.time_ns())
            account = await read_account(info, signer.address, config.text("account.address"), universe, dexs)
            approval = await read_approval(info, account)
            rate, discount = await info.user_fees(account.user)
        except Hip3Error as error:
            findings.append(Finding("error", str(error)))
            return findings, max(failed, error.exit_status)
    findings += _key(config, account, approval, time.time_ns() // 1_000_000)
    findings += _account(account, universe, dexs)
    findings += _fees(config, markets, rate, discount)
    return findings, 1 if any(f.level == "error" for f in findings) else 0


def _latch(config: Config) -> list[Finding]:
    """Whether the kill latch forbids a start."""
    path = latch_path(config, os.environ)
    problem = latch_problem(path)
    if problem:
        level = "warning" if config.text("venue.name") == "sim" else "error"
        return [Finding(level, problem, "name a place that can be written in control.latch")]
    latch = read_latch(path)
    if latch is None:
        return []
    # A latch that cannot be read names no time, and one that somebody wrote by hand may name any.
    since = f", since {date(latch.time_ms)}" if 0 < latch.time_ms < TIME_MS_MAX else ""
    return [Finding("error", f"{latch.told()}{since}", "hip3 unkill")]


def _outside(config: Config) -> list[Finding]:
    """Whether the services that shall hear of a run can be had: alerts, the dead-man's switch, metrics."""
    findings = []
    for section, read in (("alerts", services_of), ("alerts", ping_url), ("metrics", settings_of)):
        try:
            read(config)
        except ConfigError as error:
            findings.append(Finding("error", str(error), f"correct it, or leave it out of [{section}]"))
    return findings


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
        findings.append(Finding("warning", text, "expect refusals below_minimum, or raise entry.sizing_alpha"))
    if not config.switch("exit.primary") and not config.switch("exit.backup"):
        findings.append(Finding("error", "both exit paths are off", "set exit.primary or exit.backup to true"))
    return findings


def _blackouts(config: Config, markets: list[Market], now_ns: int) -> list[Finding]:
    """When markets are not entered, and how far ahead that is known."""
    coins: dict[Rule, list[str]] = {}
    for market in markets:
        coins.setdefault(blackout_rule(config, market.coin), []).append(market.coin)
    findings = []
    for rule, named in coins.items():
        spans = spans_of(rule, now_ns)
        if not spans:
            continue
        out = next((end for start, end in spans if start <= now_ns < end), None)
        then = next((start for start, _ in spans if start > now_ns), None)
        told = f"out now, until {_utc(out)}" if out else f"open now, until {_utc(then)}" if then else "open now"
        terms = ", ".join(
            [*(f"at {w}" for w in rule.windows), *([f"outside of {rule.calendar}"] if rule.calendar else [])]
        )
        findings.append(Finding("ok", f"{_named(named)}: no entries {terms}; {told}"))
        until_ns = known_until_ns(spans)
        if until_ns < now_ns + KNOWN_NS_MIN:
            text = f"{rule.calendar} is known until {_utc(until_ns)}; from then on nothing enters"
            findings.append(Finding("warning", text, "pip install --upgrade exchange-calendars, then start again"))
    return findings


def _utc(ns: int) -> str:
    if ns >= END_NS:
        return "a restart"
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%a %Y-%m-%d %H:%M} UTC"


def _named(coins: list[str]) -> str:
    """The first markets of a list by name, and that there are more."""
    return ", ".join(coins[:NAMED_MAX]) + (f" and {len(coins) - NAMED_MAX} more" if len(coins) > NAMED_MAX else "")


def _key(config: Config, account: AccountReport, approval: Approval | None, now_ms: int) -> list[Finding]:
    """Whether the key may act and for how long, and whether it could do more than it should."""
    if is_master_key(account) and config.text("venue.name") != "sim":
        level = "error" if config.text("run.mode") == "live" else "warning"
        remedy = "make an agent (docs/keys.md), or say --i-know-master-key to hip3 run"
        return [Finding(level, f"this is the key of {account.signer} itself: it can withdraw", remedy)]
    return [] if approval is None else [_approval(approval, now_ms)]


def _approval(approval: Approval, now_ms: int) -> Finding:
    if approval.name is None:
        text = f"agent {approval.agent} is in no list of {approval.owner}: until when it is approved is not known"
        return Finding("warning", text, "approve an agent with a name (docs/keys.md)")
    named = f"agent {approval.name} ({approval.agent})" if approval.name else f"the unnamed agent {approval.agent}"
    left_ms = approval.left_ms(now_ms)
    if approval.valid_until_ms is None or left_ms is None:
        return Finding("ok", f"{named} is approved for {approval.owner}; the venue does not tell until when")
    end, remedy = date(approval.valid_until_ms), "make a new agent (docs/keys.md)"
    if left_ms <= 0:
        return Finding("error", f"{named}: the approval for {approval.owner} ended at {end}", remedy)
    left = f"{left_ms // DAY_MS} days" if left_ms >= 2 * DAY_MS else f"{left_ms // HOUR_MS} hours"
    text = f"{named} is approved for {approval.owner} until {end}, {left} from now"
    if left_ms <= LAST_DAY_MS:
        return Finding("error", f"{text}; in the last hour nothing is entered", remedy)
    return Finding("warning", text, remedy) if left_ms <= WARNING_MS else Finding("ok", text)


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
    text = f"fees exceed the threshold on {len(hopeless)} markets ({_named(hopeless)}): only larger edges enter"
    return [Finding("warning", text, "exclude them or raise their threshold_bps")]
