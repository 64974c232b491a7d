"""What a scraper reads of an exposition, by the library's own parser, and the reading it was made from."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from hip3.execution.summary import counts
from hip3.execution.trader import Trader
from hip3.metrics.reading import LIMITS, Reading, latencies

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Scraped:
    """Every sample of a page."""

    samples: list[Sample]

    @classmethod
    def of(cls, text: bytes) -> Scraped:
        families = text_string_to_metric_families(text.decode())
        return cls([sample for family in families for sample in family.samples])

    def value(self, name: str, **labels: str) -> float:
        """The one sample of that name with these labels."""
        (found,) = self.values(name, **labels)
        return found

    def values(self, name: str, **labels: str) -> list[float]:
        """Every sample of that name with at least these labels."""
        return [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]

    def holding(self, name: str, label: str) -> list[str]:
        """The words of a one-hot metric whose value is 1."""
        return [s.labels[label] for s in self.samples if s.name == name and s.value == 1]

    @property
    def series(self) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        """Names with labels."""
        return {(s.name, tuple(sorted(s.labels.items()))) for s in self.samples}


def snapshot(**header: Any) -> dict[str, Any]:
    """A captured snapshot, with these figures of its header instead."""
    found: dict[str, Any] = copy.deepcopy(json.loads((DATA / "snapshot.json").read_text(encoding="utf-8")))
    found["header"] |= header
    return found


def reading_of(trader: Trader, shown: dict[str, Any] | None = None) -> Reading:
    """The counts of a trader beside a captured snapshot."""
    return Reading(
        snapshot=snapshot() if shown is None else shown,
        counts=counts(trader),
        counters=trader.engine.counters(),
        sent={"websocket": 3, "http": 1},
        sweeps=17,
        limits=dict.fromkeys(LIMITS, 100.0),
        latencies=latencies(trader.tally.timings),
    )
