"""The comparison of a scenario with the figures it was made after."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hip3.sim.scenario import load
from hip3.sim.statistics import COLUMNS, compare, measure, rank_correlation, wanted


def test_ranks_not_values_are_compared() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 200, 3000, 40000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 2], [1, 1, 2]) == pytest.approx(1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0


def test_an_hour_of_one_market_is_near_its_figures() -> None:
    scenario = load("default")
    dex = scenario.dexs[1]
    position = next(n for n, market in enumerate(dex.markets) if market.coin == "xyz:PLTR")
    stats = dex.markets[position].stats
    assert stats is not None
    there, here = wanted(stats, scenario.stats_hours), measure(scenario, 1, position, 1 / 24, 1)
    assert here.avg_edge_bps == pytest.approx(there.avg_edge_bps, rel=0.2)
    assert here.shrink_5s == pytest.approx(there.shrink_5s, abs=0.2)
    assert here.buy_ratio < 0.3
    assert here == measure(scenario, 1, position, 1 / 24, 1)


@pytest.mark.slow
def test_ranks_of_all_markets_follow_the_measurement() -> None:
    # Two days, which the command takes, are for a person; a quarter of one shows a wrong model as well.
    columns = compare(load("default"), 0.25, 1)["columns"]
    assert set(columns) == set(COLUMNS)
    assert all(column["rank_correlation"] > 0.8 for column in columns.values()), columns


def test_the_command_prints_json_and_refuses_what_has_no_figures() -> None:
    command = [sys.executable, "-m", "hip3", "sim", "--statistics", "--json"]
    done = subprocess.run([*command, "--days", "0.002"], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1)
    told = json.loads(done.stdout)
    assert len(told["markets"]) == 28
    assert set(told["markets"]["xyz:SILVER"]["here"]) == set(COLUMNS)
    for wrong in (["--days", "0"], ["--days", "nan"], ["--scenario", "nope"]):
        refused = subprocess.run([*command, *wrong], capture_output=True, text=True, timeout=60)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
