"""A venue that checks and remembers what agents ask of it, and matches nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from hip3.sim.agents import Agent, Alone, Level, lot, tick
from hip3.sim.makers import make_agents
from hip3.sim.scenario import Scenario

ORACLE_INTERVAL_MS_MIN = 2500


class RecordingVenue(Alone):
    """Fails at the call that breaks a rule: oracle interval, 1 % clamp, tick, lot, crossed quotes."""

    def __init__(self, scenario: Scenario, seed: int, start_ms: int = 0) -> None:
        self.agents: list[Agent] = make_agents(scenario, start_ms, seed)
        self.markets = {market.coin: market for market in scenario.markets()}
        self.now_ms = start_ms
        self.oracle: dict[str, tuple[int, int]] = {}
        self.quotes: dict[str, dict[int, tuple[list[Level], list[Level]]]] = {coin: {} for coin in self.markets}
        self.log: list[tuple[object, ...]] = []
        self.taken: list[tuple[str, bool, int]] = []

    def run(self, blocks: int, block_ms: int = 100) -> None:
        for _ in range(blocks):
            for agent in self.agents:
                agent.act(self, self.now_ms)
            self.now_ms += block_ms

    def set_oracle(
        self, dex_index: int, oracle_pxs: Mapping[str, int], mark_pxs: Sequence[Mapping[str, int]] = ()
    ) -> bool:
        for coin, px in oracle_pxs.items():
            if coin in self.oracle:
                old, at_ms = self.oracle[coin]
                assert self.now_ms - at_ms >= ORACLE_INTERVAL_MS_MIN, coin
                assert abs(px - old) * 100 <= old, coin
            self.oracle[coin] = (px, self.now_ms)
            self.log.append((self.now_ms, coin, px))
        assert all(set(marks) == set(oracle_pxs) for marks in mark_pxs)
        return True

    def quote(self, maker_id: int, coin: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        market = self.markets[coin]
        for px, sz in (*bids, *asks):
            assert px % tick(px, market.sz_decimals) == 0, (coin, px)
            assert sz > 0, (coin, sz)
            assert sz % lot(market.sz_decimals) == 0, (coin, sz)
        self.quotes[coin][maker_id] = (list(bids), list(asks))
        bid, ask = self.touch(coin)
        assert bid is None or ask is None or bid[0] < ask[0], (coin, bid, ask)
        self.log.append((self.now_ms, maker_id, coin, tuple(bids), tuple(asks)))

    def market_order(self, coin: str, is_buy: bool, sz: int) -> int:
        self.taken.append((coin, is_buy, sz))
        return sz

    def oracle_px(self, coin: str) -> int:
        return self.oracle[coin][0]

    def show_context(self, coin: str, oracle_px: int, mark_px: int) -> None:
        self.log.append((self.now_ms, coin, oracle_px, mark_px))

    def print_trade(self, coin: str, is_buy: bool, px: int, sz: int) -> None:
        self.taken.append((coin, is_buy, sz))

    def touch(self, coin: str) -> tuple[Level | None, Level | None]:
        both = self.quotes[coin].values()
        bid = max((level for bids, _ in both for level in bids), default=None)
        ask = min((level for _, asks in both for level in asks), default=None)
        return bid, ask

    def edge_bps(self, coin: str) -> float:
        """The larger of buy and sell edge."""
        bid, ask = self.touch(coin)
        assert bid is not None
        assert ask is not None
        oracle = self.oracle[coin][0]
        return max(oracle - ask[0], bid[0] - oracle) / oracle * 10_000


@pytest.fixture
def recording_venue() -> Callable[..., RecordingVenue]:
    """Makes a recording venue with the agents of a scenario and a seed."""
    return RecordingVenue
