"""`hip3 replay`: a recording through the same trader again, decision by decision.

A recording of `hip3 run --record` holds every input in its order: frames of both sockets as they came,
and timers, sweeps, link changes and operator requests as lines of channel `hip3`. Feeding them to a
trader built from the recording's start line gives the same entries, exits and digest each time. A
recording of another collector has frames alone; it needs the start line of a run to say which markets
and settings it is to be judged by (`--settings RECORDING`).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from hip3._hip3 import Signer
from hip3.errors import ConfigError
from hip3.execution.session import SessionStart
from hip3.execution.summary import summarize
from hip3.execution.trader import Trader
from hip3.research.record import read_lines
from hip3.status.tables import summary_table

CONTROL_MARK = b'{"channel":"hip3"'
#: Replays sign with a key of no account: what they sign is never sent.
REPLAY_KEY = hashlib.sha256(b"hip3 replay").digest()


def control_of(line: bytes) -> dict[str, Any] | None:
    """The data of a control line; None for a frame."""
    if not line.startswith(CONTROL_MARK):
        return None
    data: dict[str, Any] = orjson.loads(line)["data"]
    return data


def feed(trader: Trader, now_ns: int, line: bytes) -> None:
    """Gives one recorded input to the trader, then discards what it would send."""
    control = control_of(line)
    if control is None:
        trader.on_frame(line, now_ns)
    else:
        _feed_control(trader, now_ns, control)
    while trader.take_outbound() is not None:
        pass


def _feed_control(trader: Trader, now_ns: int, control: dict[str, Any]) -> None:
    match control["kind"]:
        case "timer":
            trader.on_timer(now_ns)
        case "sweep":
            trader.sweep(now_ns)
        case "link":
            trader.on_link(control["up"], now_ns)
        case "unsent":
            trader.on_unsent(control["id"], control["why"], now_ns)
        case "lost":
            trader.on_lost(control["id"], now_ns)
        case "stop_entries":
            trader.stop_entries(now_ns, control.get("why", "entries stopped"))
        case "flatten":
            trader.flatten(control["reason"], now_ns, control.get("assets"))
        case "resume_entries":
            trader.resume_entries(now_ns)
        case "reconfigure":
            trader.reconfigure(orjson.dumps(control["settings"]), orjson.dumps(control["markets"]), now_ns)
        case "halt":
            trader.halt(control["why"], now_ns)
        case other:
            raise ConfigError(f"the recording has an input that this version does not know: {other}")


def find_start(path: Path) -> SessionStart:
    """The start line of a recording; ConfigError where it has none."""
    for _, line in read_lines(path):
        control = control_of(line)
        if control is not None and control["kind"] == "start":
            return SessionStart.from_data(control)
        break
    raise ConfigError(f"{path} does not begin with a start line; name a recording of hip3 run with --settings")


def replay(path: Path, settings: Path | None = None) -> tuple[Trader, int]:
    """Replays the recording; returns the trader at its end and the number of inputs."""
    trader = find_start(settings or path).build(Signer(bytearray(REPLAY_KEY), False))
    inputs = 0
    for now_ns, line in read_lines(path):
        control = control_of(line)
        if control is not None and control["kind"] == "start":
            continue
        feed(trader, now_ns, line)
        inputs += 1
    return trader, inputs


def main(path: Path, settings: Path | None, as_json: bool) -> int:
    """`hip3 replay`: prints the summary of a recording; JSON alone on standard output with `--json`."""
    trader, inputs = replay(path, settings)
    summary = summarize(trader) | {"inputs": inputs}
    if as_json:
        sys.stdout.write(orjson.dumps(summary).decode() + "\n")
    else:
        Console().print(summary_table(summary, f"replay of {path}"))
    return 0
