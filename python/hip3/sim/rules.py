"""The rules by which a simulated venue moves, speaks and limits: plain figures with defaults, no behaviour.

A scenario file has a table for each; `scenario` loads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hip3.sim.table import ScenarioError


@dataclass(frozen=True, slots=True)
class OracleRules:
    """How often an oracle speaks and how far it may move each time."""

    interval_ms: int = 3000
    interval_ms_min: int = 2500
    interval_jitter_ms: int = 150
    move_bps_max: int = 100
    fallback_ms: int = 10_000
    #: `source`: the price leads and the book follows. `book`: an average of the book, as deployers do off hours.
    follows: str = "source"
    #: Part of the distance to the book that an oracle of the second kind goes with each update.
    book_share: float = 0.1
    step_factor: float = 1.0
    #: Orders on builder dexs further than this from the oracle are refused; zero for no band.
    price_band_bps: int = 0
    jumps_per_hour: float = 0.0
    jump_bps: float = 100.0


@dataclass(frozen=True, slots=True)
class SessionRules:
    """Hours of the underlying in UTC, on the days from Monday to Friday; equal times mean always.

    Out of hours quotes are wider and smaller by these factors, and the oracle moves by less.
    """

    open_utc: str = "00:00"
    close_utc: str = "00:00"
    width_factor: float = 3.0
    size_factor: float = 0.3
    step_factor: float = 0.3

    def is_open(self, now_ms: int) -> bool:
        """Whether the session is on."""
        opens, closes = _minute(self.open_utc), _minute(self.close_utc)
        if opens == closes:
            return True
        day, minute = divmod(now_ms // 60_000, 1440)
        # 1970-01-01 was a Thursday.
        return (day + 3) % 7 < 5 and (opens <= minute < closes if opens < closes else not closes <= minute < opens)


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise ScenarioError(f"session: HH:MM is needed, not {text!r}")
    return int(hour) * 60 + int(minute)


@dataclass(frozen=True, slots=True)
class MakerRules:
    """How makers quote in quiet times. Lags are from the oracle's move to the requote."""

    levels: int = 5
    level_gap_bps: float = 1.5
    lag_ms_min: int = 100
    lag_ms_max: int = 700
    touch_usd_min: int = 3000
    touch_usd_max: int = 20_000
    touch_spread_sigma: float = 0.45
    flicker_per_block: float = 0.35
    width_factor: float = 1.0
    size_factor: float = 1.0
    #: Makers who come back from a move of at least this withdraw for `withdraw_ms` first; zero for never.
    withdraw_bps: float = 0.0
    withdraw_ms: int = 1500
    #: Chance, with each block, that the makers of a market leave it for `withdraw_ms`.
    absent_per_block: float = 0.0


@dataclass(frozen=True, slots=True)
class FeedRules:
    """How often channels without a change of their own speak."""

    mids_interval_ms: int = 1000
    all_contexts_interval_ms: int = 3000
    book_interval_ms: int = 5400
    book_fast_interval_ms: int = 500


@dataclass(frozen=True, slots=True)
class LimitRules:
    """Limits of one address of the network; zero means none. The venue's own figures."""

    connections: int = 10
    new_connections_per_minute: int = 30
    subscriptions: int = 1000
    users: int = 10
    messages_per_minute: int = 2000
    posts_in_flight: int = 100
    rest_weight_per_minute: int = 1200


@dataclass(frozen=True, slots=True)
class EventRules:
    """Dislocations: the oracle moves, the makers come back late.

    A moment counted in a market's `FlowStats` is one frame with a positive edge; a dislocation gives
    `moments_per_second` of them while it lasts. `tail_start_bps` is where the tail of the edges begins, whose rate
    `event_rate_factor` multiplies; the body keeps the measured rate.
    """

    moments_per_second: float = 4.5
    tail_start_bps: float = 30.0
    edge_bps_max: float = 90.0
    tail_alpha_min: float = 2.0
    tail_alpha_max: float = 5.0
    lag_ms_min: int = 300
    lag_ms_mode: int = 2000
    lag_ms_max: int = 5000
    late_lag_ms_max: int = 180_000
    settle_ms: int = 4000


@dataclass(frozen=True, slots=True)
class FlowStats:
    """Measured figures of one market, from which rate, side, size and convergence of its edges follow.

    `signals` and `best_signals` are counts of moments over `stats_hours` of the scenario; `shrink_5s` the
    share of edges gone after 5 s; `buy_ratio` the share of buy edges; `best_signals` of the moments had an
    edge of at least `best_threshold_bps`.
    """

    signals: int
    avg_edge_bps: float
    shrink_5s: float
    buy_ratio: float
    best_threshold_bps: float
    best_signals: int
