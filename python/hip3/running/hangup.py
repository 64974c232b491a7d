"""`Hangup`: what SIGHUP means to a run: its terminal is gone, or its configuration shall be read anew."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from hip3.control.latch import note
from hip3.control.operator import Operator
from hip3.users import own_name


class Hangup:
    """Made when the run begins, to know whether there was a terminal that can go away."""

    def __init__(self, operator: Operator, latch: Path) -> None:
        #: Why the last reload by signal was refused: nobody heard the answer. Empty once one has succeeded.
        self.failure = ""
        self._operator = operator
        self._latch = latch
        self._had_terminal = has_terminal()
        self._reload: asyncio.Task[None] | None = None
        self._asked = False

    def take(self) -> bool:
        """One SIGHUP; True when the run has to end. Otherwise a reload begins, or follows the one under way."""
        if self._had_terminal and not has_terminal():
            return True
        self._asked = True
        if self._reload is None or self._reload.done():
            self._reload = asyncio.create_task(self._read_anew())
        return False

    async def _read_anew(self) -> None:
        while self._asked:
            self._asked = False
            try:
                told = await self._operator.reload()
            except ValueError as error:
                self.failure = f"the configuration was not reloaded: {error}"
            else:
                self.failure = await asyncio.to_thread(note, self._latch, "reload", own_name(), "SIGHUP", told)


def has_terminal() -> bool:
    """Whether the process has a controlling terminal; after a hang-up it has none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
