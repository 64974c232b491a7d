"""`Family`: one metric by its name, type, labels and meaning, and how its rows follow from a reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from hip3.metrics.reading import Latency, Reading

#: Label values, in the order of the family's labels, and the value.
Row = tuple[tuple[str, ...], float]
Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `rows` gives its values; those of a histogram come from `latencies` instead."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    rows: Callable[[Reading], Iterable[Row]] = lambda _: ()
    latencies: Callable[[Reading], Iterable[tuple[tuple[str, ...], Latency]]] = lambda _: ()


def gauge(name: str, meaning: str, value: Callable[[Reading], Any]) -> Family:
    """A figure that rises and falls; absent while there is none (None)."""
    return Family(name, "gauge", meaning, (), lambda reading: _alone(value(reading)))


def counter(name: str, meaning: str, value: Callable[[Reading], int]) -> Family:
    """A count since the start of the run."""
    return Family(name, "counter", meaning, (), lambda reading: _alone(value(reading)))


def _alone(value: Any) -> Iterator[Row]:
    if value is not None:
        yield (), float(value)


def one_hot(value: str, values: Iterable[str]) -> Iterator[Row]:
    """A row for each of `values`: 1 for the one that holds, 0 for the others."""
    for each in values:
        yield (each,), float(each == value)


def histogram(name: str, meaning: str, key: str, *labels: str) -> Family:
    """The durations that a reading keeps under `key`, for each path where the family has that label."""

    def rows(reading: Reading) -> Iterator[tuple[tuple[str, ...], Latency]]:
        for (kept, path), latency in reading.latencies.items():
            if kept == key:
                yield ((path,) if labels else ()), latency

    return Family(name, "histogram", meaning, labels, latencies=rows)
