"""What the UTC day has brought to an account, over restarts, and the loss at which it ends.

Owns the figure, its file beside the latch, and the judgement. Who leaves positions and stops is the run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import orjson

from hip3.durable import write_durably
from hip3.errors import ConfigError

DAY_NS = 86_400_000_000_000
#: A loss must have been seen for so long: one odd mark ends no day.
HOLDS_NS = 1_000_000_000
FILE_BYTES_MAX = 4096


def day_path(latch: Path, venue: str, account: str) -> Path:
    """The file of an account's day, beside the latch."""
    return latch.with_name(f"day-{venue}-{account.lower()}.json")


class DayBook:
    """PnL of the UTC day, after fees and with positions at mark: of this run and of those before it today.

    What happens between two runs is in neither. Without a path nothing is kept. ConfigError for a file of which
    nobody knows what the day has lost.
    """

    def __init__(self, path: Path | None, now_ns: int) -> None:
        self.path = path
        self.pnl_usd = Decimal(0)
        self.failure = ""
        self._day = now_ns // DAY_NS
        self._before_usd = Decimal(0) if path is None else _read(path, self._day)
        self._first_usd: Decimal | None = None
        self._saved: bytes = b""
        self.pnl_usd = self._before_usd

    def take(self, now_ns: int, equity_usd: Decimal) -> Decimal:
        """Takes the account's equity of now; returns the day's PnL. A new day begins at zero."""
        day = now_ns // DAY_NS
        if day != self._day:
            self._day, self._before_usd, self._first_usd = day, Decimal(0), None
        if self._first_usd is None:
            self._first_usd = equity_usd
        self.pnl_usd = self._before_usd + equity_usd - self._first_usd
        return self.pnl_usd

    def save(self) -> None:
        """Writes the day's PnL durably, where it changed; may wait for the disk. A failure is kept as text."""
        if self.path is None:
            return
        body = orjson.dumps({"day": _date(self._day), "pnl_usd": format(self.pnl_usd, "f")})
        if body == self._saved:
            return
        try:
            write_durably(self.path, body + b"\n")
        except OSError as error:
            self.failure = f"{self.path}: {error.strerror}; after a restart the day's loss would count from zero"
        else:
            self._saved, self.failure = body, ""


class LossLimit:
    """Whether the day's loss has reached a limit, in USD; 0 for none."""

    def __init__(self, limit_usd: Decimal) -> None:
        self.limit_usd = limit_usd
        self._since_ns: int | None = None

    def is_beyond(self, pnl_usd: Decimal) -> bool:
        """Whether this PnL is at or beyond the limit."""
        return self.limit_usd > 0 and pnl_usd <= -self.limit_usd

    def is_reached(self, now_ns: int, pnl_usd: Decimal) -> bool:
        """Whether it has been beyond the limit for long enough to be believed."""
        if not self.is_beyond(pnl_usd):
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = now_ns
        return now_ns - self._since_ns >= HOLDS_NS

    def told(self, pnl_usd: Decimal) -> str:
        """The loss and its limit, for people."""
        return f"the UTC day has brought {pnl_usd:.2f} USD after fees; stop.day_loss_usd is {self.limit_usd}"


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_NS / 1e9, UTC).date().isoformat()


def _read(path: Path, day: int) -> Decimal:
    """What earlier runs of this day left; nothing where the file is of another day."""
    try:
        with path.open("rb") as file:
            data = orjson.loads(file.read(FILE_BYTES_MAX))
        return Decimal(data["pnl_usd"]) if data["day"] == _date(day) else Decimal(0)
    except FileNotFoundError:
        return Decimal(0)
    except (OSError, ValueError, KeyError, TypeError, InvalidOperation):
        raise ConfigError(f"{path} cannot be read; remove it, and the day's loss counts from zero") from None
