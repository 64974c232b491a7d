"""Recordings: gzip lines of `<recv_ns> <raw JSON>`, a file for each hour, the shape that collectors share.

The writer has a thread and a bounded queue of its own. When the disk cannot follow, the recording ends and
says so; the trading does not wait for it. A reader takes a file or a directory and stops cleanly at a torn
last line, which a killed writer leaves.
"""

from __future__ import annotations

import gzip
import queue
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hip3.errors import ConfigError

HOUR_NS = 3_600_000_000_000
SUFFIX = ".jsonl.gz"
#: Speed over size: a busy hour is some hundred megabytes before compression.
GZIP_LEVEL = 1
#: Lines taken from the queue before the file is flushed.
FLUSH_LINES = 1000


class Recorder:
    """Takes lines from any thread, in order. `write` never waits."""

    def __init__(self, directory: Path, queue_max: int) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"record.dir: {directory}: {error.strerror}") from error
        self.directory = directory
        self.lines = 0
        self.failure = ""
        self._queue: queue.Queue[tuple[int, bytes] | None] = queue.Queue(queue_max)
        self._thread = threading.Thread(target=self._run, name="hip3-recorder", daemon=True)
        self._thread.start()

    def write(self, recv_ns: int, line: bytes) -> None:
        """Queues one line; after a failure it does nothing. Newlines inside JSON text cannot occur."""
        if self.failure:
            return
        try:
            self._queue.put_nowait((recv_ns, line))
        except queue.Full:
            self.failure = "the disk did not follow; the recording ends here"

    def close(self) -> None:
        """Writes what is queued and ends the file."""
        self._queue.put(None)
        self._thread.join(timeout=30)

    def _run(self) -> None:
        file: gzip.GzipFile | None = None
        hour = -1
        try:
            while (item := self._queue.get()) is not None:
                recv_ns, line = item
                if recv_ns // HOUR_NS > hour:
                    if file is not None:
                        file.close()
                    hour = recv_ns // HOUR_NS
                    file = gzip.open(self._path(recv_ns), "ab", compresslevel=GZIP_LEVEL)  # noqa: SIM115
                assert file is not None
                file.write(b"%d %b\n" % (recv_ns, line.replace(b"\n", b" ")))
                self.lines += 1
                if self.lines % FLUSH_LINES == 0:
                    file.flush()
        except OSError as error:
            self.failure = f"{self.directory}: {error.strerror}"
            while self._queue.get() is not None:
                pass
        finally:
            if file is not None:
                file.close()

    def _path(self, recv_ns: int) -> Path:
        hour = datetime.fromtimestamp(recv_ns // 1_000_000_000, tz=UTC)
        return self.directory / f"{hour:%Y%m%dT%H}{SUFFIX}"


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every `(recv_ns, line)` of a file or of a directory's files in order of their names.

    Raises ConfigError where there is no recording; a line that is torn or has no time ends its file.
    """
    files = sorted(path.glob("*.gz")) + sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not all(f.is_file() for f in files):
        raise ConfigError(f"{path}: no recording there (a directory or file of `<recv_ns> <json>` lines)")
    for file in files:
        yield from _read_file(file)


def _read_file(file: Path) -> Iterator[tuple[int, bytes]]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rb") as stream:
        while True:
            try:
                raw = stream.readline()
            except (EOFError, gzip.BadGzipFile, zlib.error, OSError):
                return
            if not raw.endswith(b"\n"):
                return
            time, _, line = raw[:-1].partition(b" ")
            if not time.isdigit() or not line:
                return
            yield int(time), line
