"""The page about metrics: its expressions parse and name only what a run exposes."""

from __future__ import annotations

import pytest

from ..docs.pages import read
from .exposed import DEPLOY, named_in, unknown_in

PAGE = read("docs/metrics.md")
EXPRESSIONS = [line for kind, body in PAGE.blocks if kind == "text" for line in body.splitlines()]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_page_names_only_what_a_run_exposes(expression: str) -> None:
    named = named_in(expression)
    assert named.metrics
    assert unknown_in(named) == []


def test_every_file_for_prometheus_and_grafana_is_told_of() -> None:
    files = {
        f"../deploy/{path.relative_to(DEPLOY)}"
        for path in DEPLOY.rglob("*")
        if path.parent != DEPLOY and path.is_file()
    }
    assert files <= set(PAGE.targets)
