"""The documentation holds: its commands run and end as they should, its files load, its links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hip3.config import load

from .pages import PAGES, ROOT, Sitting, read, write_files

KINDS = {"text", "console", "toml", "json", "yaml"}
#: Pages whose commands reach for a named venue are carried out in test_going_live.
WITH_A_VENUE = {"docs/going-live.md"}


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_of_a_kind_that_is_tested(name: str) -> None:
    assert {kind for kind, _ in read(name).blocks} <= KINDS


def test_the_two_commands_stand_on_the_first_screen() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40]
    assert {"make run", "make test"} <= set(first)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [name for name in PAGES if name not in WITH_A_VENUE and read(name).commands])
def test_the_commands_run_in_their_order(name: str, tmp_path: Path) -> None:
    page = read(name)
    write_files(page, tmp_path)
    sitting = Sitting(tmp_path)
    try:
        for line in page.commands:
            if line.startswith("make") and not (ROOT / ".venv" / ".built").exists():
                continue
            # Running `make test` from inside itself would never end; that its recipe is whole can be asked. Packages
            # are built by tests of their own, which leave none in the checkout.
            sitting.do(re.sub(r"^make (?=test|wheel)", "make --dry-run ", line))
    finally:
        sitting.close()
    if (tmp_path / "summary.json").exists():
        live, again = (json.loads((tmp_path / f"{kind}.json").read_text()) for kind in ("summary", "replay"))
        assert [again[k] for k in ("entries", "exits", "digest")] == [live[k] for k in ("entries", "exits", "digest")]


@pytest.mark.parametrize("name", PAGES)
def test_the_configuration_files_load(name: str, tmp_path: Path) -> None:
    for path in write_files(read(name), tmp_path):
        config = load(path, environment={})
        assert any(str(path) in origin for origin in config.origins.values()) or config.markets


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in read(name).targets:
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), target
        if anchor:
            assert anchor in read(str(found.resolve().relative_to(ROOT))).anchors, target


def test_every_page_is_found_from_the_first() -> None:
    seen, left = set(), ["README.md"]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        targets = (target.partition("#")[0] for target in read(name).targets if not target.startswith("http"))
        found = (((ROOT / name).parent / target).resolve() for target in targets if target.endswith(".md"))
        left += [str(path.relative_to(ROOT)) for path in found if path.is_relative_to(ROOT / "docs")]
    assert seen == set(PAGES)
