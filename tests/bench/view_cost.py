"""What the status view costs: a snapshot for the trader, a picture for the viewer.

    python tests/bench/view_cost.py 2>/dev/null

One run in this process on the embedded venue, so that the figures are of a trader at work. Prints one JSON object:
medians in milliseconds, and the share of one core that snapshots take at the refresh of the configuration.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from rich.console import Console

from hip3.app import RunOptions, Session
from hip3.config import load
from hip3.startup import open_venue, prepare
from hip3.status.view import render
from hip3.venue.http import HttpClient
from hip3.venue.info import Info

WIDTHS = (80, 120, 200)


def median_ms(times: int, work: Callable[[], object]) -> float:
    """The median time of one call."""
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return round(statistics.median(spent) * 1000, 3)


async def measure(scenario: str, after_s: float, times: int) -> dict[str, object]:
    """Runs for `after_s` seconds, then measures while the run stands still."""
    config = load(None, [f"run.scenario={scenario}", "status.socket=/tmp/hip3-view-cost.sock"], {})
    async with AsyncExitStack() as stack:
        where, signer = await open_venue(config, stack)
        assert signer is not None
        http = HttpClient(where.http_url, 5.0)
        stack.push_async_callback(http.close)
        stage = await prepare(config, where, signer, Info(http))
        options = RunOptions(duration_s=after_s + times * 0.02 + 5, headless=True)
        session = Session(config, options, stage, http, lambda: config)
        run = asyncio.create_task(session.run())
        await asyncio.sleep(after_s)
        snapshot = session.snapshots.take()
        take_ms = median_ms(times, session.snapshots.take)
        console = Console(file=io.StringIO(), markup=False, highlight=False, force_terminal=True)
        drawn = {}
        for width in WIDTHS:
            console.width = width
            drawn[str(width)] = median_ms(times, lambda width=width: console.print(render(snapshot, width)))
        await run
    refreshes = 1000 / config.number("status.refresh_ms")
    return {
        "markets": len(snapshot["markets"]),
        "bytes": len(json.dumps(snapshot)),
        "snapshot_ms": take_ms,
        "share_of_a_core_pct": round(take_ms * refreshes / 10, 3),
        "picture_ms": drawn,
    }


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--after", type=float, default=20.0)
    parser.add_argument("--times", type=int, default=200)
    args = parser.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(measure(args.scenario, args.after, args.times))) + "\n")


if __name__ == "__main__":
    main()
