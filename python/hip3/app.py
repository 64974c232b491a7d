"""`hip3 run`: from a configuration to a run and its summary. What stands in the way of a start ends it here."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from hip3.clock import Clock
from hip3.config import Config
from hip3.control.latch import latch_path, latch_problem, read_latch
from hip3.errors import ConfigError, Stopped
from hip3.running.hangup import has_terminal
from hip3.running.parts import Parts
from hip3.running.session import Session
from hip3.startup import open_venue, prepare
from hip3.status.tables import summary_table
from hip3.venue.agent import refuse_unfit_key
from hip3.venue.http import HttpClient
from hip3.venue.info import Info

#: What of the log is not read for so long at the end of a run is left.
LOG_DRAIN_S = 1.0
Read = Callable[[], Config]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line adds to the configuration."""

    duration_s: float | None = None
    headless: bool = False
    json: bool = False
    confirm_live: bool = False
    master_key: bool = False


def main(config: Config, options: RunOptions, read: Read) -> int:
    """`hip3 run`: trades until the duration ends or a signal comes, then prints the summary.

    `read` gives the configuration anew, for a reload.
    """
    if config.text("venue.name") == "mainnet" and config.text("run.mode") == "live" and not options.confirm_live:
        raise ConfigError("live orders on mainnet need --confirm-live")
    latch = latch_path(config, os.environ)
    _refuse_latched(latch)
    if not has_terminal():
        # Until the run can take it: what asks a service to reload must not end one that is starting.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The backup thread must get the interpreter within a fraction of its interval.
    sys.setswitchinterval(0.0005)
    summary = asyncio.run(run(config, options, read))
    if options.json:
        sys.stdout.write(orjson.dumps(summary).decode() + "\n")
    else:
        Console().print(summary_table(summary, "run"))
    _refuse_latched(latch)
    if summary["stopped"]:
        # The latch could not be set: whoever starts runs must know all the same.
        raise Stopped(f"{summary['stopped']}; no latch could be set at {latch}: start nothing before you have looked")
    if summary["interrupted"]:
        return 130
    return 0


def _refuse_latched(path: Path) -> None:
    latch = read_latch(path)
    if latch is not None:
        raise Stopped(f"{latch.told()}; nothing trades while {path} is there, `hip3 unkill` lifts it")


async def run(config: Config, options: RunOptions, read: Read) -> dict[str, Any]:
    """One run from its preparation to its summary."""
    async with AsyncExitStack() as stack:
        session = await open_session(config, options, read, stack)
        return await session.run()


async def open_session(config: Config, options: RunOptions, read: Read, stack: AsyncExitStack) -> Session:
    """A run that is ready to begin; `stack` closes what it stands on. Raises Hip3Error for what stands in the way."""
    where, signer = await open_venue(config, stack)
    assert signer is not None
    http = HttpClient(where.http_url, config.number("links.http_timeout_ms") / 1000)
    stack.push_async_callback(http.close)
    problem = latch_problem(latch_path(config, os.environ))
    if problem and where.name != "sim" and config.text("run.mode") == "live":
        raise ConfigError(f"{problem}; name a place that can be written in control.latch")
    stage = await prepare(config, where, signer, Info(http))
    if stage.start.sends_orders:
        now_ms = Clock().now_ns() // 1_000_000
        refuse_unfit_key(where.name, stage.account, stage.approval, now_ms, master_allowed=options.master_key)
    on_screen = sys.stdout.isatty() and not options.headless and not options.json
    parts = Parts(config, stage, http, read, on_screen=on_screen, latch_problem=problem)
    if parts.lines is not None:
        stack.callback(parts.lines.close, LOG_DRAIN_S)
    return Session(parts, options.duration_s, on_screen=on_screen)
