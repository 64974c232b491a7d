"""How near a scenario comes to the figures it was made after: signals, edges, sides and convergence per market.

Each market runs alone in virtual time with its own agents, at the measured rate of events (a factor of one);
agents draw from streams of their own, so that alone and together are the same. A signal is a frame, of the touch
or of the context, at which the best ask is under the oracle or the best bid over it, as in the measurement.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import orjson

from hip3.errors import UsageError
from hip3.sim import scenario as scenarios
from hip3.sim.agents import Alone, Level
from hip3.sim.makers import make_agents
from hip3.sim.rules import FlowStats
from hip3.sim.scenario import Market, Scenario

AFTER_MS = 5000
DAY_MS = 86_400_000
COLUMNS = ("signals_per_day", "avg_edge_bps", "buy_ratio", "shrink_5s")
RANK_CORRELATION_MIN = 0.9


@dataclass(frozen=True, slots=True)
class Figures:
    """One market's figures, measured or wanted. `shrink_5s` is the share of signals gone after five seconds."""

    signals_per_day: float
    avg_edge_bps: float
    buy_ratio: float
    shrink_5s: float

    def row(self) -> dict[str, float]:
        """The figures by name."""
        return {name: getattr(self, name) for name in COLUMNS}


class Measured(Alone):
    """A venue of one market that matches nothing and counts edges."""

    def __init__(self, market: Market, ctx_interval_ms: int) -> None:
        self._market = market
        self._oracle = 0
        self._bids: dict[int, Level] = {}
        self._asks: dict[int, Level] = {}
        self._shown: tuple[Level, Level] | None = None
        self._ctx_interval_ms = ctx_interval_ms
        self._ctx_ms = 0
        self._pending: deque[tuple[int, bool]] = deque()
        self.signals = self.buys = self.gone = self.judged = 0
        self.edge_sum = 0.0

    def set_oracle(
        self, dex_index: int, oracle_pxs: Mapping[str, int], mark_pxs: Sequence[Mapping[str, int]] = ()
    ) -> bool:
        """Takes the price."""
        self._oracle = oracle_pxs[self._market.coin]
        return True

    def quote(self, maker_id: int, coin: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Keeps the best levels of each maker."""
        for book, levels in ((self._bids, bids), (self._asks, asks)):
            if levels:
                book[maker_id] = levels[0]
            else:
                book.pop(maker_id, None)

    def market_order(self, coin: str, is_buy: bool, sz: int) -> int:
        """Nothing is taken: small takers do not move the touch."""
        return sz

    def show_context(self, coin: str, oracle_px: int, mark_px: int) -> None:
        """Takes the price."""
        self._oracle = oracle_px

    def print_trade(self, coin: str, is_buy: bool, px: int, sz: int) -> None:
        """Trades are not measured."""

    def oracle_px(self, coin: str) -> int:
        """The oracle as it stands."""
        return self._oracle

    def after_block(self, now_ms: int) -> None:
        """Counts the frames of this block, and judges the signals of five seconds ago."""
        if not self._oracle or not self._bids or not self._asks:
            return
        touch = (max(self._bids.values()), min(self._asks.values()))
        frames = int(touch != self._shown)
        self._shown = touch
        if now_ms >= self._ctx_ms:
            self._ctx_ms = now_ms + self._ctx_interval_ms
            frames += 1
        buy_edge, sell_edge = self._oracle - touch[1][0], touch[0][0] - self._oracle
        while self._pending and self._pending[0][0] <= now_ms:
            _, is_buy = self._pending.popleft()
            self.judged += 1
            self.gone += (buy_edge if is_buy else sell_edge) <= 0
        edge = max(buy_edge, sell_edge)
        if edge <= 0 or frames == 0:
            return
        is_buy = buy_edge > 0
        self.signals += frames
        self.buys += frames if is_buy else 0
        self.edge_sum += frames * edge / self._oracle * 10_000
        self._pending += [(now_ms + AFTER_MS, is_buy)] * frames


def measure(scenario: Scenario, dex_index: int, position: int, days: float, seed: int) -> Figures:
    """Runs one market for so many days of virtual time."""
    dexs = tuple(
        replace(dex, markets=(dex.markets[position],) if dex.index == dex_index else ()) for dex in scenario.dexs
    )
    alone = replace(scenario, dexs=dexs, event_rate_factor=1.0, noise_taker_per_block=0.0, incidents=())
    market = alone.markets()[0]
    venue, agents = Measured(market, alone.ctx_interval_ms), make_agents(alone, 0, seed)
    for now_ms in range(0, int(days * DAY_MS), alone.block_ms):
        for agent in agents:
            agent.act(venue, now_ms)
        venue.after_block(now_ms)
    signals = max(1, venue.signals)
    return Figures(
        venue.signals / days, venue.edge_sum / signals, venue.buys / signals, venue.gone / max(1, venue.judged)
    )


def wanted(stats: FlowStats, hours: float) -> Figures:
    """The figures that a market was made after."""
    return Figures(stats.signals * 24 / hours, stats.avg_edge_bps, stats.buy_ratio, stats.shrink_5s)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's coefficient; equal values share their mean rank."""
    pairs = list(zip(_ranks(first), _ranks(second), strict=True))
    mean = (len(pairs) + 1) / 2
    spread = [sum((rank[side] - mean) ** 2 for rank in pairs) for side in (0, 1)]
    if not all(spread):
        return 0.0
    return float(sum((a - mean) * (b - mean) for a, b in pairs) / (spread[0] * spread[1]) ** 0.5)


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    for number, index in enumerate(ordered):
        if number + 1 == len(ordered) or values[ordered[number + 1]] != values[index]:
            for tied in ordered[start : number + 1]:
                ranks[tied] = (start + number) / 2 + 1
            start = number + 1
    return ranks


def compare(scenario: Scenario, days: float, seed: int) -> dict[str, Any]:
    """Figures here and wanted per market, and per column the rank correlation and the median relative distance."""
    jobs = [
        (dex.index, position, market)
        for dex in scenario.dexs
        for position, market in enumerate(dex.markets)
        if market.stats is not None
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tasks = [pool.submit(measure, scenario, dex, position, days, seed) for dex, position, _ in jobs]
        found = [task.result() for task in tasks]
    rows: dict[str, Any] = {}
    for (_, _, market), figures in zip(jobs, found, strict=True):
        assert market.stats is not None
        rows[market.coin] = {"here": figures.row(), "there": wanted(market.stats, scenario.stats_hours).row()}
    columns = {}
    for name in COLUMNS:
        here, there = ([row[side][name] for row in rows.values()] for side in ("here", "there"))
        off = sorted(abs(a - b) / b for a, b in zip(here, there, strict=True) if b)
        columns[name] = {
            "rank_correlation": round(rank_correlation(here, there), 4),
            "median_distance": round(off[len(off) // 2], 4) if off else 0.0,
        }
    return {
        "scenario": scenario.name,
        "source": scenario.stats_source,
        "days": days,
        "seed": seed,
        "markets": rows,
        "columns": columns,
    }


def main(name: str, days: float, seed: int, as_json: bool) -> int:
    """`hip3 sim --statistics`: prints the comparison; 1 when a rank correlation is too low. Raises Hip3Error."""
    if not 0 < days <= 365:
        raise UsageError(f"--days {days}: above 0, at most 365")
    scenario = scenarios.load(name)
    if not any(market.stats for market in scenario.markets()):
        raise UsageError(f"--scenario {name}: has no figures to compare with")
    told = compare(scenario, days, seed)
    if as_json:
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
    else:
        _show(told)
    return 0 if all(column["rank_correlation"] >= RANK_CORRELATION_MIN for column in told["columns"].values()) else 1


def _show(told: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{told['scenario']}: {told['days']:g} days here / {told['source']}", box=None)
    table.add_column("market")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for coin, row in told["markets"].items():
        shown = [f"{row['here'][name]:.4g} / {row['there'][name]:.4g}" for name in COLUMNS]
        table.add_row(coin, *shown)
    for label in ("rank_correlation", "median_distance"):
        table.add_row(label, *(f"{told['columns'][name][label]:.3f}" for name in COLUMNS), style="bold")
    Console().print(table)
