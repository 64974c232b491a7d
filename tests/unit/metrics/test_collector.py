"""The exposition of a trader that has traded: its figures, its histograms, its names; and no label is a format."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3._hip3 import EXIT_REASONS, LatencyHistogram
from hip3.execution.orders import ENDS
from hip3.metrics.collector import buckets_of, exposition
from hip3.metrics.families import FAMILIES
from hip3.metrics.family import Family
from hip3.metrics.reading import BOUNDS_NS, Latency

from .scraped import Scraped, reading_of, snapshot

if TYPE_CHECKING:
    from ..execution.trader_bench import TraderBench

    Make = Callable[..., TraderBench]

#: Units that are neither Prometheus's base units nor the field's own (bps, USD).
OTHER_UNITS = {"ms", "us", "ns", "minutes", "hours", "pct", "percent", "kb"}


def traded(bench: TraderBench) -> TraderBench:
    """One entry, one exit by the rule, both filled."""
    bench.begin()
    sz = bench.hold()
    sent = bench.leave()
    bench.answer(sent, {"filled": {"totalSz": sz, "avgPx": "100.44", "oid": 6}})
    bench.fill(sent, sz, "100.44")
    return bench


def scraped(bench: TraderBench, shown: dict[str, object] | None = None) -> Scraped:
    return Scraped.of(b"".join(exposition(reading_of(bench.trader, shown))))


def test_the_counts_of_a_trade_are_those_of_the_trader(trader_bench: Make) -> None:
    found = scraped(traded(trader_bench()))
    assert found.value("hip3_entry_signals_total") == found.value("hip3_entries_total") == 1
    assert found.value("hip3_fills_total") == 2
    assert found.value("hip3_orders_total", state="filled") == 2
    assert sum(found.values("hip3_orders_total")) == 2
    assert found.value("hip3_flattens_sent_total") == found.value("hip3_claims_made_total", path="primary") == 1
    assert found.value("hip3_claims_released_total", reason="filled") == 1
    assert found.value("hip3_refusals_total", stage="core", gate="no_edge") > 0
    assert found.value("hip3_fees_usd") == 0.02


def test_what_the_trader_refused_is_apart_from_what_the_core_did(trader_bench: Make) -> None:
    bench = trader_bench(sends_orders=False)
    bench.begin()
    bench.signal()
    found = scraped(bench)
    assert found.value("hip3_refusals_total", stage="gate", gate="observe_only") == 1
    assert found.value("hip3_would_be_entries_total") == 1
    assert found.value("hip3_refusals_total", stage="gate", gate="stopped") == 0
    assert found.values("hip3_refusals_total", stage="core", gate="observe_only") == []


def test_what_a_view_draws_is_what_a_scraper_reads(trader_bench: Make) -> None:
    shown = snapshot()
    head, row, held = shown["header"], shown["markets"][0], shown["positions"][0]
    found = scraped(trader_bench(), shown)
    assert found.value("hip3_equity_usd") == float(head["equity_usd"])
    assert found.holding("hip3_state", "state") == [head["state"]]
    assert found.value("hip3_link_drops_total", link="order") == head["order_link_drops"]
    assert found.value("hip3_link_age_seconds", link="data") == head["data_age_ms"] / 1000
    assert found.value("hip3_backup_age_seconds") == head["backup_age_ms"] / 1000
    assert found.value("hip3_market_threshold_ratio", coin=row["coin"]) == row["threshold_pct"] / 100
    assert found.value("hip3_market_buy_edge_bps", coin=row["coin"]) == float(row["buy_edge_bps"])
    assert found.value("hip3_market_updates_total", coin=row["coin"]) == row["updates"]
    assert found.value("hip3_position_notional_usd", coin=held["coin"], side="long") == float(held["notional_usd"])
    assert found.value("hip3_position_held_seconds", coin=held["coin"]) == held["held_s"]
    counted = {(e["reason"], e["path"]): e["count"] for e in shown["exit_counts"]}
    for (reason, path), count in counted.items():
        assert found.value("hip3_exits_total", reason=reason, path=path) == count
    assert sum(found.values("hip3_exits_total")) == sum(counted.values())


def test_what_is_not_known_is_absent_and_never_zero(trader_bench: Make) -> None:
    shown = snapshot(requests_left=None, requests_cap=None, backup_age_ms=None)
    shown["markets"][0] |= {"buy_edge_bps": None, "book_age_ms": None}
    coin = shown["markets"][0]["coin"]
    found = scraped(trader_bench(), shown)
    for name in ("hip3_requests_left", "hip3_requests_cap", "hip3_backup_age_seconds"):
        assert found.values(name) == []
    assert found.values("hip3_market_buy_edge_bps", coin=coin) == []
    assert found.values("hip3_market_book_age_seconds", coin=coin) == []
    assert found.value("hip3_market_updates_total", coin=coin) > 0


def test_one_state_holds_in_each_market_and_one_alert_for_each_that_is_shown(trader_bench: Make) -> None:
    shown = snapshot()
    for row in shown["markets"]:
        row["state"] = "ready"
    shown["markets"][0]["state"] = "halted"
    shown["alerts"] = [{"name": "order-link-down"}]
    found = scraped(trader_bench(), shown)
    assert found.value("hip3_market_state", coin=shown["markets"][0]["coin"], state="halted") == 1
    assert found.values("hip3_market_state") == [1] * len(shown["markets"])
    assert found.value("hip3_markets", state="halted") == 1
    assert found.value("hip3_markets", state="off") == 0
    assert sum(found.values("hip3_markets")) == len(shown["markets"])
    assert found.holding("hip3_alert_active", "alert") == ["order-link-down"]
    assert found.value("hip3_alert_active", alert="order-link-down", severity="critical") == 1


def test_words_of_the_program_have_their_rows_before_anything_happened(trader_bench: Make) -> None:
    shown = snapshot()
    shown["exit_counts"] = []
    found = scraped(trader_bench(), shown)
    assert {s.labels["reason"] for s in found.samples if s.name == "hip3_exits_total"} == set(EXIT_REASONS)
    assert {s.labels["state"] for s in found.samples if s.name == "hip3_orders_total"} == {end.value for end in ENDS}
    assert set(found.values("hip3_exits_total") + found.values("hip3_orders_total")) == {0}
    assert found.values("hip3_exit_latency_seconds_count") == [0, 0]


def test_markets_bound_the_series_whatever_is_done(trader_bench: Make) -> None:
    before = scraped(trader_bench()).series
    assert scraped(traded(trader_bench())).series == before
    shown = snapshot()
    markets = len(shown["markets"])
    shown["markets"] += [row | {"coin": f"flx:M{n}"} for n, row in enumerate(shown["markets"])]
    by_market = sum("coin" in dict(labels) and "_market_" in name for name, labels in before)
    assert len(scraped(trader_bench(), shown).series) == len(before) + by_market
    assert by_market <= 9 * markets


@pytest.mark.parametrize("name", ['xyz:"A"', "xyz:{A}\n# TYPE hip3_x gauge\nhip3_x 1", "xyz:\\", "xyz:%s{0}", "xyz:é"])
def test_a_name_of_the_venue_is_one_label_value_whatever_it_holds(trader_bench: Make, name: str) -> None:
    shown = snapshot()
    shown["markets"][0]["coin"] = name
    found = scraped(trader_bench(), shown)
    assert len(found.values("hip3_market_updates_total", coin=name)) == 1
    assert found.values("hip3_x") == []


@given(st.lists(st.integers(0, 20_000_000_000), max_size=100))
def test_buckets_add_up_and_the_last_one_holds_all(durations: list[int]) -> None:
    histogram = LatencyHistogram()
    for ns in durations:
        histogram.record(ns)
    latency = Latency.of(histogram)
    buckets = buckets_of(latency)
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert buckets[-1] == ("+Inf", len(durations))
    assert latency.sum_ns == sum(durations)
    for bound_ns, (label, count) in zip(BOUNDS_NS, buckets, strict=False):
        assert float(label) == bound_ns / 1e9
        least = sum(ns <= bound_ns for ns in durations)
        assert least <= count <= sum(ns <= bound_ns * 1.001 for ns in durations)


def test_a_latency_is_in_the_bucket_of_its_seconds(trader_bench: Make) -> None:
    bench = trader_bench()
    for ns in (9_000, 400_000, 400_000, 3_000_000_000, 9_000_000_000):
        bench.trader.tally.timings.exit_latency["backup"].record(ns)
    found = scraped(bench)
    name = "hip3_exit_latency_seconds"
    for bound, count in (("1e-05", 1), ("0.00025", 1), ("0.0005", 3), ("2.5", 3), ("5.0", 4), ("+Inf", 5)):
        assert found.value(f"{name}_bucket", path="backup", le=bound) == count
    assert found.value(f"{name}_count", path="backup") == 5
    assert found.value(f"{name}_sum", path="backup") == pytest.approx(12.000_809)
    assert found.value(f"{name}_count", path="primary") == 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_says_its_type_and_its_unit(family: Family) -> None:
    assert re.fullmatch(r"hip3_[a-z]+(_[a-z]+)*", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert family.kind != "histogram" or family.name.endswith("_seconds")
    assert re.match(r"[A-Za-z0-9].*[^.]\.$", family.meaning), "a meaning is a sentence"
    assert not OTHER_UNITS & set(family.name.split("_"))


def test_every_family_is_exposed_once_and_in_its_order(trader_bench: Make) -> None:
    text = b"".join(exposition(reading_of(trader_bench().trader))).decode()
    typed = re.findall(r"^# TYPE (hip3_\w+) (\w+)$", text, re.MULTILINE)
    assert typed == [(family.name, family.kind) for family in FAMILIES]
    assert "process_resident_memory_bytes" in text
