"""The pages of the documentation, read by a CommonMark parser, and how the commands on one are carried out.

A `console` block holds commands. One that ends in `&` goes on in the background while the others run; a
comment `# exit N` names an exit status other than 0. A `toml` block whose first line is `# NAME` is the file of
that name, which the commands after it find. Blocks of other kinds show what is printed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
#: Commands that run until Ctrl-C, and what they print once they work.
ENDLESS = {r"make run": "trading", r"hip3 sim --port 0 .*": "ws_url"}
COMMAND_TIMEOUT_S = 60
READY_TIMEOUT_S = 30


@dataclass(frozen=True)
class Page:
    """One page: its tokens and what follows from them."""

    name: str
    tokens: list[Token]

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Kind and body of every fenced block."""
        return [(token.info, token.content) for token in self.tokens if token.type == "fence"]

    @property
    def commands(self) -> list[str]:
        """Every command, in order."""
        return [line for kind, body in self.blocks if kind == "console" for line in body.splitlines() if line]

    @property
    def headings(self) -> list[str]:
        """The text of every heading."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        return [inline.content for opening, inline in pairs if opening.type == "heading_open"]

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind `#`, as forges spell headings."""
        return {re.sub(r"[^\w\- ]", "", text.replace("`", "")).lower().replace(" ", "-") for text in self.headings}

    @property
    def targets(self) -> list[str]:
        """What its links and pictures point to."""
        inner = [child for token in self.tokens for child in token.children or []]
        found = [child.attrGet("href" if child.type == "link_open" else "src") for child in inner]
        return [str(target) for target in found if target]

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the table under a heading, without its head."""
        text = "\n".join(line for line in (ROOT / self.name).read_text(encoding="utf-8").splitlines())
        part = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
        lines = re.split(r"^#+ ", part, flags=re.MULTILINE)[0].splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        return rows[2:]


def read(name: str) -> Page:
    """The page at this path of the repository."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return Page(name, MarkdownIt("commonmark").enable("table").parse(text))


class Sitting:
    """One reader at a shell, in a directory of their own."""

    def __init__(self, where: Path, **environment: str) -> None:
        self.where = where
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HIP3")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(where),
            "XDG_CONFIG_HOME": str(where / "config"),
            "XDG_STATE_HOME": str(where / "state"),
            "XDG_RUNTIME_DIR": str(where),
            **environment,
        }
        self._background: list[subprocess.Popen[str]] = []

    def do(self, line: str) -> None:
        """Carries a command out; AssertionError unless it ends as the page says."""
        command, _, said = line.partition(" # exit ")
        is_make = command.startswith("make")
        endless = next((word for shape, word in ENDLESS.items() if re.fullmatch(shape, command)), None)
        if command.endswith("&"):
            self._start(command.removesuffix("&"))
        elif endless is not None:
            assert self._until(command, endless, ROOT if is_make else self.where) in (0, 2, 130, -signal.SIGINT), line
        else:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=ROOT if is_make else self.where,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
            )
            assert done.returncode == int(said or 0), f"{line}\n{done.stdout}{done.stderr}"

    def _start(self, command: str) -> None:
        """A trader or a venue in the background, once it trades or listens."""
        output = None if ">" in command else subprocess.PIPE
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.where,
            env=self.environment,
            start_new_session=True,
            stdout=output,
            text=True,
        )
        self._background.append(process)
        if command.startswith("hip3 sim"):
            assert process.stdout is not None
            assert "ws_url" in process.stdout.readline()
            return
        end = time.monotonic() + READY_TIMEOUT_S
        probe = ["hip3", "status", "--once", "--json"]
        while b'"state":"trading"' not in subprocess.run(probe, env=self.environment, capture_output=True).stdout:
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            assert time.monotonic() < end, f"{command} never traded"
            time.sleep(0.2)

    def _until(self, command: str, word: str, where: Path) -> int:
        """Starts the command, waits for `word` on either stream, presses Ctrl-C; the exit status."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command} 2>&1"],
            cwd=where,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        seen = ""
        try:
            for line in process.stdout:
                seen += line
                if word in line:
                    break
            assert word in seen, seen
            time.sleep(0.5)
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
            return process.wait(timeout=READY_TIMEOUT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close()

    def close(self) -> None:
        """Ends what still runs; a trader ends in order."""
        for process in self._background:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=READY_TIMEOUT_S)
            assert process.returncode in (0, 4, 130)


def write_files(page: Page, where: Path) -> list[Path]:
    """Writes the files that a page shows; those without a name get a number."""
    written = []
    for number, body in enumerate(body for kind, body in page.blocks if kind == "toml"):
        first = body.splitlines()[0]
        path = where / (first.removeprefix("# ") if re.fullmatch(r"# [\w-]+\.toml", first) else f"{number}.toml")
        path.write_text(body, encoding="utf-8")
        written.append(path)
    return written


def environment_of(venue: Mapping[str, str]) -> dict[str, str]:
    """Environment under which the commands for a named venue reach this one on loopback."""
    return {"HIP3__VENUE__WS_URL": venue["ws_url"], "HIP3__VENUE__HTTP_URL": venue["http_url"]}
