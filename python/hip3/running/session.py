"""`Session`: the course of one run, from its first task to its summary.

The end goes: no new entries, the position policy, the last read of the venue's account, backup and sockets down,
recording closed, summary.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import Any

from hip3 import __version__
from hip3.control.latch import HARD_STOP
from hip3.errors import VenueUnreachable
from hip3.execution.trader import TradingState
from hip3.running.ending import keep_day, latch, leave_positions, summary, venue_equity
from hip3.running.parts import Parts
from hip3.status.live import LiveView

#: Pause of the event loop's heartbeat, well under the backup's stall limit.
BEAT_S = 0.05
#: Pause between fetches of log notices.
LOG_S = 0.1
#: How often the end of the duration, the state and the backup are looked at.
LOOK_S = 0.25


class Session:
    """One run of these parts, for `duration_s` seconds or until a signal; `on_screen` with the view."""

    def __init__(self, parts: Parts, duration_s: float | None, *, on_screen: bool) -> None:
        self.parts = parts
        self.interrupted = False
        self._duration_s = duration_s
        self._on_screen = on_screen
        self._blacked_out: frozenset[str] = frozenset()
        self._stopping = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Trades until the duration ends, a signal comes or a part fails; returns the summary."""
        parts = self.parts
        self._take_signals()
        self._log_start()
        tasks = self._start_tasks()
        gc.collect()
        gc.freeze()
        self._start_threads()
        try:
            await self._until_stopped(tasks)
            parts.is_ending = True
            parts.trader.stop_entries(parts.clock.now_ns(), "the run is ending")
            await leave_positions(parts)
            equity_usd = await venue_equity(parts)
        finally:
            await self._take_down(tasks)
        parts.log.notices(parts.trader.take_notices())
        return summary(parts, equity_usd, interrupted=self.interrupted)

    def interrupt(self) -> None:
        """Ends the run in order."""
        self.interrupted = True
        self._stop()

    def _stop(self) -> None:
        self.parts.is_ending = True
        self._stopping.set()

    # --------------------------------------------------------------- begin

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    def _on_hangup(self) -> None:
        if self.parts.hangup.take():
            self.interrupt()

    def _log_start(self) -> None:
        parts = self.parts
        parts.log.event(
            "info",
            "run",
            version=__version__,
            venue=parts.stage.where.name,
            mode=parts.config.text("run.mode"),
            markets=len(parts.stage.markets),
            config=parts.config.fingerprint(),
        )

    def _start_tasks(self) -> list[asyncio.Task[None]]:
        parts = self.parts
        courses = [
            parts.order_link.run(),
            parts.data_link.run(),
            self._beat(),
            self._pass_on_notices(),
            parts.status.run(),
            parts.control.run(),
            parts.watch.run(parts.snapshots.sample),
            parts.budget.run(),
            parts.guard.run(self._hard_stop, self._leave_for_good),
            parts.approval.run(self._agent_ending),
        ]
        if self._on_screen:
            refresh_ms = parts.config.number("status.refresh_ms")
            courses.append(LiveView(lambda: (parts.snapshots.take(), 0.0), refresh_ms, parts.operator.act).run())
        return [asyncio.create_task(course) for course in courses]

    def _start_threads(self) -> None:
        if self.parts.config.switch("exit.backup"):
            self.parts.backup.start()
        self.parts.reader.start()
        if self.parts.metrics is not None:
            self.parts.metrics.start()

    # -------------------------------------------------------------- course

    async def _until_stopped(self, tasks: list[asyncio.Task[None]]) -> None:
        """Waits for the end of the duration or a signal; the failure of any part ends the run."""
        parts = self.parts
        stop = asyncio.create_task(self._stopping.wait())
        start_timeout_s = parts.config.number("run.start_timeout_ms") / 1000
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            while not stop.done():
                elapsed = loop.time() - begin
                if self._duration_s is not None and elapsed >= self._duration_s:
                    return
                if parts.trader.state is TradingState.STARTING and elapsed > start_timeout_s:
                    raise VenueUnreachable(f"not ready after {start_timeout_s:g} s: {parts.what_is_missing()}")
                if parts.trader.state is TradingState.HALTED:
                    await asyncio.to_thread(latch, parts)
                    return
                if parts.backup.failure is not None:
                    raise RuntimeError("the backup monitor failed") from parts.backup.failure
                left = LOOK_S if self._duration_s is None else min(LOOK_S, self._duration_s - elapsed)
                done, _ = await asyncio.wait([stop, *tasks], timeout=left, return_when="FIRST_COMPLETED")
                for task in done - {stop}:
                    task.result()
        finally:
            stop.cancel()

    async def _beat(self) -> None:
        parts = self.parts
        while True:
            if parts.stage.signer.is_killed and parts.trader.state is not TradingState.HALTED:
                parts.trader.halt("killed", parts.clock.now_ns())
                parts.log.event("error", "killed", remedy="hip3 unkill")
            parts.backup.beat()
            if parts.trader.state is TradingState.TRADING:
                parts.service.ready()
            parts.service.alive(parts.clock.now_ns())
            await asyncio.sleep(BEAT_S)

    async def _pass_on_notices(self) -> None:
        parts = self.parts
        while True:
            notices = parts.trader.take_notices()
            for notice in notices:
                parts.alerts.note(parts.clock.now_ns(), notice.event, notice.fields)
            parts.log.notices(notices)
            self._log_blackouts()
            await asyncio.sleep(LOG_S)

    def _log_blackouts(self) -> None:
        out = self.parts.blackouts.out(self.parts.clock.now_ns())
        if out != self._blacked_out:
            began, ended = (", ".join(sorted(coins)) for coins in (out - self._blacked_out, self._blacked_out - out))
            self.parts.log.event("info", "blackout", began=began, ended=ended)
            self._blacked_out = out

    # ------------------------------------------------------- what ends it

    def _hard_stop(self, why: str) -> None:
        """The day has lost too much: no entries from here on, and every position is left."""
        self.parts.trader.stop_entries(self.parts.clock.now_ns(), f"hard stop: {why}")
        self.parts.log.event("error", "hard_stop", why=why, remedy="understand the loss, then hip3 unkill")

    def _leave_for_good(self) -> None:
        """Ends the run once nothing is held; until then asks to leave, however long it takes."""
        self.parts.leaving.ask(HARD_STOP)
        if self.parts.leaving.is_done:
            self._stop()

    def _agent_ending(self, why: str) -> None:
        """The agent's last hour: no entries, so that nothing is held when nobody can leave it any more."""
        parts = self.parts
        if parts.trader.state is TradingState.TRADING:
            parts.trader.stop_entries(parts.clock.now_ns(), why)
            remedy = "make a new agent (docs/keys.md), then start anew"
            parts.log.event("error", "agent_ending", why=why, remedy=remedy)

    async def _take_down(self, tasks: list[asyncio.Task[None]]) -> None:
        """Every task, thread, socket and file of the run, in an order in which none needs another that is gone."""
        parts = self.parts
        parts.is_ending = True
        parts.service.stopping()
        parts.backup.stop()
        parts.reader.stop()
        parts.loop.stop()
        await parts.status.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.dispatcher.close(1.0)
        await asyncio.to_thread(keep_day, parts)
        await asyncio.to_thread(parts.watch.close)
        if parts.metrics is not None:
            await asyncio.to_thread(parts.metrics.close)
        if parts.recorder is not None:
            await asyncio.to_thread(parts.recorder.close)
        parts.service.close()
