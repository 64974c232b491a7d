"""The documentation says what the program does: options, refusals, exits and alerts, with their figures."""

from __future__ import annotations

import re

import orjson
import pytest
import yaml

from hip3._hip3 import EXIT_REASONS, Engine
from hip3.alerts.rules import RULES
from hip3.config import load
from hip3.execution.gates import EntryRefusal
from hip3.options import as_toml, table
from hip3.status.choice import HELP

from . import metrics_reference
from .pages import PAGES, ROOT, read
from .reference import PAGE, page

RULES_PAGE = "docs/rules.md"
OPTION = re.compile(rf"`((?:{'|'.join({key.partition('.')[0] for key in table()})})(?:\\.[a-z_]+)+)`")
#: Words that look like options and are not.
NOT_OPTIONS = {"control.log"}


def core() -> Engine:
    settings = load(environment={}).core_settings()
    return Engine(orjson.dumps(settings), 1)


def words(heading: str) -> list[str]:
    return [row[1].strip("`") for row in read(RULES_PAGE).rows(heading)]


def test_the_reference_is_the_table_of_options() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_table_of_metrics_is_what_a_run_exposes() -> None:
    text = metrics_reference.PAGE.read_text(encoding="utf-8")
    assert text == metrics_reference.page(text), "run `make docs`"


def test_every_refusal_of_the_core_has_its_number() -> None:
    codes = [name.removeprefix("refused_") for name in core().counters() if name.startswith("refused_")]
    assert words("Entries") == codes
    assert [row[0] for row in read(RULES_PAGE).rows("Entries")] == [f"E{i + 1}" for i in range(len(codes))]


def test_every_gate_of_the_trader_has_its_number() -> None:
    assert words("Gates") == [refusal.value for refusal in EntryRefusal]


def test_every_exit_reason_has_its_number() -> None:
    assert words("Exits") == list(EXIT_REASONS)


@pytest.mark.parametrize("heading", ["Entries", "Gates", "Exits"])
def test_the_figures_of_the_rules_are_the_defaults(heading: str) -> None:
    for row in read(RULES_PAGE).rows(heading):
        key, default = row[3].strip("`"), row[4]
        if key:
            assert default == as_toml(table()[key].default).strip('"'), key


@pytest.mark.parametrize("name", PAGES)
def test_every_option_that_is_named_exists(name: str) -> None:
    named = set(OPTION.findall((ROOT / name).read_text(encoding="utf-8"))) - NOT_OPTIONS
    assert named <= set(table())


def test_every_alert_has_its_part_in_the_runbook() -> None:
    parts = read("docs/runbook.md").headings[1:]
    told = {rule.name for rule in RULES}
    groups = yaml.safe_load((ROOT / "deploy/prometheus/hip3.rules.yml").read_text(encoding="utf-8"))["groups"]
    annotations = [rule["annotations"] for group in groups for rule in group["rules"] if "alert" in rule]
    told |= {annotation["runbook"].partition("#")[2] for annotation in annotations}
    assert sorted(parts) == sorted(told)


def test_every_key_of_the_view_is_told() -> None:
    keys = {line.split()[0] for line in HELP[: HELP.index("")]}
    told = " ".join(row[0] for row in read("docs/status.md").rows("Keys"))
    assert {key for key in keys if key.strip("`") not in told} == set()
