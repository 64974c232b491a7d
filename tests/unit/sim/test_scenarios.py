"""Every packaged scenario runs, conserves, and does what it is there for."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from hip3.sim.makers import make_agents
from hip3.sim.rules import SessionRules
from hip3.sim.scenario import Scenario, available, load
from hip3.sim.venue import Faulty, Venue

from .exchange import START_MS, Exchange

SILVER = "xyz:SILVER"


@pytest.mark.parametrize("name", sorted(set(available()) - {"load"}))
def test_a_scenario_conserves_and_a_client_trades_on_it(name: str) -> None:
    client = Exchange(scenario=load(name))
    coins = list(client.venue.engine.by_coin)
    for number in range(60):
        client.step(9)
        asset = client.venue.engine.by_coin[coins[number % len(coins)]].spec.asset
        row = client.row(asset=asset, is_buy=number % 3 > 0, sz="2" if asset > 1 else "0.01")
        with suppress(Faulty):
            client.venue.exchange(client.envelope({"type": "order", "orders": [row], "grouping": "na"}), lambda _: None)
    client.step(20)
    assert client.venue.engine.accounts[client.user].fills


def edges(scenario: Scenario, seconds: int) -> tuple[int, int, list[int]]:
    """Blocks with a touch over or under the oracle, blocks without a touch, and oracle prices of SILVER."""
    venue = Venue(scenario, START_MS, 3)
    market = venue.engine.by_coin[SILVER]
    away = empty = 0
    oracles: list[int] = []
    for number in range(seconds * 10):
        venue.step(START_MS + number * 100)
        bid, ask = market.book.touch()
        if bid is None or ask is None:
            empty += 1
        elif bid[0] > market.oracle or ask[0] < market.oracle:
            away += 1
        if not oracles or oracles[-1] != market.oracle:
            oracles.append(market.oracle)
    return away, empty, oracles


def test_a_storm_moves_more_and_empties_books() -> None:
    calm, storm = edges(load("quiet"), 120), edges(load("storm"), 120)
    assert max(storm[2]) / min(storm[2]) > 2 * (max(calm[2]) / min(calm[2]) - 1) + 1
    assert (calm[1], storm[1] > 0) == (0, True)


def test_off_hours_the_oracle_follows_the_book() -> None:
    away, _, oracles = edges(load("weekend"), 120)
    assert away < 120
    assert max(abs(b / a - 1) for a, b in itertools.pairwise(oracles)) < 0.001


def test_a_halt_empties_the_book_and_ends() -> None:
    venue = Venue(load("halt"), START_MS, 1)
    market = venue.engine.by_coin[SILVER]
    seen = []
    for number in range(700):
        venue.step(START_MS + number * 100)
        seen.append((market.halted, market.book.touch()[0] is None))
    assert (True, True) in seen[200:500]
    assert (False, True) not in seen[100:195] + seen[520:]


def test_a_thin_market_is_at_times_nobodys() -> None:
    _, empty, _ = edges(load("thin"), 120)
    assert empty > 10


def quoted_half_spread_bps(change: Callable[[Scenario], Scenario]) -> float:
    venue = Venue(change(load("quiet")), START_MS, 1)
    venue.step(START_MS)
    bid, ask = venue.engine.by_coin[SILVER].book.touch()
    assert bid is not None
    assert ask is not None
    return (ask[0] / bid[0] - 1) * 10_000


def test_out_of_its_session_a_market_is_wide() -> None:
    closed = SessionRules(open_utc="13:30", close_utc="20:00")
    # The start is a Tuesday at 06:40 UTC.
    assert not closed.is_open(START_MS)
    assert closed.is_open(START_MS + 8 * 3_600_000)
    assert not closed.is_open(START_MS + 8 * 3_600_000 + 4 * 86_400_000)
    always = quoted_half_spread_bps(lambda scenario: scenario)
    assert quoted_half_spread_bps(lambda scenario: replace(scenario, session=closed)) > 2 * always


def test_the_same_seed_gives_the_same_agents() -> None:
    digests = set()
    for _ in range(2):
        venue = Venue(load("storm"), START_MS, 9)
        for number in range(300):
            venue.step(START_MS + number * 100)
        digests.add(venue.digest())
    assert len(digests) == 1
    assert make_agents(load("storm"), START_MS, 9)
