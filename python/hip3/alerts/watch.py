"""`Watch`: once a second, judges the newest snapshot, keeps the board, and hands changes to the senders.

A part of the run like any other, and one that trading never waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hip3.alerts.board import AlertBoard, Change
from hip3.alerts.conditions import AlertLimits
from hip3.alerts.rules import Severity, judge
from hip3.alerts.send import MS, AlertSender, DeadMansPing, SendLimits
from hip3.alerts.services import ping_url, services_of
from hip3.clock import Clock
from hip3.config import Config

LOOK_S = 1.0
#: What a run waits for its last alerts when it ends.
CLOSE_TIMEOUT_S = 3.0
#: Takes a line of the log: its level, its event and its fields, as `Log.event` does.
LogEvent = Callable[..., object]


class Watch:
    """The board and its senders. Raises ConfigError when it is made, for addresses that cannot be used."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        board: AlertBoard,
        where: str,
        is_healthy: Callable[[], bool],
        log_event: LogEvent = lambda *_, **__: None,
    ) -> None:
        self._log_event = log_event
        self._board = board
        self._clock = clock
        self._limits = AlertLimits.read(config)
        services, url = services_of(config), ping_url(config)
        limits = SendLimits(
            severity_min=Severity[config.text("alerts.severity_min").upper()],
            repeat_ns=config.number("alerts.repeat_ms") * MS,
            hour_max=config.number("alerts.hour_max"),
        )
        self._sender = None if services is None else AlertSender(services, where, limits, clock)
        self._ping = DeadMansPing(url, config.number("alerts.ping_interval_ms"), is_healthy) if url else None

    @property
    def problems(self) -> list[str]:
        """What could not be delivered last."""
        return [part.problem for part in (self._sender, self._ping) if part is not None and part.problem]

    async def run(self, sample: Callable[[], dict[str, Any]]) -> None:
        """Looks until cancelled; `sample` takes a snapshot (status/snapshot.py)."""
        for thread in (self._sender, self._ping):
            if thread is not None:
                thread.start()
        while True:
            self.look(sample())
            await asyncio.sleep(LOOK_S)

    def look(self, snapshot: dict[str, Any]) -> None:
        """Judges one snapshot."""
        changes = self._board.update(self._clock.now_ns(), judge(snapshot, self._limits))
        for change in changes:
            self._log(change)
        if self._sender is not None:
            self._sender.offer(changes)

    def _log(self, change: Change) -> None:
        """A line for each alert that began or ended: the log is where somebody looks afterwards."""
        rule = change.rule
        if not change.raised:
            self._log_event("info", "alert_over", name=rule.name, text=change.text)
            return
        level = "error" if rule.severity is Severity.CRITICAL else "warning"
        self._log_event(level, "alert", name=rule.name, text=change.text, remedy=rule.remedy)

    def close(self) -> None:
        """Ends the threads; waits a little for what is queued. Blocks, so not for the event loop."""
        if self._ping is not None:
            self._ping.close()
        if self._sender is not None:
            self._sender.close(CLOSE_TIMEOUT_S)
