"""What shells complete: asked in bash as its completion asks, and typed with a Tab in each shell that is installed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hip3 import cli, completion
from hip3.options import table
from hip3.sim.scenario import available

WAIT_S = 20.0
#: What is asked is in the arguments: the words of the line, as bash cuts them.
ASK = """
source "$SCRIPT"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_hip3 hip3 "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
VERBS = list(next(action for action in cli.build_parser()._actions if action.dest == "verb").choices or [])
VENUES = ["sim", "testnet", "mainnet"]


@pytest.fixture(scope="module", params=completion.SHELLS)
def script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A shell and the file of its script."""
    path = tmp_path_factory.mktemp("completion") / "_hip3"
    path.write_text(completion.script(cli.build_parser(), request.param), encoding="utf-8")
    return request.param, path


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "hip3"
    path.write_text(completion.script(cli.build_parser(), "bash"), encoding="utf-8")
    return path


def asked(script: Path, words: tuple[str, ...], where: Path) -> list[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", *words],
        env={"SCRIPT": str(script), "PATH": os.environ["PATH"]},
        cwd=where,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("",), VERBS),
        (("sta",), ["status"]),
        (("config", ""), ["init", "show"]),
        (("alert", "t"), ["test"]),
        (("config", "init", "--f"), ["--force"]),
        (("run", "--confirm"), ["--confirm-live"]),
        (("run", "--venue", ""), VENUES),
        (("run", "--venue", "=", "te"), ["testnet"]),
        (("run", "--mode", ""), ["observe", "live"]),
        (("run", "--seed", "3", "--mode", "l"), ["live"]),
        (("run", "--scenario", "oracle"), ["oracle-clamped", "oracle-frozen"]),
        (("sim", "--scenario", ""), available()),
        (("run", "--set", "entry.thr"), ["entry.threshold_bps="]),
        (("run", "--set", ""), [f"{key}=" for key in table()]),
        (("run", "--set", "venue.name", "="), VENUES),
        (("run", "--set", "venue.name", "=", "m"), ["mainnet"]),
        (("run", "--set", "entry.enabled", "=", ""), ["true", "false"]),
        (("run", "--set", "entry.threshold_bps", "=", "3"), []),
        (("run", "--set", "venue.name", "=", "sim", "--head"), ["--headless"]),
        (("flatten", "--a"), ["--all"]),
        (("run", "--config", "mine"), ["mine.toml"]),
        (("run", "--config", "=", "mine"), ["mine.toml"]),
        (("status", "--svg", "mi"), ["mine.toml"]),
        (("run", "--record", ""), ["recordings"]),
        (("completion", ""), list(completion.SHELLS)),
        (("help", "fl"), ["flatten"]),
        (("help", "config", ""), ["init", "show"]),
        (("help", "key", "im"), ["import"]),
        (("help", "flatten", ""), []),
        (("help", "config", "init", ""), []),
        (("nothing", "of", "th"), []),
    ],
)
def test_bash_is_told_what_fits_at_this_place(
    bash: Path, tmp_path: Path, words: tuple[str, ...], wanted: list[str]
) -> None:
    (tmp_path / "mine.toml").touch()
    (tmp_path / "recordings").mkdir()
    assert asked(bash, ("hip3", *words), tmp_path) == wanted


STARTS = {
    "bash": ["bash", "--norc", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
    "tcsh": ["tcsh", "-f", "-i"],
}
SOURCES = {
    "bash": "source {0}",
    "zsh": "fpath=({0.parent} $fpath) && autoload -U compinit && compinit -u -D",
    "fish": "source {0}",
    "tcsh": "source {0}",
}


class Typed:
    """A shell on a terminal of its own, and what it shows."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.shown = ""

    def type(self, text: str, wanted: str) -> None:
        """Types, and waits until what is shown after that has `wanted` in it."""
        before = len(self.shown)
        os.write(self._end, text.encode())
        deadline = time.monotonic() + WAIT_S
        while wanted not in self.shown[before:]:
            left = deadline - time.monotonic()
            assert left > 0, f"{wanted!r} never came:\n{self.shown}"
            if select.select([self._end], [], [], left)[0]:
                self.shown += os.read(self._end, 4096).decode(errors="replace")


@contextmanager
def typing(shell: str, home: Path) -> Iterator[Typed]:
    # zsh redraws the line on a terminal that can, tcsh completes nothing on one that cannot.
    term = "dumb" if shell == "zsh" else "vt100"
    child, end = pty.fork()
    if child == 0:
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": term, "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        os.execvpe(STARTS[shell][0], STARTS[shell], environment)
    # Wide enough that no shell cuts or folds the line that is typed.
    termios.tcsetwinsize(end, (24, 250))
    try:
        yield Typed(end)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(end)


# The interpreter warns about forks beside threads of other tests; the child becomes the shell at once.
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_tab_completes_in_each_shell(script: tuple[str, Path], tmp_path: Path) -> None:
    shell, path = script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    with typing(shell, tmp_path) as terminal:
        terminal.type(f"{SOURCES[shell].format(path)}; echo rea''dy\r", "ready")
        # What comes after what was typed, since each shell repeats that in its own way.
        terminal.type("hip3 ru\t", "run ")
        terminal.type("--headl\t", "ess ")
        terminal.type("--venue tes\t", "tnet ")
        terminal.type("--set entry.thr\t", "eshold_bps=")
