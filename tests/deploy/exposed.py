"""What a run exposes, and what an expression of `deploy/` names: by the parser's syntax tree, never by a pattern."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import promql_parser as promql
from prometheus_client import PROCESS_COLLECTOR

from hip3.metrics.collector import exposition
from hip3.metrics.families import FAMILIES

from ..unit.execution.trader_bench import TraderBench
from ..unit.metrics.scraped import Scraped, reading_of

DEPLOY = Path(__file__).parents[2] / "deploy"
#: What Prometheus itself knows of each target, and adds to each series of it.
OF_PROMETHEUS = "up"
TARGET_LABELS = {"job", "instance"}
#: Labels whose values are words of the venue or of the machine, not of this program.
FREE_LABELS = {"coin", "account", "venue", "version", *TARGET_LABELS}
HISTOGRAM = {"_bucket": {"le"}, "_sum": set[str](), "_count": set[str]()}
EQUALITIES = (promql.MatchOp.Equal, promql.MatchOp.NotEqual)


@cache
def labels_by_metric() -> dict[str, set[str]]:
    """The labels of every metric that can be asked for."""
    found: dict[str, set[str]] = {OF_PROMETHEUS: set()}
    for family in FAMILIES:
        tails = HISTOGRAM if family.kind == "histogram" else {"": set[str]()}
        found |= {family.name + tail: set(family.labels) | more for tail, more in tails.items()}
    for metric in PROCESS_COLLECTOR.collect():
        found |= {sample.name: set(sample.labels) for sample in metric.samples}
    return {name: labels | TARGET_LABELS for name, labels in found.items()}


@cache
def page() -> Scraped:
    """A page of a trader, with every word of the program that has rows from the start."""
    return Scraped.of(b"".join(exposition(reading_of(TraderBench().trader))))


@dataclass
class Named:
    """Metrics with the labels they are matched by, label values said in full, and labels that results keep."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    values: set[tuple[str, str, str]] = field(default_factory=set)
    grouping: set[str] = field(default_factory=set)
    matching: set[str] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)

    def take(self, node: promql.Expr) -> None:
        """Adds what one node of the tree names."""
        match node:
            case promql.VectorSelector():
                labels = self.metrics.setdefault(str(node.name), set())
                for matcher in node.matchers.matchers:
                    labels.add(matcher.name)
                    if matcher.op in EQUALITIES and "$" not in matcher.value:
                        self.values.add((str(node.name), matcher.name, matcher.value))
            case promql.AggregateExpr() if node.modifier is not None:
                self.grouping |= set(node.modifier.labels)
            case promql.BinaryExpr() if node.modifier is not None and node.modifier.matching is not None:
                self.matching |= set(node.modifier.matching.labels)
            case promql.NumberLiteral():
                self.numbers.add(node.val)
            case _:
                pass


def named_in(expression: str) -> Named:
    """What a PromQL expression names. ValueError for what is none."""
    named = Named()
    promql.walk(promql.parse(expression), named.take)
    return named


def unknown_in(named: Named, recorded: dict[str, set[str]] | None = None) -> list[str]:
    """Everything that an expression names and no run exposes (nor any rule records)."""
    known = labels_by_metric() | (recorded or {})
    wrong = [name for name in named.metrics if name not in known]
    if wrong:
        return wrong
    all_labels = set[str]().union(*(known[name] for name in named.metrics))
    wrong += [f"{name}: {label}" for name, labels in named.metrics.items() for label in labels - known[name]]
    wrong += sorted((named.grouping | named.matching) - all_labels)
    for name, label, value in named.values:
        words = {s.labels.get(label) for s in page().samples if s.name == name}
        is_word = label in known[name] - FREE_LABELS and name not in (recorded or {})
        if is_word and value not in words:
            wrong.append(f'{name}{{{label}="{value}"}}')
    return wrong
