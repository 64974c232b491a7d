"""The command line: wrong words get one line and the nearest right one, every error its exit status."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from hip3 import __version__, cli, errors
from hip3.config import load
from hip3.errors import Hip3Error
from hip3.keys import command as keys_command
from hip3.metrics.service import token_of
from hip3.options import table

PRIVATE = "0x" + "5a" * 32


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HIP3_CONFIG", raising=False)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a command line is refused."""
    assert cli.main(list(words)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("hip3: ")
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["rnu"], "unknown command rnu; did you mean run?"),
        (["xyzzy"], "unknown command xyzzy; known: run, sim, replay"),
        (["config", "shwo"], "unknown action shwo; did you mean show?"),
        (["config"], "required: ACTION"),
        ([], "required: COMMAND"),
        (["run", "--headles"], "unknown option --headles; did you mean --headless?"),
        (["run", "--confirm"], "unknown option --confirm; did you mean --confirm-live?"),
        (["run", "--durtion=3"], "unknown option --durtion=3; did you mean --duration?"),
        (["status", "--onec"], "unknown option --onec; did you mean --once?"),
        (["config", "show", "--jsn"], "unknown option --jsn; did you mean --json?"),
        (["run", "now"], "unrecognized arguments: now"),
        (["run", "--duration"], "--duration: expected one argument"),
        (["run", "--duration", "soon"], "'soon' is no number of seconds"),
        (["run", "--duration", "0"], "0 is not above 0 and below 10^8 seconds"),
        (["run", "--duration", "nan"], "nan is not above 0"),
        (["run", "--seed", "x"], "--seed"),
        (["pause", "--set", "a=\udcff"], "pause: a=\\udcff is not UTF-8"),
        (["flatten", "xyz:GOLD", "\udcff"], "flatten: \\udcff is not UTF-8"),
        (["\udcff"], "unknown command \\udcff"),
        (["config", "show", "--set", "venue.nam=sim"], "unknown option venue.nam; did you mean venue.name?"),
        (["config", "show", "--venue", "testnt"], "--venue: venue.name: testnt is not one of"),
        (["config", "show", "--config", "/nowhere/x.toml"], "/nowhere/x.toml: no such file"),
        (["run", "--seed", "-1"], "--seed: run.seed: -1 is not within"),
        (["run", "--venue", "mainnet"], "live orders on mainnet need --confirm-live"),
    ],
)
def test_wrong_words_are_refused_on_one_line(capsys: pytest.CaptureFixture[str], words: list[str], why: str) -> None:
    assert why in refused(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["run", f"--agent-key={PRIVATE}"],
        ["run", "--agent-key", PRIVATE],
        ["run", PRIVATE],
        [PRIVATE],
        ["config", "show", "--set", PRIVATE],
        ["config", "show", "--set", f"account.vault={PRIVATE}"],
        ["config", "show", "--set", f"account.{PRIVATE}=1"],
        ["config", "show", "--venue", PRIVATE[2:]],
        ["config", "show", "--config", PRIVATE],
        ["sim", "--fund", f"{PRIVATE}=5"],
    ],
)
def test_a_private_key_on_the_command_line_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert "5a5a5a" not in refused(capsys, *words)


STATUSES = {
    "CheckFailed": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "VenueUnreachable": 3,
    "VenueRefused": 3,
    "Stopped": 4,
}


def test_every_error_has_its_place_in_the_table_of_statuses() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Hip3Error)}
    assert kinds - {"Hip3Error"} == set(STATUSES)
    assert errors.__doc__ is not None
    assert all(f"{name:<16} {status} " in errors.__doc__ for name, status in STATUSES.items())


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_an_error_is_one_line_and_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, status: int
) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise getattr(errors, name)(f"two\nlines and \x1b[31m{PRIVATE}")

    monkeypatch.setattr(cli, "dispatch", fail)
    assert cli.main(["run"]) == status
    assert capsys.readouterr() == ("", "hip3: two lines and [31m<hidden>\n")


def test_an_interrupt_ends_with_130_and_success_with_the_verbs_own_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "dispatch", interrupt)
    assert cli.main(["run"]) == 130
    monkeypatch.setattr(cli, "dispatch", lambda _: 0)
    assert cli.main(["run"]) == 0


def test_our_own_bugs_are_not_dressed_up_as_foreseen_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "dispatch", lambda _: {}["bug"])
    with pytest.raises(KeyError):
        cli.main(["run"])


def test_flags_win_over_set_and_name_themselves_as_origin() -> None:
    words = ["run", "--set", "run.seed=3", "--set", "run.mode=live", "--seed", "7", "--mode", "observe"]
    words += ["--venue", "testnet", "--scenario", "load", "--record", "/tmp/r"]
    config = cli.load_config(cli.build_parser().parse_args(words))
    flags = {
        key: (config.values[key], config.origins[key]) for key in config.origins if config.origins[key] != "default"
    }
    assert flags == {
        "venue.name": ("testnet", "--venue"),
        "run.mode": ("observe", "--mode"),
        "run.seed": (7, "--seed"),
        "run.scenario": ("load", "--scenario"),
        "record.dir": ("/tmp/r", "--record"),
    }


def show(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["config", "show", *words]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_config_show_json_is_one_object_with_every_option_and_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--json", "--set", "entry.threshold_bps=41.5", "--set", "market.xyz:GOLD.threshold_bps=9"]
    text = show(capsys, *words)
    assert text.count("\n") == 1
    shown: dict[str, Any] = orjson.loads(text)
    assert set(shown) == {"options", "markets"}
    assert set(shown["options"]) == set(table())
    assert shown["options"]["entry.threshold_bps"] == {"value": "41.5", "origin": "--set"}
    assert shown["options"]["run.seed"] == {"value": 1, "origin": "default"}
    assert shown["markets"] == {"xyz:GOLD": {"threshold_bps": {"value": "9", "origin": "--set"}}}


def test_config_show_is_itself_a_configuration_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--set", "entry.threshold_bps=41.5", "--set", "market.xyz:GOLD.enabled=false", "--venue", "testnet"]
    path = tmp_path / "shown.toml"
    path.write_text(show(capsys, *words))
    config = load(path, [], {})
    assert (config.text("venue.name"), str(config.decimal("entry.threshold_bps"))) == ("testnet", "41.5")
    assert config.markets == {"xyz:GOLD": {"enabled": False}}
    assert set(config.origins.values()) == {str(path)}


def test_config_init_writes_a_file_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "home" / "hip3" / "config.toml"
    assert cli.main(["config", "init"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    path.write_text(path.read_text() + "\n# mine\n")
    assert f"{path} exists; --force overwrites it" in refused(capsys, "config", "init")
    assert "# mine" in path.read_text()
    assert cli.main(["config", "init", "--force"]) == 0
    assert "# mine" not in path.read_text()


def test_config_show_from_a_file_of_any_name_is_a_configuration_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a\nb.toml"
    path.write_text('[market."a\\"b\\n"]\nenabled = false\n')
    shown = tmp_path / "shown.toml"
    shown.write_text(show(capsys, "--config", str(path), "--origin"))
    assert load(shown, [], {}).markets == {'a"b\n': {"enabled": False}}


def test_config_init_on_a_full_disk_leaves_the_file_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, link = tmp_path / "config.toml", tmp_path / "link.toml"
    link.symlink_to(path)
    path.write_text("# mine\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    try:
        assert cli.main(["config", "init", "--force", "--path", str(link)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert path.read_text() == "# mine\n"
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["config", "init", "--force", "--path", str(link)]) == 0
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(path, [], {}).values == load(None, [], {}).values


def test_config_init_where_nothing_can_be_written_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert cli.main(["config", "init", "--path", str(file / "config.toml")]) == 1
    assert capsys.readouterr().err == f"hip3: {file}: File exists\n"
    assert cli.main(["config", "init", "--force", "--path", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"hip3: {tmp_path}: Is a directory\n"


def test_help_and_version_end_with_0_and_every_verb_has_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        assert end.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"hip3 {__version__}\n")
    parser = cli.build_parser()
    (verbs,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    assert {choice.dest for choice in verbs._choices_actions} == set(verbs.choices)
    assert all(choice.help for choice in verbs._choices_actions)


@pytest.mark.parametrize("words", [["config", "show"], ["config", "show", "--json"], ["config", "init"]])
def test_a_reader_who_went_away_ends_the_command_without_a_traceback(tmp_path: Path, words: list[str]) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "hip3", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (1, b"")


def test_a_reason_that_is_not_utf8_stops_nothing(tmp_path: Path) -> None:
    latch = tmp_path / "KILL"
    assert cli.main(["kill", "--set", f"control.latch={latch}", "--reason", "caf\udce9"]) == 0
    assert orjson.loads(latch.read_bytes())["reason"] == "caf?"


def test_a_refusal_does_not_repeat_a_long_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused(capsys, "run", "--seed", "9" * 5000)) < 400
    assert len(refused(capsys, "run", "--" + "x" * 5000)) < 400


def shell(tmp_path: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell starts it, so that streams can be closed."""
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    words = ["sh", "-c", line.replace("hip3", f"{sys.executable} -m hip3")]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("hip3 config show >&-", 0, ""),
        ("hip3 config show <&- >&- 2>&-", 0, ""),
        ("hip3 alert list >/dev/full", 1, "hip3: standard output cannot be written: No space left on device\n"),
        ("hip3 config show >/dev/full", 1, "hip3: standard output cannot be written: No space left on device\n"),
        ("hip3 config show >/dev/full 2>/dev/full", 1, ""),
        ("hip3 --help >/dev/full", 1, "hip3: standard output cannot be written: No space left on device\n"),
        ("hip3 rnu 2>/dev/full", 2, ""),
        ("hip3 rnu 2>&-", 2, ""),
        (
            "hip3 key import --plain <&-",
            2,
            "hip3: standard input is empty; give it the agent's private key or a keystore\n",
        ),
        ("hip3 config init --path \"$(printf 'a\\377')\" | grep -c xff", 1, ""),
        ("hip3 run --duration 0.2 --headless >/dev/full 2>&-", 1, ""),
        ("hip3 run --duration 0.2 --headless <&- >&- 2>&-", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full_end_nothing_in_a_traceback(
    tmp_path: Path, line: str, status: int, told: str
) -> None:
    done = shell(tmp_path, f"cd {tmp_path}; {line}")
    assert (done.returncode, done.stderr) == (status, told)


def test_a_closed_stream_gives_its_descriptor_to_no_other_file(tmp_path: Path) -> None:
    code = """
import os
from hip3 import cli
assert cli.main(["config", "show"]) == 0
opened = os.open("/dev/zero", os.O_RDONLY)
os.write(os.open("number", os.O_WRONLY | os.O_CREAT), b"%d" % opened)
"""
    environment = {"HOME": str(tmp_path)}
    words = ["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(words, env=environment, cwd=tmp_path, timeout=60).returncode == 0
    assert int((tmp_path / "number").read_text()) > 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("status --once --set status.socket=~nosuch/x", "status.socket: ~nosuch/x: there is no user nosuch"),
        ("check --set control.latch=~nosuch/x", "control.latch: ~nosuch/x: there is no user nosuch"),
        ("key import --plain --path ~nosuch/x", "--path: ~nosuch/x: there is no user nosuch"),
        ("key show --set account.key_file=~nosuch/x", "account.key_file: ~nosuch/x: there is no user nosuch"),
        ("key import --passphrase-file ~nosuch/x", "--passphrase-file: ~nosuch/x: there is no user nosuch"),
        ("alert test --set alerts.urls_file=~nosuch/x", "alerts.urls_file: ~nosuch/x: there is no user nosuch"),
    ],
)
def test_the_home_of_nobody_is_refused_by_the_name_of_the_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, told: str
) -> None:
    monkeypatch.setattr(keys_command, "_key_given", lambda: bytearray(PRIVATE.encode()))
    line = refused(capsys, *words.split())
    assert told in line
    assert "write the whole path" in line


@pytest.mark.parametrize("words", ["config show", "status --once", "kill", "key show", "run"])
def test_a_user_without_a_home_is_told_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    none = "hip3: HOME is not set and this user has no home: set HOME, or "
    assert refused(capsys, *words.split()) == f"{none}set XDG_CONFIG_HOME\n"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    if words == "kill":
        assert refused(capsys, "kill") == f"{none}name the file with control.latch\n"
    if words == "status --once":
        assert refused(capsys, "status", "--once") == f"{none}name it with status.socket\n"


def test_the_home_of_nobody_holds_no_token() -> None:
    with pytest.raises(errors.ConfigError, match=r"metrics\.token_file: ~nosuch/x: there is no user nosuch"):
        token_of(load(None, ["metrics.token_file=~nosuch/x"], {}))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nope", "scenario 'nope' does not exist; packaged ones: "),
        ("/nowhere.toml", "scenario /nowhere.toml: cannot be read: "),
        ("-x", "scenario '-x' does not exist; packaged ones: "),
    ],
)
def test_a_scenario_that_the_embedded_venue_refuses_is_told_once(tmp_path: Path, name: str, told: str) -> None:
    done = shell(tmp_path, f"hip3 run --headless --scenario={name}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"hip3: {told}")
