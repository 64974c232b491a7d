"""The parser of the command line: refusals on one line, and `--help` laid out as a page of a manual.

What a page says besides the options stands in `manual.toml`; which options there are stands in `cli.py`.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any, NoReturn

from hip3 import manual
from hip3.errors import UsageError
from hip3.options import as_toml, did_you_mean, table

#: Flags that set an option of the configuration, by their name in the parsed arguments.
FLAG_KEYS = {
    "venue": "venue.name",
    "mode": "run.mode",
    "seed": "run.seed",
    "scenario": "run.scenario",
    "record": "record.dir",
}
#: Wider lines are hard to read, however wide the terminal is.
COLUMNS_MAX = 100
#: The column in which explanations begin, where what they explain is short enough.
EXPLAINED_AT = 24
#: Characters of a refusal; a wrong word that is longer is not repeated as a whole.
MESSAGE_MAX = 300


class Parser(argparse.ArgumentParser):
    """Wrong words become one line with the nearest right one, and exit status 2.

    Options are never abbreviated: what is said on purpose (`--confirm-live`) is said in full.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"formatter_class": Layout, **kwargs, "allow_abbrev": False})

    def format_help(self) -> str:
        """The whole page: what it is for, its options, then examples, exit statuses and where to read on."""
        page = manual.page(self.prog)
        self.description = page.text or self.description
        return super().format_help() + page.tail(columns(), EXPLAINED_AT)

    def family(self) -> Iterator[Parser]:
        """This parser, and those of its verbs and of their actions."""
        yield self
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    yield from parser.family()

    def error(self, message: str) -> NoReturn:
        """Raises UsageError instead of printing the whole usage."""
        shown = message if len(message) <= MESSAGE_MAX else f"{message[:MESSAGE_MAX]}…"
        raise UsageError(f"{shown}; see `{self.prog} --help`")

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parses, and names the nearest option for one that is not known."""
        found, rest = super().parse_known_args(args, namespace)
        wrong = next((word for word in rest if word.startswith("-")), None)
        if wrong is not None:
            known = [o for action in self._actions for o in action.option_strings]
            word = wrong.partition("=")[0]
            longer = [option for option in known if option.startswith(word)]
            near = longer[:1] or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
            self.error(f"unknown option {wrong}" + (f"; did you mean {near[0]}?" if near else ""))
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Names the nearest verb for one that is not known."""
        if action.choices is not None and value not in action.choices:
            words = list(action.choices)
            near = did_you_mean(str(value), words) or f"; known: {', '.join(words)}"
            self.error(f"unknown {str(action.metavar).lower()} {value}{near}")


def columns() -> int:
    """The width of a page: that of the terminal, within reason."""
    return min(shutil.get_terminal_size().columns, COLUMNS_MAX)


class Layout(argparse.HelpFormatter):
    """Paragraphs are filled and indented lines kept; commands stand in groups; options tell unit and default."""

    def __init__(self, prog: str, **kwargs: Any) -> None:
        super().__init__(prog, **{"max_help_position": EXPLAINED_AT, "width": columns(), **kwargs})

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return manual.filled(text, width, indent)

    def _get_help_string(self, action: argparse.Action) -> str:
        told = action.help or ""
        key = FLAG_KEYS.get(action.dest) if action.default is None else None
        if key is not None:
            row = table()[key]
            default = as_toml(row.default) if row.default != "" else "none"
            return told + f" (default: {default}; option {key})".replace("%", "%%")
        is_told = action.option_strings and action.default not in (None, False, "", argparse.SUPPRESS, [])
        return told + (" (default: %(default)s)" if is_told else "")

    def _format_action(self, action: argparse.Action) -> str:
        if not isinstance(action, argparse._SubParsersAction):
            return super()._format_action(action)
        listed = {choice.dest: choice.help or "" for choice in action._choices_actions}
        return "".join(self._group(title, listed, verbs) for title, verbs in _grouped(listed))

    def _group(self, title: str, listed: dict[str, str], verbs: list[str]) -> str:
        heading = textwrap.indent(f"{title}:\n", " " * self._current_indent) if title else ""
        indent = self._current_indent + (2 if title else 0)
        rows = [(verb, listed[verb]) for verb in verbs]
        return heading + manual.table_of(rows, self._width, indent, EXPLAINED_AT)


def _grouped(listed: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Titles and verbs; actions of a verb stand under no title, verbs that no group names under the last."""
    left = list(listed)
    for title, verbs in manual.groups().items():
        found = [verb for verb in verbs if verb in left]
        if found:
            left = [verb for verb in left if verb not in found]
            yield title, found
    if left:
        yield ("" if len(left) == len(listed) else "more"), left
