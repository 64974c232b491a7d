"""The latch of kills, hard stops and halts: a file that forbids trading until somebody takes it away. Durable before it
is acknowledged.

The file is the latch: whatever is in it, a trader neither starts nor signs while it is there. Every change is a
line of the log beside it, with user and reason.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from hip3._hip3 import Signer
from hip3.config import Config
from hip3.durable import append_durably, create_durably, sync_directory, write_durably
from hip3.errors import CheckFailed
from hip3.homes import expanded, state_directory
from hip3.options import plain_text
from hip3.users import own_name

LATCH_BYTES_MAX = 4096
REASON_MAX = 200
TOLD_MAX = 1000
#: A longer log of control makes room for the next; one of that length stays beside it.
LOG_BYTES_MAX = 1_000_000
KILL = "kill"
HARD_STOP = "hard_stop"
HALT = "halt"


@dataclass(frozen=True, slots=True)
class Latch:
    """What the file says; empty texts where it says nothing that can be read."""

    user: str
    reason: str
    time_ms: int
    kind: str = KILL

    def told(self) -> str:
        """Who killed and why, for people."""
        if self.kind in (HARD_STOP, HALT):
            return f"{self.kind.replace('_', ' ')}: {self.reason}"
        who = f" by {self.user}" if self.user else ""
        why = f": {self.reason}" if self.reason else ""
        return f"killed{who}{why}"


def latch_path(config: Config, environment: Mapping[str, str]) -> Path:
    """Where the latch is: the option, else the user's state directory, which outlives a restart."""
    named = config.text("control.latch")
    if named:
        return expanded(named, "control.latch").absolute()
    return state_directory(environment, "name the file with control.latch") / "KILL"


def read_latch(path: Path) -> Latch | None:
    """The latch, or None where there is none. A file that cannot be read latches all the same."""
    try:
        path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Latch("", f"{path}: {error.strerror}", 0)
    try:
        with path.open("rb") as file:
            data: Any = orjson.loads(file.read(LATCH_BYTES_MAX))
        user, reason, kind = (str(data.get(name, "")) for name in ("user", "reason", "kind"))
        return Latch(user, reason, int(data.get("time_ms", 0)), kind)
    except (OSError, ValueError, TypeError, AttributeError):
        return Latch("", "", 0)


def set_latch(path: Path, reason: str, kind: str = KILL) -> Latch:
    """Latches, and returns once the file and its name are on the disk. Raises CheckFailed.

    A disk without room for what the latch says has room for the latch: an empty file forbids as well.
    """
    made = Latch(own_name(), plain_text(reason)[:REASON_MAX], time.time_ns() // 1_000_000, kind)
    try:
        try:
            write_durably(path, orjson.dumps(made) + b"\n")
        except OSError:
            create_durably(path)
    except OSError as error:
        raise CheckFailed(f"the kill latch could not be set: {path}: {error.strerror}; stop the process") from error
    note(path, kind, made.user, reason)
    return made


def latch_problem(path: Path) -> str:
    """Why no latch could be set at this place, or nothing: a trader must not start where nobody can stop it."""
    probe = path.with_name(f"{path.name}.{os.getpid()}.probe")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_durably(probe)
        probe.unlink()
    except OSError as error:
        return f"no kill latch could be set at {path}: {error.strerror}"
    return ""


def watch_latch(path: Path, signer: Signer) -> None:
    """From here on the signer stops within milliseconds of a latch (or of SIGUSR1, which makes one)."""
    signer.watch_kill_file(path)


def clear_latch(path: Path, reason: str) -> bool:
    """Takes the latch away, durably; False where there was none. Raises CheckFailed."""
    try:
        path.unlink()
        sync_directory(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CheckFailed(f"the kill latch could not be taken away: {path}: {error.strerror}") from error
    note(path, "unkill", own_name(), reason)
    return True


def note(path: Path, verb: str, user: str, reason: str, told: str = "") -> str:
    """One durable line of the log of control beside the latch; `told` is what came of the verb.

    What was done is done whether it can be written down or not: returns what is to be said of a failure, or nothing.
    """
    log = path.with_name("control.log")
    row = {
        "time_ms": time.time_ns() // 1_000_000,
        "verb": verb,
        "user": user,
        "reason": plain_text(reason)[:REASON_MAX],
    }
    if told:
        row["told"] = told[:TOLD_MAX]
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.is_file() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_name("control.log.1"))
        append_durably(log, orjson.dumps(row))
    except OSError as error:
        return f" (the log of control cannot be written: {log}: {error.strerror})"
    return ""
