"""The alerting rules: they parse, name what a run exposes, and say the same as the trader's own rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from hip3.alerts.board import EVENT_NS
from hip3.alerts.conditions import BACKUP_AGE_MS_MAX, LEAVING_MS_MAX, OVERDUE_S_MAX
from hip3.alerts.rules import RULES, Rule, Severity
from hip3.venue.agent import LAST_DAY_MS, WARNING_MS

from ..docs.pages import read
from .exposed import DEPLOY, TARGET_LABELS, named_in, unknown_in

FILE = DEPLOY / "prometheus" / "hip3.rules.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
ALL = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in ALL if "record" in rule}
#: The trader's own rules by the names that they have in the file.
OWN = {"Hip3" + "".join(word.capitalize() for word in rule.name.split("-")): rule for rule in RULES}


def recorded_labels() -> dict[str, set[str]]:
    """The labels that a recorded metric has: those that its expression groups by, but for the bucket's."""
    return {name: (named_in(rule["expr"]).grouping - {"le"}) | TARGET_LABELS for name, rule in RECORDED.items()}


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_what_a_run_exposes(rule: dict[str, Any]) -> None:
    named = named_in(rule["expr"])
    assert named.metrics
    assert unknown_in(named, recorded_labels()) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_grave_it_is_what_it_means_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"Hip3([A-Z][a-z]+)+", name)
    assert re.fullmatch(r"\d+[sm]", rule.get("for", "1s"))
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {severity.word for severity in Severity}
    assert set(rule["annotations"]) == {"summary", "remedy", "runbook"}
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in read(path).anchors


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_metric_has_a_name_of_three_parts_and_its_target(name: str) -> None:
    assert set(RECORDED[name]) == {"record", "expr"}
    assert re.fullmatch(r"hip3:[a-z_]+:[a-z0-9]+_\d+[ms]", name)
    assert named_in(RECORDED[name]["expr"]).grouping >= TARGET_LABELS


def test_names_are_there_once() -> None:
    assert len(ALERTS) + len(RECORDED) == len(ALL)
    assert len({group["name"] for group in GROUPS}) == len(GROUPS)


def test_every_rule_of_the_trader_is_there_and_says_the_same() -> None:
    (own,) = (group["rules"] for group in GROUPS if group["name"] == "hip3")
    assert [rule["alert"] for rule in own] == list(OWN)
    for name, rule in OWN.items():
        found = ALERTS[name]
        assert found["labels"]["severity"] == rule.severity.word
        assert found.get("for") == (f"{rule.after_s:g}s" if rule.after_s else None)
        assert found["annotations"] == {
            "summary": rule.meaning,
            "remedy": rule.remedy,
            "runbook": f"docs/runbook.md#{rule.name}",
        }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_asks_for_an_alert_of_the_trader_asks_for_its_own(rule: Rule) -> None:
    (name,) = (name for name, own in OWN.items() if own is rule)
    asked = {value for _, label, value in named_in(ALERTS[name]["expr"]).values if label == "alert"}
    assert asked <= {rule.name}


def test_limits_are_those_of_the_trader() -> None:
    assert named_in(ALERTS["Hip3PositionStuck"]["expr"]).numbers == {LEAVING_MS_MAX / 1000, OVERDUE_S_MAX}
    assert BACKUP_AGE_MS_MAX / 1000 in named_in(ALERTS["Hip3BackupSilent"]["expr"]).numbers
    assert named_in(ALERTS["Hip3AgentLastDay"]["expr"]).numbers == {LAST_DAY_MS / 1000}
    assert named_in(ALERTS["Hip3AgentExpiring"]["expr"]).numbers == {LAST_DAY_MS / 1000, WARNING_MS / 1000}
    assert f"[{EVENT_NS // 60_000_000_000}m]" in ALERTS["Hip3PositionResync"]["expr"]


def test_the_job_is_the_one_that_the_example_scrapes() -> None:
    example = yaml.safe_load((DEPLOY / "prometheus" / "scrape.yml").read_text(encoding="utf-8"))
    (job,) = example["scrape_configs"]
    assert example["rule_files"] == [FILE.name]
    assert job["static_configs"][0]["targets"][0].startswith("127.0.0.1:")
    jobs = {value for rule in ALL for _, label, value in named_in(rule["expr"]).values if label == "job"}
    assert jobs == {job["job_name"]}


def test_promtool_reads_rules_and_example() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; the parser of the tests has read the expressions")
    subprocess.run(["promtool", "check", "rules", str(FILE)], check=True, capture_output=True)
    example = str(DEPLOY / "prometheus" / "scrape.yml")
    subprocess.run(["promtool", "check", "config", "--syntax-only", example], check=True, capture_output=True)
