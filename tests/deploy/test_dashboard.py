"""The dashboard: its shape, and that every expression parses and names only what a run exposes."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

from .exposed import DEPLOY, labels_by_metric, named_in, unknown_in

FILE = DEPLOY / "grafana" / "hip3.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
TARGETS = [(panel["title"], target) for panel in SHOWN for target in panel["targets"]]
#: What Grafana puts in by itself, and what stands there for the parser.
INTERVALS = {"$__rate_interval": "5m", "$__interval": "1m"}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
ASKED = re.compile(r"label_values\((.+), (\w+)\)")


def filled_in(expression: str) -> str:
    for name, value in INTERVALS.items():
        expression = expression.replace(name, value)
    return expression


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title}-{t['refId']}" for title, t in TARGETS])
def test_a_panel_names_only_what_a_run_exposes(title: str, target: dict[str, Any]) -> None:
    named = named_in(filled_in(target["expr"]))
    assert named.metrics
    assert unknown_in(named) == []
    for name, labels in named.metrics.items():
        assert "instance" in labels, f"{name} would mix every trader that is scraped"


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title}-{t['refId']}" for title, t in TARGETS])
def test_a_legend_names_only_labels_that_the_series_keep(title: str, target: dict[str, Any]) -> None:
    named = named_in(filled_in(target["expr"]))
    kept = named.grouping or set[str]().union(*(labels_by_metric()[name] for name in named.metrics))
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_is_whole(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"] == DATASOURCE
    assert panel["targets"]
    assert [target["refId"] for target in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]
    for target in panel["targets"]:
        assert target["datasource"] == DATASOURCE
        assert target["expr"].strip()


def test_ids_are_there_once_and_no_panel_lies_on_another() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_every_row_has_panels_and_panels_stand_in_their_order() -> None:
    tops = [panel["gridPos"]["y"] for panel in PANELS]
    assert tops == sorted(tops)
    kinds = [panel["type"] for panel in PANELS]
    assert kinds[0] == "row"
    assert ("row", "row") not in set(zip(kinds, [*kinds[1:], "row"], strict=True))


def test_every_variable_is_used_and_every_used_one_is_there() -> None:
    text = json.dumps(DASHBOARD)
    used = {a or b for a, b in re.findall(r"\$(?:\{(\w+)\}|(\w+))", text)} - {name.strip("$") for name in INTERVALS}
    assert used == set(VARIABLES)


@pytest.mark.parametrize("name", [name for name, v in VARIABLES.items() if v["type"] == "query"])
def test_a_variable_asks_for_a_label_that_is_exposed(name: str) -> None:
    variable = VARIABLES[name]
    assert variable["datasource"] == DATASOURCE
    assert variable["definition"] == variable["query"]["query"]
    asked = ASKED.fullmatch(variable["definition"])
    assert asked is not None
    named = named_in(asked[1])
    assert unknown_in(named) == []
    assert all(asked[2] in labels_by_metric()[metric] for metric in named.metrics)


def test_annotations_parse_too() -> None:
    for annotation in DASHBOARD["annotations"]["list"]:
        assert annotation["datasource"] == DATASOURCE
        assert unknown_in(named_in(filled_in(annotation["expr"]))) == []
