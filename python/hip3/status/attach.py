"""`hip3 status`: attach to a running trader over its Unix socket."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console, Group
from rich.text import Text
from websockets.asyncio.client import unix_connect
from websockets.exceptions import WebSocketException

from hip3.config import Config
from hip3.errors import VenueRefused, VenueUnreachable
from hip3.status.live import LiveView
from hip3.status.publish import socket_path
from hip3.status.snapshot import VERSION, Snapshot
from hip3.status.view import render

FIRST_SNAPSHOT_TIMEOUT_S = 5.0
SNAPSHOT_BYTES_MAX = 2**20
#: A viewer says that the trader is silent after this many seconds without a snapshot.
SILENT_S = 3.0


def main(config: Config, once: bool, as_json: bool) -> int:
    """The live view on a terminal; one snapshot with `--once`, `--json`, or where there is no terminal."""
    path = socket_path(config, os.environ)
    if as_json or once or not sys.stdout.isatty():
        snapshot = asyncio.run(_first(path))
        if as_json:
            sys.stdout.write(orjson.dumps(snapshot).decode() + "\n")
        else:
            console = Console()
            console.print(render(snapshot, console.width))
        return 0
    asyncio.run(_attach(path, config.number("status.refresh_ms")))
    return 0


async def _first(path: Path) -> Snapshot:
    async with _Connection(path) as viewer, asyncio.timeout(FIRST_SNAPSHOT_TIMEOUT_S):
        return read(await viewer.recv())


def read(text: str | bytes) -> Snapshot:
    """Decodes a snapshot; VenueRefused for one of another version."""
    snapshot: Snapshot = orjson.loads(text)
    if snapshot.get("version") != VERSION:
        raise VenueRefused(
            f"the running trader speaks status version {snapshot.get('version')}, this one {VERSION}: update both"
        )
    return snapshot


class _Connection:
    """A connection to the trader, or VenueUnreachable with the remedy."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._viewer: Any = None

    async def __aenter__(self) -> Any:
        try:
            self._viewer = await unix_connect(str(self._path), max_size=SNAPSHOT_BYTES_MAX, compression=None)
        except (OSError, WebSocketException) as error:
            raise VenueUnreachable(f"no trader at {self._path} ({error}); start one with `hip3 run`") from None
        return self._viewer

    async def __aexit__(self, *_: object) -> None:
        await self._viewer.close()


async def _attach(path: Path, refresh_ms: int) -> None:
    latest: list[Any] = [await _first(path), time.monotonic()]

    async def follow() -> None:
        while True:
            try:
                async with _Connection(path) as viewer:
                    async for text in viewer:
                        latest[:] = [read(text), time.monotonic()]
            except (VenueUnreachable, WebSocketException):
                await asyncio.sleep(1)

    class Attached(LiveView):
        def draw(self) -> Any:
            shown = super().draw()
            silent_s = time.monotonic() - latest[1]
            if silent_s > SILENT_S:
                return Group(Text(f" no word from the trader for {silent_s:.0f} s ", style="white on red"), shown)
            return shown

    follower = asyncio.create_task(follow())
    try:
        await Attached(lambda: latest[0], refresh_ms).run()
    finally:
        follower.cancel()
