"""The terminal view: a pure function from a snapshot, what the viewer chose, and a size to what rich can draw."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from hip3.status import panels
from hip3.status.cells import ASCII, UNICODE, age, bps, plain, span, sparkline, threshold_text
from hip3.status.choice import HELP, SILENT_S, SORTS, Choice
from hip3.status.grid import Grid, beside, fit
from hip3.status.panels import Look
from hip3.status.snapshot import Snapshot

#: Narrower than this nothing can be told.
WIDTH_MIN = 40
KEYS = "?:help p:pause /:filter s:sort Enter:detail f:freeze F:flatten K:kill q:quit"
#: Rows of orders, fills and exits, at most.
RECENT_ROWS = 5
#: Alerts shown, fewer on a low terminal.
ALERTS_SHOWN = 4
HIGH = 36
#: Lines of a table besides its rows (title or blank, names, rule); of the counters.
TABLE_LINES = 3
COUNTER_LINES = 3
#: Market rows that the tables of what happened last leave room for.
MARKETS_MIN = 5
#: Widths of an order's state, widest first, tried until exits, orders and fills have room next to each other.
STATE_WIDTHS = (44, 20)
#: Only for measuring how many lines something takes; nothing is ever written to it.
_MEASURE = Console(file=io.StringIO(), color_system=None, markup=False, highlight=False, emoji=False)


class Pinned:
    """A body above a last line that is always on the screen: where both have no room, the body's end is cut off."""

    def __init__(self, body: RenderableType, last: Text, height: int) -> None:
        self._body = body
        self._last = last
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        free = options.update(height=None)
        height = max(1, self._height)
        last = console.render_lines(self._last, free, pad=False)[-height:]
        body = console.render_lines(self._body, free, pad=False)[: height - len(last)]
        lines = [*body, *last]
        for line in lines:
            yield from line
            yield Segment.line()


def render(
    snapshot: Snapshot,
    width: int,
    height: int | None = 60,
    choice: Choice | None = None,
    *,
    silent_s: float = 0.0,
    unicode: bool = True,
) -> RenderableType:
    """The whole view for a terminal of `width` columns and `height` lines; no value is read as markup.

    Without a `choice` it is a picture, else it has a line of keys. Without a `height` nothing is left out for want of
    room. `silent_s`: seconds since the last snapshot.
    """
    if width < WIDTH_MIN:
        return Text(f"widen the terminal to {WIDTH_MIN} columns or more", overflow="fold")
    look = Look(width, UNICODE if unicode else ASCII)
    prompt = _prompt(choice) if choice is not None else None
    room = None if height is None else height - (_lines_of(prompt, width) if prompt is not None else 0)
    body = Group(*_body(snapshot, look, room, choice, silent_s))
    return body if prompt is None or height is None else Pinned(body, prompt, height)


def _body(
    snapshot: Snapshot, look: Look, room: int | None, choice: Choice | None, silent_s: float
) -> list[RenderableType]:
    """All above the last line, for so many lines; it may still be longer where there is hardly any room."""
    parts: list[RenderableType] = []
    if silent_s > SILENT_S:
        parts.append(
            _banner(f"NO WORD from the trader since {_clock(snapshot)} ({span(silent_s)})", "bold white on red")
        )
    if choice is not None and choice.frozen is not None:
        parts.append(_banner(f"FROZEN at {_clock(snapshot)}; f goes on", "bold black on cyan"))
    parts.append(panels.header_lines(snapshot["header"], look, is_old=silent_s > SILENT_S))
    shown = None if room is None else ALERTS_SHOWN if room >= HIGH else 1
    alerts = snapshot["alerts"][:shown]
    if alerts:
        parts.append(panels.alerts(alerts, look))
    if choice is not None and choice.showing_help:
        # The page is read as a whole or not at all: alerts give way to it.
        page = [Text(), *(Text(line) for line in HELP)]
        if alerts and room is not None and _lines_of(Group(*parts, *page), look.width) > room:
            parts.pop()
        return [*parts, *page]
    if choice is not None and choice.detail and choice.selected is not None:
        return [*parts, _detail(snapshot, choice.selected, look)]
    left = None if room is None else room - _lines_of(Group(*parts), look.width)
    return parts + _tables(snapshot, look, left, choice)


def _lines_of(part: RenderableType, width: int) -> int:
    """How many lines it takes at this width."""
    return len(_MEASURE.render_lines(part, _MEASURE.options.update(width=width, height=None), pad=False))


def _banner(text: str, style: str) -> Text:
    return Text(f" {text} ", style=style)


def _clock(snapshot: Snapshot) -> str:
    return f"{datetime.fromtimestamp(snapshot['time_ms'] / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def chosen(snapshot: Snapshot, choice: Choice | None) -> list[dict[str, Any]]:
    """The markets that the viewer asked for, in the order asked for."""
    rows: list[dict[str, Any]] = snapshot["markets"]
    if choice is None:
        return rows
    wanted = choice.filter.lower()
    return sorted(
        (row for row in rows if wanted in row["market"].lower() + row["coin"].lower()), key=SORTS[choice.sort]
    )


def _tables(snapshot: Snapshot, look: Look, lines: int | None, choice: Choice | None) -> list[RenderableType]:
    """Positions, markets, and what happened last, in so many lines; the least important gives way first."""
    held = snapshot["positions"]
    above = len(held) + TABLE_LINES if held else 1
    rows = chosen(snapshot, choice)
    recent = RECENT_ROWS
    room = len(rows)
    if lines is not None:
        bands = len(_recent(snapshot, look, RECENT_ROWS))
        room = lines - above - 1 - TABLE_LINES
        recent = min(RECENT_ROWS, (room - MARKETS_MIN - COUNTER_LINES) // bands - TABLE_LINES)
        if recent > 0:
            room -= bands * (recent + TABLE_LINES) + COUNTER_LINES
    selected = choice.selected if choice is not None else None
    shown = _around(rows, selected, max(1, room))
    parts: list[RenderableType] = [
        panels.positions(held, look) if held else Text("no positions", style="dim"),
        Text(),
        panels.markets(shown, len(rows), look, order=_order(choice), selected=selected),
    ]
    if recent > 0:
        for band in _recent(snapshot, look, recent):
            parts += [Text(), beside(band)]
        parts += [Text(), panels.counters(snapshot, look)]
    return parts


def _order(choice: Choice | None) -> str:
    if choice is None:
        return "threshold"
    return f"{choice.sort}, filter {choice.filter}" if choice.filter else choice.sort


def _around(rows: Sequence[dict[str, Any]], selected: str | None, room: int) -> Sequence[dict[str, Any]]:
    """As many rows as there is room for, with the selected one among them."""
    place = next((i for i, row in enumerate(rows) if row["coin"] == selected), 0)
    first = max(0, min(place - room // 2, len(rows) - room))
    return rows[first : first + room]


def _recent(snapshot: Snapshot, look: Look, rows: int) -> list[list[Grid]]:
    """What happened last: tables that stand next to each other where they fit, in bands below each other."""
    exits = panels.exits(snapshot["exits"][:rows], look)
    last = snapshot["orders"][:rows]
    if look.size < 3:
        return [[exits], [panels.orders(last, look)]]
    fills = panels.fills(snapshot["fills"][:rows], look)
    for state_width in STATE_WIDTHS:
        orders = panels.orders(last, look, state_width)
        if fit([exits, orders, fills], look.width):
            return [[exits, orders, fills]]
    for state_width in STATE_WIDTHS:
        orders = panels.orders(last, look, state_width)
        if fit([exits, orders], look.width):
            return [[exits, orders], [fills]]
    return [[exits], [panels.orders(last, look)], [fills]]


def _detail(snapshot: Snapshot, coin: str, look: Look) -> RenderableType:
    """Everything about one market."""
    row = next((row for row in snapshot["markets"] if row["coin"] == coin), None)
    if row is None:
        return Text(f"{coin} is not traded any more")
    facts = [
        ("state", row["state"].replace("_", " ") + _for_how_long(row)),
        ("bid", f"{row['bid_px']} × {row['bid_sz']}, {age(row['book_age_ms'])} old"),
        ("ask", f"{row['ask_px']} × {row['ask_sz']}"),
        ("oracle", f"{row['oracle_px']}, {age(row['oracle_age_ms'])} old, moved {age(row['oracle_changed_ms'])} ago"),
        ("mark", str(row["mark_px"])),
        ("edge now", f"buy {bps(row['buy_edge_bps'])}, sell {bps(row['sell_edge_bps'])} bps"),
        ("edges seen", f"p50 {row['p50_bps']}, p90 {row['p90_bps']}, p99 {row['p99_bps']} bps"),
        ("updates", f"{row['updates']:,}"),
    ]
    lines = [Text.assemble((f"{name:<12}", "dim"), plain(told)) for name, told in facts]
    lines.append(Text.assemble((f"{'threshold':<12}", "dim"), threshold_text(row, look.glyphs, 20)))
    spark = sparkline(row["edges_bps"], row["threshold_bps"], len(row["edges_bps"]), look.glyphs)
    lines.append(Text.assemble((f"{'last 4 min':<12}", "dim"), (spark, "cyan")))
    parts: list[RenderableType] = [Text(), Text(row["market"] + "  " + coin, style="bold"), *lines]
    own = {name: [r for r in snapshot[name] if r["coin"] == coin] for name in ("positions", "exits", "orders", "fills")}
    for name, panel in (
        ("positions", panels.positions),
        ("exits", panels.exits),
        ("orders", panels.orders),
        ("fills", panels.fills),
    ):
        if own[name]:
            parts += [Text(), panel(own[name][:8], look)]
    return Group(*parts)


def _for_how_long(row: dict[str, Any]) -> str:
    """The rest of a blackout; one without a known end lasts until a restart."""
    if row["state"] != "blacked_out":
        return ""
    ends_in_s = row["blackout_ends_in_s"]
    return ": its times are known no further" if ends_in_s is None else f" for {span(ends_in_s)} more"


def _prompt(choice: Choice) -> Text:
    """The last line: a question, what is being typed, an answer, or the keys."""
    if choice.asking is not None:
        told = f"{choice.asking.told}: type {choice.asking.word} and Enter, Esc for no: {choice.typed}_"
        return Text(told, style="bold white on red")
    if choice.typing_filter:
        return Text(f"filter: {choice.typed}_  (Enter keeps it, Esc clears it)", style="reverse")
    return (
        Text(choice.answer, style="bold")
        if choice.answer
        else Text(KEYS, style="dim", overflow="ellipsis", no_wrap=True)
    )
