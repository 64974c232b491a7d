"""Small texts of the view: numbers, spans, bars, sparklines. Pure; nothing here is read as markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What bars and sparklines are drawn with, lowest level first, and the words' arrows."""

    levels: str
    full: str
    empty: str
    arrow: str
    rule: str


UNICODE = Glyphs("▁▂▃▄▅▆▇█", "█", "·", "→", "─")
#: For terminals that are not UTF-8.
ASCII = Glyphs("_.:-=+*#", "#", ".", "->", "-")


def plain(value: Any) -> Text:
    """A text of the venue or the operator: control characters made visible."""
    return Text("".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value)))


def bps(text: str | float | None) -> str:
    """Basis points with one decimal."""
    return ABSENT if text is None else f"{float(text):.1f}"


def usd(text: str | None, *, signed: bool = False) -> str:
    """Dollars with two decimals."""
    if text is None:
        return ABSENT
    return f"{float(text):+,.2f}" if signed else f"{float(text):,.2f}"


def gain(text: str | None) -> Text:
    """Signed dollars, in the colour of their sign."""
    if text is None:
        return Text(ABSENT)
    return Text(usd(text, signed=True), style="green" if float(text) >= 0 else "red")


def span(seconds: float | None) -> str:
    """A length of time in the one or two units that matter."""
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def age(milliseconds: int | None) -> str:
    """An age: milliseconds under ten seconds."""
    if milliseconds is None:
        return ABSENT
    return f"{milliseconds} ms" if milliseconds < 10_000 else span(milliseconds / 1000)


def latency(ns: float) -> str:
    """A latency in microseconds, from ten milliseconds on in these."""
    return f"{ns / 1000:.0f} µs" if ns < 10_000_000 else f"{ns / 1_000_000:.0f} ms"


def bar(share: float, cells: int, glyphs: Glyphs) -> str:
    """A bar that is full at 1."""
    filled = min(cells, int(share * cells + 0.5))
    return glyphs.full * filled + glyphs.empty * (cells - filled)


def sparkline(points: Sequence[float | None], threshold: float, cells: int, glyphs: Glyphs) -> str:
    """The newest `cells` points against the threshold: the highest level is all of it; no edge at all stays blank."""
    top = len(glyphs.levels) - 1
    shown = list(points)[-cells:]
    drawn = "".join(
        " " if point is None or point < 0 else glyphs.levels[min(top, int(point / threshold * top))] for point in shown
    )
    return drawn.rjust(cells)


def threshold_text(row: dict[str, Any], glyphs: Glyphs, bar_cells: int) -> Text:
    """How near a market came to its threshold: `max 24.47 / 40 → 61%`, after a bar where there is room."""
    pct = row["threshold_pct"]
    style = "bold green" if pct >= 100 else "cyan" if pct >= 50 else ""
    told = f"max {row['max_edge_bps']:.2f} / {row['threshold_bps']:g} {glyphs.arrow} {pct:.0f}%"
    drawn = bar(pct / 100, bar_cells, glyphs) + " " if bar_cells else ""
    return Text(drawn + told, style=style)
