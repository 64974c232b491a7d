"""The venue's own log: everything that came in, block by block, so that its state can be made again.

JSON lines. The first names scenario, seed and start; one for each block follows with its time and what was
taken in before it; the last has the hash of the state. `check` plays the log and compares.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from hip3.errors import CheckFailed, ConfigError
from hip3.sim import scenario as scenarios
from hip3.sim.incidents import MARKET_KINDS
from hip3.sim.rules import LimitRules

if TYPE_CHECKING:
    from hip3.sim.venue import Venue

FORMAT = 1


class Journal:
    """Writes the log. Raises ConfigError when the file cannot be made."""

    def __init__(self, path: str) -> None:
        try:
            self._file = Path(path).open("wb")  # noqa: SIM115 - it lives as long as the venue
        except OSError as error:
            raise ConfigError(f"--log {path}: cannot be written: {error.strerror}") from error

    def begin(self, scenario: str, seed: int, start_ms: int) -> None:
        """The first line."""
        self.write({"format": FORMAT, "scenario": scenario, "seed": seed, "start_ms": start_ms})

    def write(self, row: dict[str, Any]) -> None:
        """One line."""
        self._file.write(orjson.dumps(row) + b"\n")

    def end(self, digest: str) -> None:
        """The last line."""
        self.write({"end": digest})
        self._file.close()


def check(path: str) -> dict[str, Any]:
    """Plays a log; blocks, actions and the hash. Raises CheckFailed when the state differs, ConfigError."""
    try:
        lines = Path(path).read_bytes().splitlines()
        head = orjson.loads(lines[0])
        last = orjson.loads(lines[-1])
    except (OSError, IndexError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{path}: is not a venue's log: {error}") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ConfigError(f"{path}: is not a venue's log of format {FORMAT}")
    venue, taken, blocks = _venue(head), 0, 0
    for line in lines[1:]:
        row = orjson.loads(line)
        if "block" not in row:
            continue
        for item in row["in"]:
            _feed(venue, item)
            taken += 1
        if row["agents"]:
            venue.step(row["block"])
        else:
            venue.run_actions()
        venue.drain()
        blocks += 1
    found, wanted = venue.digest(), last.get("end")
    if wanted is None:
        raise CheckFailed(f"{path}: has no last line; the venue did not end in order")
    if found != wanted:
        raise CheckFailed(f"{path}: another state after {blocks} blocks: {found}, the venue had {wanted}")
    sums = venue.conservation()
    return {"blocks": blocks, "inputs": taken, "digest": found, **sums}


def _venue(head: dict[str, Any]) -> Venue:
    from hip3.sim.venue import Venue

    scenario = scenarios.load(head["scenario"])
    # The log has what got through: limits and faults of the wire have done their work.
    on_markets = tuple(incident for incident in scenario.incidents if incident.kind in MARKET_KINDS)
    unlimited = LimitRules(**{item.name: 0 for item in fields(LimitRules)})
    scenario = replace(scenario, incidents=on_markets, limits=unlimited)
    return Venue(scenario, head["start_ms"], head["seed"])


def _feed(venue: Venue, item: dict[str, Any]) -> None:
    if "exchange" in item:
        venue.exchange(item["exchange"], lambda _: None)
    elif "fund" in item:
        venue.fund(*item["fund"])
    elif "appoint" in item:
        venue.appoint(*item["appoint"])
    elif "incident" in item:
        venue.happen(item["incident"])


def main(path: str) -> int:
    """`hip3 sim --check`: prints what `check` found. Raises Hip3Error."""
    sys.stdout.write(orjson.dumps(check(path)).decode() + "\n")
    return 0
