"""Log lines for people and as JSON, and repeats that are counted instead of written."""

from __future__ import annotations

import io
import json
from typing import Any

from hip3.execution.outbound import Notice
from hip3.status.log import KEPT_MAX, REPEATS_MAX, WATCHED_MAX, Log

T0 = 1_795_500_000_123_000_000
S = 1_000_000_000


class Written:
    def __init__(self, *, muted: bool = False, as_json: bool = False) -> None:
        self.now_ns = T0
        self.stream = io.StringIO()
        self.log = Log(self.stream, lambda: self.now_ns, muted=muted, as_json=as_json)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def test_people_read_time_level_event_and_fields() -> None:
    written = Written()
    written.log.event("info", "trading", markets=36, why="all is read", none=None, empty="")
    written.log.event("warning", "odd", text="a\x1b[31mb\n")
    assert written.lines == [
        '06:00:00.123 info    trading markets=36 why="all is read"',
        "06:00:00.123 warning odd text=a\\x1b[31mb\\n",
    ]


def test_programs_read_one_object_a_line() -> None:
    written = Written(as_json=True)
    written.log.event("info", "edges", max_buy_edge_bps=24.47, ready=True, updates=905, market="x" * 1000)
    (row,) = written.rows
    assert row.pop("market") == "x" * 300
    told = {"max_buy_edge_bps": 24.47, "ready": True, "updates": 905}
    assert row == {"time": "2026-11-24T06:00:00.123Z", "level": "info", "event": "edges", **told}


def test_repeats_are_counted_and_told_when_their_span_is_over() -> None:
    written = Written(as_json=True)
    for number in range(20):
        written.log.event("warning", "order_end", coin="xyz:GOLD", why="rejected", cloid=f"0x{number}", sz=number)
    written.log.event("warning", "order_end", coin="xyz:SILVER", why="rejected")
    assert [row["coin"] for row in written.rows] == ["xyz:GOLD"] * REPEATS_MAX + ["xyz:SILVER"]
    written.now_ns += 11 * S
    written.log.notices([Notice("info", "next")])
    repeated, after = written.rows[-2:]
    assert (repeated["event"], repeated["of"], repeated["times"]) == ("repeated", "order_end", 20 - REPEATS_MAX)
    assert repeated["with"] == "coin=xyz:GOLD why=rejected"
    assert after["event"] == "next"
    written.log.event("warning", "order_end", coin="xyz:GOLD", why="rejected")
    assert written.rows[-1]["event"] == "order_end"


def test_what_is_watched_is_bounded_and_nothing_is_lost() -> None:
    written = Written(as_json=True)
    for _ in range(REPEATS_MAX + 2):
        written.log.event("info", "same")
    for number in range(WATCHED_MAX):
        written.log.event("info", f"other{number}")
    assert {"of": "same", "times": 2}.items() <= next(r for r in written.rows if r["event"] == "repeated").items()
    assert len(written.log._repeats) <= WATCHED_MAX


def test_a_muted_log_writes_nothing_and_keeps_what_matters() -> None:
    written = Written(muted=True)
    for number in range(KEPT_MAX + 5):
        written.log.event("warning", "w", number=number)
        written.log.event("info", "i")
    assert written.lines == []
    assert len(written.log.kept) == KEPT_MAX
    assert written.log.kept[-1] == ("warning", "w", f"number={KEPT_MAX + 4}")
