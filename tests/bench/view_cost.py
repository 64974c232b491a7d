"""What the status view costs: a snapshot for the trader, a picture for the viewer.

    python tests/bench/view_cost.py [SCENARIO] 2>/dev/null

Scenario `load` has 300 markets. Prints one JSON object: medians in milliseconds while the run stands still, and the
share of one core that snapshots take at the refresh of the configuration.
"""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import sys
import time
from collections.abc import Callable

from at_work import trader_at_work
from rich.console import Console

from hip3.status.view import render

WIDTHS = (80, 120, 200)
WARM_UP_S = 20.0
ROUNDS = 200


def median_ms(work: Callable[[], object]) -> float:
    """The median time of one call."""
    spent = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return round(statistics.median(spent) * 1000, 3)


async def measure(scenario: str) -> dict[str, object]:
    """See the module's head."""
    async with trader_at_work(scenario, WARM_UP_S) as parts:
        snapshot = parts.snapshots.take()
        take_ms = median_ms(parts.snapshots.take)
        console = Console(file=io.StringIO(), markup=False, highlight=False, force_terminal=True)
        drawn = {}
        for width in WIDTHS:
            console.width = width
            drawn[str(width)] = median_ms(lambda width=width: console.print(render(snapshot, width)))
        refreshes = 1000 / parts.config.number("status.refresh_ms")
        return {
            "markets": len(snapshot["markets"]),
            "bytes": len(json.dumps(snapshot)),
            "snapshot_ms": take_ms,
            "share_of_a_core_pct": round(take_ms * refreshes / 10, 3),
            "picture_ms": drawn,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure((sys.argv[1:] or ["default"])[0]))))
