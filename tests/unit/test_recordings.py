"""Recordings: what is written is read again, torn ends end cleanly, and a replay is the run again."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest

from hip3.errors import ConfigError
from hip3.research.record import HOUR_NS, Recorder, read_lines
from hip3.research.replay import control_of, find_start, main

HOUR = 1_795_500_000_000_000_000 // HOUR_NS * HOUR_NS


def test_lines_come_back_in_order_over_hours(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 1000)
    wanted = [(HOUR + n * HOUR_NS // 4, b'{"n":%d}' % n) for n in range(9)]
    for recv_ns, line in wanted:
        recorder.write(recv_ns, line)
    recorder.close()
    assert list(read_lines(tmp_path)) == wanted
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 3
    assert recorder.failure == ""
    (first, *_) = sorted(tmp_path.iterdir())
    assert list(read_lines(first)) == wanted[:4]


def test_a_newline_inside_a_frame_does_not_break_a_line(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 10)
    recorder.write(HOUR, b'{"a":\n1}')
    recorder.write(HOUR + 1, b"{}")
    recorder.close()
    assert list(read_lines(tmp_path)) == [(HOUR, b'{"a": 1}'), (HOUR + 1, b"{}")]


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_torn_file_is_read_up_to_its_last_whole_line(tmp_path: Path, cut: int) -> None:
    whole = gzip.compress(b"".join(b'%d {"n":%d}\n' % (HOUR + n, n) for n in range(500)))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[:-cut])
    read = list(read_lines(path))
    assert read == [(HOUR + n, b'{"n":%d}' % n) for n in range(len(read))]
    plain = tmp_path / "b.jsonl"
    plain.write_bytes(b"1 {}\n2 {}\n3 {")
    assert list(read_lines(plain)) == [(1, b"{}"), (2, b"{}")]


def test_a_full_queue_ends_the_recording_and_says_so(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 1)
    for n in range(100_000):
        recorder.write(HOUR + n, b"{}")
        if recorder.failure:
            break
    recorder.close()
    assert "did not follow" in recorder.failure
    read = list(read_lines(tmp_path))
    assert [recv_ns for recv_ns, _ in read] == [HOUR + n for n in range(len(read))]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"record\.dir"):
        Recorder(tmp_path / "file" / "below", 10)


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recording there"):
        list(read_lines(tmp_path))
    foreign = tmp_path / "frames.jsonl"
    foreign.write_bytes(b'1 {"channel":"bbo","data":{}}\n')
    with pytest.raises(ConfigError, match="--settings"):
        main(foreign, None, True)
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(b'1 {"channel":"hip3","data":{"kind":"start","format":1}}\n')
    with pytest.raises(ConfigError, match="damaged"):
        find_start(damaged)
    newer = tmp_path / "newer.jsonl"
    newer.write_bytes(b'1 {"channel":"hip3","data":{"kind":"start","format":99}}\n')
    with pytest.raises(ConfigError, match="format 99"):
        find_start(newer)


def test_frames_and_control_lines_are_told_apart() -> None:
    assert control_of(b'{"channel":"bbo","data":{}}') is None
    assert control_of(orjson.dumps({"channel": "hip3", "data": {"kind": "timer"}})) == {"kind": "timer"}
