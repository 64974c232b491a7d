"""Oracle processes: cadence, clamp, and dislocations that follow each market's measured figures."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from hip3.sim.agents import SCALE
from hip3.sim.oracle import EdgeModel, Flow
from hip3.sim.scenario import Market, Scenario, load

DEFAULT = load("default")
MARKETS = {market.coin: market for market in DEFAULT.markets()}


def model(coin: str, scenario: Scenario = DEFAULT) -> EdgeModel:
    stats = MARKETS[coin].stats
    assert stats is not None
    return EdgeModel(stats, scenario.events, scenario)


def draws(edges: EdgeModel, count: int) -> list[tuple[bool, float, bool]]:
    rng = random.Random(1)
    found = [edges.draw(rng) for _ in range(count)]
    return [drawn for drawn in found if drawn is not None]


def quoted(market: Market, scenario: Scenario = DEFAULT, seed: int = 1) -> Flow:
    """A flow whose makers stand 2 bps to each side, as `makers` would leave it."""
    flow = Flow(market, 1, scenario, seed)
    flow.bid, flow.ask = flow.oracle * 9998 // 10_000, flow.oracle * 10_002 // 10_000
    return flow


def test_the_tail_passes_through_the_measured_share_at_the_best_threshold() -> None:
    scenario = replace(DEFAULT, event_rate_factor=1.0)
    edges = model("xyz:META", scenario)
    stats = MARKETS["xyz:META"].stats
    assert stats is not None
    above = (DEFAULT.events.tail_start_bps / stats.best_threshold_bps) ** edges.tail_alpha
    per_hour = edges.tail_chance * above * 3_600_000 / DEFAULT.oracle.interval_ms
    measured = stats.best_signals / DEFAULT.stats_hours / edges.moments
    assert per_hour == pytest.approx(measured)


def test_the_factor_multiplies_the_tail_and_leaves_the_body() -> None:
    once = model("xyz:TSLA", replace(DEFAULT, event_rate_factor=1.0))
    often = model("xyz:TSLA", replace(DEFAULT, event_rate_factor=50.0))
    assert often.tail_chance == pytest.approx(50 * once.tail_chance)
    assert often.body_chance == once.body_chance


def test_sides_and_sizes_follow_the_figures() -> None:
    for coin in ("xyz:TSLA", "xyz:BABA", "xyz:NATGAS"):
        stats = MARKETS[coin].stats
        assert stats is not None
        found = draws(model(coin), 60_000)
        assert sum(is_buy for is_buy, _, _ in found) / len(found) == pytest.approx(stats.buy_ratio, abs=0.02)
        body = [edge for _, edge, tail in found if not tail]
        assert sum(body) / len(body) == pytest.approx(stats.avg_edge_bps, rel=0.1)
        tail_edges = [edge for _, edge, tail in found if tail]
        assert DEFAULT.events.tail_start_bps <= min(tail_edges)
        assert max(tail_edges) <= DEFAULT.events.edge_bps_max


def test_edges_are_gone_after_five_seconds_as_often_as_measured() -> None:
    rng = random.Random(2)
    for coin in ("xyz:XYZ100", "xyz:COST", "xyz:NATGAS", "xyz:AAPL"):
        stats = MARKETS[coin].stats
        assert stats is not None
        lags = [model(coin).lag_ms(rng) for _ in range(5000)]
        # Signals come all the time that a dislocation lasts; those of its last five seconds are gone after five.
        assert sum(min(lag, 5000) for lag in lags) / sum(lags) == pytest.approx(stats.shrink_5s, abs=0.04)
        assert min(lags) >= DEFAULT.events.lag_ms_min
        assert max(lags) <= DEFAULT.events.late_lag_ms_max


def test_a_market_whose_best_threshold_says_nothing_has_no_tail() -> None:
    assert model("xyz:AAPL").tail_chance == 0


@pytest.mark.parametrize("coin", ["xyz:TSLA", "xyz:EUR", "xyz:JPY", "xyz:XYZ100"])
def test_a_dislocation_leaves_at_least_the_drawn_edge_at_the_touch(coin: str) -> None:
    scenario = replace(DEFAULT, event_rate_factor=1e9)
    seen = 0
    for seed in range(40):
        flow = quoted(MARKETS[coin], scenario, seed)
        oracle = flow.advance(1000)
        if flow.event_edge_bps >= scenario.events.tail_start_bps:
            seen += 1
            edge_bps = max(oracle - flow.ask, flow.bid - oracle) / oracle * 10_000
            assert flow.event_edge_bps - 1e-6 <= edge_bps <= flow.event_edge_bps + 1.0
            assert 1300 <= flow.follow_ms <= 1000 + scenario.events.late_lag_ms_max
    assert seen > 5


def test_a_market_without_figures_never_dislocates() -> None:
    flow = quoted(MARKETS["flx:GOLD"])
    for now_ms in range(0, 3_000_000, 3000):
        flow.advance(now_ms)
        assert flow.event_edge_bps == 0


def test_oracles_keep_their_interval_and_their_clamp_in_every_market(
    recording_venue: Callable[..., Any],
) -> None:
    venue = recording_venue(DEFAULT, seed=3)
    venue.run(blocks=1200)  # the venue itself checks 2.5 s and 1 %
    times: dict[str, list[int]] = {}
    for at_ms, coin, *_ in (entry for entry in venue.log if len(entry) == 3):
        times.setdefault(coin, []).append(at_ms)
    assert set(times) == set(MARKETS)
    gaps = [later - sooner for row in times.values() for sooner, later in pairwise(row)]
    assert 2900 <= sum(gaps) / len(gaps) <= 3150
    assert len({row[0] for row in times.values()}) > 15  # phases differ


def test_an_oracle_with_one_sided_dislocations_does_not_run_away(recording_venue: Callable[..., Any]) -> None:
    plain = DEFAULT.dexs[1]
    only = replace(plain, markets=tuple(m for m in plain.markets if m.coin == "xyz:PLTR"))
    venue = recording_venue(replace(DEFAULT, dexs=(DEFAULT.dexs[0], only)), seed=1)
    venue.run(blocks=2 * 36_000)
    start = int(MARKETS["xyz:PLTR"].px * SCALE)
    assert 0.85 < venue.oracle["xyz:PLTR"][0] / start < 1.05
