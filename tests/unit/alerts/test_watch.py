"""What the watch does with the board's changes: a line of the log for each."""

from __future__ import annotations

from typing import Any

from hip3.alerts.board import AlertBoard, Change
from hip3.alerts.rules import BY_NAME
from hip3.alerts.watch import Watch
from hip3.clock import Clock
from hip3.config import load

STARTING = {"header": {"state": "starting"}}


class Board(AlertBoard):
    """A board that is told what has changed."""

    def __init__(self) -> None:
        super().__init__()
        self.next: list[Change] = []

    def update(self, now_ns: int, found: Any) -> list[Change]:
        changes, self.next = self.next, []
        return changes


def test_an_alert_and_its_end_are_in_the_log() -> None:
    lines: list[tuple[str, str, dict[str, str]]] = []
    board = Board()
    watch = Watch(
        load(None, [], environment={}),
        Clock(),
        board,
        "hip3 SIM",
        lambda: True,
        lambda level, event, **fields: lines.append((level, event, fields)),
    )
    killed, stale = BY_NAME["killed"], BY_NAME["markets-stale"]
    board.next = [Change(killed, "killed by me", raised=True), Change(stale, "3 markets", raised=True)]
    watch.look(STARTING)
    board.next = [Change(stale, "3 markets", raised=False)]
    watch.look(STARTING)
    watch.look(STARTING)
    assert lines == [
        ("error", "alert", {"name": "killed", "text": "killed by me", "remedy": killed.remedy}),
        ("warning", "alert", {"name": "markets-stale", "text": "3 markets", "remedy": stale.remedy}),
        ("info", "alert_over", {"name": "markets-stale", "text": "3 markets"}),
    ]
