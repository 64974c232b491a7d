"""Makers who quote around the oracle and follow it with a lag, and small noise takers.

Two makers quote each market: one holds the touch and the levels next to it, one the levels further out. Both
share the market's centre, so their quotes never meet; when the centre moves they withdraw first and quote
then. Between moves only sizes change, which is what most `bbo` frames of the real venue show.
"""

from __future__ import annotations

import math

from hip3.sim.agents import SCALE, Agent, AgentVenue, Level, ceil_to, floor_to, lot, stream, tick
from hip3.sim.oracle import Flow, OracleAgent
from hip3.sim.scenario import Scenario

#: Levels of the maker who holds the touch; the rest belongs to the one behind.
FRONT_LEVELS = 2
#: The half spread is drawn anew with each requote, within these shares of the market's own.
HALF_SPREAD_SHARES = (0.85, 1.2)
#: Size of a level behind the touch as a share of the usual touch.
DEPTH_SHARES = (0.8, 2.0)
NOISE_USD = (20, 400)


class MarketMaker:
    """The quotes of one market. Maker ids are two per market, in market order."""

    def __init__(self, flow: Flow, number: int, scenario: Scenario, seed: int) -> None:
        self.flow = flow
        self._rules = scenario.makers
        self._front, self._behind = 2 * number, 2 * number + 1
        self._rng = stream(seed, flow.market.coin, "makers")
        self._lot = lot(flow.market.sz_decimals)
        self._session = scenario.session
        self._width = self._size = 1.0
        self._back_ms = 0
        self._bids: list[Level] = []
        self._asks: list[Level] = []

    def act(self, venue: AgentVenue, now_ms: int) -> None:
        """Requotes around the oracle when the lag is over, else now and then changes the touch's sizes."""
        flow = self.flow
        if not self._may_quote(venue, now_ms):
            return
        if not flow.bid or (flow.centre != flow.fair and now_ms >= flow.follow_ms):
            self._requote(venue, now_ms)
        elif self._rng.random() < self._rules.flicker_per_block:
            self._flicker(venue)

    def _may_quote(self, venue: AgentVenue, now_ms: int) -> bool:
        """Withdraws the quotes where that is due; whether there may be any now."""
        flow, rules = self.flow, self._rules
        quotable = venue.is_quotable(flow.market.coin)
        if flow.bid and quotable:
            moved_bps = abs(flow.fair / flow.centre - 1) * 10_000
            jumped = 0 < rules.withdraw_bps <= moved_bps and now_ms >= flow.follow_ms
            if jumped or (rules.absent_per_block and self._rng.random() < rules.absent_per_block):
                self._back_ms = now_ms + rules.withdraw_ms
        if quotable and now_ms >= self._back_ms:
            return True
        if flow.bid:
            flow.bid = flow.ask = 0
            for maker in (self._front, self._behind):
                venue.quote(maker, flow.market.coin, [], [])
        return False

    def _requote(self, venue: AgentVenue, now_ms: int) -> None:
        flow, coin = self.flow, self.flow.market.coin
        had_quotes = bool(flow.bid)
        flow.centre = flow.fair
        flow.event_edge_bps = 0.0
        is_open = self._session.is_open(now_ms)
        self._width = self._rules.width_factor * (1.0 if is_open else self._session.width_factor)
        self._size = self._rules.size_factor * (1.0 if is_open else self._session.size_factor)
        self._bids, self._asks = self._ladder()
        flow.bid, flow.ask = self._bids[0][0], self._asks[0][0]
        if had_quotes:
            venue.quote(self._front, coin, [], [])
            venue.quote(self._behind, coin, [], [])
        venue.quote(self._front, coin, self._bids[:FRONT_LEVELS], self._asks[:FRONT_LEVELS])
        if self._rules.levels > FRONT_LEVELS:
            venue.quote(self._behind, coin, self._bids[FRONT_LEVELS:], self._asks[FRONT_LEVELS:])

    def _flicker(self, venue: AgentVenue) -> None:
        """A new size at one side of the touch, prices as they are."""
        side = self._bids if self._rng.random() < 0.5 else self._asks
        side[0] = (side[0][0], self._touch_sz(side[0][0]))
        coin = self.flow.market.coin
        venue.quote(self._front, coin, self._bids[:FRONT_LEVELS], self._asks[:FRONT_LEVELS])

    def _ladder(self) -> tuple[list[Level], list[Level]]:
        """Bids and asks around the centre, best first, each at least one tick from the next."""
        market, centre = self.flow.market, self.flow.centre
        half_bps = market.half_spread_bps * self._width * self._rng.uniform(*HALF_SPREAD_SHARES)
        bids: list[Level] = []
        asks: list[Level] = []
        bid, ask = centre, centre
        for level in range(self._rules.levels):
            away = (half_bps + level * self._rules.level_gap_bps * self._width) / 10_000
            step = tick(round(centre * (1 - away)), market.sz_decimals)
            bid = min(floor_to(round(centre * (1 - away)), step), floor_to(bid - 1, step))
            step = tick(round(centre * (1 + away)), market.sz_decimals)
            ask = max(ceil_to(round(centre * (1 + away)), step), ceil_to(ask + 1, step))
            bids.append((bid, self._sz(bid, level)))
            asks.append((ask, self._sz(ask, level)))
        return bids, asks

    def _sz(self, px: int, level: int) -> int:
        if level == 0:
            return self._touch_sz(px)
        return self._size_for(px, self.flow.market.touch_usd * self._size * self._rng.uniform(*DEPTH_SHARES))

    def _touch_sz(self, px: int) -> int:
        """Log-normal around the market's usual touch, within the scenario's bounds in dollars."""
        rules = self._rules
        usd = self.flow.market.touch_usd * math.exp(self._rng.gauss(0.0, rules.touch_spread_sigma))
        return self._size_for(px, self._size * min(max(usd, rules.touch_usd_min), rules.touch_usd_max))

    def _size_for(self, px: int, usd: float) -> int:
        """Size worth `usd`, up to the next lot so that a bound from below holds."""
        return max(ceil_to(int(usd * SCALE * SCALE / px), self._lot), self._lot)


class NoiseTakers:
    """Small takers at random, so that there are trades and a last price without any client."""

    def __init__(self, flows: list[Flow], scenario: Scenario, seed: int) -> None:
        self._flows = flows
        self._chance = scenario.noise_taker_per_block
        self._rng = stream(seed, "noise")

    def act(self, venue: AgentVenue, now_ms: int) -> None:
        """Takes a little in one market, with the scenario's chance."""
        if self._rng.random() >= self._chance:
            return
        flow = self._rng.choice(self._flows)
        usd, is_buy = self._rng.uniform(*NOISE_USD), self._rng.random() < 0.5
        if flow.bid and not flow.event_edge_bps:
            step = lot(flow.market.sz_decimals)
            venue.market_order(
                flow.market.coin, is_buy, max(floor_to(int(usd * SCALE * SCALE / flow.oracle), step), step)
            )


def make_agents(scenario: Scenario, start_ms: int, seed: int) -> list[Agent]:
    """Everything that moves the markets of a scenario, in the order in which it acts within a block."""
    flows = [Flow(market, dex.index, scenario, seed) for dex in scenario.dexs for market in dex.markets]
    agents: list[Agent] = [OracleAgent(flows, start_ms)]
    agents += [MarketMaker(flow, number, scenario, seed) for number, flow in enumerate(flows)]
    if scenario.noise_taker_per_block:
        agents.append(NoiseTakers(flows, scenario, seed))
    return agents
