"""What one scrape costs: the parts of a scrape timed beside a run's trading, in the same process.

    python tests/bench/scrape_cost.py [SCENARIO] 2>/dev/null

Scenario `load` has 300 markets. `lock_ms` is how long the trader's lock is held, in the event loop; the text is made
on the server's thread.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from itertools import pairwise

from at_work import trader_at_work

from hip3.metrics.collector import exposition
from hip3.metrics.reading import take

WARM_UP_S = 10.0
ROUNDS = 200
PAUSE_S = 0.05


async def measure(scenario: str) -> dict[str, float | int]:
    """The medians of `ROUNDS` scrapes."""
    times: dict[str, list[float]] = {"snapshot_ms": [], "lock_ms": [], "text_ms": []}
    body = b""
    async with trader_at_work(scenario, WARM_UP_S) as parts:
        for _ in range(ROUNDS):
            await asyncio.sleep(PAUSE_S)
            marks = [time.perf_counter()]
            parts.snapshots.take()
            marks.append(time.perf_counter())
            reading = take(parts)
            marks.append(time.perf_counter())
            body = b"".join(exposition(reading))
            marks.append(time.perf_counter())
            for name, (begin, end) in zip(times, pairwise(marks), strict=True):
                times[name].append((end - begin) * 1000)
        markets = len(parts.stage.markets)
    found = {name: round(statistics.median(values), 2) for name, values in times.items()}
    return {"markets": markets, "bytes": len(body), **found}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure((sys.argv[1:] or ["default"])[0]))))
