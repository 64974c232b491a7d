"""What a simulated venue is made of: markets, prices, makers' habits, dislocations. Typed, loaded from TOML.

Owns the shape of a scenario file and its checks. It runs nothing: `venue` reads the markets, `oracle` and
`makers` the habits. A name means a file packaged beside this module, anything with a dot or a slash a path.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from hip3.sim.incidents import Incident
from hip3.sim.incidents import read as read_incident
from hip3.sim.rules import (
    EventRules,
    FeedRules,
    FlowStats,
    LimitRules,
    MakerRules,
    OracleRules,
    SessionRules,
)
from hip3.sim.table import DERIVED, ScenarioError, build, rows

#: Asset ids of builder dexs start here; each dex has room for this many markets.
BUILDER_ASSET_BASE = 100_000
BUILDER_ASSET_STRIDE = 10_000
MARGIN_MODES = ("normal", "noCross", "strictIsolated")
CROSS_MARGIN = ("normal", "reduceOnly", "disabled")


@dataclass(frozen=True, slots=True)
class Token:
    """A collateral token. `index` is its spot token index; `aligned` follows the venue's fee rules."""

    index: int
    name: str
    aligned: bool = False

    @property
    def token_id(self) -> str:
        """The id that stands behind the name in transfers (`USDC:0x…`)."""
        return "0x6d1e7cde53ba9467b783cb7c530ce054" if self.index == 0 else f"0x{self.index:032x}"


@dataclass(frozen=True, slots=True)
class Market:
    """One perpetual. `coin` is the venue's full name (`xyz:SILVER`), `px` the oracle at the start."""

    coin: str
    px: Decimal
    sz_decimals: int
    max_leverage: int
    growth_mode: bool = True
    fee_scale: Decimal = Decimal(1)
    margin_mode: str = "noCross"
    prev_day_px: Decimal | None = None
    open_interest_usd: int = 20_000_000
    day_volume_usd: int = 50_000_000
    oi_cap_usd: int = 200_000_000
    #: Open interest of clients may grow by this much within ten seconds; zero for no bound.
    oi_growth_usd_max: int = 0
    half_spread_bps: float = 1.5
    step_bps: float = 0.8
    touch_usd: int = 8000
    #: Further tiers of the margin table as `"lower_bound_usd:leverage"`, in rising order.
    margin_tiers: str = ""
    #: Id of a margin table with tiers.
    margin_table: int = 0
    stats: FlowStats | None = None
    asset: int = field(default=-1, metadata=DERIVED)

    @property
    def only_isolated(self) -> bool:
        """True when positions of this market cannot be cross-margined."""
        return self.margin_mode != "normal"

    def tiers(self) -> list[tuple[int, int]]:
        """Tiers above the first: notional in USD from which the leverage holds."""
        pairs = (item.split(":") for item in self.margin_tiers.split(",") if item)
        return [(int(lower), int(leverage)) for lower, leverage in pairs]

    @property
    def margin_table_id(self) -> int:
        """The id of the margin table: the most leverage for a single tier, as at the venue."""
        return self.margin_table or self.max_leverage


@dataclass(frozen=True, slots=True)
class Dex:
    """One perp dex; the main one has index 0 and the empty name. `collateral_token` is a spot token index."""

    name: str
    full_name: str
    markets: tuple[Market, ...]
    collateral_token: int = 0
    deployer: str = "0x0000000000000000000000000000000000000000"
    fee_recipient: str = "0x0000000000000000000000000000000000000000"
    #: `normal`; `reduceOnly`: cross margin takes orders that reduce alone; `disabled`: none at all.
    cross_margin: str = "normal"
    index: int = field(default=-1, metadata=DERIVED)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole venue at its start. Times in milliseconds."""

    name: str
    description: str
    dexs: tuple[Dex, ...]
    tokens: tuple[Token, ...]
    block_ms: int = 100
    ctx_interval_ms: int = 1000
    account_interval_ms: int = 5000
    #: How long an action is on its way before a block can take it, and an answer on its way back.
    order_latency_ms: int = 0
    answer_latency_ms: int = 0
    greeting: bool = True
    send_queue_frames_max: int = 20_000
    network: str = "any"
    event_rate_factor: float = 1.0
    noise_taker_per_block: float = 0.0
    stats_source: str = ""
    stats_hours: float = 48.4
    oracle: OracleRules = field(default_factory=OracleRules)
    makers: MakerRules = field(default_factory=MakerRules)
    events: EventRules = field(default_factory=EventRules)
    session: SessionRules = field(default_factory=SessionRules)
    feed: FeedRules = field(default_factory=FeedRules)
    limits: LimitRules = field(default_factory=LimitRules)
    incidents: tuple[Incident, ...] = ()

    def markets(self) -> list[Market]:
        """All markets of all dexs in dex order."""
        return [market for dex in self.dexs for market in dex.markets]

    def dex(self, name: str) -> Dex | None:
        """The dex of this name; "" is the main one."""
        return next((dex for dex in self.dexs if dex.name == name), None)

    def token(self, index: int) -> Token:
        """The token of a spot index; the loader made sure that every dex's collateral is there."""
        return next(token for token in self.tokens if token.index == index)


def first_asset(dex_index: int) -> int:
    """The asset id of a dex's first market; the main dex has index 0."""
    return BUILDER_ASSET_BASE + BUILDER_ASSET_STRIDE * dex_index if dex_index else 0


_PACKAGED = resources.files("hip3.sim").joinpath("scenarios")


def available() -> list[str]:
    """Names of the packaged scenarios."""
    return sorted(entry.name[:-5] for entry in _PACKAGED.iterdir() if entry.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """Reads a packaged scenario by name, or a file when `name` looks like a path. Raises ScenarioError."""
    try:
        if "." in name or "/" in name:
            text = Path(name).read_text(encoding="utf-8")
        elif name in (names := available()):
            text = _PACKAGED.joinpath(f"{name}.toml").read_text(encoding="utf-8")
        else:
            raise ScenarioError(f"scenario {name!r} does not exist; packaged ones: {', '.join(names)}")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"scenario {name}: cannot be read: {error}") from error
    return parse(text, name)


def parse(text: str, source: str) -> Scenario:
    """Builds a scenario from TOML text; `source` stands in errors. Raises ScenarioError."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"scenario {source}: not TOML: {error}") from error
    try:
        table = _on_base(table)
        raw_dexs = rows(table.pop("dexs", None), "dexs")
        dexs = tuple(_dex(row, index) for index, row in enumerate(raw_dexs))
        raw_tokens = rows(table.pop("tokens", None), "tokens")
        tokens = tuple(build(Token, row, f"tokens[{index}]") for index, row in enumerate(raw_tokens))
        raw_incidents = table.pop("incidents", [])
        if not isinstance(raw_incidents, list):
            raise ScenarioError("incidents: a list of tables is needed")
        coins = {market.coin for dex in dexs for market in dex.markets}
        names = {dex.name for dex in dexs}
        incidents = tuple(
            read_incident(row, coins, names, f"incidents[{index}]") for index, row in enumerate(raw_incidents)
        )
        scenario = build(Scenario, table, "", dexs=dexs, tokens=tokens, incidents=incidents)
        _check(scenario)
    except ScenarioError as error:
        raise ScenarioError(f"scenario {source}: {error}") from None
    return scenario


def _on_base(table: dict[str, Any]) -> dict[str, Any]:
    """The table laid over the packaged scenario that its `base` names: tables key by key, all else whole."""
    name = table.pop("base", None)
    if name is None:
        return table
    if not isinstance(name, str) or name not in available():
        raise ScenarioError(f"base: one of {', '.join(available())}, not {name!r}")
    base = tomllib.loads(_PACKAGED.joinpath(f"{name}.toml").read_text(encoding="utf-8"), parse_float=Decimal)
    if "base" in base:
        raise ScenarioError(f"base: {name} stands on another scenario itself")
    return _merged(base, table)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    made = dict(below)
    for key, value in above.items():
        under = made.get(key)
        made[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return made


def _dex(row: dict[str, Any], index: int) -> Dex:
    """One dex; `[dexs.series]` adds `count` markets made alike, for width."""
    where = f"dexs[{index}]"
    raw = dict(row)
    series = raw.pop("series", None)
    market_rows = list(rows(raw.pop("markets"), f"{where}.markets")) if "markets" in raw else []
    if series is not None:
        market_rows += _series(series, f"{where}.series")
    name = raw.get("name", "")
    markets = []
    for position, market_row in enumerate(market_rows):
        market = build(Market, market_row, f"{where}.markets[{position}]")
        coin = f"{name}:{market.coin}" if index else market.coin
        markets.append(replace(market, coin=coin, asset=first_asset(index) + position))
    return replace(build(Dex, raw, where, markets=tuple(markets)), index=index)


def _series(value: Any, where: str) -> list[dict[str, Any]]:
    """Rows of a series: prices spread over three orders of magnitude so that many tick sizes occur."""
    if not isinstance(value, dict):
        raise ScenarioError(f"{where}: a table is needed")
    row = dict(value)
    count, prefix = row.pop("count", 0), row.pop("prefix", "M")
    if not isinstance(count, int) or not 0 < count <= BUILDER_ASSET_STRIDE:
        raise ScenarioError(f"{where}.count: 1 to {BUILDER_ASSET_STRIDE}, not {count!r}")
    if not isinstance(prefix, str) or not prefix.isalnum():
        raise ScenarioError(f"{where}.prefix: letters and digits, not {prefix!r}")
    prices = ("12.5", "48.2", "131.7", "362.4", "1240")
    made = []
    for number in range(count):
        px = Decimal(prices[number % len(prices)]) + Decimal(number % 7) / 10
        made.append({**row, "coin": f"{prefix}{number:03d}", "px": px})
    return made


def _check(scenario: Scenario) -> None:
    """What the types cannot say. Raises ScenarioError with the key."""
    if scenario.dexs[0].name:
        raise ScenarioError('dexs[0].name: the first dex is the main one, its name is ""')
    names = [dex.name for dex in scenario.dexs]
    tokens = {token.index for token in scenario.tokens}
    for dex in scenario.dexs:
        where = f"dexs[{dex.index}]"
        if names.count(dex.name) > 1 or (dex.index and not dex.name.isalnum()):
            raise ScenarioError(f"{where}.name: {dex.name!r} must be letters and digits, once")
        if dex.collateral_token not in tokens:
            raise ScenarioError(f"{where}.collateral_token: {dex.collateral_token} is not among tokens")
        if dex.cross_margin not in CROSS_MARGIN:
            raise ScenarioError(f"{where}.cross_margin: one of {', '.join(CROSS_MARGIN)}, not {dex.cross_margin!r}")
        coins = [market.coin for market in dex.markets]
        for position, market in enumerate(dex.markets):
            if market.coin in coins[:position]:
                raise ScenarioError(f"{where}.markets[{position}].coin: {market.coin!r} stands there twice")
            _check_market(market, f"{where}.markets[{position}]")
    for key in ("ctx_interval_ms", "account_interval_ms", "send_queue_frames_max"):
        if getattr(scenario, key) <= 0:
            raise ScenarioError(f"{key}: must be positive")
    for key in ("block_ms", "order_latency_ms", "answer_latency_ms", "event_rate_factor", "noise_taker_per_block"):
        if getattr(scenario, key) < 0:
            raise ScenarioError(f"{key}: must not be negative")
    if not 0 < scenario.oracle.interval_ms_min <= scenario.oracle.interval_ms:
        raise ScenarioError("oracle.interval_ms_min: must be positive and at most oracle.interval_ms")
    if scenario.oracle.follows not in ("source", "book"):
        raise ScenarioError(f"oracle.follows: source or book, not {scenario.oracle.follows!r}")
    if scenario.network not in ("any", "mainnet", "testnet"):
        raise ScenarioError(f"network: any, mainnet or testnet, not {scenario.network!r}")
    scenario.session.is_open(0)
    if not 0 < scenario.events.edge_bps_max < scenario.oracle.move_bps_max:
        raise ScenarioError("events.edge_bps_max: must be positive and below oracle.move_bps_max")


def _check_market(market: Market, where: str) -> None:
    if not market.px > 0 or not market.px.is_finite():
        raise ScenarioError(f"{where}.px: must be positive")
    if not 0 <= market.sz_decimals <= 6:
        raise ScenarioError(f"{where}.sz_decimals: 0 to 6, not {market.sz_decimals}")
    if not 1 <= market.max_leverage <= 100:
        raise ScenarioError(f"{where}.max_leverage: 1 to 100, not {market.max_leverage}")
    if market.margin_mode not in MARGIN_MODES:
        modes = ", ".join(MARGIN_MODES)
        raise ScenarioError(f"{where}.margin_mode: one of {modes}, not {market.margin_mode!r}")
    if market.half_spread_bps <= 0 or market.step_bps < 0 or market.touch_usd <= 0:
        raise ScenarioError(f"{where}: half_spread_bps and touch_usd must be positive, step_bps not negative")
    if bool(market.margin_tiers) != bool(market.margin_table):
        raise ScenarioError(f"{where}.margin_table: given together with margin_tiers, or neither")
    try:
        market.tiers()
    except ValueError:
        raise ScenarioError(f"{where}.margin_tiers: lower:leverage pairs, not {market.margin_tiers!r}") from None
    stats = market.stats
    if stats is not None and not (0 <= stats.shrink_5s <= 1 and 0 <= stats.buy_ratio <= 1):
        raise ScenarioError(f"{where}.stats: shrink_5s and buy_ratio are shares from 0 to 1")
