"""Secrets from whoever sits there: typed without echo on the controlling terminal, or piped in. Never from arguments.

Read into the one buffer that is wiped afterwards; Python's own `getpass` would leave a text that nobody can wipe.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterator
from typing import Any, NoReturn

from hip3.errors import UsageError

#: A terminal hands out no longer line.
LINE_BYTES_MAX = 4095
#: A control character of the terminal that no key makes (_POSIX_VDISABLE of Linux).
DISABLED = b"\0"
#: Signals that end a process by default, and may come while somebody types.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def wipe(secret: bytearray) -> None:
    """Leaves zeros."""
    secret[:] = bytes(len(secret))


def ask(prompt: str) -> bytearray | None:
    """One line typed on the controlling terminal, whatever standard input is; None where there is no terminal.

    Raises UsageError for a line that has no end or is too long, KeyboardInterrupt for Ctrl-C.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _typed(terminal, prompt)
    finally:
        os.close(terminal)


def _typed(terminal: int, prompt: str) -> bytearray:
    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] = silent[3] & ~termios.ECHO | termios.ECHONL
    # A process that is suspended, or dumped by a key, would leave its terminal without echo.
    for key in (termios.VSUSP, termios.VQUIT):
        silent[6][key] = DISABLED
    line = bytearray(LINE_BYTES_MAX + 1)
    try:
        with _signals_end_the_question():
            try:
                termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
                os.write(terminal, prompt.encode())
                del line[os.readv(terminal, [line]) :]
            finally:
                # A terminal that has gone has nothing to be given back.
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
    except _Ended as ended:
        wipe(line)
        # With the handler of before: a process that is ended by a signal says so to its parent.
        os.kill(os.getpid(), ended.number)
        raise KeyboardInterrupt from None
    except OSError:
        del line[:]
    except BaseException:
        wipe(line)
        raise
    if not line.endswith(b"\n"):
        wipe(line)
        raise UsageError(f"{prompt.rstrip(': ')}: no line was typed, or one that is too long")
    return cut_line_end(line)


class _Ended(BaseException):
    """A signal came that ends the process, once the terminal is as it was."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _signals_end_the_question() -> Iterator[None]:
    """While it is asked, no signal leaves the terminal silent; what is ignored stays ignored."""

    def end(number: int, _: object) -> NoReturn:
        raise _Ended(number)

    # Under asyncio a first Ctrl-C would be noted and the read go on waiting.
    handlers: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTSTP: signal.SIG_IGN}
    handlers |= {n: end for n in ENDING if signal.getsignal(n) not in (signal.SIG_IGN, None)}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def read_input(bytes_max: int) -> bytearray:
    """All of standard input, which is no terminal. Raises UsageError when it is longer than `bytes_max`."""
    found = bytearray()
    part = bytearray(bytes_max)
    try:
        while (count := os.readv(sys.stdin.fileno(), [part])) > 0:
            if len(found) + count > bytes_max:
                wipe(found)
                raise UsageError(f"standard input has more than {bytes_max} bytes: neither a key nor a keystore")
            # A bytearray that grows may move and leave its old bytes behind: the new one is whole at once.
            longer = found + memoryview(part)[:count]
            wipe(found)
            found = longer
    finally:
        wipe(part)
    return found


def cut_line_end(line: bytearray) -> bytearray:
    """The same buffer without its line end; other white space may be part of a passphrase."""
    while line.endswith((b"\n", b"\r")):
        del line[-1]
    return line
