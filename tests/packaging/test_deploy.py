"""What `deploy/` runs the trader under: an image whose steps are carried out here, and a unit that shuts it in."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hip3.errors import ConfigError, Stopped
from hip3.options import table

from .conftest import BIN, ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
UNIT = ROOT / "deploy" / "hip3.service"
#: The exposure that systemd-analyze gives, times ten; 100 is a service that may do everything.
EXPOSURE_MAX = 15
WAIT_S = 30


def instructions() -> list[tuple[str, str]]:
    """Word and rest of each instruction, comments and continued lines taken away."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line]


def values(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


def context() -> set[str]:
    """The files that the daemon is sent. Of the patterns in the ignore file the last one that fits decides."""
    patterns = [line for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line]
    rules = [(line.lstrip("!"), line.startswith("!")) for line in patterns if not line.startswith("#")]
    found = set()
    for name in tree():
        parts = [name, *(str(parent) for parent in Path(name).parents)]
        is_sent = True
        for pattern, lets_through in rules:
            shape = pattern.removeprefix("**/")
            spots = [Path(part).name for part in parts] if pattern.startswith("**/") else parts
            if any(fnmatch.fnmatchcase(spot, shape) for spot in spots):
                is_sent = lets_through
        if is_sent:
            found.add(name)
    return found


def tree() -> Iterator[str]:
    """Every file of the checkout, whether git knows it or not, but for what was built."""
    for where, directories, files in os.walk(ROOT):
        directories[:] = [name for name in directories if name not in {".git", ".venv", "target"}]
        yield from (str((Path(where) / name).relative_to(ROOT)) for name in files)


@dataclass(frozen=True)
class Stage:
    """A directory in place of an image's root, in which the instructions of one stage are carried out."""

    root: Path
    others: Path

    def path(self, name: str, work: str) -> Path:
        return self.root / (name if name.startswith("/") else f"{work}/{name}").lstrip("/")

    def copy(self, rest: str, work: str) -> None:
        """COPY, from the context or from another stage."""
        words = rest.split()
        if words[0].startswith("--from="):
            shutil.copytree(
                self.others / words[0].removeprefix("--from=") / words[1].lstrip("/"), self.path(words[2], work)
            )
            return
        sent = context()
        for source in words[:-1]:
            files = [name for name in sent if name == source or name.startswith(f"{source}/")]
            assert files, f"COPY {source}: not in the context"
            for name in files:
                is_file = len(words) == 2 and name == source and not words[-1].endswith("/")
                inner = words[-1] if is_file else f"{words[-1]}/{name if len(words) > 2 else name[len(source) + 1 :]}"
                target = self.path(inner, work)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)

    def run(self, rest: str, work: str) -> None:
        """RUN, with the paths of the image under this root and the compiled dependencies of the checkout."""
        line = re.sub(r"(?<![\w.])/(?=(?:tools|dist|src|opt)\b)", f"{self.root}/", rest)
        environment = {**os.environ, "COMMIT": "0123456789ab", "CARGO_TARGET_DIR": str(ROOT / "target")}
        environment["PATH"] = f"{Path(sys.executable).resolve().parent}:{os.environ['PATH']}"
        where = self.path("", work)
        done = subprocess.run(["sh", "-euc", line], cwd=where, env=environment, capture_output=True, text=True)
        if done.returncode != 0 and "Could not find a version" in done.stderr:
            pytest.skip("no package index is reachable for what the image installs")
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the last stage, after every step that needs no distribution of its own: venv, pip, maturin."""
    if shutil.which("cargo") is None:
        pytest.skip("the first stage needs a Rust toolchain")
    others = tmp_path_factory.mktemp("stages")
    stage, work = Stage(others, others), "/"
    for word, rest in instructions():
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "last"
            stage, work = Stage(others / name, others), "/"
            stage.root.mkdir()
        elif word == "WORKDIR":
            work = rest
            stage.path("", work).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            stage.copy(rest, work)
        elif word == "RUN" and not re.match(r"apt-get|groupadd", rest):
            stage.run(rest, work)
    return others / "last"


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run([str(BIN / "hadolint"), str(DOCKERFILE)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_context_has_what_is_built_and_no_file_beside() -> None:
    sent = context()
    assert {"Cargo.lock", "deploy/runtime.lock", "python/hip3/default.toml", "rust/src/lib.rs"} <= sent
    assert {name.partition("/")[0] for name in sent} == {
        "Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "deploy", "pyproject.toml", "python", "rust",
    }  # fmt: skip
    assert not any(name.endswith((".so", ".pyc", ".key", ".service")) for name in sent)


@pytest.mark.timeout(600)
def test_the_steps_of_the_image_give_a_command_that_names_its_commit(image: Path) -> None:
    environment = {"PATH": f"{image}/opt/hip3/bin:/usr/bin:/bin"}
    done = subprocess.run(["hip3", "--version"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" (0123456789ab)\n")
    imports = subprocess.run(["python", "-c", "import apprise"], env=environment, capture_output=True, text=True)
    assert imports.returncode == 0, imports.stderr


@pytest.mark.timeout(600)
def test_in_the_image_it_trades_and_writes_into_its_volumes_alone(image: Path, tmp_path: Path) -> None:
    settings = dict(re.findall(r"(\w+)=(\S+)", values("ENV")[0]))
    environment = {"PATH": f"{image}/opt/hip3/bin", "PYTHONDONTWRITEBYTECODE": settings["PYTHONDONTWRITEBYTECODE"]}
    # In the image the first two are below the volumes, and a read-only root has none of the others.
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HOME", "TMPDIR"):
        (tmp_path / name).mkdir()
        environment[name] = str(tmp_path / name)
    before = {path: path.stat().st_mtime_ns for path in image.rglob("*")}
    (probe,) = (json.loads(rest.partition("CMD ")[2]) for rest in values("HEALTHCHECK"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(["hip3", *json.loads(values("CMD")[0])], env=environment, cwd=image, **quiet) as run:
        try:
            deadline = time.monotonic() + WAIT_S
            while subprocess.run(probe, env=environment, **quiet).returncode != 0:
                assert run.poll() is None
                assert time.monotonic() < deadline
            run.send_signal(signal.Signals[values("STOPSIGNAL")[0]])
            assert run.wait(WAIT_S) == 130
        finally:
            run.kill()
    assert {path: path.stat().st_mtime_ns for path in image.rglob("*")} == before
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")}
    assert written <= {"XDG_STATE_HOME/hip3", "XDG_RUNTIME_DIR/hip3"}


def test_the_image_keeps_no_key_and_ends_as_the_unit_does() -> None:
    assert values("STOPSIGNAL") == ["SIGTERM"]
    assert values("USER") == ["10001:10001"]
    assert values("VOLUME") == ['["/var/lib/hip3", "/run/hip3"]']
    assert values("HEALTHCHECK")[0].endswith('CMD ["hip3", "status", "--once", "--json"]')
    assert "HIP3_AGENT_KEY" not in DOCKERFILE.read_text("utf-8")


def service() -> dict[str, list[str]]:
    """The settings of the unit's service, each with all its values."""
    found: dict[str, list[str]] = {}
    section = UNIT.read_text("utf-8").partition("[Service]\n")[2].partition("\n[")[0]
    for line in section.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("SystemCallFilter", "@system-service"),
        ("SystemCallFilter", "~@privileged @resources"),
        ("LoadCredentialEncrypted", "hip3.key"),
        ("LimitCORE", "0"),
        ("UMask", "0077"),
    ],
)
def test_the_unit_shuts_the_trader_in(name: str, value: str) -> None:
    assert value in service()[name]


def test_the_unit_takes_an_ordered_end_for_none_of_its_failures() -> None:
    statuses = {int(text) for text in service()["RestartPreventExitStatus"][0].split()}
    assert statuses == {ConfigError.exit_status, Stopped.exit_status}
    assert service()["SuccessExitStatus"] == ["130"]
    assert service()["Restart"] == ["on-failure"]
    assert (service()["Type"], service()["KillSignal"]) == (["notify"], ["SIGTERM"])
    assert int(service()["WatchdogSec"][0]) > 0
    longest = table()["run.exit_timeout_ms"].max
    assert longest is not None
    assert int(service()["TimeoutStopSec"][0]) * 1000 > longest
    several = {"LoadCredentialEncrypted", "SystemCallFilter", "Environment"}
    assert [name for name, found in service().items() if len(found) > 1 and name not in several] == []


def test_systemd_finds_little_that_the_unit_leaves_open() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    command = [analyze, "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
