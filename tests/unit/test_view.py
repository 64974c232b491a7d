"""The status view as text: golden pictures at three widths; no value is read as markup, nothing is cut at its edge."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hip3.status.view import render

DATA = Path(__file__).parents[1] / "data"
SNAPSHOT: dict[str, Any] = json.loads((DATA / "snapshot.json").read_text(encoding="utf-8"))


def picture(snapshot: dict[str, Any], width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(render(snapshot, width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_view_is_the_picture(width: int) -> None:
    golden = DATA / f"view_{width}.txt"
    assert picture(SNAPSHOT, width) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in picture(SNAPSHOT, width).splitlines()) <= width


def test_a_narrow_terminal_is_told_so() -> None:
    assert "widen the terminal" in picture(SNAPSHOT, 30)


def test_texts_of_the_venue_are_no_markup() -> None:
    assert "[bold]not markup[/bold]" in picture(SNAPSHOT, 120)


def test_a_link_that_is_down_and_a_loss_are_shown() -> None:
    snapshot = copy.deepcopy(SNAPSHOT)
    snapshot["header"] |= {"order_link": False, "pnl_usd": "-3.5", "venue": "mainnet", "state": "halted"}
    shown = picture(snapshot, 120)
    for word in ("order DOWN", "-3.50", "LIVE", "halted"):
        assert word in shown


def test_an_empty_trader_has_a_view() -> None:
    snapshot = {**SNAPSHOT, "positions": [], "markets": [], "orders": [], "exits": [], "alerts": []}
    assert "hip3" in picture(snapshot, 80)
