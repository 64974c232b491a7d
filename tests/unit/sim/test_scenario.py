"""Scenario files: what the packaged ones hold, and that each wrong one is refused with its key."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from hip3.sim.scenario import available, load, parse
from hip3.sim.table import ScenarioError

DATA = Path(__file__).parents[4] / "shared" / "data"
SMALL = """
name = "small"
description = "one market"
[[tokens]]
index = 0
name = "USDC"
[[dexs]]
name = ""
full_name = "Main"
[[dexs.markets]]
coin = "BTC"
px = "100"
sz_decimals = 2
max_leverage = 10
"""


def test_packaged_scenarios_are_listed_and_load() -> None:
    assert {"default", "load"} <= set(available())
    for name in available():
        assert load(name).name == name


def test_default_has_main_xyz_and_a_second_dex_with_its_own_collateral() -> None:
    scenario = load("default")
    main, xyz, second = scenario.dexs
    assert [market.coin for market in main.markets] == ["BTC", "ETH"]
    assert (main.name, xyz.name, xyz.index, len(xyz.markets)) == ("", "xyz", 1, 36)
    assert xyz.markets[26].coin == "xyz:SILVER"
    assert xyz.markets[26].asset == 110026
    assert xyz.markets[0].asset == 110000
    assert second.markets[0].asset == 120000
    assert scenario.token(second.collateral_token).name == "USDH"
    assert scenario.token(xyz.collateral_token).name == "USDC"
    assert sum(market.growth_mode for market in xyz.markets) > 30
    assert main.markets[0].asset == 0
    assert main.markets[0].only_isolated is False


def test_default_holds_the_published_ids_and_figures() -> None:
    if not DATA.is_dir():
        pytest.skip("the published data is not beside this checkout")
    markets = {market.coin: market for market in load("default").dexs[1].markets}
    ids = json.loads((DATA / "xyz_markets_2026-01.json").read_text())
    assert {str(market.asset): coin for coin, market in markets.items()} == ids
    with (DATA / "market_stats_48h.csv").open() as file:
        rows = {row["coin"]: row for row in csv.DictReader(file)}
    assert {coin for coin, market in markets.items() if market.stats} == set(rows)
    for coin, row in rows.items():
        stats = markets[coin].stats
        assert stats is not None
        for key in stats.__slots__:
            assert float(getattr(stats, key)) == float(row[key]), (coin, key)


def test_load_is_300_builder_markets_with_many_tick_sizes() -> None:
    scenario = load("load")
    builder = [market for dex in scenario.dexs[1:] for market in dex.markets]
    assert len(builder) == len({market.asset for market in builder}) == 300
    assert builder[150].coin == "wide:W000"
    assert len({len(str(int(market.px))) for market in builder}) >= 3


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL)
    scenario = load(str(path))
    assert scenario.dexs[0].markets[0].px == Decimal(100)
    assert scenario.dexs[0].markets[0].stats is None
    assert scenario.block_ms == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("block_ms = 'x'", "block_ms: int is needed"),
        ("block_ms = true", "block_ms: int is needed"),
        ("block_ms = -1", "block_ms: must not be negative"),
        ("blok_ms = 100", "blok_ms: no such key; did you mean block_ms?"),
        ("answer_latency_ms = -1", "answer_latency_ms: must not be negative"),
        ("[oracle]\ninterval_ms_min = 9000", "oracle.interval_ms_min"),
        ("[events]\nedge_bps_max = 100", "events.edge_bps_max"),
        ("[oracle]\nspeed = 3", "oracle.speed: no such key"),
        ("oracle = 3", "oracle: a table is needed"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(text: str, message: str) -> None:
    head, separator, tail = SMALL.partition("[[tokens]]")
    with pytest.raises(ScenarioError, match=message.replace("?", r"\?")) as caught:
        parse(f"{head}{text}\n{separator}{tail}", "here")
    assert str(caught.value).startswith("scenario here: ")
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('px = "100"', 'px = "many"', r"dexs\[0\].markets\[0\].px: not a number"),
        ('px = "100"', 'px = "-1"', r"dexs\[0\].markets\[0\].px: must be positive"),
        ('px = "100"', "", r"dexs\[0\].markets\[0\].px: missing"),
        ('px = "100"', 'px = "100"\nasset = 5', r"markets\[0\].asset: no such key"),
        ("sz_decimals = 2", "sz_decimals = 7", r"sz_decimals: 0 to 6, not 7"),
        ("max_leverage = 10", "max_leverage = 0", r"max_leverage: 1 to 100"),
        ("max_leverage = 10", 'max_leverage = 10\nmargin_mode = "any"', r"margin_mode: one of normal"),
        ("index = 0", "index = 4", r"collateral_token: 0 is not among tokens"),
        ('name = ""', 'name = "xyz"', r"the first dex is the main one"),
        ("[[tokens]]", "[tokens]", r"tokens: a list of tables"),
        ("[[dexs.markets]]", "[dexs.series]\ncount = 0", r"series.count: 1 to"),
        ("max_leverage = 10", "max_leverage = 10\nstats = 4", r"stats: a table is needed"),
        ('name = "small"', "name = ", r"not TOML"),
    ],
)
def test_a_wrong_market_or_dex_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse(SMALL.replace(old, new, 1), "here")


def test_the_same_coin_twice_is_refused() -> None:
    market = SMALL[SMALL.index("[[dexs.markets]]") :]
    with pytest.raises(ScenarioError, match=r"markets\[1\].coin: 'BTC' stands there twice"):
        parse(SMALL + market, "here")


def test_an_unknown_name_lists_the_packaged_ones() -> None:
    with pytest.raises(ScenarioError, match="'calm' does not exist; packaged ones: default, halt, load"):
        load("calm")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load("./nowhere.toml")
