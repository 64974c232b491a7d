"""`make pictures`: runs the trader on the simulated venue and draws the pictures of docs/ from what happened there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.research.record import read_lines

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
HIP3 = [sys.executable, "-m", "hip3"]
DURATION_S = 150
#: When the view is drawn: late enough for sparklines, positions and exits.
SNAPSHOT_S = 120
WIDTHS = (80, 200)
MARGIN_S = 1.5
THRESHOLD = Decimal("0.0040")
BACK = Decimal("0.0005")


@dataclass
class Trade:
    """One round trip: what was logged of it, with its times in seconds."""

    coin: str
    side: str
    entry_s: float
    edge_bps: str
    exit_s: float = 0.0
    fills: list[tuple[float, Decimal]] = field(default_factory=list)


def main() -> None:
    """Draws every picture anew."""
    with tempfile.TemporaryDirectory() as home:
        recording, log = Path(home) / "recording", Path(home) / "log"
        sets = ["--set", f"status.socket={home}/s.sock", "--set", f"control.latch={home}/KILL"]
        command = [*HIP3, "run", "--headless", "--json", "--seed", "7", "--duration", str(DURATION_S)]
        with log.open("w") as stderr:
            run = subprocess.Popen([*command, "--record", str(recording), *sets], stderr=stderr, stdout=stderr)
            time.sleep(SNAPSHOT_S)
            draw_status(sets)
            run.wait()
        rows = [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"time"')]
        trade = best(trades(rows))
        series = list(quotes(recording, trade))
    (PICTURES / "trade.svg").write_text(svg(trade, series), encoding="utf-8")


def draw_status(sets: list[str]) -> None:
    """The view at each width, as text and as SVG."""
    for width in WIDTHS:
        environment = {**os.environ, "COLUMNS": str(width)}
        picture = PICTURES / f"status-{width}.svg"
        subprocess.run([*HIP3, "status", "--svg", str(picture), *sets], check=True, env=environment)
        done = subprocess.run(
            [*HIP3, "status", "--once", *sets], check=True, env=environment, capture_output=True, text=True
        )
        (PICTURES / f"status-{width}.txt").write_text(done.stdout, encoding="utf-8")


def trades(rows: Iterable[dict[str, Any]]) -> list[Trade]:
    """The round trips of a log that ended by the exit rule."""
    opened: dict[str, Trade] = {}
    done = []
    for row in rows:
        at_s = datetime.fromisoformat(row["time"]).timestamp()
        coin = row.get("coin", "")
        if row["event"] == "entry_signal":
            opened[coin] = Trade(coin, row["side"], at_s, row["edge_bps"])
        elif row["event"] == "fill" and coin in opened:
            opened[coin].fills.append((at_s, Decimal(row["px"])))
        elif row["event"] == "exit" and row["reason"] == "mark_regression" and coin in opened:
            opened[coin].exit_s = at_s
            done.append(opened[coin])
        elif row["event"] == "order_end" and row["kind"] == "flatten":
            opened.pop(coin, None)
    return [trade for trade in done if len(trade.fills) == 2]


def best(found: list[Trade]) -> Trade:
    """A trade that shows something: of those held for some seconds, the one with the largest edge."""
    held = [trade for trade in found if 3 < trade.exit_s - trade.entry_s < 12] or found
    return max(held, key=lambda trade: Decimal(trade.edge_bps))


def quotes(recording: Path, trade: Trade) -> Iterable[tuple[float, Decimal, Decimal, Decimal]]:
    """`(seconds, oracle, bid, ask)` at each change around the trade."""
    oracle = bid = ask = Decimal(0)
    for recv_ns, line in read_lines(recording):
        at_s = recv_ns / 1e9
        if not line.startswith(b"{"):
            continue
        frame = json.loads(line)
        data = frame.get("data")
        if not isinstance(data, dict) or data.get("coin") != trade.coin:
            continue
        if frame["channel"] == "bbo":
            bid, ask = (Decimal(level["px"]) for level in data["bbo"])
        elif frame["channel"] == "activeAssetCtx":
            oracle = Decimal(data["ctx"]["oraclePx"])
        if oracle and bid and trade.entry_s - 2 * MARGIN_S < at_s < trade.exit_s + MARGIN_S:
            yield at_s, oracle, bid, ask


def svg(trade: Trade, series: list[tuple[float, Decimal, Decimal, Decimal]]) -> str:
    """The trade as a chart of time against price."""
    width, height, left, right, top, bottom = 900, 420, 70, 20, 50, 40
    begin, end = series[0][0], trade.exit_s + MARGIN_S
    sign = -1 if trade.side == "buy" else 1
    levels = [value for row in series for value in row[1:]]
    levels += [row[1] * (1 + sign * THRESHOLD) for row in series]
    low, high = min(levels), max(levels)
    pad = (high - low) / 15

    def x(at_s: float) -> float:
        return left + (at_s - begin) / (end - begin) * (width - left - right)

    def y(price: Decimal) -> float:
        return top + float((high + pad - price) / (high - low + 2 * pad)) * (height - top - bottom)

    def steps(pairs: Iterable[tuple[float, Decimal]], style: str) -> str:
        points, before = [], None
        for at_s, price in pairs:
            if before is not None:
                points.append(f"{x(at_s):.1f},{y(before):.1f}")
            points.append(f"{x(at_s):.1f},{y(price):.1f}")
            before = price
        assert before is not None
        points.append(f"{x(end):.1f},{y(before):.1f}")
        return f'<polyline fill="none" {style} points="{" ".join(points)}"/>'

    def text(at: float, down: float, words: str, style: str = "") -> str:
        return f'<text x="{at:.1f}" y="{down:.1f}" {style}>{words}</text>'

    dashed = 'stroke-dasharray="5 4" stroke-width="1.2"'
    oracle = [(row[0], row[1]) for row in series]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13"><rect width="100%" height="100%" fill="white"/>',
        text(
            left, 22, f"{trade.coin}: a {'long' if trade.side == 'buy' else 'short'} of one run", 'font-weight="bold"'
        ),
        text(left, 40, "oracle", 'fill="#c2410c"'),
        text(left + 60, 40, "bid and ask", 'fill="#1d4ed8"'),
        text(left + 150, 40, "threshold, 40 bps from the oracle", 'fill="#6b7280"'),
        text(left + 380, 40, "come back, 5 bps", 'fill="#15803d"'),
        steps([(t, p * (1 + sign * THRESHOLD)) for t, p in oracle], f'stroke="#6b7280" {dashed}'),
        steps([(t, p * (1 + sign * BACK)) for t, p in oracle], f'stroke="#15803d" {dashed}'),
        steps(oracle, 'stroke="#c2410c" stroke-width="2.5"'),
        steps([(row[0], row[2]) for row in series], 'stroke="#1d4ed8" stroke-width="1.6"'),
        steps([(row[0], row[3]) for row in series], 'stroke="#1d4ed8" stroke-width="1.6"'),
    ]
    (entry_s, entry_px), (exit_s, exit_px) = trade.fills
    for at_s, price, words in (
        (entry_s, entry_px, f"entry at {entry_px}, edge {Decimal(trade.edge_bps):.1f} bps"),
        (exit_s, exit_px, f"exit at {exit_px}, {exit_s - entry_s:.1f} s later"),
    ):
        parts.append(
            f'<line x1="{x(at_s):.1f}" x2="{x(at_s):.1f}" y1="{top}" y2="{height - bottom}" stroke="#d1d5db"/>'
        )
        parts.append(f'<circle cx="{x(at_s):.1f}" cy="{y(price):.1f}" r="6" fill="#111827"/>')
        anchor = "end" if x(at_s) > width / 2 else "start"
        shift = -12 if anchor == "end" else 12
        parts.append(text(x(at_s) + shift, top + 14, words, f'text-anchor="{anchor}"'))
    for step in range(5):
        price = low + (high - low) * step / 4
        parts.append(text(left - 8, y(price) + 4, f"{price:.6g}", 'text-anchor="end" fill="#374151" font-size="11"'))
    second = 0
    while begin + second < end:
        parts.append(text(x(begin + second), height - 14, f"{second} s", 'fill="#374151" font-size="11"'))
        second += 1
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
