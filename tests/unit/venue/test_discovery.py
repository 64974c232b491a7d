"""Dexs and markets from the venue's answers: asset ids, flags, collateral, and the choice of markets."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hip3.errors import ConfigError, VenueRefused
from hip3.venue.discovery import Dex, Market, Universe, discover, nearest, read_universe
from hip3.venue.info import Info

Answering = Callable[[dict[Any, Any]], Info]
Captured = Callable[[str], Any]
SPOT = {"tokens": [{"index": 0, "name": "USDC"}, {"index": 360, "name": "USDH"}], "universe": []}
TOKENS = {0: "USDC", 360: "USDH"}


def entry(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "szDecimals": 2, "maxLeverage": 20, **fields}


def meta(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"universe": list(entries), "marginTables": [], "collateralToken": 0, **fields}


def one(fields: dict[str, Any], dex: dict[str, Any] | None = None) -> Market:
    """The market of one entry on dex 1."""
    row = {"name": "xyz", **(dex or {})}
    return read_universe([None, row], [meta(), meta(entry("xyz:A", **fields))], TOKENS).markets[0]


async def test_asset_ids_follow_from_dex_and_place_and_collateral_has_a_name(answering: Answering) -> None:
    metas = [
        meta(entry("BTC"), entry("ETH")),
        meta(*(entry(f"xyz:M{place}") for place in range(27))),
        meta(entry("flx:TSLA"), collateralToken=360),
        meta(entry("new:A"), collateralToken=9999),
    ]
    dexs = [None, {"name": "xyz"}, {"name": "flx"}, {"name": "new"}]
    universe = await discover(answering({"perpDexs": dexs, "allPerpMetas": metas, "spotMeta": SPOT}))
    by_coin = {market.coin: market for market in universe.markets}
    assert len(by_coin) == 31
    ids = {coin: by_coin[coin].asset for coin in ("BTC", "ETH", "xyz:M0", "xyz:M26", "flx:TSLA", "new:A")}
    assert list(ids.values()) == [0, 1, 110_000, 110_026, 120_000, 130_000]
    assert (by_coin["flx:TSLA"].dex, by_coin["flx:TSLA"].dex_index, by_coin["BTC"].dex) == ("flx", 2, "")
    assert universe.dexs == (
        Dex(0, "", 0, "USDC"),
        Dex(1, "xyz", 0, "USDC"),
        Dex(2, "flx", 360, "USDH"),
        Dex(3, "new", 9999, "token 9999"),
    )
    assert universe.dex_of("flx").index == 2


def test_a_dex_keeps_its_index_where_the_meta_of_another_is_missing() -> None:
    dexs = [None, {"name": "a"}, {"name": "b"}, {"name": "c"}]
    universe = read_universe(dexs, [meta(), None, meta(entry("b:X"))], TOKENS)
    assert [(market.coin, market.asset) for market in universe.markets] == [("b:X", 120_000)]
    assert [dex.name for dex in universe.dexs] == ["", "a", "b", "c"]


def test_captured_list_of_markets_gives_silver_its_id(captured: Captured) -> None:
    listed: dict[str, str] = captured("xyz_markets_2026-01.json")
    universe = read_universe([None, {"name": "xyz"}], [meta(), meta(*map(entry, listed.values()))], TOKENS)
    assert {str(market.asset): market.coin for market in universe.markets} == listed
    assert next(market.asset for market in universe.markets if market.coin == "xyz:SILVER") == 110_026


async def test_captured_metas_with_other_collateral(answering: Answering, captured: Captured) -> None:
    answers = {
        "perpDexs": [None, {"name": "km"}, {"name": "hyna"}],
        "allPerpMetas": captured("frames/http_all_perp_metas_non_usdc_collateral.json"),
        "spotMeta": captured("frames/http_spot_meta_non_usdc_collateral.json"),
    }
    universe = await discover(answering(answers))
    assert [(dex.name, dex.collateral) for dex in universe.dexs] == [("", "USDC"), ("km", "USDH"), ("hyna", "USDE")]
    shown = [(market.coin, market.asset, market.sz_decimals, market.growth_mode) for market in universe.markets]
    assert shown == [("BTC", 0, 5, False), ("km:US500", 110_000, 3, True), ("hyna:BTC", 120_000, 5, True)]


def test_captured_meta_with_null_flags(captured: Captured) -> None:
    universe = read_universe([None], [captured("frames/http_meta_perp_sample.json")], TOKENS)
    assert [(market.asset, market.coin) for market in universe.markets] == [(0, "BTC"), (1, "ETH"), (2, "ATOM")]
    assert {(market.is_delisted, market.margin_mode) for market in universe.markets} == {(False, "cross")}


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({}, "cross"),
        ({"onlyIsolated": True}, "noCross"),
        ({"onlyIsolated": None, "marginMode": None}, "cross"),
        ({"onlyIsolated": True, "marginMode": "strictIsolated"}, "strictIsolated"),
    ],
)
def test_margin_modes(fields: dict[str, Any], mode: str) -> None:
    assert one(fields).margin_mode == mode


@pytest.mark.parametrize(
    ("fields", "growth"), [({}, False), ({"growthMode": "enabled"}, True), ({"growthMode": None}, False)]
)
def test_growth_mode(fields: dict[str, Any], growth: bool) -> None:
    assert one(fields).growth_mode is growth


@pytest.mark.parametrize(
    ("fields", "dex", "scale"),
    [
        ({"deployerFeeScale": "1.5"}, {"deployerFeeScale": "0.5"}, "1.5"),
        ({}, {"deployerFeeScale": "0.5"}, "0.5"),
        ({"deployerFeeScale": None}, {"deployerFeeScale": None}, "1"),
        ({"deployerFeeScale": "0.0"}, {}, "0"),
        ({}, {}, "1"),
    ],
)
def test_the_fee_scale_stands_on_the_market_or_in_older_answers_on_the_dex(
    fields: dict[str, Any], dex: dict[str, Any], scale: str
) -> None:
    assert one(fields, dex).deployer_fee_scale == Decimal(scale)


@pytest.mark.parametrize(
    "metas", [{}, "x", [3], [{"universe": [{}]}], [{"universe": [entry("A", deployerFeeScale="x")]}], [{"universe": 3}]]
)
async def test_answers_of_another_shape_are_the_venues_fault_on_one_line(answering: Answering, metas: Any) -> None:
    answers = {"perpDexs": [None], "allPerpMetas": metas, "spotMeta": SPOT}
    if metas == {}:
        answers["perpDexs"] = 3
    with pytest.raises(VenueRefused, match="the market list of the venue cannot be read"):
        await discover(answering(answers))


NAMES = ["BTC", "xyz:SILVER", "xyz:GOLD", "xyz:OLD", "flx:TSLA"]


def universe() -> Universe:
    dexs = [None, {"name": "xyz"}, {"name": "flx"}]
    xyz = meta(entry("xyz:SILVER"), entry("xyz:GOLD"), entry("xyz:OLD", isDelisted=True))
    return read_universe(dexs, [meta(entry("BTC")), xyz, meta(entry("flx:TSLA"))], TOKENS)


@pytest.mark.parametrize(
    ("include", "exclude", "chosen"),
    [
        (["*:*"], [], ["xyz:SILVER", "xyz:GOLD", "flx:TSLA"]),
        (["*"], [], ["BTC", "xyz:SILVER", "xyz:GOLD", "flx:TSLA"]),
        (["xyz:*"], ["xyz:GOLD"], ["xyz:SILVER"]),
        (["flx:TSLA", "BTC"], [], ["BTC", "flx:TSLA"]),
        (["xyz:*", "xyz:GOLD"], [], ["xyz:SILVER", "xyz:GOLD"]),
        (["xyz:*"], ["*"], []),
    ],
)
def test_markets_are_chosen_by_pattern_without_delisted_ones(
    include: list[str], exclude: list[str], chosen: list[str]
) -> None:
    assert [market.coin for market in universe().select(include, exclude, 10)] == chosen


@pytest.mark.parametrize(
    ("include", "exclude", "why"),
    [
        (["xyz:SLIVER"], [], r"'xyz:SLIVER' matches no market of this venue; did you mean 'xyz:SILVER'\?$"),
        (["xyz:silver"], [], r"did you mean 'xyz:SILVER'\?$"),
        (["*:*"], ["XYZ:gold"], r"'XYZ:gold' matches no market of this venue; did you mean 'xyz:GOLD'\?$"),
        (["qqqqqqqq"], [], r"'qqqqqqqq' matches no market of this venue$"),
        (["xyz:OLD"], [], r"'xyz:OLD' matches delisted markets only; take it out$"),
    ],
)
def test_a_pattern_without_a_market_is_refused(include: list[str], exclude: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        universe().select(include, exclude, 10)


def test_more_markets_than_allowed_are_refused_and_not_cut() -> None:
    assert len(universe().select(["*:*"], [], 3)) == 3
    with pytest.raises(ConfigError, match=r"3 markets match, markets\.max allows 2; narrow markets\.include"):
        universe().select(["*:*"], [], 2)


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("XYZ:SILVR", NAMES) == "; did you mean 'xyz:SILVER'?"
    assert nearest("zzz", NAMES) == ""
