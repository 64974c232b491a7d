"""Keys of a terminal: raw bytes to names, and the terminal's mode while they are read."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

READ_MAX = 1024
#: Keys that would suspend the process or kill it with a core, by their names in `termios`; not every system has all.
SILENCED = ("VSUSP", "VDSUSP", "VQUIT")
NAMED = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
}


def keys_of(data: bytes) -> list[str]:
    """The keys of what one read gave: printable characters, and names; sequences that mean nothing here are left out.

    An escape character that begins no known sequence is the Escape key where it stands alone.
    """
    text = data.decode(errors="ignore")
    keys: list[str] = []
    while text:
        name = next((sequence for sequence in NAMED if text.startswith(sequence)), None)
        if name is not None:
            keys.append(NAMED[name])
            text = text[len(name) :]
        elif text[0] == "\x1b":
            if len(text) > 1 and text[1] in "[O":
                end = next((i for i, c in enumerate(text[2:], 2) if "@" <= c <= "~"), len(text) - 1)
                text = text[end + 1 :]
                continue
            keys.append("escape")
            text = text[1:]
        else:
            keys += [text[0]] if text[0].isprintable() else []
            text = text[1:]
    return keys


def _without_stops(descriptor: int) -> list[Any]:
    """The terminal's present mode without the keys of `SILENCED`."""
    mode = termios.tcgetattr(descriptor)
    nothing = bytes([os.fpathconf(descriptor, "PC_VDISABLE")])
    for name in SILENCED:
        place = getattr(termios, name, None)
        if place is not None:
            mode[6][place] = nothing
    return mode


class Keyboard:
    """Gives each key to `on_key` while entered; does nothing where standard input is no terminal.

    Ctrl-C stays a signal; Ctrl-Z and Ctrl-\\ are none, since a trader that is suspended, or gone at once, leaves its
    positions alone. The terminal's mode is put back at the end, whatever happens in between.
    """

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        self._descriptor = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._mode: list[Any] = []

    def __enter__(self) -> Keyboard:
        if self._descriptor is not None:
            self._mode = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, _without_stops(self._descriptor))
            asyncio.get_running_loop().add_reader(self._descriptor, self._read, self._descriptor)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            # A terminal that is gone has no mode to be put back.
            with suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._mode)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, READ_MAX)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(descriptor)
        for key in keys_of(data):
            self._on_key(key)
