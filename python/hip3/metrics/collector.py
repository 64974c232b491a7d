"""`RunCollector`: a reading as metrics of prometheus-client, and their text. A pure function of the reading.

The one room that names the library, which is an optional one; what is exposed under which name is families.py's matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import PROCESS_COLLECTOR, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from hip3.metrics.families import FAMILIES
from hip3.metrics.family import Family
from hip3.metrics.reading import BOUNDS_NS, Latency, Reading

#: The upper bounds as labels, in seconds.
BOUNDS = tuple(str(bound_ns / 1e9) for bound_ns in BOUNDS_NS)
#: What every scraper reads, whatever else it offers to.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RunCollector(Collector):
    """The metrics of one reading."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        """Every family; then memory, CPU time and file descriptors, under the names that every client library uses."""
        for family in FAMILIES:
            yield metric_of(family, self._reading)
        yield from PROCESS_COLLECTOR.collect()


class _Alone(Collector):
    """One metric, to be written by itself."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def metric_of(family: Family, reading: Reading) -> Metric:
    """One family with its rows. Values of labels are data: the exposition escapes them."""
    if family.kind == "histogram":
        buckets = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
        for labels, latency in family.latencies(reading):
            buckets.add_metric(labels, buckets_of(latency), latency.sum_ns / 1e9)
        return buckets
    form = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = form(family.name, family.meaning, labels=family.labels)
    for labels, value in family.rows(reading):
        made.add_metric(labels, value)
    return made


def buckets_of(latency: Latency) -> list[tuple[str, float]]:
    """Upper bound and count of each bucket, each holding those before it; the last one holds all."""
    return [*zip(BOUNDS, latency.at_most, strict=True), ("+Inf", latency.count)]


def exposition(reading: Reading) -> Iterator[bytes]:
    """The text of a scrape, a metric at a time, so that whoever writes it may rest in between."""
    for metric in RunCollector(reading).collect():
        yield generate_latest(_Alone(metric))
