"""The last minutes of edges, and the day's profit."""

from __future__ import annotations

from hip3.status.cells import UNICODE, bar, span, sparkline
from hip3.status.history import POINT_NS, POINTS_MAX, EdgeHistory

S = 1_000_000_000


def test_a_point_is_the_largest_edge_of_its_span() -> None:
    history = EdgeHistory()
    for second, edge in enumerate([1.0, 7.0, None, 3.0]):
        history.sample(second * S, [("a", edge)])
    history.sample(POINT_NS, [("a", -2.0)])
    assert history.points("a") == [7.0, -2.0]
    assert history.points("unknown") == []


def test_a_span_without_an_edge_is_none_until_one_comes() -> None:
    history = EdgeHistory()
    history.sample(0, [("a", None)])
    assert history.points("a") == [None]
    history.sample(S, [("a", -4.0)])
    assert history.points("a") == [-4.0]


def test_the_history_is_bounded() -> None:
    history = EdgeHistory()
    for span_ in range(3 * POINTS_MAX):
        history.sample(span_ * POINT_NS, [("a", float(span_))])
    assert history.points("a") == [float(n) for n in range(2 * POINTS_MAX, 3 * POINTS_MAX)]


def test_a_sparkline_is_full_at_the_threshold_and_blank_where_there_was_no_edge() -> None:
    assert sparkline([0.0, 20.0, 40.0, 400.0, -5.0, None], 40.0, 8, UNICODE) == "  ▁▄██  "
    assert sparkline([1.0] * 30, 40.0, 4, UNICODE) == "▁▁▁▁"


def test_a_bar_is_full_at_one_and_never_longer() -> None:
    assert [bar(share, 4, UNICODE) for share in (0, 0.5, 1, 9)] == ["····", "██··", "████", "████"]


def test_spans_in_the_units_that_matter() -> None:
    told = [span(s) for s in (None, 0.04, 9.96, 59.4, 61, 3600, 100_000, 400_000)]
    assert told == ["-", "0.0 s", "10.0 s", "59 s", "1 m 01 s", "1 h 00 m", "27 h 46 m", "4 d 15 h"]
