"""What the core is told of a configuration: its settings, the terms of each market, and the times without entries.

Read at the start of a run, and again when the configuration is read anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from hip3.config import Config
from hip3.errors import ConfigError
from hip3.sessions import Rule, Span, spans_of
from hip3.venue.discovery import Market, Universe, is_matched, nearest


@dataclass(frozen=True, slots=True)
class Terms:
    """`settings` and `markets` are the JSON that the core takes; markets name their blackout by its place there."""

    settings: dict[str, Any]
    markets: list[dict[str, Any]]


def terms_of(config: Config, markets: Sequence[Market], fees: tuple[Decimal, Decimal], now_ns: int) -> Terms:
    """The terms of these markets. `fees`: the account's taker rate and referral discount, as fractions.

    Markets with the same blackout share one schedule. May import a calendar library and take a second. Raises
    ConfigError.
    """
    rules = [blackout_rule(config, market.coin) for market in markets]
    schedules = {rule: spans_of(rule, now_ns) for rule in dict.fromkeys(rules)}
    distinct: list[tuple[Span, ...]] = list(dict.fromkeys(spans for spans in schedules.values() if spans))
    specs = []
    for market, rule in zip(markets, rules, strict=True):
        spans = schedules[rule]
        specs.append(_market_spec(config, market, *fees) | {"blackout": distinct.index(spans) if spans else None})
    return Terms(config.core_settings() | {"blackouts": distinct}, specs)


def blackout_rule(config: Config, coin: str) -> Rule:
    """When this market is not entered."""
    windows = config.for_market(coin, "blackout_windows")
    margin = config.for_market(coin, "calendar_margin_minutes")
    assert isinstance(windows, list)
    assert isinstance(margin, int)
    return Rule(tuple(windows), str(config.for_market(coin, "calendar")), margin)


def unknown_markets(config: Config, universe: Universe) -> list[str]:
    """A sentence for each market that has options of its own and that the venue does not have."""
    names = [m.coin for m in universe.markets]
    text = '[market."{}"]: the venue has no such market{}'
    return [text.format(coin, nearest(coin, names)) for coin in config.markets if coin not in names]


def selected(config: Config, universe: Universe) -> list[Market]:
    """The markets that a configuration trades. ConfigError for patterns and names that the venue does not have."""
    for sentence in unknown_markets(config, universe):
        raise ConfigError(f"{sentence}; correct the name")
    return universe.select(
        config.texts("markets.include"), config.texts("markets.exclude"), config.number("markets.max")
    )


def _market_spec(config: Config, market: Market, rate: Decimal, discount: Decimal) -> dict[str, Any]:
    def exact(name: str) -> str:
        return format(Decimal(str(config.for_market(market.coin, name))), "f")

    return {
        "asset": market.asset,
        "dex_index": market.dex_index,
        "dex": market.dex,
        "coin": market.coin,
        "sz_decimals": market.sz_decimals,
        "taker_fee_bps": format(market.taker_fee_bps(rate, discount).quantize(Decimal("0.0001"), ROUND_UP), "f"),
        "entry_threshold_bps": exact("threshold_bps"),
        "max_notional_usd": exact("max_notional_usd"),
        # A market that is excluded while it is traded is left by its exits and entered no more.
        "entry_enabled": bool(config.for_market(market.coin, "enabled"))
        and not is_matched(market.coin, config.texts("markets.exclude")),
    }
