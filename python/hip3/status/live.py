"""The view kept on a terminal, for a run's own process and for an attached viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live

from hip3.status.snapshot import Snapshot
from hip3.status.view import render


class LiveView:
    """Draws a snapshot each `refresh_ms` until cancelled; `take` gives the snapshot of now."""

    def __init__(self, take: Callable[[], Snapshot], refresh_ms: int) -> None:
        self._take = take
        self._refresh_s = refresh_ms / 1000
        self._console = Console()

    def draw(self) -> RenderableType:
        """What the terminal shows now, for its present size."""
        return render(self._take(), self._console.width, self._console.height)

    async def run(self) -> None:
        """Keeps the terminal's alternate screen up to date; drawing happens on a thread of its own."""
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.to_thread(lambda: live.update(self.draw(), refresh=True))
                await asyncio.sleep(self._refresh_s)
