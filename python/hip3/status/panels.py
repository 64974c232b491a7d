"""The parts of the view: each a pure function of its part of a snapshot and the width it may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from hip3.status.cells import (
    ABSENT,
    Glyphs,
    age,
    bar,
    bps,
    gain,
    latency,
    plain,
    span,
    sparkline,
    threshold_text,
    usd,
)
from hip3.status.grid import Cell, Grid

STATE_STYLES = {"trading": "green", "starting": "yellow", "reducing": "yellow", "halted": "bold red"}
MARKET_STYLES = {
    "ready": "green",
    "stale": "yellow",
    "halted": "bold red",
    "capped": "magenta",
    "blacked_out": "blue",
    "off": "dim",
}
VENUE_STYLES = {"sim": "bold black on cyan", "testnet": "bold black on yellow", "mainnet": "bold white on red"}
SEPARATOR = "   "

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """How much room there is, and what may be drawn. `size` grows with the width: 0 under 80 columns, up to 3."""

    width: int
    glyphs: Glyphs

    @property
    def size(self) -> int:
        """0: the bare necessities; 1: from 80 columns; 2: from 120; 3: from 160."""
        return sum(self.width >= least for least in (80, 120, 160))


def venue_word(header: Row) -> str:
    """Where the orders go, in one word: LIVE is real money."""
    if header["venue"] != "mainnet":
        return str(header["venue"]).upper()
    return "LIVE" if header["mode"] == "live" else "MAINNET"


def header_lines(header: Row, look: Look, *, is_old: bool = False) -> RenderableType:
    """Is it alive, is it fresh, what has it brought. `is_old`: nobody knows whether it still is so."""
    style = VENUE_STYLES.get(header["venue"], "reverse")
    state = header["state"].upper()
    first = Text.assemble(
        (f" {venue_word(header)} ", style),
        f" {header['mode']} ",
        ("(nothing is sent) " if header["mode"] == "observe" else "", "dim"),
        (f"was {state}", "dim") if is_old else (state, STATE_STYLES.get(header["state"], "")),
    )
    if header["state_why"]:
        first.append(": ").append_text(plain(header["state_why"]))
    whose = (first, Text(f"up {span(header['uptime_s'])}"), Text(header["account"]))
    money = (
        Text(f"equity {usd(header['equity_usd'])} USD"),
        Text.assemble(
            "day ",
            gain(header["day_pnl_usd"]),
            "  run ",
            gain(header["pnl_usd"]),
            f"  (fees {usd(header['fees_usd'])})",
        ),
    )
    counts = Text(f"entries {header['entries']}  exits {header['exits']}  fills {header['fills']}")
    if header["unknown_orders"]:
        counts.append(f"  unknown {header['unknown_orders']}", style="yellow")
    links = (_link(header, "order", is_old), _link(header, "data", is_old))
    budget = Text(f"requests left {_requests(header)}  in flight {header['in_flight']}/{header['in_flight_max']}")
    speed = [
        Text(f"{name} p50 {latency(row['p50'])} p99 {latency(row['p99'])}")
        for name, row, size in (
            ("frame to decision", header["frame_to_decision_ns"], 1),
            # Of every order; entries among them have waited for their batch.
            ("any order to wire", header["frame_to_wire_ns"], 2),
            ("exit to wire", header["exit_to_wire_ns"], 0),
        )
        if look.size >= size
    ]
    lines: tuple[Sequence[Text], ...]
    if look.size >= 3:
        lines = (whose, (*money, counts, *links), (*speed, budget))
    elif look.size == 2:
        lines = (whose, (*money, counts), links, speed, (budget,))
    elif look.size == 1:
        lines = (whose, money, (counts,), links, speed, (budget,))
    else:
        lines = (whose, money, links, speed)
    return Group(*(line for groups in lines for line in _flowing(groups, look.width)))


def _flowing(groups: Sequence[Text], width: int) -> list[Text]:
    """The groups in as few lines as they fit into; a line is broken between groups, not within one."""
    lines: list[Text] = []
    for group in groups:
        if lines and lines[-1].cell_len + len(SEPARATOR) + group.cell_len <= width:
            lines[-1].append(SEPARATOR).append_text(group)
        else:
            lines.append(group.copy())
    return lines


def _link(header: Row, name: str, is_old: bool) -> Text:
    if not header[f"{name}_link"]:
        return Text(f"{name} link DOWN", style="bold red")
    text = Text(f"{name} link ")
    text.append("up", style="dim" if is_old else "green").append(f", {age(header[f'{name}_age_ms'])}")
    drops = header[f"{name}_link_drops"]
    return text.append(f", {drops} drops" if drops else "")


def _requests(header: Row) -> str:
    if header["requests_cap"] is None:
        return ABSENT
    return f"{header['requests_left']:,} of {header['requests_cap']:,}"


#: A column: its name, whether it is set to the right, and the least `Look.size` that has it; -1: only size 0.
Column = tuple[str, bool, int]


def _grid(
    title: str,
    columns: Sequence[Column],
    look: Look,
    rows: Iterable[Row],
    cells_of: Callable[[Row], dict[str, Cell]],
    selected: str | None = None,
) -> Grid:
    """Rows under the columns that there is room for; the row of the selected market stands out."""
    shown = [(name, right) for name, right, size in columns if (look.size >= size if size >= 0 else look.size == 0)]
    grid = Grid(title, shown, look.glyphs.rule)
    for row in rows:
        cells = cells_of(row)
        grid.add([cells[name] for name, _ in shown], "reverse" if row["coin"] == selected else "")
    return grid


#: The least `Look.size` that has a column for the paths that watch.
ARMED_SIZE = 2
POSITIONS: tuple[Column, ...] = (
    ("market", False, 0),
    ("side", False, 0),
    ("size", True, 0),
    ("entry", True, 2),
    ("mark", True, 2),
    ("edge in", True, 1),
    ("now", True, 1),
    ("PnL", True, 0),
    ("bps", True, 1),
    ("held", True, 1),
    ("to exit", False, 0),
    ("armed", False, ARMED_SIZE),
    ("stop in", True, 3),
)


def positions(rows: Sequence[Row], look: Look) -> Grid:
    """What is held, what it is worth, and how far the book is from the exit."""

    def cells(row: Row) -> dict[str, Cell]:
        return {
            "market": plain(row["coin"]),
            "side": Text(row["side"], style="green" if row["side"] == "long" else "red"),
            "size": row["szi"].lstrip("-"),
            "entry": row["entry_px"],
            "mark": row["mark_px"] or ABSENT,
            "edge in": bps(row["entry_edge_bps"]),
            "now": bps(row["edge_bps"]),
            "PnL": gain(row["pnl_usd"]),
            "bps": bps(row["pnl_bps"]),
            "held": span(row["held_s"]),
            "to exit": _to_exit(row, look) if look.size >= ARMED_SIZE else _warned(row["armed"], _to_exit(row, look)),
            "stop in": span(row["time_stop_in_s"]),
            "armed": _armed(row["armed"]),
        }

    return _grid(f"positions ({len(rows)})", POSITIONS, look, rows, cells)


def _armed(paths: Sequence[str]) -> Text:
    """The paths that watch for the exit of a position."""
    if not paths:
        return Text("NONE", style="bold red")
    return Text("both") if len(paths) > 1 else Text(f"{paths[0]} only", style="yellow")


def _warned(paths: Sequence[str], told: Text) -> Text:
    """Where `armed` has no column: what is missing of it, first, since a narrow terminal cuts the end."""
    return told if len(paths) > 1 else Text.assemble(_armed(paths), " ", told)


def _to_exit(row: Row, look: Look) -> Text:
    if row["leaving"] is not None:
        reason, path = row["leaving"]["reason"], row["leaving"]["path"]
        told = (f"leaving ({path})", f"leaving: {reason}", f"leaving: {reason} ({path})")[max(0, look.size - 1)]
        return Text(told, style="bold yellow")
    if row["distance_bps"] is None:
        return Text(ABSENT)
    distance = float(row["distance_bps"])
    told = f"{distance:.1f} bps" if distance > 0 else "reached"
    if look.size < ARMED_SIZE and len(row["armed"]) < 2:
        return Text(told.removesuffix(" bps"))
    if row["exit_progress"] is None or look.size == 0:
        return Text(told)
    return Text(bar(row["exit_progress"], 8 if look.size < 3 else 16, look.glyphs) + " " + told)


MARKETS: tuple[Column, ...] = (
    ("market", False, 0),
    ("bid", True, 2),
    ("ask", True, 2),
    ("oracle", True, 2),
    ("book age", True, 3),
    ("oracle age", True, 3),
    ("buy", True, 0),
    ("sell", True, 0),
    ("last 4 min", False, 1),
    ("threshold", False, 1),
    ("of it", True, -1),
    ("updates", True, 3),
    ("state", False, 0),
)
#: Points of the sparkline, and cells of the threshold's bar, by `Look.size`.
SPARK_CELLS = (0, 10, 12, 24)
BAR_CELLS = (0, 0, 0, 12)


def markets(rows: Sequence[Row], total: int, look: Look, *, order: str, selected: str | None) -> Grid:
    """How near each market is to its threshold. `rows` are those that there is room for, of `total`."""

    def cells(row: Row) -> dict[str, Cell]:
        spark = sparkline(row["edges_bps"], row["threshold_bps"], SPARK_CELLS[look.size], look.glyphs)
        return {
            "market": plain(row["market"] if look.size >= 3 else row["coin"]),
            "bid": row["bid_px"] or ABSENT,
            "ask": row["ask_px"] or ABSENT,
            "oracle": row["oracle_px"] or ABSENT,
            "book age": age(row["book_age_ms"]),
            "oracle age": age(row["oracle_age_ms"]),
            "buy": bps(row["buy_edge_bps"]),
            "sell": bps(row["sell_edge_bps"]),
            "last 4 min": Text(spark, style="cyan"),
            "threshold": threshold_text(row, look.glyphs, BAR_CELLS[look.size]),
            "of it": f"{row['threshold_pct']:.0f}%",
            "updates": f"{row['updates']:,}",
            "state": Text(row["state"].replace("_", " "), style=MARKET_STYLES.get(row["state"], "")),
        }

    hidden = f", {total - len(rows)} more" if total > len(rows) else ""
    return _grid(f"markets ({total}) by {order}{hidden}", MARKETS, look, rows, cells, selected)


EXITS: tuple[Column, ...] = (
    ("exits", False, 0),
    ("reason", False, 0),
    ("path", False, 1),
    ("edge", True, 1),
    ("PnL", True, 0),
    ("held", True, 1),
    ("ago", True, 1),
)


def exits(rows: Sequence[Row], look: Look) -> Grid:
    """Why positions were left, through which path, and what each round trip brought."""

    def cells(row: Row) -> dict[str, Cell]:
        return {
            "exits": plain(row["coin"]),
            "reason": row["reason"],
            "path": row["path"],
            "edge": f"{bps(row['entry_edge_bps'])} {look.glyphs.arrow} {bps(row['exit_edge_bps'])}",
            "PnL": gain(row["pnl_usd"]),
            "held": span(row["held_s"]),
            "ago": span(row["age_s"]),
        }

    return _grid("", EXITS, look, rows, cells)


ORDERS: tuple[Column, ...] = (
    ("orders", False, 0),
    ("kind", False, 0),
    ("px", True, 1),
    ("filled", True, 1),
    ("state", False, 0),
    ("ago", True, 1),
)


#: Width of an order's state with its reason, by `Look.size`.
STATE_WIDTHS = (18, 20, 44, 44)


def orders(rows: Sequence[Row], look: Look, state_width: int | None = None) -> Grid:
    """The last orders and what became of them, each state with its reason in `state_width` at most."""
    room = STATE_WIDTHS[look.size] if state_width is None else state_width

    def cells(row: Row) -> dict[str, Cell]:
        state = plain(row["state"].replace("_", " "))
        if row["why"] and row["state"] not in ("filled", "sent", "queued"):
            state.append(": ").append_text(plain(row["why"]))
            state.truncate(room, overflow="ellipsis")
        return {
            "orders": plain(row["coin"]),
            "kind": f"{row['kind']} {row['side']}",
            "px": row["px"],
            "filled": f"{row['filled_sz']} of {row['sz']}",
            "state": state,
            "ago": span(row["age_s"]),
        }

    return _grid("", ORDERS, look, rows, cells)


FILLS: tuple[Column, ...] = (
    ("fills", False, 0),
    ("side", False, 0),
    ("px", True, 0),
    ("size", True, 0),
    ("fee", True, 1),
    ("ago", True, 1),
)


def fills(rows: Sequence[Row], look: Look) -> Grid:
    """The last fills."""

    def cells(row: Row) -> dict[str, Cell]:
        return {
            "fills": plain(row["coin"]),
            "side": row["side"],
            "px": row["px"],
            "size": row["sz"],
            "fee": usd(row["fee_usd"]),
            "ago": span(row["age_s"]),
        }

    return _grid("", FILLS, look, rows, cells)


def alerts(rows: Sequence[Row], look: Look) -> RenderableType:
    """What is wrong, and what to do about it."""
    lines = []
    for row in rows:
        style = "bold white on red" if row["severity"] == "critical" else "black on yellow"
        line = Text.assemble((f" {row['severity'].upper()} ", style), f" {row['name']} ({span(row['since_s'])}")
        line.append(f", {row['count']} times): " if row["count"] > 1 else "): ").append_text(plain(row["text"]))
        lines.append(line.append(f" {look.glyphs.arrow} ").append(row["remedy"], style="bold"))
    return Group(*lines)


def counters(snapshot: Row, look: Look) -> RenderableType:
    """Refused entries by gate, and exits by reason and path."""
    refused = {code: count for code, count in snapshot["refusals"].items() if code != "no_edge"}
    shown = [f"{code} {count:,}" for code, count in refused.items()][: 4 + 4 * look.size]
    exits_ = [f"{row['reason']} ({row['path']}) {row['count']}" for row in snapshot["exit_counts"]]
    return Group(
        Text("refused: " + (", ".join(shown) or "none"), style="dim"),
        Text("exits: " + (", ".join(exits_) or "none"), style="dim"),
    )
