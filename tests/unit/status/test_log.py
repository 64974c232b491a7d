"""Log lines for people and as JSON, and repeats that are counted instead of written."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from hip3.execution.outbound import Notice
from hip3.status.lines import LineWriter
from hip3.status.log import REPEATS_MAX, WATCHED_MAX, Log

T0 = 1_795_500_000_123_000_000
S = 1_000_000_000


class Written:
    def __init__(self, *, as_json: bool = False) -> None:
        self.now_ns = T0
        self.room = 10**6
        self.lines: list[str] = []
        self.log = Log(self.put, lambda: self.now_ns, as_json=as_json)

    def put(self, line: str) -> bool:
        if len(self.lines) >= self.room:
            return False
        self.lines.append(line)
        return True

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


def test_lines_that_had_no_room_are_counted_and_told() -> None:
    written = Written()
    written.room = 1
    for number in range(4):
        written.log.event("info", f"event{number}")
    written.room = 10
    written.log.event("info", "after")
    assert [line.split(maxsplit=2)[2] for line in written.lines] == ["event0", "log_lines_lost lines=3", "after"]


def test_the_writer_keeps_the_order_and_ends_what_it_began() -> None:
    reading, writing = os.pipe()
    writer = LineWriter(writing)
    assert all(writer.put(f"line {number} é") for number in range(1000))
    writer.close(5.0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        assert stream.read().splitlines() == [f"line {number} é" for number in range(1000)]


def test_a_pipe_that_nobody_reads_delays_nobody() -> None:
    reading, writing = os.pipe()
    writer = LineWriter(writing, lines_max=100)
    begin = time.monotonic()
    taken = sum(writer.put("x" * 1000) for _ in range(1000))
    writer.close(0.1)
    assert time.monotonic() - begin < 1.0
    assert 100 <= taken < 1000
    with os.fdopen(reading, "rb") as stream:
        assert stream.readline() == b"x" * 1000 + b"\n"
    os.close(writing)


def test_a_reader_that_went_away_is_a_failure_and_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LineWriter(writing)
    assert writer.put("nobody reads this")
    writer.close(5.0)
    assert writer.failure == "standard error cannot be written (Broken pipe); the log ends here"
    assert not writer.put("nor this")
    os.close(writing)
