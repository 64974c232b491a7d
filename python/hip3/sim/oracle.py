"""Oracle processes: one path per market, updates on its own phase, now and then a move that quotes lag behind.

Owns where each market's oracle goes and when a dislocation begins; `makers` owns the quotes and reads from
`Flow` when they may follow. How often, how far, which side and how long come from the market's measured
figures (`FlowStats`); a market without figures only wanders.
"""

from __future__ import annotations

import math
import random

from hip3.sim.agents import SCALE, AgentVenue, ceil_to, floor_to, stream, tick
from hip3.sim.rules import EventRules, FlowStats
from hip3.sim.scenario import Market, Scenario

#: Pull of a wandering oracle back to its start: share of the distance a step, and its limit; and the distance
#: beyond which no dislocation leads further out. Without them a market whose dislocations all have one side
#: would run away over hours.
PULL_SHARE = 0.05
PULL_BPS_MAX = 10.0
AWAY_BPS_MAX = 500.0
#: No more than this share of the oracle's updates begins a dislocation of either kind.
CHANCE_MAX = 0.5
#: `shrink_5s` is a share of edges gone after this long.
SHRINK_MS = 5000
#: Lower shares would need dislocations of more than a minute and a half in the mean.
SHRINK_MIN = 0.08


class EdgeModel:
    """Chance, side, size and duration of one market's dislocations.

    The body of the edges is exponential with the measured mean, at the measured rate. The tail is a power law
    through the two points that the figures give: the body at its mean, and the share of moments at or above
    the best threshold. It begins at `tail_start_bps` and its rate is multiplied by the scenario's factor.
    """

    def __init__(self, stats: FlowStats, rules: EventRules, scenario: Scenario) -> None:
        self._stats = stats
        self._rules = rules
        self.late_ms, self.late_share = self._late(stats.shrink_5s)
        mean_ms = (1 - self.late_share) * self._short_ms + self.late_share * self.late_ms
        self.moments = rules.moments_per_second * mean_ms / 1000
        per_update = scenario.oracle.interval_ms / (scenario.stats_hours * 3_600_000 * self.moments)
        tail_moments = 0.0
        self.tail_alpha = rules.tail_alpha_max
        share = stats.best_signals / stats.signals if stats.signals else 0.0
        if 0 < share < math.exp(-1) and stats.best_threshold_bps > stats.avg_edge_bps > 0:
            alpha = (-1 - math.log(share)) / math.log(stats.best_threshold_bps / stats.avg_edge_bps)
            self.tail_alpha = min(max(alpha, rules.tail_alpha_min), rules.tail_alpha_max)
            reach = (stats.best_threshold_bps / rules.tail_start_bps) ** self.tail_alpha
            tail_moments = min(stats.best_signals * reach, float(stats.signals))
        self.tail_chance = min(CHANCE_MAX, tail_moments * per_update * scenario.event_rate_factor)
        self.body_chance = min(CHANCE_MAX, max(0.0, stats.signals - tail_moments) * per_update)

    def draw(self, rng: random.Random) -> tuple[bool, float, bool] | None:
        """(is_buy, edge in bps, of the tail) when a dislocation begins with this update."""
        chance = rng.random()
        if chance < self.tail_chance:
            return rng.random() < self._stats.buy_ratio, self._tail_edge(rng.random()), True
        if chance < self.tail_chance + self.body_chance:
            edge = rng.expovariate(1 / self._stats.avg_edge_bps)
            return rng.random() < self._stats.buy_ratio, min(edge, self._rules.tail_start_bps), False
        return None

    def _tail_edge(self, share: float) -> float:
        """The tail's quantile function, cut at `edge_bps_max`."""
        cut = (self._rules.tail_start_bps / self._rules.edge_bps_max) ** self.tail_alpha
        left = 1 - share * (1 - cut)
        return float(self._rules.tail_start_bps * left ** (-1 / self.tail_alpha))

    @property
    def _short_ms(self) -> float:
        """Mean length of the dislocations that are over within five seconds."""
        rules = self._rules
        return (rules.lag_ms_min + rules.lag_ms_mode + min(rules.lag_ms_max, SHRINK_MS)) / 3

    def _late(self, shrink: float) -> tuple[float, float]:
        """Mean length of the longer dislocations, and their share of all.

        A dislocation gives signals for as long as it lasts, so that long ones weigh more in `shrink_5s`, which is
        counted by signal. With the mean lengths `a` of the short ones and `m` of the late ones, of which the first
        five seconds are gone five seconds later, the share `q` of late ones follows from
        `shrink = ((1 - q) a + 5 q) / ((1 - q) a + q m)`. `m` is chosen so that no more than half are late.
        """
        short = self._short_ms
        if shrink >= 1:
            return 2.0 * SHRINK_MS, 0.0
        shrink = max(shrink, SHRINK_MIN)
        mean = max(2.0 * SHRINK_MS, (SHRINK_MS + short * (1 - shrink)) / shrink)
        return mean, short * (1 - shrink) / (shrink * mean - SHRINK_MS + short * (1 - shrink))

    def lag_ms(self, rng: random.Random) -> int:
        """How long the makers stay away: up to 5 s, or longer for the late share of dislocations."""
        rules = self._rules
        if rng.random() >= self.late_share:
            return round(rng.triangular(rules.lag_ms_min, min(rules.lag_ms_max, SHRINK_MS), rules.lag_ms_mode))
        late = SHRINK_MS + rng.expovariate(1 / (self.late_ms - SHRINK_MS))
        return round(min(late, rules.late_lag_ms_max))


class Flow:
    """One market in motion: its oracle, what its makers quote around, and when they may follow.

    `bid` and `ask` are the makers' touch as they last quoted it (0 before the first quote).
    """

    def __init__(self, market: Market, dex_index: int, scenario: Scenario, seed: int) -> None:
        self.market = market
        self.dex_index = dex_index
        self.oracle = int(market.px * SCALE)
        self.centre = self.oracle
        self.bid = 0
        self.ask = 0
        self.follow_ms = 0
        self.event_edge_bps = 0.0
        #: Where the price is, when it is not where the oracle is: out of reach of the 1 % clamp, silent, or
        #: following the book.
        self.target: int | None = None
        self._start = self.oracle
        self._scenario = scenario
        self._quiet_until_ms = 0
        self._rng = stream(seed, market.coin, "oracle")
        self._model = EdgeModel(market.stats, scenario.events, scenario) if market.stats else None
        self.update_ms = self._rng.randrange(scenario.oracle.interval_ms)

    @property
    def fair(self) -> int:
        """The price around which makers quote."""
        return self.oracle if self.target is None else self.target

    def schedule(self, now_ms: int) -> None:
        """Sets the time of the next update."""
        rules = self._scenario.oracle
        jitter = self._rng.randint(-rules.interval_jitter_ms, rules.interval_jitter_ms)
        self.update_ms = now_ms + max(rules.interval_ms_min, rules.interval_ms + jitter)

    def jump(self, now_ms: int, hundredths: int) -> None:
        """The price jumps at once; makers follow it with their lag, the oracle as far as its clamp lets it."""
        self.target = self._on_grid(self.fair * (1 + hundredths / 1_000_000), up=hundredths > 0)
        self._follow(now_ms)

    def drift(self, now_ms: int) -> None:
        """The price goes on while the oracle is silent."""
        self.target = self._wander_from(self.fair, pulled=True, now_ms=now_ms)
        self._follow(now_ms)

    def restart(self, px: int, now_ms: int) -> None:
        """Begins again at a price; the makers quote it at once, the oracle speaks when its time has come."""
        self.oracle = self.centre = self._start = px
        self.target, self.bid, self.ask, self.event_edge_bps, self.follow_ms = None, 0, 0, 0.0, now_ms
        self.schedule(now_ms)

    def obey(self, px: int, now_ms: int) -> None:
        """Takes over an oracle price that was set from outside; the makers follow it with their lag."""
        if px != self.oracle:
            self.oracle, self.target = px, None
            self._follow(now_ms)

    def _follow(self, now_ms: int) -> None:
        makers = self._scenario.makers
        self.event_edge_bps = 0.0
        self.follow_ms = now_ms + self._rng.randint(makers.lag_ms_min, makers.lag_ms_max)

    def _chase(self, now_ms: int) -> int:
        """The oracle's next price towards the target."""
        rules = self._scenario.oracle
        assert self.target is not None
        if rules.follows == "book":
            self.drift(now_ms)
            px = self.oracle + round((self.target - self.oracle) * rules.book_share)
        else:
            px = self.target
        px = self._clamped(self._on_grid(px, up=px > self.oracle))
        if rules.follows == "source" and px == self.target:
            self.target = None
        self.oracle = px
        return px

    def _clamped(self, px: int) -> int:
        reach = self.oracle * self._scenario.oracle.move_bps_max // 10_000
        return min(max(px, self.oracle - reach), self.oracle + reach)

    def advance(self, now_ms: int) -> int:
        """The oracle's next price, and with it when the makers follow. Called once per update."""
        rules = self._scenario.oracle
        self.schedule(now_ms)
        if rules.follows == "book" and self.target is None:
            self.target = self.oracle
        if rules.jumps_per_hour and self._rng.random() < rules.jumps_per_hour * rules.interval_ms / 3_600_000:
            self.jump(now_ms, round(self._rng.gauss(0.0, rules.jump_bps) * 100))
        if self.target is not None:
            return self._chase(now_ms)
        dislocated = now_ms < self.follow_ms and self.event_edge_bps > 0
        drawn = None
        if not dislocated:
            self.event_edge_bps = 0.0
            if self._model is not None and self.bid and now_ms >= self._quiet_until_ms:
                drawn = self._model.draw(self._rng)
                away_bps = self._away_bps(self.oracle)
                if drawn is not None and (away_bps if drawn[0] else -away_bps) > AWAY_BPS_MAX:
                    drawn = None
        if drawn is not None:
            px = self._dislocate(now_ms, *drawn)
        else:
            px = self._wander_from(self.oracle, pulled=not dislocated, now_ms=now_ms)
            if not dislocated:
                self._follow(now_ms)
        self.oracle = self._clamped(px)
        return self.oracle

    def _dislocate(self, now_ms: int, is_buy: bool, edge_bps: float, tail: bool) -> int:
        """The oracle price at which the standing touch has this edge, rounded so that the edge is no smaller."""
        assert self._model is not None
        lag_ms = self._model.lag_ms(self._rng)
        self.follow_ms = now_ms + lag_ms
        self.event_edge_bps = edge_bps
        self._quiet_until_ms = self.follow_ms + (self._scenario.events.settle_ms if tail else 0)
        if is_buy:
            return self._on_grid(self.ask / (1 - edge_bps / 10_000), up=True)
        return self._on_grid(self.bid / (1 + edge_bps / 10_000), up=False)

    def _away_bps(self, px: int) -> float:
        """How far a price stands from the oracle's start."""
        return (px / self._start - 1) * 10_000

    def _wander_from(self, px: int, pulled: bool, now_ms: int) -> int:
        pull_bps = min(max(-PULL_SHARE * self._away_bps(px), -PULL_BPS_MAX), PULL_BPS_MAX) if pulled else 0.0
        session = self._scenario.session
        factor = self._scenario.oracle.step_factor * (1.0 if session.is_open(now_ms) else session.step_factor)
        step_bps = self._rng.gauss(0.0, self.market.step_bps * factor) + pull_bps
        return self._on_grid(px * (1 + step_bps / 10_000), up=step_bps > 0)

    def _on_grid(self, px: float, up: bool) -> int:
        """Oracles are finer than the book by one digit where the venue's decimals allow it."""
        finest = 10 ** (2 + self.market.sz_decimals)
        whole = round(px)
        step = max(min(finest, SCALE), tick(whole, self.market.sz_decimals) // 10)
        return ceil_to(whole, step) if up else floor_to(whole, step)


class OracleAgent:
    """The deployers' relayers: each market's oracle on its own phase, one call per dex and block."""

    def __init__(self, flows: list[Flow], start_ms: int) -> None:
        self._by_dex: dict[int, list[Flow]] = {}
        for flow in flows:
            flow.update_ms += start_ms
            self._by_dex.setdefault(flow.dex_index, []).append(flow)

    def act(self, venue: AgentVenue, now_ms: int) -> None:
        """Sets the prices of every market that is due. Marks follow the book, with the oracle as second voice."""
        for dex_index, flows in self._by_dex.items():
            if venue.is_scripted(dex_index):
                for flow in flows:
                    flow.obey(venue.oracle_px(flow.market.coin), now_ms)
                continue
            due = []
            for flow in flows:
                first = venue.take_restart(flow.market.coin)
                if first:
                    flow.restart(first, now_ms)
                jump = venue.take_jump(flow.market.coin)
                if jump:
                    flow.jump(now_ms, jump)
                if now_ms < flow.update_ms:
                    continue
                if venue.is_frozen(flow.market.coin):
                    flow.schedule(now_ms)
                    flow.drift(now_ms)
                else:
                    due.append(flow)
            if due:
                oracle_pxs = {flow.market.coin: flow.advance(now_ms) for flow in due}
                book_pxs = {flow.market.coin: flow.centre for flow in due}
                venue.set_oracle(dex_index, oracle_pxs, (oracle_pxs, book_pxs))
