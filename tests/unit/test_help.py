"""`--help` is a page of a manual: complete, as wide as the terminal, with examples that can be typed as they stand."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from hip3 import cli, manual
from hip3.options import as_toml, table
from hip3.parser import COLUMNS_MAX, FLAG_KEYS, Parser

ROOT = Path(__file__).parents[2]


PROGS = [parser.prog for parser in cli.build_parser().family()]


def parser_of(prog: str) -> Parser:
    (found,) = (parser for parser in cli.build_parser().family() if parser.prog == prog)
    return found


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command prints that ends with status 0."""
    with pytest.raises(SystemExit) as end:
        cli.main(list(words))
    assert end.value.code == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


@pytest.mark.parametrize("prog", PROGS)
def test_a_page_fits_the_terminal_and_names_all_that_the_command_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, prog: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = shown(capsys, *prog.split()[1:], "--help")
    assert [line for line in page.splitlines() if len(line) > 80] == []
    for action in parser_of(prog)._actions:
        if action.help == argparse.SUPPRESS:
            continue
        assert isinstance(action, argparse._SubParsersAction) or action.help, action.dest
        names = list(action.choices or []) if isinstance(action, argparse._SubParsersAction) else [action.metavar]
        for name in action.option_strings or names:
            assert re.search(rf"^ +(-h, )?{re.escape(str(name))}\b", page, re.MULTILINE), name
    for part in ("usage", "options", "examples", "see also"):
        assert f"\n{part}:" in f"\n{page}"


@pytest.mark.parametrize("prog", PROGS)
def test_every_command_has_a_purpose_and_examples_that_parse(prog: str) -> None:
    page = manual.page(prog)
    assert page.text
    for line, told in page.examples:
        assert told.endswith(":")
        command = shlex.split(line.partition(" > ")[0])
        assert command[0] == "hip3"
        assert command[: len(prog.split())] == prog.split() or prog == "hip3"
        if command[1] != "help":
            assert cli.build_parser().parse_args(command[1:]).verb == command[1]


def test_the_manual_has_no_page_and_no_group_member_of_a_command_that_is_not_there() -> None:
    assert set(manual._tree()) - {"groups"} <= set(PROGS)
    known = {prog.removeprefix("hip3 ") for prog in PROGS}
    named = [verb for verbs in manual.groups().values() for verb in verbs]
    assert set(named) <= known
    assert len(named) == len(set(named))


@pytest.mark.parametrize("prog", PROGS)
def test_what_a_page_points_to_exists(prog: str) -> None:
    for target in manual.page(prog).see:
        there = (ROOT / target).is_file() if target.startswith("docs/") else target.removesuffix(" --help") in PROGS
        assert there, target


def test_the_first_page_tells_statuses_environment_and_files_and_groups_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = shown(capsys, "--help")
    for status in manual.STATUSES:
        assert re.search(rf"^  {status} ", page, re.MULTILINE)
    for word in ("HIP3_CONFIG", "HIP3_AGENT_KEY", "XDG_STATE_HOME", "hip3/KILL", "status.sock"):
        assert word in page
    assert "\n  more:" not in page


def test_a_command_that_no_group_names_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="hip3")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    verbs.add_parser("run", help="trade")
    verbs.add_parser("dance", help="to the music")
    assert (
        "  trade:\n    run                 trade\n  more:\n    dance               to the music\n"
        in parser.format_help()
    )


@pytest.mark.parametrize("flag", FLAG_KEYS)
def test_a_flag_that_sets_an_option_tells_its_default(flag: str) -> None:
    page = " ".join(parser_of("hip3 run").format_help().split())
    default = table()[FLAG_KEYS[flag]].default
    assert f"(default: {as_toml(default) if default != '' else 'none'}; option {FLAG_KEYS[flag]})" in page


@pytest.mark.parametrize(("columns", "width"), [(60, 60), (100, 100), (200, COLUMNS_MAX)])
def test_a_page_is_as_wide_as_the_terminal_within_reason(
    monkeypatch: pytest.MonkeyPatch, columns: int, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = parser_of("hip3 run").format_help().splitlines()
    prose = [line for line in lines if not line.startswith("    ")]
    assert width - 15 < max(len(line) for line in prose) <= width


@pytest.mark.parametrize("words", [[], ["run"], ["config", "init"]])
def test_help_as_a_verb_shows_the_same_page(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert shown(capsys, "help", *words) == shown(capsys, *words, "--help")


def test_help_for_a_command_that_is_not_there_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "config", "shwo"]) == 2
    assert capsys.readouterr() == ("", "hip3: unknown action shwo; did you mean show?; see `hip3 config --help`\n")
