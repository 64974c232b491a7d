"""Makers: quotes on the grid that never cross, close to the oracle in quiet times, back after their lag."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hip3.sim.agents import SCALE, ceil_to, floor_to, lot, tick
from hip3.sim.scenario import load

DEFAULT = load("default")


def units(text: str) -> int:
    return int(Decimal(text) * SCALE)


@pytest.mark.parametrize(
    ("px", "sz_decimals", "step"),
    [
        ("1234.5", 0, "0.1"),
        ("0.001234", 0, "0.000001"),
        ("0.01234", 1, "0.00001"),
        ("123456", 0, "1"),
        ("89540", 5, "1"),
        ("94.32", 2, "0.001"),
        ("1.1716", 1, "0.0001"),
        ("431.5", 3, "0.01"),
        ("431.5", 5, "0.1"),
    ],
)
def test_tick_follows_the_venues_rule(px: str, sz_decimals: int, step: str) -> None:
    assert tick(units(px), sz_decimals) == units(step)


def test_lot_and_rounding() -> None:
    assert lot(2) == units("0.01")
    assert floor_to(1234, 100) == 1200
    assert ceil_to(1201, 100) == ceil_to(1300, 100) == 1300


@pytest.mark.parametrize("name", ["default", "load"])
def test_quotes_stay_on_the_grid_and_never_cross(name: str, recording_venue: Callable[..., Any]) -> None:
    venue = recording_venue(load(name), seed=1)
    venue.run(blocks=600)  # the venue itself checks every call
    assert len(venue.log) > 1000


def test_quiet_quotes_stand_a_few_basis_points_around_the_oracle(recording_venue: Callable[..., Any]) -> None:
    venue = recording_venue(replace(DEFAULT, event_rate_factor=0.0), seed=2)
    venue.run(blocks=100)
    spreads, edges = [], []
    for _ in range(200):
        venue.run(blocks=5)
        for coin in venue.markets:
            bid, ask = venue.touch(coin)
            spreads.append((ask[0] - bid[0]) / venue.oracle[coin][0] * 10_000)
            edges.append(venue.edge_bps(coin))
    spreads.sort()
    edges.sort()
    assert 1 <= spreads[len(spreads) // 2] <= 6
    assert spreads[-1] <= 10
    assert edges[len(edges) // 2] < 0
    assert edges[-1] <= DEFAULT.events.tail_start_bps + 10


def test_touch_is_worth_what_the_scenario_says(recording_venue: Callable[..., Any]) -> None:
    venue = recording_venue(DEFAULT, seed=4)
    values = []
    for _ in range(100):
        venue.run(blocks=3)
        for coin in venue.markets:
            for level in venue.touch(coin):
                values.append(level[0] * level[1] / SCALE / SCALE)
    assert min(values) >= DEFAULT.makers.touch_usd_min
    assert max(values) <= DEFAULT.makers.touch_usd_max * 1.02


def test_makers_come_back_to_the_oracle_when_the_lag_is_over(recording_venue: Callable[..., Any]) -> None:
    venue = recording_venue(DEFAULT, seed=5)
    began: dict[str, int] = {}
    lasted = []
    for _ in range(3000):
        venue.run(blocks=1)
        for coin in venue.oracle:
            if venue.edge_bps(coin) >= 30:
                began.setdefault(coin, venue.now_ms)
            elif coin in began:
                lasted.append(venue.now_ms - began.pop(coin))
                assert venue.edge_bps(coin) < 30
    lasted.sort()
    assert 1000 <= lasted[len(lasted) // 2] <= 4500
    assert lasted[-1] <= DEFAULT.events.late_lag_ms_max + 1000
    within = sum(value <= 5000 for value in lasted) / len(lasted)
    assert 0.55 < within < 0.95  # the markets' own shares lie between, weighted by their rates


def test_the_same_seed_gives_the_same_history_and_another_one_another(
    recording_venue: Callable[..., Any],
) -> None:
    logs = []
    for seed, start_ms in ((7, 0), (7, 0), (8, 0)):
        venue = recording_venue(DEFAULT, seed=seed, start_ms=start_ms)
        venue.run(blocks=300)
        logs.append((venue.log, venue.taken))
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


def test_the_start_time_shifts_the_history_and_changes_nothing_else(recording_venue: Callable[..., Any]) -> None:
    first, second = recording_venue(DEFAULT, seed=7), recording_venue(DEFAULT, seed=7, start_ms=1_700_000_000_000)
    first.run(blocks=300)
    second.run(blocks=300)
    assert [entry[1:] for entry in first.log] == [entry[1:] for entry in second.log]


def test_noise_takers_are_few_and_small(recording_venue: Callable[..., Any]) -> None:
    venue = recording_venue(DEFAULT, seed=1)
    venue.run(blocks=3000)
    assert 10 <= len(venue.taken) <= 120
    worth = [sz * venue.oracle[coin][0] / SCALE / SCALE for coin, _, sz in venue.taken]
    assert max(worth) < 600
    assert {is_buy for _, is_buy, _ in venue.taken} == {True, False}


def test_default_gives_the_trader_enough_to_do_and_not_too_much(recording_venue: Callable[..., Any]) -> None:
    """Edges of 40 bps or more that last a second: 15 to 40 a minute, for every seed."""
    for seed in range(1, 6):
        venue = recording_venue(DEFAULT, seed=seed)
        began: dict[str, int] = {}
        counted = 0
        for _ in range(3 * 600):
            venue.run(blocks=1)
            for coin in venue.oracle:
                if venue.edge_bps(coin) < 40:
                    began.pop(coin, None)
                elif coin not in began:
                    began[coin] = venue.now_ms
                    counted += 1
        assert 15 * 3 <= counted <= 40 * 3, seed
