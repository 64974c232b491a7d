"""The status socket: snapshots to attached viewers over a Unix socket that only its owner can open.

Read-only: what a viewer says is ignored. Each viewer has room for one snapshot; one that does not read
misses those in between, and never delays the trader.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

from hip3.config import Config
from hip3.errors import ConfigError, VenueUnreachable
from hip3.homes import expanded, state_directory
from hip3.status.snapshot import Snapshot
from hip3.users import name_of

REQUEST_BYTES_MAX = 4096
SEND_TIMEOUT_S = 1.0
#: A snapshot is shared by viewers for this share of the refresh interval, so that each still sees every refresh.
FRESH_SHARE = 0.9
#: Longest path of a Unix socket on Linux.
PATH_BYTES_MAX = 107
_CREDENTIALS = struct.Struct("3i")


def socket_path(config: Config, environment: Mapping[str, str]) -> Path:
    """Where the status socket is: the option, the runtime directory, else the user's state directory."""
    named = config.text("status.socket")
    if named:
        path = expanded(named, "status.socket")
    elif environment.get("XDG_RUNTIME_DIR"):
        path = Path(environment["XDG_RUNTIME_DIR"]) / "hip3" / "status.sock"
    else:
        path = state_directory(environment, "name it with status.socket") / "status.sock"
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise ConfigError(f"status.socket: {path} is longer than a socket path may be ({PATH_BYTES_MAX} bytes)")
    return path


def check_owner(path: Path) -> None:
    """VenueUnreachable for a socket of another user, whoever asks: what it says is not to be believed."""
    try:
        found = path.lstat()
    except OSError:
        return
    if found.st_uid != os.getuid():
        raise VenueUnreachable(f"{path} belongs to {name_of(found.st_uid)}; ask as that user: sudo -u NAME hip3 …")


def open_socket(path: Path) -> socket.socket:
    """Binds the socket with mode 0600 in a directory of mode 0700; a live one of another run stays, as does a file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.parent.lstat()
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigError(f"status.socket: {path.parent} is a link or belongs to another user")
    if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"status.socket: {path} is no socket and stays; name another place")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.exists():
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
        else:
            server.close()
            raise FileExistsError(str(path))
        finally:
            probe.close()
    # The mask is set before the bind, so that there is no moment in which others could connect.
    mask = os.umask(0o177)
    try:
        server.bind(str(path))
    finally:
        os.umask(mask)
    return server


def identity(path: Path) -> tuple[int, int] | None:
    """What the name leads to, whatever it is called later; None for nothing."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_socket(path: Path, bound: tuple[int, int] | None) -> None:
    """Takes a socket's name away, unless another run has put its own in that place."""
    if bound is not None and identity(path) == bound:
        path.unlink(missing_ok=True)


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a Unix socket, by the kernel's word."""
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def is_welcome(connection: socket.socket) -> bool:
    """Whether the other end is this user or root, whatever the modes of the socket and its directory have become."""
    return peer_uid(connection) in (0, os.getuid())


class StatusServer:
    """Publishes snapshots while anybody looks; taking none costs nothing. One snapshot serves all viewers."""

    def __init__(self, take: Callable[[], Snapshot], path: Path, refresh_ms: int, viewers_max: int) -> None:
        self.path = path
        self.problem = ""
        self._take = take
        self._refresh_s = refresh_ms / 1000
        self._viewers_max = viewers_max
        self._viewers = 0
        self._body = ""
        self._taken_s = float("-inf")
        self._ending = asyncio.Event()
        self._left = asyncio.Event()
        self._left.set()

    async def run(self) -> None:
        """Serves until cancelled. A socket that cannot be had is a `problem`, never the end of a run."""
        try:
            server = open_socket(self.path)
        except (OSError, ConfigError) as error:
            self.problem = f"no status socket: {error}; end the other trader, or set status.socket"
            await asyncio.Event().wait()
            return
        bound = identity(self.path)
        try:
            async with unix_serve(self._serve, sock=server, max_size=REQUEST_BYTES_MAX, compression=None):
                await asyncio.Event().wait()
        finally:
            remove_socket(self.path, bound)

    async def end(self) -> None:
        """Sends every viewer one last snapshot, so that the reason of an end is what they are left with."""
        self._taken_s = float("-inf")
        self._ending.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._left.wait()

    def _newest(self) -> str:
        """The snapshot of this refresh: taken for the first viewer that wants it, shared by the others."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._taken_s >= self._refresh_s * FRESH_SHARE:
            self._taken_s = now_s
            self._body = orjson.dumps(self._take()).decode()
        return self._body

    async def _serve(self, viewer: ServerConnection) -> None:
        if not is_welcome(viewer.transport.get_extra_info("socket")):
            await viewer.close(1008, "of another user")
            return
        if self._viewers >= self._viewers_max:
            await viewer.close(1013, "too many viewers")
            return
        self._viewers += 1
        self._left.clear()
        try:
            is_last = False
            while not is_last:
                is_last = self._ending.is_set()
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await viewer.send(self._newest())
                await self._pause()
        except (ConnectionClosed, TimeoutError):
            return
        finally:
            self._viewers -= 1
            if self._viewers == 0:
                self._left.set()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._refresh_s):
                await self._ending.wait()
