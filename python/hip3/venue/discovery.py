"""What the venue trades: every dex, every perpetual, with ids, lots, flags and collateral."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hip3.errors import ConfigError
from hip3.venue.fees import taker_rate, to_bps
from hip3.venue.info import Info, understood

#: Asset ids of builder dexs begin here, ten thousand for each dex.
BUILDER_ASSET_BASE = 100_000
ASSETS_PER_DEX = 10_000
#: The deployer's fee scale where no answer names one.
DEPLOYER_FEE_SCALE = "1.0"


@dataclass(frozen=True, slots=True)
class Market:
    """One perpetual as its dex's meta describes it; `coin` is the venue's full, case-sensitive name."""

    asset: int
    dex_index: int
    dex: str
    coin: str
    sz_decimals: int
    leverage_max: int
    growth_mode: bool
    deployer_fee_scale: Decimal
    margin_mode: str
    is_delisted: bool

    def taker_fee_bps(self, user_rate: Decimal, referral_discount: Decimal) -> Decimal:
        """The taker fee of this market in basis points, exact."""
        return to_bps(
            taker_rate(
                user_rate,
                is_builder_dex=self.dex_index > 0,
                deployer_fee_scale=self.deployer_fee_scale,
                growth_mode=self.growth_mode,
                referral_discount=referral_discount,
            )
        )


@dataclass(frozen=True, slots=True)
class Dex:
    """One perpetual dex; `name` is empty for the main one."""

    index: int
    name: str
    collateral_token: int
    collateral: str


@dataclass(frozen=True, slots=True)
class Universe:
    """All dexs and markets at one moment."""

    dexs: tuple[Dex, ...]
    markets: tuple[Market, ...]

    def select(self, include: list[str], exclude: list[str], most: int) -> list[Market]:
        """Markets that match a pattern of `include` and none of `exclude`, at most `most`, by asset id.

        Patterns are shell-like over full names (`xyz:*`, `BTC`), case-sensitive. A pattern without any
        market is an error that names the nearest one; delisted markets are left out.
        """
        names = [m.coin for m in self.markets if not m.is_delisted]
        for pattern in [*include, *exclude]:
            if any(is_matched(name, [pattern]) for name in names):
                continue
            if any(is_matched(m.coin, [pattern]) for m in self.markets):
                raise ConfigError(f"markets: {pattern!r} matches delisted markets only; take it out")
            raise ConfigError(f"markets: {pattern!r} matches no market of this venue{nearest(pattern, names)}")
        chosen = [
            m
            for m in self.markets
            if not m.is_delisted and is_matched(m.coin, include) and not is_matched(m.coin, exclude)
        ]
        if len(chosen) > most:
            raise ConfigError(
                f"markets: {len(chosen)} markets match, markets.max allows {most}; narrow markets.include"
            )
        return chosen

    def dex_of(self, name: str) -> Dex:
        """The dex of that name."""
        return next(d for d in self.dexs if d.name == name)


def is_matched(coin: str, patterns: list[str]) -> bool:
    """Whether a pattern matches this full name."""
    return any(fnmatch.fnmatchcase(coin, pattern) for pattern in patterns)


def nearest(name: str, names: list[str]) -> str:
    """`; did you mean …?` for the nearest name whatever its case, or nothing."""
    folded = {n.casefold(): n for n in names}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


async def discover(info: Info) -> Universe:
    """Reads all dexs and their metas; a dex keeps its index even where its meta is missing."""
    listed = await info.perp_dexs()
    metas = await info.all_perp_metas()
    tokens = await info.spot_token_names()
    with understood("the market list"):
        return read_universe(listed, metas, tokens)


def read_universe(
    listed: Sequence[dict[str, Any] | None], metas: Sequence[dict[str, Any] | None], tokens: dict[int, str]
) -> Universe:
    """The universe of the answers to `perpDexs` and `allPerpMetas`, with the names of collateral tokens."""
    dexs: list[Dex] = []
    markets: list[Market] = []
    for index, row in enumerate(listed):
        meta = (metas[index] if index < len(metas) else None) or {}
        name = row["name"] if row else ""
        token = int(meta.get("collateralToken") or 0)
        dexs.append(Dex(index, name, token, tokens.get(token, f"token {token}")))
        dex_scale = (row or {}).get("deployerFeeScale") or DEPLOYER_FEE_SCALE
        markets += [_market(index, name, i, entry, dex_scale) for i, entry in enumerate(meta.get("universe", []))]
    return Universe(tuple(dexs), tuple(markets))


def _market(dex_index: int, dex: str, position: int, entry: dict[str, Any], dex_scale: str) -> Market:
    """One universe entry; its optional fields are absent or null, the fee scale stands on the dex in older answers."""
    base = BUILDER_ASSET_BASE + ASSETS_PER_DEX * dex_index if dex_index else 0
    return Market(
        asset=base + position,
        dex_index=dex_index,
        dex=dex,
        coin=entry["name"],
        sz_decimals=entry["szDecimals"],
        leverage_max=entry["maxLeverage"],
        growth_mode=entry.get("growthMode") == "enabled",
        deployer_fee_scale=Decimal(str(entry.get("deployerFeeScale") or dex_scale)),
        margin_mode=entry.get("marginMode") or ("noCross" if entry.get("onlyIsolated") else "cross"),
        is_delisted=bool(entry.get("isDelisted")),
    )
