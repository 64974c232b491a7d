"""What a service manager is told: ready, alive, ending. The protocol of sd_notify(3), without a library.

Does nothing where there is no `NOTIFY_SOCKET`. The sign of life comes from the event loop, so that a loop that
stands still is seen from outside.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

NS_PER_US = 1000


class ServiceManager:
    """Tells the manager of this process how it is."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the abstract space, where the first byte is zero.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        usec = environment.get("WATCHDOG_USEC", "")
        self._interval_ns = int(usec) * NS_PER_US // 2 if usec.isdigit() else 0
        self._next_ns = 0
        self._is_ready = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if name else None

    def ready(self) -> None:
        """The service does its work; told once."""
        if not self._is_ready:
            self._is_ready = True
            self._tell("READY=1")

    def alive(self, now_ns: int) -> None:
        """A sign of life, twice in each span that the manager waits for one."""
        if self._interval_ns and now_ns >= self._next_ns:
            self._next_ns = now_ns + self._interval_ns
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends in order."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Nothing is told after this."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, state: str) -> None:
        if self._socket is not None:
            # A manager that does not listen is no reason to stop trading.
            with contextlib.suppress(OSError):
                self._socket.sendto(state.encode(), self._address)
