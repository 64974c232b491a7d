"""`Reading`: what the metrics of one scrape are made from. Copied at one moment, computed nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from hip3._hip3 import LatencyHistogram
from hip3.config import Config
from hip3.execution.backup import MarkRegressionMonitor
from hip3.execution.submit import Dispatcher
from hip3.execution.summary import counts
from hip3.execution.tally import Timings
from hip3.execution.trader import Trader
from hip3.status.snapshot import Snapshot, SnapshotSource

US = 1_000
#: Upper bounds of the buckets of every latency: from a frame's share of the core to an answer that never came.
BOUNDS_NS = tuple(
    step * power // 10 for power in (10**exponent * US for exponent in range(1, 7)) for step in (10, 25, 50)
)


@dataclass(frozen=True, slots=True)
class Latency:
    """A histogram at one moment: counts up to each of `BOUNDS_NS`, of all, and the sum in nanoseconds."""

    at_most: list[int]
    count: int
    sum_ns: int

    @classmethod
    def of(cls, histogram: LatencyHistogram) -> Latency:
        """The histogram of now."""
        return cls(*histogram.cumulative(list(BOUNDS_NS)))


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment of a run: the snapshot that the views draw, and the counts that the summary ends with.

    `counts` are those of execution/summary.py, `counters` the core's own (`Engine.counters`); `sent` is by route,
    `limits` by option, `latencies` by name and path.
    """

    snapshot: Snapshot
    counts: dict[str, Any]
    counters: dict[str, int]
    sent: dict[str, int]
    sweeps: int
    limits: dict[str, float]
    latencies: dict[tuple[str, str], Latency]


class Source(Protocol):
    """The parts of a run that a reading looks at."""

    config: Config
    trader: Trader
    backup: MarkRegressionMonitor
    dispatcher: Dispatcher
    snapshots: SnapshotSource


#: Options that rules and dashboards compare with.
LIMITS = ("alerts.day_loss_usd", "alerts.requests_left_min", "stop.day_loss_usd")


def take(source: Source) -> Reading:
    """The reading of now. For the event loop, like every snapshot."""
    trader = source.trader
    with trader.reading():
        return Reading(
            snapshot=source.snapshots.take(),
            counts=counts(trader),
            counters=trader.engine.counters(),
            sent={"websocket": source.dispatcher.sent_ws, "http": source.dispatcher.sent_http},
            sweeps=source.backup.sweeps,
            limits={key: float(source.config.decimal(key)) for key in LIMITS},
            latencies=latencies(trader.tally.timings),
        )


def latencies(timings: Timings) -> dict[tuple[str, str], Latency]:
    """Every histogram of a trader, by name and path (empty where there is one path alone)."""
    alone = {
        "frame_to_decision": timings.frame_to_decision,
        "frame_to_wire": timings.frame_to_wire,
        "exit_to_wire": timings.exit_to_wire,
    }
    found = {(name, ""): Latency.of(histogram) for name, histogram in alone.items()}
    return found | {("exit_latency", path): Latency.of(histogram) for path, histogram in timings.exit_latency.items()}
