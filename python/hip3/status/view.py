"""The terminal view: a pure function from a snapshot to something rich can draw."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hip3.status.snapshot import Snapshot

VENUE_STYLES = {"sim": "black on cyan", "testnet": "black on yellow", "mainnet": "white on red"}
STATE_STYLES = {"trading": "green", "starting": "yellow", "reducing": "yellow", "halted": "bold red"}
#: Width from which the columns for ages and oracle are shown.
WIDE = 150
BAR_CELLS = 10


def render(snapshot: Snapshot, width: int, height: int = 50) -> RenderableType:
    """The whole view for a terminal of `width` columns and `height` lines; no value is read as markup."""
    if width < 40:
        return Text("widen the terminal to 40 columns or more", overflow="fold")
    wide = width >= WIDE
    parts: list[RenderableType] = [_header(snapshot["header"], wide)]
    if snapshot["positions"]:
        parts.append(_positions(snapshot["positions"], wide))
    rest = max(4, height - 16 - len(snapshot["positions"]))
    parts.append(_markets(snapshot["markets"][: max(3, rest - 6)], wide))
    parts.append(_orders(snapshot["orders"][:4], wide))
    if snapshot["exits"]:
        parts.append(_exits(snapshot["exits"][:4]))
    parts += [Text(f"{a['level']}: {a['event']} {a['text']}", style="yellow") for a in snapshot["alerts"][-2:]]
    return Group(*parts)


def _header(header: dict[str, Any], wide: bool) -> RenderableType:
    line = Text()
    word = "LIVE" if header["venue"] == "mainnet" else header["venue"].upper()
    line.append(f" {word} ", style=VENUE_STYLES.get(header["venue"], "reverse"))
    line.append(f" {header['mode']}  ")
    line.append(header["state"], style=STATE_STYLES.get(header["state"], ""))
    line.append(f"  up {header['uptime_s']:.0f} s  {header['account']}")
    links = Text("links ")
    for name in ("order", "data"):
        up = header[f"{name}_link"]
        links.append(f"{name} {'up' if up else 'DOWN'} ", style="green" if up else "bold red")
    links.append(f" data {header['data_age_ms']} ms old")
    money = Text(f"equity {float(header['equity_usd']):,.2f} USD  PnL ")
    pnl = float(header["pnl_usd"])
    money.append(f"{pnl:+,.2f}", style="green" if pnl >= 0 else "red")
    money.append(f"  entries {header['entries']}  exits {header['exits']}  fills {header['fills']}")
    decision, wire = header["frame_to_decision_ns"], header["exit_to_wire_ns"]
    speed = Text(f"frame to decision p50 {_us(decision['p50'])} p99 {_us(decision['p99'])}")
    speed.append(f"  exit to wire p99 {_us(wire['p99'])}  in flight {header['in_flight']}")
    lines = [line, Text.assemble(money, "  ", links), speed] if wide else [line, money, links, speed]
    return Panel(Group(*lines), title="hip3", title_align="left")


def _positions(rows: list[dict[str, Any]], wide: bool) -> RenderableType:
    table = Table(title="positions", title_justify="left", expand=True)
    columns = ["market", "size", "entry", "edge in", "edge now", "PnL", "held"]
    for name in columns:
        table.add_column(name, justify="left" if name == "market" else "right", no_wrap=True)
    for row in rows:
        pnl = Text("–") if row["pnl_usd"] is None else Text(f"{float(row['pnl_usd']):+.2f}")
        held = f"{row['held_s']:.0f} s" + (" leaving" if row["is_flattening"] else "")
        table.add_row(
            Text(row["coin"]),
            row["szi"],
            row["entry_px"],
            _bps(row["entry_edge_bps"]),
            _bps(row["edge_bps"]),
            pnl,
            held,
        )
    return table


def _markets(rows: list[dict[str, Any]], wide: bool) -> RenderableType:
    table = Table(title="markets, nearest to their threshold first", title_justify="left", expand=True)
    columns = ["market", "bid", "ask", "buy", "sell", "threshold", "state"]
    if wide:
        columns = [
            "market",
            "bid",
            "ask",
            "oracle",
            "ages ms",
            "buy",
            "sell",
            "threshold",
            "updates",
            "state",
        ]
    for name in columns:
        table.add_column(name, justify="left" if name in ("market", "threshold") else "right", no_wrap=True)
    for row in rows:
        ages = f"{_dash(row['book_age_ms'])}/{_dash(row['oracle_age_ms'])}"
        cells: dict[str, RenderableType] = {
            "market": Text(row["market"] if wide else row["coin"]),
            "bid": _dash(row["bid_px"]),
            "ask": _dash(row["ask_px"]),
            "oracle": _dash(row["oracle_px"]),
            "ages ms": ages,
            "buy": _bps(row["buy_edge_bps"]),
            "sell": _bps(row["sell_edge_bps"]),
            "threshold": threshold_bar(row, bar=wide),
            "updates": str(row["updates"]),
            "state": Text(row["state"], style="green" if row["state"] == "ready" else "yellow"),
        }
        table.add_row(*(cells[name] for name in columns))
    return table


def threshold_bar(row: dict[str, Any], *, bar: bool) -> Text:
    """How near a market came to its threshold: `max 24.47 / 40 → 61%`, with a bar where there is room."""
    pct = row["threshold_pct"]
    style = "bold green" if pct >= 100 else "cyan" if pct >= 50 else "dim"
    told = f"{row['max_edge_bps']:.2f} / {row['threshold_bps']:g} → {pct:.0f}%"
    if not bar:
        return Text(told, style=style)
    cells = min(BAR_CELLS, int(pct * BAR_CELLS / 100))
    return Text("█" * cells + "·" * (BAR_CELLS - cells) + " max " + told, style=style)


def _orders(rows: list[dict[str, Any]], wide: bool) -> RenderableType:
    table = Table(title="orders", title_justify="left", expand=True)
    for name in ("market", "kind", "side", "px", "filled", "state"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        state = row["state"] + (f" ({row['why']})" if wide and row["why"] else "")
        filled = f"{row['filled_sz']} of {row['sz']}"
        table.add_row(Text(row["coin"]), row["kind"], row["side"], row["px"], filled, Text(state))
    return table


def _exits(rows: list[dict[str, Any]]) -> RenderableType:
    table = Table(title="exits", title_justify="left", expand=True)
    for name in ("market", "reason", "path", "size", "at", "ago"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        cells = [Text(row["coin"]), row["reason"], row["path"], row["sz"], _dash(row["avg_px"])]
        table.add_row(*cells, f"{row['age_s']:.0f} s")
    return table


def _dash(value: Any) -> str:
    return "–" if value is None else str(value)


def _bps(text: str | None) -> str:
    return "–" if text is None else f"{float(text):.1f}"


def _us(ns: float) -> str:
    return f"{ns / 1000:.0f} µs" if ns < 10_000_000 else f"{ns / 1_000_000:.0f} ms"
