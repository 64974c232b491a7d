"""The view kept on a terminal, for a run's own process and for an attached viewer."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from rich.console import Console, RenderableType
from rich.live import Live

from hip3.status.choice import Choice, Request, press
from hip3.status.keyboard import Keyboard
from hip3.status.snapshot import Snapshot
from hip3.status.view import WIDTH_MIN, chosen, render

#: The snapshot to show and the seconds since it was taken.
Take = Callable[[], tuple[Snapshot, float]]
#: Does what a key asked for and says what came of it.
Act = Callable[[Request], Awaitable[str]]
#: Keys that wait to be handled; more are dropped.
KEYS_MAX = 64
#: No key: wakes the view when an answer has come.
WAKE = ""
#: What is told while a verb is under way.
ASKING = "asking the trader…"
BUSY = "the trader has not answered the last verb yet; this one was not sent"
#: How long the end of a view waits for a drawing under way, which would else land on the terminal put back.
DRAWING_ENDS_S = 1.0


def console() -> Console:
    """A console on which no text is markup. It follows `NO_COLOR`, `COLUMNS` and the terminal's own size."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks a character shows a question mark, and the trader goes on.
        sys.stdout.reconfigure(errors="replace")
    return Console(markup=False, highlight=False, emoji=False)


def is_unicode(console: Console) -> bool:
    """Whether bars and sparklines can be written to it."""
    return console.encoding.lower().startswith("utf")


class LiveView:
    """Draws a snapshot each `refresh_ms`, and at each key, until cancelled or quit."""

    def __init__(self, take: Take, refresh_ms: int, act: Act) -> None:
        self.choice = Choice()
        self._take = take
        self._refresh_s = refresh_ms / 1000
        self._act = act
        self._console = console()
        self._keys: asyncio.Queue[str] = asyncio.Queue(KEYS_MAX)
        self._asked: dict[str, asyncio.Task[str]] = {}

    def draw(self, snapshot: Snapshot, silent_s: float) -> RenderableType:
        """What the terminal shows now, for its present size."""
        size = self._console.size
        unicode = is_unicode(self._console)
        choice = self.choice
        if self._asked and not choice.answer:
            choice = replace(choice, answer=ASKING)
        return render(snapshot, size.width, size.height, choice, silent_s=silent_s, unicode=unicode)

    def _shown(self) -> tuple[Snapshot, float]:
        snapshot, silent_s = self._take()
        return (self.choice.frozen, 0.0) if self.choice.frozen is not None else (snapshot, silent_s)

    async def run(self) -> None:
        """Keeps the terminal's alternate screen up to date. The loop takes snapshots, a thread of its own draws."""
        drawing: asyncio.Future[None] | None = None
        with Keyboard(self._on_key), Live(console=self._console, screen=True, auto_refresh=False) as live:
            try:
                while True:
                    self._settle()
                    snapshot, silent_s = self._shown()
                    drawing = asyncio.ensure_future(asyncio.to_thread(self._refresh, live, snapshot, silent_s))
                    await asyncio.shield(drawing)
                    try:
                        async with asyncio.timeout(self._refresh_s):
                            key = await self._keys.get()
                    except TimeoutError:
                        continue
                    if key != WAKE and await self._press(key, snapshot):
                        return
            finally:
                for task in self._asked.values():
                    task.cancel()
                if drawing is not None:
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([drawing], timeout=DRAWING_ENDS_S)

    def _refresh(self, live: Live, snapshot: Snapshot, silent_s: float) -> None:
        live.update(self.draw(snapshot, silent_s), refresh=True)

    def _on_key(self, key: str) -> None:
        if not self._keys.full():
            self._keys.put_nowait(key)

    async def _press(self, key: str, snapshot: Snapshot) -> bool:
        """Takes a key that was pressed at this picture; whether the view ends with it."""
        request: Request | None
        if self._console.size.width < WIDTH_MIN:
            # Nothing can be read here, so nothing is taken but the way out.
            request = Request("quit") if key == "q" else None
        else:
            newest, silent_s = self._take()
            rows = chosen(snapshot, self.choice)
            self.choice, request = press(self.choice, key, snapshot, rows, newest, silent_s)
        if request is None:
            return False
        if request.verb == "quit":
            told = await self._act(request)
            self.choice = replace(self.choice, answer=told)
            return not told
        self._ask(request)
        return False

    def _ask(self, request: Request) -> None:
        """Begins a verb, and the view goes on meanwhile. One at a time; only a kill waits for no other."""
        if request.verb in self._asked or (self._asked and request.verb != "kill"):
            self.choice = replace(self.choice, answer=BUSY)
            return

        async def act() -> str:
            return await self._act(request)

        task = asyncio.create_task(act())
        task.add_done_callback(lambda _: self._on_key(WAKE))
        self._asked[request.verb] = task

    def _settle(self) -> None:
        """Takes the answers that have come; an error in place of one ends the view."""
        for verb, task in list(self._asked.items()):
            if task.done():
                del self._asked[verb]
                self.choice = replace(self.choice, answer=task.result())
