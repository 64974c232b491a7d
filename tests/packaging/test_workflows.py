"""The workflows: well formed by their schema, without findings of their linter, and calling what exists here."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import BIN, ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
#: Files that other targets are made of, and that are asked for by name.
TARGET_FILES = {".venv/.tools", ".venv/.built"}


@cache
def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((GITHUB / "workflows" / name).read_text("utf-8"))
    return found


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Job and step, of every workflow."""
    for path in WORKFLOWS:
        for name, job in workflow(path.name)["jobs"].items():
            for step in job["steps"]:
                yield name, step


def runs(*command: str) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_finds_nothing() -> None:
    runs("zizmor", "--offline", "--quiet", str(GITHUB))


def test_the_linter_would_find_an_action_that_is_not_pinned(tmp_path: Path) -> None:
    text = re.sub(r"@[0-9a-f]{40} # v\S+", "@v1", (GITHUB / "workflows" / "ci.yml").read_text("utf-8"))
    (tmp_path / "ci.yml").write_text(text, "utf-8")
    done = subprocess.run([str(BIN / "zizmor"), "--offline", str(tmp_path / "ci.yml")], capture_output=True, text=True)
    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout


def test_they_keep_to_their_schemas() -> None:
    runs("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    runs("check-jsonschema", "--builtin-schema", "vendor.dependabot", str(GITHUB / "dependabot.yml"))


def test_every_action_is_pinned_by_its_commit_and_named_by_its_version() -> None:
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    used = re.findall(r"uses: (\S+)@(.*)", text)
    assert {action for action, at in used if not re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", at)} == set()
    assert len(set(used)) == len({action for action, _ in used}), "one version of each action"


def test_what_they_make_exists() -> None:
    asked = [word for _, step in steps() for word in re.findall(r"^make ([^\s=]+)", step.get("run", ""), re.MULTILINE)]
    assert {"stamp", "publish"} <= set(asked)
    assert set(asked) <= TARGETS | TARGET_FILES


def test_what_they_read_exists() -> None:
    named = re.findall(
        r"(?:-r|--config|python3) ((?:deploy|\.github)/[\w.]+)", "\n".join(s.get("run", "") for _, s in steps())
    )
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_everything_that_has_to_be_green_runs_on_the_oldest_and_the_newest_python() -> None:
    job = workflow("ci.yml")["jobs"]["test"]
    assert {"run": ".ci/run"} in job["steps"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    pythons = job["strategy"]["matrix"]["python"]
    assert pythons[0] == oldest.removeprefix(">=")
    assert len(pythons) == 2
    tried = next(
        s["with"]["python-version"] for n, s in steps() if n == "wheel" and "python-version" in s.get("with", {})
    )
    assert tried.split() == pythons


def test_wheels_are_built_by_the_maturin_that_is_pinned() -> None:
    pinned = re.search(r"^maturin==(\S+)", (ROOT / "deploy" / "build.lock").read_text("utf-8"), re.MULTILINE)
    assert pinned is not None
    asked = [step["with"]["maturin-version"] for _, step in steps() if "maturin-action" in step.get("uses", "")]
    assert asked == [f"v{pinned[1]}"] * 2


def test_credentials_are_within_reach_of_one_step_of_an_approved_job_for_tags() -> None:
    holders = [(job, step) for job, step in steps() if "secrets." in str(step)]
    assert [job for job, _ in holders] == ["publish"]
    assert holders[0][1]["run"].startswith("make publish")
    job = workflow("wheels.yml")["jobs"]["publish"]
    assert job["environment"] == "publish"
    assert "startsWith(github.ref, 'refs/tags/v')" in job["if"]
    assert set(job["needs"]) == {"wheel", "sdist"}
    assert all("secrets." not in str(step.get("env", "")) for step in job["steps"][:-1])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_token_may_read_and_nothing_else(path: Path) -> None:
    assert workflow(path.name)["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow(path.name)["jobs"].items() if "permissions" in job] == []


def test_the_way_to_report_a_weakness_is_told_with_its_deadlines() -> None:
    text = (GITHUB / "SECURITY.md").read_text("utf-8")
    for word in ("Report a\nvulnerability", "48 hours", "30 days"):
        assert word in text


LOCKS = {
    "requirements-dev.lock": ("extra", ["test", "dev"]),
    "deploy/runtime.lock": ("extra", ["alerts", "metrics", "sessions"]),
    "deploy/build.lock": ("group", ["build"]),
    "deploy/zig.lock": ("group", ["zig"]),
    ".github/audit.lock": ("group", ["audit"]),
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_all_that_was_asked_for_with_hashes(name: str) -> None:
    kind, chosen = LOCKS[name]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    table = project["dependency-groups"] if kind == "group" else project["project"]["optional-dependencies"]
    wanted = [row for part in chosen for row in table[part]]
    wanted += project["project"]["dependencies"] if kind == "extra" else []
    text = (ROOT / name).read_text("utf-8")
    pinned = {re.sub(r"[-_.]+", "-", found).lower() for found in re.findall(r"^([\w.-]+)==.*\\$", text, re.MULTILINE)}
    asked = {re.split(r"[\[<>=;! ]", row)[0].lower() for row in wanted}
    assert asked <= pinned, "run `make lock`"
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "://" not in text
