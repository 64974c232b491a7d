"""A command on a terminal of its own, as a person sits at one; standard input may be a pipe all the same."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

#: Opening a terminal makes it the controlling one of a session that has none.
SHIM = (
    "import os, signal, sys; [signal.signal(n, signal.SIG_DFL) for n in (1, 3, 15)]; "
    "os.open(sys.argv[1], os.O_RDWR); os.execv(sys.argv[2], sys.argv[2:])"
)
WAIT_S = 30


@dataclass(frozen=True)
class Done:
    """How it ended. `screen` is everything the terminal showed, `echoes` whether it shows what is typed now."""

    status: int
    out: str
    err: str
    screen: str = ""
    echoes: bool = True


class Terminal:
    """`hip3` with these words; `given` comes by a pipe, without it standard input is the terminal."""

    def __init__(self, *words: str, given: str | None = None, where: Path | None = None) -> None:
        self._master, self._slave = pty.openpty()
        self._screen = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", SHIM, os.ttyname(self._slave), sys.executable, "-m", "hip3", *words],
            stdin=self._slave if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=where,
        )
        if given is not None:
            assert self._process.stdin is not None
            self._process.stdin.write(given)
            self._process.stdin.close()
            self._process.stdin = None

    def wait_for(self, text: str) -> None:
        """Until the terminal shows it, after what it showed at the last call."""
        begin = len(self._screen)
        end = time.monotonic() + WAIT_S
        while text not in self._screen[begin:]:
            assert time.monotonic() < end, self._screen
            self._look(0.05)

    def _look(self, seconds: float) -> None:
        if select.select([self._master], [], [], seconds)[0]:
            self._screen += os.read(self._master, 4096).decode()

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def type(self, text: str) -> None:
        """Keys pressed; a line needs its own end."""
        os.write(self._master, text.encode())

    def send(self, number: signal.Signals) -> None:
        """A signal to the command."""
        self._process.send_signal(number)

    def end(self) -> Done:
        """Waits for the command's end."""
        try:
            out, err = self._process.communicate(timeout=WAIT_S)
            self._look(0)
            return Done(self._process.returncode, out, err, self._screen, self.echoes)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.communicate()
            os.close(self._master)
            os.close(self._slave)
