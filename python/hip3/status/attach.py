"""`hip3 status`: attach to a running trader over its Unix socket."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from websockets.asyncio.client import unix_connect
from websockets.exceptions import WebSocketException

from hip3.config import Config
from hip3.control.verbs import act
from hip3.errors import CheckFailed, Hip3Error, UsageError, VenueRefused, VenueUnreachable
from hip3.status.choice import Request
from hip3.status.live import LiveView, console, is_unicode
from hip3.status.publish import check_owner, socket_path
from hip3.status.snapshot import VERSION, Snapshot
from hip3.status.view import WIDTH_MIN, render

#: From the first attempt to a snapshot that has come, all of it.
FIRST_SNAPSHOT_TIMEOUT_S = 5.0
#: A trader that does not say goodbye is left without.
CLOSE_TIMEOUT_S = 0.5
#: Lines of one picture on a terminal.
PICTURE_LINES = 60
SNAPSHOT_BYTES_MAX = 2**20
RECONNECT_PAUSE_S = 1.0
#: Signals that end the view in order, with the terminal put back; the exit status is 128 and the signal's number.
ENDING = (signal.SIGTERM, signal.SIGHUP)
NO_TRADER = "what answers on the status socket is no trader; name another with status.socket"
#: What the view reads of a snapshot, with its types.
SHAPE: dict[str, type] = {
    "time_ms": int,
    "header": dict,
    "positions": list,
    "markets": list,
    "orders": list,
    "fills": list,
    "exits": list,
    "exit_counts": list,
    "alerts": list,
    "refusals": dict,
}


def main(config: Config, once: bool, as_json: bool, svg: Path | None = None) -> int:
    """The live view on a terminal; one snapshot with `--once`, `--json`, or where there is no terminal."""
    path = socket_path(config, os.environ)
    if as_json or once or svg is not None or not sys.stdout.isatty():
        snapshot = asyncio.run(_first(path))
        if as_json:
            sys.stdout.write(orjson.dumps(snapshot).decode() + "\n")
        else:
            _picture(snapshot, svg)
        return 0
    return asyncio.run(_attach(config, path))


def _picture(snapshot: Snapshot, svg: Path | None) -> None:
    """One picture on standard output, or as an SVG file. Raises Hip3Error."""
    shown = console()
    if shown.width < WIDTH_MIN:
        raise UsageError(f"a terminal of {shown.width} columns is too narrow; widen it to {WIDTH_MIN}, or use --json")
    # What goes to a file or another program is complete.
    height = PICTURE_LINES if svg is None and sys.stdout.isatty() else None
    picture = render(snapshot, shown.width, height, unicode=is_unicode(shown))
    if svg is None:
        shown.print(picture)
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        recorder = Console(record=True, width=shown.width, file=nowhere, force_terminal=True, markup=False)
        recorder.print(picture)
        try:
            recorder.save_svg(str(svg), title="hip3 status")
        except OSError as error:
            raise CheckFailed(f"--svg: {svg}: {error.strerror}") from error


async def _first(path: Path) -> Snapshot:
    try:
        async with asyncio.timeout(FIRST_SNAPSHOT_TIMEOUT_S), _Connection(path) as viewer:
            return read(await viewer.recv())
    except (WebSocketException, TimeoutError) as error:
        why = str(error) or f"no snapshot within {FIRST_SNAPSHOT_TIMEOUT_S:g} s"
        raise VenueUnreachable(
            f"the trader at {path} shows nothing ({why}); is it stopped, or watched by too many?"
        ) from None


def read(text: str | bytes) -> Snapshot:
    """Decodes a snapshot; VenueRefused for what is none, or one of another version."""
    try:
        snapshot = orjson.loads(text)
        version = snapshot["version"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise VenueRefused(NO_TRADER) from None
    if version != VERSION:
        raise VenueRefused(f"the running trader speaks status version {version}, this one {VERSION}: update both")
    if not all(isinstance(snapshot.get(name), kind) for name, kind in SHAPE.items()):
        raise VenueRefused(NO_TRADER)
    found: Snapshot = snapshot
    return found


class _Connection:
    """A connection to the trader, or VenueUnreachable with the remedy."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._viewer: Any = None

    async def __aenter__(self) -> Any:
        check_owner(self._path)
        try:
            self._viewer = await unix_connect(
                str(self._path),
                max_size=SNAPSHOT_BYTES_MAX,
                compression=None,
                open_timeout=FIRST_SNAPSHOT_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
            )
        except TimeoutError:
            # Somebody listens there and says nothing, which is not the same as nobody.
            raise
        except (OSError, WebSocketException, EOFError) as error:
            raise VenueUnreachable(f"no trader at {self._path} ({error}); start one with `hip3 run`") from None
        return self._viewer

    async def __aexit__(self, *_: object) -> None:
        await self._viewer.close()


async def _attach(config: Config, path: Path) -> int:
    """The live view, and its exit status.

    A trader that ends leaves its last snapshot under a banner; another that starts is followed.
    """
    latest: tuple[Snapshot, float] = (await _first(path), time.monotonic())

    async def follow() -> None:
        nonlocal latest
        while True:
            try:
                async with _Connection(path) as viewer:
                    async for text in viewer:
                        latest = (read(text), time.monotonic())
            except (VenueUnreachable, WebSocketException, TimeoutError):
                pass
            await asyncio.sleep(RECONNECT_PAUSE_S)

    def take() -> tuple[Snapshot, float]:
        return latest[0], time.monotonic() - latest[1]

    async def do(request: Request) -> str:
        if request.verb == "quit":
            return ""
        try:
            return await asyncio.to_thread(act, config, request.verb, list(request.coins), request.confirmed)
        except Hip3Error as error:
            return str(error)

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not ended.done():
            ended.set_result(128 + number)

    for number in ENDING:
        loop.add_signal_handler(number, end, number)
    view = asyncio.create_task(LiveView(take, config.number("status.refresh_ms"), do).run())
    follower = asyncio.create_task(follow())
    try:
        first: list[asyncio.Future[Any]] = [view, follower, ended]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            for task in (view, follower):
                if task.done():
                    task.result()
    finally:
        for task in (view, follower):
            task.cancel()
        await asyncio.gather(view, follower, return_exceptions=True)
        for number in ENDING:
            loop.remove_signal_handler(number)
    return ended.result() if ended.done() else 0
