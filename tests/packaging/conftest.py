"""Packages as `make` builds them: from this tree, and from a release of it in a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def make(where: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A target of the Makefile there, with the tools of this interpreter."""
    if not (BIN / "maturin").exists():
        pytest.skip("maturin is not installed beside this interpreter; `make test` installs it")
    command = ["make", "--no-print-directory", "--old-file", ".venv/.tools", f"BIN={BIN}", *words]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment}
    return subprocess.run(command, cwd=where, capture_output=True, text=True, env=environment)


def git(where: Path, *words: str) -> str:
    """What git says; it commits as nobody in particular, whatever the user's own settings are."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *words], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of `make wheel`, from the same cached compilation as the development build."""
    out = tmp_path_factory.mktemp("dist")
    done = make(ROOT, "wheel", f"DIST={out}")
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


@dataclass(frozen=True)
class Release:
    """A repository with this tree as its one tagged commit, and its packages in `dist/`."""

    root: Path
    version: str
    commit: str
    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release: its sdist by `make sdist`, its wheel built from nothing but that sdist."""
    root = tmp_path_factory.mktemp("release")
    version = copy_as_release(root)
    git(root, "tag", f"v{version}")
    done = make(root, "sdist")
    assert done.returncode == 0, done.stderr
    (sdist,) = (root / "dist").glob("*.tar.gz")
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    # The dependencies are compiled already. Our own crate is compiled anew, since a file that is new is never taken
    # for one of the checkout, and none but those of the sdist are within reach.
    command = [str(BIN / "maturin"), "build", "--release", "--locked", "--quiet", "--out", str(root / "dist")]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
    where = unpacked / f"hip3-{version}"
    (where / "rust" / "src" / "lib.rs").touch()
    subprocess.run(command, cwd=where, check=True, capture_output=True, env=environment)
    (built,) = (root / "dist").glob("*.whl")
    return Release(root, version, git(root, "rev-parse", "--short=12", "HEAD").strip(), built, sdist)


def copy_as_release(root: Path) -> str:
    """Commits this tree, as it stands, into a new repository there, with a changelog for its version."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("a release is made from a git checkout")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    version: str = tomllib.loads((root / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["version"]
    changelog = root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text("utf-8").replace("[Unreleased]", f"[{version}] - 2026-01-31", 1), "utf-8")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Everything")
    return version
