"""`make docs`: writes docs/configuration.md from the table of options; neither can say what the other does not."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from hip3.config import MARKET_OPTIONS
from hip3.options import Option, as_toml, table

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
HEAD = """\
# Configuration

Every option, from the table that the program itself reads. `hip3 config init` writes a file with all of them
(mode 0600); a file needs only those that differ.

```console
hip3 config init --path hip3.toml
hip3 config show --origin --config hip3.toml --set entry.threshold_bps=30
HIP3__ENTRY__THRESHOLD_BPS=30 hip3 config show --json
```

Sources, each over the one before: defaults, the file (`--config`, else `HIP3_CONFIG`, else the user's configuration
directory), the environment (`HIP3__SECTION__OPTION`), `--set section.option=value`, flags such as `--venue`. Unknown or
misspelt keys are refused with the nearest name, values outside their range with the range. Numbers that decide are
exact: write them as text (`"0.10"`) or as whole numbers.

*Reload* says which change a running trader takes over ([reload](control.md#reload)); without a word it takes a restart.
"""
#: What the words of `tightens` mean to people.
DIRECTIONS = {
    "up": "up",
    "down": "down",
    "down, 0 is none": "down, or from 0",
    "on": "to true",
    "off": "to false",
    "more": "more of them",
    "named": "from empty",
    None: "",
}
MARKETS = """\
## For one market

Under `[market."xyz:SILVER"]`, over the general option:

| option | instead of |
|---|---|
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for section, rows in groupby(table().values(), key=lambda row: row.key.partition(".")[0]):
        parts += [f"## {section}\n", "| option | default | range | unit | reload | why |\n|---|---|---|---|---|---|"]
        parts += [row_of(option) for option in rows]
        parts.append("")
    parts += [MARKETS + "\n".join(f"| `{name}` | `{key}` |" for name, key in MARKET_OPTIONS.items()), ""]
    return "\n".join(parts)


def row_of(option: Option) -> str:
    """One option as a row."""
    span = f"{option.min} to {option.max}" if option.min is not None else ""
    cells = (
        f"`{option.key}`",
        f"`{as_toml(option.default)}`",
        span,
        option.unit,
        DIRECTIONS[option.tightens],
        option.reason,
    )
    return f"| {' | '.join(cell.replace('|', ',') for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
