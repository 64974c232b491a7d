"""Log lines on standard error: `time level event key=value …`, one for each thing worth knowing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from hip3.execution.outbound import Notice

#: Lines kept for the view while the screen belongs to it.
KEPT_MAX = 50
#: Texts of the venue are cut here, and their control characters are escaped.
TEXT_MAX = 300


class Log:
    """Writes lines, or only keeps the last ones while a view owns the screen (`muted`)."""

    def __init__(self, stream: TextIO, muted: bool) -> None:
        self.kept: deque[tuple[str, str, str]] = deque(maxlen=KEPT_MAX)
        self._stream = stream
        self._muted = muted

    def event(self, level: str, event: str, **fields: Any) -> None:
        """Writes one line; fields that are None are left out."""
        told = " ".join(f"{key}={_shown(value)}" for key, value in fields.items() if value is not None and value != "")
        if level != "info":
            self.kept.append((level, event, told))
        if not self._muted:
            time = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]
            self._stream.write(f"{time} {level:<7} {event} {told}".rstrip() + "\n")

    def notices(self, notices: Iterable[Notice]) -> None:
        """Writes what the trader has to say."""
        for notice in notices:
            self.event(notice.level, notice.event, **notice.fields)
        if not self._muted:
            self._stream.flush()


def _shown(value: Any) -> str:
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))[:TEXT_MAX]
    return f'"{text}"' if " " in text else text
