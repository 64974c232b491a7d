"""Lines to a file descriptor from a thread of its own: whoever reads them slowly, or not at all, delays nobody."""

from __future__ import annotations

import os
import queue
import threading

#: Lines that wait for their reader; a pipe that nobody reads holds 64 KiB before the first of them waits.
LINES_MAX = 10_000


class LineWriter:
    """Writes in order. `failure` says why nothing is written any more, as when the reader has gone."""

    def __init__(self, descriptor: int, lines_max: int = LINES_MAX) -> None:
        self.failure = ""
        self._descriptor = descriptor
        self._queue: queue.Queue[str | None] = queue.Queue(lines_max)
        # The descriptor is written to directly: a thread that waits inside a stream's lock hinders the exit.
        self._thread = threading.Thread(target=self._run, name="hip3-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> bool:
        """Queues one line without its end and never waits; False where there was no room for it."""
        if self.failure:
            return False
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            return False
        return True

    def close(self, timeout_s: float) -> None:
        """Writes what is queued; what is not read within the time is left."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            left = memoryview(f"{line}\n".encode(errors="replace"))
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError as error:
                self.failure = f"standard error cannot be written ({error.strerror}); the log ends here"
                return
