"""What `--help` tells besides the options, from `manual.toml`: purpose, examples, exit statuses, where to go on."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

#: What an exit status means, of whichever command. A page may say it in the words of its own command.
STATUSES = {
    0: "done",
    1: "a check or the run failed",
    2: "the command line or the configuration is wrong",
    3: "the venue, or the running trader, is not there or refuses",
    4: "stopped by a latch: kill, hard stop or halt",
    130: "interrupted by Ctrl-C",
}


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one command. A command without one has `--help` from its options alone."""

    text: str = ""
    #: Command lines, each with what it does.
    examples: tuple[tuple[str, str], ...] = ()
    #: Exit statuses that this command can end with.
    statuses: dict[int, str] = field(default_factory=dict)
    #: Further tables by their title, such as the environment variables.
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    see: tuple[str, ...] = ()

    def tail(self, width: int, explained_at: int) -> str:
        """What stands below the options."""
        parts = []
        if self.examples:
            shown = (f"{filled(told, width, '  ')}\n    {line}\n" for line, told in self.examples)
            parts.append("examples:\n" + "\n".join(shown))
        for title, rows in self.tables.items():
            parts.append(f"{title}:\n" + table_of(rows.items(), width, 2, explained_at))
        if self.statuses:
            rows = {str(status): told for status, told in self.statuses.items()}
            parts.append("exit status:\n" + table_of(rows.items(), width, 2, 8))
        if self.see:
            parts.append("see also:\n" + filled(", ".join(self.see), width, "  ") + "\n")
        return "".join(f"\n{part}" for part in parts)


def page(prog: str) -> Page:
    """The page of a command by its words, such as `hip3 config init`."""
    row = _tree().get(prog)
    if row is None:
        return Page()
    named = {int(status): told for status, told in row.get("statuses", {}).items()}
    return Page(
        text=row["text"],
        examples=tuple((line, told) for line, told in row.get("examples", [])),
        statuses={status: named[status] or STATUSES[status] for status in sorted(named)},
        tables=row.get("tables", {}),
        see=tuple(row.get("see", ())),
    )


def groups() -> dict[str, list[str]]:
    """The commands by what they are for, in the order of the first page."""
    found: dict[str, list[str]] = _tree()["groups"]
    return found


@cache
def _tree() -> dict[str, Any]:
    return tomllib.loads(resources.files("hip3").joinpath("manual.toml").read_text(encoding="utf-8"))


def filled(text: str, width: int, indent: str) -> str:
    """Paragraphs filled to the width; lines that begin with a space stay as they are."""
    parts = text.strip("\n").split("\n\n")
    done = (
        textwrap.indent(part, indent) if part.startswith(" ") else _lines(part, width, indent, indent) for part in parts
    )
    return "\n\n".join(done)


def table_of(rows: Iterable[tuple[str, str]], width: int, indent: int, explained_at: int) -> str:
    """Names with their explanations beside them, in one column where the names are short enough."""
    margin = " " * explained_at
    lines = []
    for name, told in rows:
        start = f"{'':{indent}}{name}"
        fits = len(start) + 2 <= explained_at
        first = f"{start:<{explained_at}}" if fits else margin
        if not fits:
            lines.append(start)
        lines.append(_lines(told, width, first, margin))
    return "".join(f"{line}\n" for line in lines)


def _lines(text: str, width: int, first: str, others: str) -> str:
    """The text in lines that break between words alone: an address or an option is never cut."""
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
