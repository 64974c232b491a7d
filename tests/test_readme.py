"""Every code block of the README holds: commands run and end as they should, files load, links point somewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hip3.config import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
LINES = [line for kind, body in BLOCKS if kind == "console" for line in body.splitlines()]
#: Commands that run until Ctrl-C, and what they print once they work.
ENDLESS = {"make run": "trading", "hip3 sim": "ws_url"}


def environment() -> dict[str, str]:
    own = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{own}{os.pathsep}{os.environ['PATH']}"}


def run_until(command: str, word: str, where: Path) -> int:
    """Starts the command, waits for `word` on either stream, presses Ctrl-C; the exit status."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command} 2>&1"],
        cwd=where,
        env=environment(),
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
        return process.wait(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {kind for kind, _ in BLOCKS} == {"text", "console", "toml"}
    assert len(LINES) >= 8


def test_the_two_commands_stand_on_the_first_screen() -> None:
    first = README.splitlines()[:40]
    assert "make run" in first
    assert "make test" in first


@pytest.mark.timeout(180)
def test_the_commands_run_in_their_order(tmp_path: Path) -> None:
    for line in LINES:
        is_make = line.startswith("make")
        if is_make and not (ROOT / ".venv" / ".built").exists():
            continue
        where = ROOT if is_make else tmp_path
        endless = next((w for start, w in ENDLESS.items() if line == start or line.startswith(start + " --port")), None)
        if endless is not None:
            assert run_until(line, endless, where) in (0, 2, 130, -signal.SIGINT), line
            continue
        # Running `make test` from inside itself would never end; that its recipe is whole can be asked.
        shown = line.replace("make test", "make --dry-run test")
        done = subprocess.run(["bash", "-c", shown], cwd=where, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    if (tmp_path / "summary.json").exists():
        live, again = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("summary", "replay"))
        assert [again[k] for k in ("entries", "exits", "digest")] == [live[k] for k in ("entries", "exits", "digest")]


def test_the_configuration_files_load(tmp_path: Path) -> None:
    for number, body in enumerate(body for kind, body in BLOCKS if kind == "toml"):
        path = tmp_path / f"{number}.toml"
        path.write_text(body, encoding="utf-8")
        config = load(path, environment={})
        assert any(str(path) in origin for origin in config.origins.values()) or config.markets


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target
