"""The way to mainnet as the page tells it, carried out against a venue on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..local_venue import LocalVenue, local_venue
from ..terminal import Terminal
from .pages import Page, Sitting, read, write_files

NOBODY = "0x1111111111111111111111111111111111111111"
IMPORT = "hip3 key import --config testnet.toml"


@pytest.mark.timeout(240)
def test_every_step_works_as_told(tmp_path: Path) -> None:
    page = read("docs/going-live.md")
    with local_venue(tmp_path) as venue:
        for path in write_files(page, tmp_path):
            path.write_text(path.read_text(encoding="utf-8").replace(NOBODY, venue.account), encoding="utf-8")
        alone = Sitting(tmp_path)
        there = Sitting(tmp_path, **venue.environment)
        for line in page.commands:
            if line == "hip3 check --config testnet.toml":
                take_in(page, venue, tmp_path)
            (there if "--venue" in line or ".toml" in line else alone).do(line)
    assert list((tmp_path / "state" / "hip3").glob("day-testnet-*.json")), "the day's loss is kept"
    assert list((tmp_path / "state" / "hip3").glob("day-mainnet-*.json"))
    assert "entries" in (tmp_path / "mainnet.txt").read_text(encoding="utf-8")


def take_in(page: Page, venue: LocalVenue, where: Path) -> None:
    """What somebody types at a terminal: the page's own command, and the answer to its question."""
    (told,) = (body for kind, body in page.blocks if kind == "text" and IMPORT in body)
    _, question, *said = told.splitlines()
    seat = Terminal(*IMPORT.split()[1:], where=where)
    seat.wait_for(question)
    seat.type(venue.key_file.read_text(encoding="utf-8") + "\n")
    done = seat.end()
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[1:] == said[1:]
    assert done.out.splitlines()[0] == f"agent {venue.agent.lower()}"
