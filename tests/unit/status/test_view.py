"""The status view as text: golden pictures at three widths; no value is read as markup, nothing is cut at its edge."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hip3.status.choice import Asking, Choice, Request
from hip3.status.view import render

DATA = Path(__file__).parents[2] / "data"
SNAPSHOT: dict[str, Any] = json.loads((DATA / "snapshot.json").read_text(encoding="utf-8"))


def picture(
    snapshot: dict[str, Any],
    width: int,
    height: int | None = 60,
    choice: Choice | None = None,
    *,
    silent_s: float = 0.0,
    unicode: bool = True,
) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, legacy_windows=False, markup=False, highlight=False)
    console.print(render(snapshot, width, height, choice, silent_s=silent_s, unicode=unicode))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def changed(**header: Any) -> dict[str, Any]:
    snapshot = copy.deepcopy(SNAPSHOT)
    snapshot["header"] |= header
    return snapshot


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_view_is_the_picture(width: int) -> None:
    golden = DATA / f"view_{width}.txt"
    assert picture(SNAPSHOT, width) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 120, 160, 200])
@pytest.mark.parametrize(
    "choice", [None, Choice(), Choice(showing_help=True), Choice(selected="xyz:SNDK", detail=True)]
)
def test_no_line_is_wider_than_the_terminal(width: int, choice: Choice | None) -> None:
    assert max(len(line) for line in picture(SNAPSHOT, width, 40, choice).splitlines()) <= width


@pytest.mark.parametrize("height", [24, 30, 36, 40, 50, 60])
@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_picture_is_higher_than_the_terminal(width: int, height: int) -> None:
    snapshot = copy.deepcopy(SNAPSHOT)
    snapshot["markets"] = [row | {"coin": f"xyz:M{n}"} for n in range(10) for row in snapshot["markets"]]
    lines = picture(snapshot, width, height, Choice()).splitlines()
    assert len(lines) <= height
    assert lines[-1].startswith("?:help")
    assert sum("ready" in line or "stale" in line for line in lines) >= 3


def test_a_narrow_terminal_is_told_so() -> None:
    assert "widen the terminal" in picture(SNAPSHOT, 30)


def test_texts_of_the_venue_are_no_markup_and_move_no_cursor() -> None:
    shown = picture(SNAPSHOT, 120)
    assert "[bold]not markup[/bold]" in shown
    assert "\x1b" not in shown


def test_a_link_that_is_down_and_a_loss_are_shown() -> None:
    shown = picture(changed(order_link=False, pnl_usd="-3.5", state="halted", state_why="killed"), 120)
    for word in ("order link DOWN", "-3.50", "HALTED: killed"):
        assert word in shown


@pytest.mark.parametrize(
    ("venue", "mode", "word"),
    [
        ("sim", "live", " SIM "),
        ("testnet", "live", " TESTNET "),
        ("mainnet", "live", " LIVE "),
        ("mainnet", "observe", " MAINNET "),
    ],
)
def test_the_first_word_says_where_the_orders_go(venue: str, mode: str, word: str) -> None:
    shown = picture(changed(venue=venue, mode=mode), 80)
    assert shown.startswith(word)
    assert ("nothing is sent" in shown) == (mode == "observe")


def test_an_empty_trader_has_a_view() -> None:
    lists = ("positions", "markets", "orders", "fills", "exits", "alerts", "exit_counts")
    empty: dict[str, Any] = {name: [] for name in lists}
    snapshot = changed(requests_cap=None, requests_left=None) | empty | {"refusals": {}}
    shown = picture(snapshot, 200)
    assert "no positions" in shown
    assert "refused: none" in shown


def test_a_silent_trader_has_a_banner_with_the_time_of_its_last_word() -> None:
    first = picture(SNAPSHOT, 80, silent_s=37.0).splitlines()[0]
    assert first.startswith(" NO WORD from the trader since 2026-")
    assert "(37 s)" in first
    assert "NO WORD" not in picture(SNAPSHOT, 80, silent_s=1.0)


def test_a_frozen_picture_says_so() -> None:
    assert picture(SNAPSHOT, 80, choice=Choice(frozen=SNAPSHOT)).startswith(" FROZEN at ")


def test_a_filter_leaves_the_markets_that_match() -> None:
    shown = picture(SNAPSHOT, 80, choice=Choice(filter="tsl"))
    assert "markets (1) by threshold, filter tsl" in shown
    assert "xyz:AMD " not in shown


def test_the_selected_market_is_always_among_those_shown() -> None:
    snapshot = copy.deepcopy(SNAPSHOT)
    snapshot["markets"] = [row | {"coin": f"xyz:M{n}"} for n in range(30) for row in snapshot["markets"][:1]]
    assert "xyz:M29" in picture(snapshot, 80, 45, Choice(selected="xyz:M29"))
    assert "xyz:M29" not in picture(snapshot, 80, 45, Choice())


def test_the_detail_of_a_market_has_its_sizes_and_its_orders() -> None:
    coin = SNAPSHOT["exits"][1]["coin"]
    shown = picture(SNAPSHOT, 120, choice=Choice(selected=coin, detail=True))
    assert "edges seen" in shown
    assert "time_stop" in shown
    gone = picture(SNAPSHOT, 120, choice=Choice(selected="xyz:GONE", detail=True))
    assert "xyz:GONE is not traded any more" in gone


def test_a_question_stands_in_the_last_line_with_what_was_typed() -> None:
    asking = Asking(Request("flatten"), "flatten", "leave every position now")
    last = picture(SNAPSHOT, 120, choice=Choice(asking=asking, typed="flat")).splitlines()[-1]
    assert last == "leave every position now: type flatten and Enter, Esc for no: flat_"


def test_a_terminal_without_unicode_gets_bars_of_ascii() -> None:
    shown = picture(SNAPSHOT, 200, unicode=False)
    assert not set(shown) & set("▁▂▃▄▅▆▇█·→─")
    assert "############" in shown


def many(count: int = 10) -> dict[str, Any]:
    snapshot = copy.deepcopy(SNAPSHOT)
    snapshot["markets"] = [row | {"coin": f"xyz:M{n}"} for n in range(count) for row in snapshot["markets"]]
    return snapshot


SIZES = [(40, 12), (40, 40), (60, 24), (80, 9), (80, 24), (120, 24), (200, 50)]
KILL = Asking(Request("kill"), "kill", "sign nothing more; positions and orders stay as they are")


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(
    "choice",
    [
        Choice(asking=KILL, typed="ki"),
        Choice(asking=KILL, typed="ki", showing_help=True),
        Choice(asking=KILL, typed="ki", selected="xyz:M3", detail=True),
    ],
)
def test_a_question_is_on_the_screen_at_every_size(width: int, height: int, choice: Choice) -> None:
    lines = picture(many(), width, height, choice, silent_s=9.0).splitlines()
    assert len(lines) <= height
    assert lines[-1].endswith("ki_")
    asked = " ".join(" ".join(lines[-4:]).split())
    assert "type kill and Enter, Esc for no: ki_" in asked


@pytest.mark.parametrize(("width", "height"), [*SIZES, (80, 3), (40, 1)])
@pytest.mark.parametrize(
    ("choice", "last"),
    [
        (Choice(), "?:help"),
        (Choice(showing_help=True), "?:help"),
        (Choice(selected="xyz:SNDK", detail=True), "?:help"),
        (Choice(answer="paused"), "paused"),
    ],
)
def test_the_last_line_is_on_the_screen_at_every_size(width: int, height: int, choice: Choice, last: str) -> None:
    lines = picture(SNAPSHOT, width, height, choice).splitlines()
    assert len(lines) <= height
    assert lines[-1].startswith(last)


def test_the_page_of_help_has_room_for_its_keys_on_a_low_terminal() -> None:
    shown = picture(SNAPSHOT, 60, 26, Choice(showing_help=True))
    assert "q        quit" in shown
    assert "to exit    how far" in shown


def test_without_a_height_every_row_is_there() -> None:
    shown = picture(many(), 80, None)
    assert all(f"xyz:M{n} " in shown for n in range(10))
    assert "more" not in shown.split("markets (80)")[1].splitlines()[0]
    assert "refused:" in shown


@pytest.mark.parametrize("width", [160, 170, 178, 185, 200, 230])
def test_no_table_of_what_happened_last_is_cut(width: int) -> None:
    shown = picture(SNAPSHOT, width, None)
    below = shown.split("exits     reason")[1]
    assert "fills      side" in below
    assert "─…" not in below
    assert "1.588  0.07  0.0 s" in below, "the last columns of the fills"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_a_path_that_does_not_watch_is_told_at_every_width(width: int) -> None:
    snapshot = copy.deepcopy(SNAPSHOT)
    snapshot["positions"][0]["armed"] = []
    lines = picture(snapshot, width).splitlines()
    (first,) = (line for line in lines if line.startswith("xyz:INTC   long"))
    (third,) = (line for line in lines if line.startswith("xyz:GOOGL  short"))
    assert "NONE" in first
    assert "backup" in third


def test_a_narrow_header_is_broken_between_its_groups() -> None:
    lines = picture(SNAPSHOT, 40).splitlines()
    assert "order link up, 12 ms, 2 drops" in lines
    assert "data link up, 13 ms" in lines
    assert "day +38.56  run +38.56  (fees 1.51)" in lines


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_latency_of_exits_is_there_at_every_width(width: int) -> None:
    assert "exit to wire p50 639 µs" in picture(SNAPSHOT, width)


def test_what_a_silent_trader_was_doing_is_no_news() -> None:
    console = Console(width=80, color_system="truecolor", force_terminal=True, file=io.StringIO(), record=True)
    console.print(render(SNAPSHOT, 80, silent_s=9.0))
    shown = console.export_text(styles=True).splitlines()[1]
    assert "\x1b[2mwas TRADING\x1b[0m" in shown
    assert "was" not in picture(SNAPSHOT, 80, silent_s=1.0)
