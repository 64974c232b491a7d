"""`make docs`: writes the table of docs/metrics.md from what a run exposes; neither can say what the other does not."""

from __future__ import annotations

import re
from pathlib import Path

from hip3.metrics.families import FAMILIES
from hip3.metrics.family import Family

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
PART = re.compile(r"(?<=^## Every metric\n).*?(?=^## )", re.MULTILINE | re.DOTALL)
HEAD = """
| metric | type | labels | meaning |
|---|---|---|---|
"""


def page(text: str) -> str:
    """The page with the table of now."""
    rows = "\n".join(row_of(family) for family in FAMILIES)
    return PART.sub(lambda _: f"{HEAD}{rows}\n\n", text, count=1)


def row_of(family: Family) -> str:
    """One metric as a row."""
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.name}` | {family.kind} | {labels} | {family.meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
