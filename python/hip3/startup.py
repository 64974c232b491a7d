"""From a configuration to everything a run starts from: venue, key, markets, fees, account.

Reads the venue and decides nothing about trades; what stands in the way of a start is an error with its
remedy.
"""

from __future__ import annotations

import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal

from hip3._hip3 import Signer
from hip3.config import Config
from hip3.credentials import load_signer, throw_away_signer
from hip3.embedded import EmbeddedVenue
from hip3.errors import VenueRefused
from hip3.execution.batch import BatchLimits
from hip3.execution.desk import DeskSettings
from hip3.execution.session import SessionStart
from hip3.terms import selected, terms_of
from hip3.venue.account import AccountReport, collateral_problems, read_account
from hip3.venue.agent import Approval, read_approval
from hip3.venue.discovery import Market, Universe, discover
from hip3.venue.endpoints import Endpoint, endpoint
from hip3.venue.info import Info
from hip3.venue.link import LinkSettings
from hip3.venue.reconnect import ReconnectPolicy


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run found out before it starts to trade."""

    where: Endpoint
    signer: Signer
    universe: Universe
    markets: list[Market]
    account: AccountReport
    dexs: list[str]
    #: The account's taker rate and referral discount, as fractions.
    fees: tuple[Decimal, Decimal]
    start: SessionStart
    approval: Approval | None


async def open_venue(
    config: Config, stack: AsyncExitStack, *, needs_key: bool = True
) -> tuple[Endpoint, Signer | None]:
    """The venue's addresses and the signer; starts the embedded venue where none is named.

    With `needs_key` off a missing key gives no signer instead of an error: public reads need none.
    """
    name, ws_url, http_url = (config.text(f"venue.{key}") for key in ("name", "ws_url", "http_url"))
    if name != "sim" or ws_url or http_url:
        where = endpoint(name, ws_url, http_url)
        return where, load_signer(config, where.mainnet) if needs_key else None
    signer = throw_away_signer()
    fund = format(config.decimal("run.fund_usd"), "f")
    venue = await EmbeddedVenue.start(config.number("run.seed"), config.text("run.scenario"), {signer.address: fund})
    stack.push_async_callback(venue.stop)
    return endpoint("sim", venue.ready["ws_url"], venue.ready["http_url"]), signer


async def prepare(config: Config, where: Endpoint, signer: Signer, info: Info) -> Stage:
    """Reads markets, fees and account; ConfigError or VenueRefused says what stands in the way."""
    universe = await discover(info)
    markets = selected(config, universe)
    dexs = sorted({m.dex for m in markets})
    account = await read_account(info, signer.address, config.text("account.address"), universe, dexs)
    if account.role == "missing" and config.text("run.mode") == "live":
        raise VenueRefused(f"the venue does not know {signer.address}; fund the account or approve this agent for it")
    unfunded = {name for name in dexs if collateral_problems(account, universe, [name])}
    if config.text("run.mode") == "live":
        markets = [m for m in markets if m.dex not in unfunded]
        dexs = [name for name in dexs if name not in unfunded]
        if not markets:
            problem, remedy = collateral_problems(account, universe, sorted(unfunded))[0]
            raise VenueRefused(f"{problem}; {remedy}")
    rate, discount = await info.user_fees(account.user)
    terms = terms_of(config, markets, (rate, discount), time.time_ns())
    start = SessionStart(
        engine_settings=terms.settings,
        markets=terms.markets,
        session=secrets.randbits(64),
        desk=_desk_settings(config, account.user),
        dexs=tuple(dexs),
        sends_orders=config.text("run.mode") == "live",
    )
    approval = await read_approval(info, account)
    return Stage(where, signer, universe, markets, account, dexs, (rate, discount), start, approval)


def _desk_settings(config: Config, user: str) -> DeskSettings:
    names = (
        "in_flight_max",
        "in_flight_high_water",
        "expires_after_entry_ms",
        "expires_after_exit_ms",
        "answer_deadline_ms",
        "inquiry_interval_ms",
        "inquiry_interval_max_ms",
        "absent_margin_ms",
        "settle_checks_max",
    )
    bounds = ("reduce_only_max", "cancel_max", "new_max", "window_ms", "batch_max")
    batch = BatchLimits(**{name: config.number(f"orders.{name}") for name in bounds})
    return DeskSettings(user=user, batch=batch, **{name: config.number(f"orders.{name}") for name in names})


def link_settings(config: Config, *, pong_counts: bool) -> LinkSettings:
    """The timings of a link; on the market-data socket pongs do not count as data."""
    policy = ReconnectPolicy(
        first_ms=config.number("links.reconnect_first_ms"),
        max_ms=config.number("links.reconnect_max_ms"),
        healthy_ms=config.number("links.healthy_ms"),
    )
    return LinkSettings(
        connect_timeout_ms=config.number("links.connect_timeout_ms"),
        ping_interval_ms=config.number("links.ping_interval_ms"),
        silence_max_ms=config.number("links.silence_max_ms"),
        tries_max=config.number("links.tries_max"),
        pong_counts=pong_counts,
        reconnect=policy,
    )
