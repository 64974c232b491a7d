"""The command `hip3 sim`: its options, its port, its life from the ready line to the signal that ends it."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import re
import signal
import socket
import sys
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from hip3.clock import Clock
from hip3.errors import CheckFailed, ConfigError, Hip3Error, UsageError
from hip3.sim import playback
from hip3.sim import scenario as scenarios
from hip3.sim.journal import Journal
from hip3.sim.server import CLOSE_TIMEOUT_S, HOST, Replay, SimServer
from hip3.sim.wire import BadRequest


@dataclass(frozen=True, slots=True)
class Funding:
    """One `--fund`: collateral for an address at the start, `usdc` an exact decimal string."""

    address: str
    usdc: str
    unified: bool

    @classmethod
    def parse(cls, text: str) -> Funding:
        """Reads `ADDRESS=USDC[:unified]`. Raises UsageError."""
        found = re.fullmatch(r"(0x[0-9a-fA-F]{40})=([^:]+)(:unified)?", text)
        if found is None:
            raise UsageError(f"--fund {text}: ADDRESS=USDC[:unified] is needed, ADDRESS as 0x and 40 hex digits")
        try:
            usdc = Decimal(found[2])
        except InvalidOperation:
            raise UsageError(f"--fund {text}: {found[2]} is not a number") from None
        if not (usdc.is_finite() and 0 < usdc <= 10**12 and usdc == round(usdc, 6)):
            raise UsageError(f"--fund {text}: above 0, at most 10^12, at most 6 decimals")
        return cls(found[1].lower(), f"{usdc:f}", bool(found[3]))


def _listen(port: int) -> socket.socket:
    """A listening loopback socket. Raises ConfigError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use; --port 0 takes any free one") from error
        raise ConfigError(f"port {port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Ends the server when standard input reaches its end: the parent is gone."""
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


class _FailedInUse(CheckFailed):
    """The venue failed after it had said that it is ready."""


async def _serve(server: SimServer, listener: socket.socket, ready: dict[str, Any], parent_pipe: bool) -> int:
    """Serves until a signal or the parent's end. 130 after SIGINT, else 0."""
    loop, stop, status = asyncio.get_running_loop(), asyncio.Event(), 0

    def interrupted() -> None:
        nonlocal status
        status = 130
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if parent_pipe:
        _watch_parent(loop, stop)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    server.step()
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
    blocks = asyncio.create_task(server.run_blocks())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((blocks, stopping), return_when=asyncio.FIRST_COMPLETED)
    failure = blocks.exception() if blocks.done() else None
    for task in (blocks, stopping):
        task.cancel()
    await server.close()
    await runner.cleanup()
    if failure is not None:
        raise _FailedInUse(f"the venue failed in block {server.blocks}: {failure!r}") from failure
    return status


@dataclass(frozen=True, slots=True)
class Options:
    """What `hip3 sim` was asked for."""

    port: int
    seed: int
    scenario: str
    fund: list[str] = field(default_factory=list)
    deployer: list[str] = field(default_factory=list)
    log: str | None = None
    source: Path | None = None
    speed: float = 1.0
    parent_pipe: bool = False


def _deployers(texts: list[str]) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        dex, _, user = text.partition("=")
        if not dex or not re.fullmatch(r"0x[0-9a-fA-F]{40}", user):
            raise UsageError(f"--deployer {text}: DEX=ADDRESS is needed, ADDRESS as 0x and 40 hex digits")
        found.append((dex, user.lower()))
    return found


def main(options: Options) -> int:
    """Runs `hip3 sim` until it is told to end; the exit status. Raises Hip3Error.

    What keeps an embedded venue from its start is told in place of the ready line, and the parent says it.
    """
    try:
        return _run(options)
    except _FailedInUse:
        raise
    except Hip3Error as error:
        if not options.parent_pipe:
            raise
        sys.stdout.write(orjson.dumps({"refused": str(error), "status": error.exit_status}).decode() + "\n")
        return error.exit_status


def _run(options: Options) -> int:
    port, seed = options.port, options.seed
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: 0 to 65535")
    funded = [Funding.parse(text) for text in options.fund]
    deployers = _deployers(options.deployer)
    world, replay = scenarios.load(options.scenario), None
    if options.source is not None:
        if options.log is not None:
            raise UsageError("--log: a replay has its recording; choose one of --log and --from")
        if not 0.01 <= options.speed <= 1000:
            raise UsageError(f"--speed {options.speed:g}: 0.01 to 1000")
        replay = Replay(playback.scan(options.source), options.speed)
        world = playback.world(replay.recording, world)
    journal = Journal(options.log) if options.log is not None else None
    with _listen(port) as listener:
        server = SimServer(world, seed, Clock(), journal, replay)
        if journal is not None:
            journal.begin(options.scenario, seed, server.start_ms)
        for dex, user in deployers:
            try:
                server.venue.appoint(dex, user)
            except BadRequest as error:
                raise UsageError(f"--deployer {dex}={user}: {error}") from None
        for funding in funded:
            server.venue.fund(funding.address, funding.usdc, funding.unified)
        # The venue's start allocates what lives until the end; the collector need not walk it again.
        gc.collect()
        gc.freeze()
        bound = listener.getsockname()[1]
        ready = {
            "ws_url": f"ws://{HOST}:{bound}/ws",
            "http_url": f"http://{HOST}:{bound}",
            "dexs": [dex.name for dex in world.dexs],
            "markets": len(world.markets()),
            "scenario": world.name,
            "seed": seed,
        }
        try:
            return asyncio.run(_serve(server, listener, ready, options.parent_pipe))
        finally:
            if journal is not None:
                journal.end(server.venue.digest())
