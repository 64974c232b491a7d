"""The checks of `deploy/` themselves: each kind of wrong expression is found."""

from __future__ import annotations

import pytest

from .exposed import named_in, unknown_in


@pytest.mark.parametrize(
    "expression",
    [
        'hip3_link_up{link="order"} == 0 unless on (job, instance) hip3_state{state="starting"} == 1',
        "histogram_quantile(0.99, sum by (le, path) (rate(hip3_exit_latency_seconds_bucket[5m])))",
        'up{job="hip3"} == 0 or absent(up{job="hip3"})',
        'hip3_market_buy_edge_bps{coin=~"xyz:.*"}',
        "rate(process_cpu_seconds_total[5m])",
    ],
)
def test_what_a_run_exposes_may_be_named(expression: str) -> None:
    assert unknown_in(named_in(expression)) == []


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("hip3_entries", ["hip3_entries"]),
        ("rate(hip3_exit_latency_seconds[5m])", ["hip3_exit_latency_seconds"]),
        ("hip3_entries_total + on (job) absent(hip3_nothing)", ["hip3_nothing"]),
        ('hip3_link_up{kind="order"}', ["hip3_link_up: kind"]),
        ('hip3_link_up{link="orders"}', ['hip3_link_up{link="orders"}']),
        ('hip3_refusals_total{gate!="no_edges"}', ['hip3_refusals_total{gate="no_edges"}']),
        ("sum by (reasons) (hip3_exits_total)", ["reasons"]),
        ("hip3_link_up and on (machine) hip3_state", ["machine"]),
        ('hip3:recorded{path="primary"}', ["hip3:recorded"]),
    ],
)
def test_a_name_that_no_run_exposes_is_found(expression: str, wrong: list[str]) -> None:
    assert unknown_in(named_in(expression)) == wrong


@pytest.mark.parametrize(
    "expression", ["sum(", "rate(hip3_entries_total)", "hip3_state{state=}", "1 +", "topk(hip3_state)", ""]
)
def test_what_is_no_expression_is_found(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        named_in(expression)
