"""A trader at work in this process, on the embedded venue, for figures that are not of an idle one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from hip3.app import RunOptions, open_session
from hip3.config import load
from hip3.running.parts import Parts


@asynccontextmanager
async def trader_at_work(scenario: str, warm_up_s: float) -> AsyncIterator[Parts]:
    """The parts of a run that has traded for so long; the run ends in order when the block does."""
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        places = [f"status.socket={home}/s", f"control.latch={home}/KILL"]
        config = load(None, [f"run.scenario={scenario}", *places], {})
        session = await open_session(config, RunOptions(headless=True), lambda: config, stack)
        run = asyncio.create_task(session.run())
        await asyncio.sleep(warm_up_s)
        yield session.parts
        session.interrupt()
        await run
