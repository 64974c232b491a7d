"""What moves the simulated markets from inside: the seam between agents and the venue, and the price grid.

An agent acts at the start of each block through `AgentVenue` and through nothing else. It draws all chance
from streams seeded per market, so a scenario and a seed give one history, and a market added to a scenario
changes no other.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

#: Prices and sizes that cross this seam are integers in units of 1e-8.
SCALE = 100_000_000
#: A perpetual's prices have at most this many decimals, less its size decimals.
PX_DECIMALS_MAX = 6
SIGNIFICANT_FIGURES = 5

#: One level: price and size, both in units of 1e-8, on the market's tick and lot.
Level = tuple[int, int]


class AgentVenue(Protocol):
    """What an agent may do. All prices and sizes in units of 1e-8."""

    def set_oracle(
        self, dex_index: int, oracle_pxs: Mapping[str, int], mark_pxs: Sequence[Mapping[str, int]] = ()
    ) -> bool:
        """Sets oracle prices of some coins of one dex, and up to two deployer mark prices for them.

        The interval and the 1 % clamp hold per coin. False when a price came too soon: nothing changed.
        """
        ...

    def quote(self, maker_id: int, coin: str, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Replaces all quotes of one maker in one market; post-only: a level that would cross is dropped."""
        ...

    def oracle_px(self, coin: str) -> int:
        """The oracle as it stands."""
        ...

    def is_scripted(self, dex_index: int) -> bool:
        """Whether the dex's oracle is set from outside."""
        ...

    def is_frozen(self, coin: str) -> bool:
        """Whether the oracle of a market must be silent."""
        ...

    def is_quotable(self, coin: str) -> bool:
        """Whether makers may quote a market."""
        ...

    def take_jump(self, coin: str) -> int:
        """A jump of the fair price that was asked for, in hundredths of a basis point; zero for none."""
        ...

    def take_restart(self, coin: str) -> int:
        """The first price of a recycled market, once; zero for none."""
        ...

    def show_context(self, coin: str, oracle_px: int, mark_px: int) -> None:
        """Sets oracle and mark as they were recorded, without the rules of an oracle call."""
        ...

    def print_trade(self, coin: str, is_buy: bool, px: int, sz: int) -> None:
        """Prints a recorded trade between others; `is_buy` is the aggressor's side."""
        ...

    def market_order(self, coin: str, is_buy: bool, sz: int) -> int:
        """A taker of the venue's own takes up to `sz` at any price. Returns the size filled."""
        ...


class Alone:
    """What a venue without incidents and without a deployer from outside says: nothing stands in the agents' way."""

    def is_scripted(self, dex_index: int) -> bool:
        """Never."""
        return False

    def is_frozen(self, coin: str) -> bool:
        """Never."""
        return False

    def is_quotable(self, coin: str) -> bool:
        """Always."""
        return True

    def take_jump(self, coin: str) -> int:
        """None."""
        return 0

    def take_restart(self, coin: str) -> int:
        """None."""
        return 0


class Agent(Protocol):
    """Acts once a block; `now_ms` is the block's time."""

    def act(self, venue: AgentVenue, now_ms: int) -> None:
        """Changes prices and quotes for this block."""
        ...


def stream(seed: int, *names: object) -> random.Random:
    """A random stream of its own for each name; the same on every platform."""
    return random.Random(":".join(map(str, (seed, *names))))  # noqa: S311 - a simulation, not a secret


def tick(px: int, sz_decimals: int) -> int:
    """The price step at `px`: five significant figures, 6 - szDecimals decimals, integers always legal."""
    figures = len(str(px)) - SIGNIFICANT_FIGURES
    by_figures: int = 10 ** max(figures, 0)
    by_decimals: int = 10 ** (8 - PX_DECIMALS_MAX + sz_decimals)
    return min(SCALE, max(by_figures, by_decimals))


def lot(sz_decimals: int) -> int:
    """The size step of a market."""
    return int(10 ** (8 - sz_decimals))


def floor_to(value: int, step: int) -> int:
    """The largest multiple of `step` that is at most `value`."""
    return value // step * step


def ceil_to(value: int, step: int) -> int:
    """The smallest multiple of `step` that is at least `value`."""
    return -(-value // step) * step
