"""The way to mainnet as the page tells it, carried out against a venue on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..local_venue import local_venue
from .pages import Sitting, read, write_files

NOBODY = "0x1111111111111111111111111111111111111111"


@pytest.mark.timeout(240)
def test_every_step_works_as_told(tmp_path: Path) -> None:
    page = read("docs/going-live.md")
    with local_venue(tmp_path) as venue:
        for path in write_files(page, tmp_path):
            path.write_text(path.read_text(encoding="utf-8").replace(NOBODY, venue.account), encoding="utf-8")
        alone = Sitting(tmp_path)
        there = Sitting(tmp_path, **venue.environment)
        for line in page.commands:
            (there if "--venue" in line or ".toml" in line else alone).do(line)
    assert list((tmp_path / "state" / "hip3").glob("day-testnet-*.json")), "the day's loss is kept"
    assert list((tmp_path / "state" / "hip3").glob("day-mainnet-*.json"))
    assert "entries" in (tmp_path / "mainnet.txt").read_text(encoding="utf-8")
