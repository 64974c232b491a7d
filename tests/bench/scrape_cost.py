"""What one scrape costs: a real run in this process, and the parts of a scrape timed beside its trading.

`python tests/bench/scrape_cost.py [SCENARIO]`; scenario `load` has 300 markets. `lock_ms` is how long the trader's
lock is held, in the event loop; the text is made on the server's thread.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack

from hip3.app import RunOptions, Session
from hip3.config import load
from hip3.metrics.collector import exposition
from hip3.metrics.reading import take
from hip3.startup import open_venue, prepare
from hip3.venue.http import HttpClient
from hip3.venue.info import Info

WARM_UP_S = 10.0
ROUNDS = 200
PAUSE_S = 0.05


async def measure(scenario: str, home: str) -> dict[str, float | int]:
    """The medians of `ROUNDS` scrapes."""
    config = load(None, [f"run.scenario={scenario}", f"status.socket={home}/s", f"control.latch={home}/KILL"])
    async with AsyncExitStack() as stack:
        where, signer = await open_venue(config, stack)
        assert signer is not None
        http = HttpClient(where.http_url, 3.0)
        stack.push_async_callback(http.close)
        session = Session(config, RunOptions(headless=True), await prepare(config, where, signer, Info(http)), http)
        run = asyncio.create_task(session.run())
        await asyncio.sleep(WARM_UP_S)
        times: dict[str, list[float]] = {"snapshot_ms": [], "lock_ms": [], "text_ms": []}
        body = b""
        for _ in range(ROUNDS):
            await asyncio.sleep(PAUSE_S)
            marks = [time.perf_counter()]
            session.snapshots.take()
            marks.append(time.perf_counter())
            reading = take(session)
            marks.append(time.perf_counter())
            body = b"".join(exposition(reading))
            marks.append(time.perf_counter())
            for name, begin, end in zip(times, marks, marks[1:], strict=False):
                times[name].append((end - begin) * 1000)
        session._interrupt()
        await run
    found = {name: round(statistics.median(values), 2) for name, values in times.items()}
    return {"markets": len(session.stage.markets), "bytes": len(body), **found}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(asyncio.run(measure((sys.argv[1:] or ["default"])[0], directory))))
