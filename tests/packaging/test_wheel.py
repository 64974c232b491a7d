"""The packages: one abi3 wheel that trades where there is no Rust, and an sdist that is all one needs to build it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from hip3 import __version__

from .conftest import ROOT, Release, make

#: What a package may hold besides Python and Rust sources.
SDIST_REST = {"Cargo.lock", "Cargo.toml", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "rust/Cargo.toml"}
DATA = re.compile(r"(py\.typed|_hip3\.pyi|commit\.txt|default\.toml|manual\.toml|sim/scenarios/[\w-]+\.toml)")
#: How the header of a shared library names the machine that it is for.
ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
TRADING_S = 8
WAIT_S = 30


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.timeout(600)
def test_the_wheel_is_abi3_for_manylinux_and_holds_what_it_needs(wheel: Path) -> None:
    assert re.fullmatch(rf"hip3-{__version__}-cp311-abi3-manylinux_[\d_]+_(x86_64|aarch64)\.whl", wheel.name)
    names = names_in(wheel)
    for wanted in ("py.typed", "_hip3.pyi", "default.toml", "manual.toml", "sim/scenarios/default.toml"):
        assert f"hip3/{wanted}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {"hip3", f"hip3-{__version__}.dist-info"}


@pytest.mark.timeout(600)
def test_the_sdist_holds_sources_and_nothing_else(release: Release) -> None:
    with tarfile.open(release.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert names >= SDIST_REST
    python = re.compile(rf"python/hip3/([\w/]+\.py|{DATA.pattern})")
    odd = {name for name in names - SDIST_REST if not python.fullmatch(name) and not re.fullmatch(r"rust/.*\.rs", name)}
    assert odd == set()
    assert "python/hip3/sim/scenarios/default.toml" in names


@pytest.mark.timeout(600)
def test_a_wheel_from_the_sdist_alone_holds_the_same_files_and_names_the_same_commit(
    wheel: Path, release: Release
) -> None:
    assert release.wheel.name == wheel.name
    assert names_in(release.wheel) == names_in(wheel) | {"hip3/commit.txt"}
    with zipfile.ZipFile(release.wheel) as archive:
        assert archive.read("hip3/commit.txt").decode().strip() == release.commit


@pytest.mark.timeout(600)
def test_building_leaves_no_stamp_in_the_checkout(release: Release) -> None:
    assert not (release.root / "python" / "hip3" / "commit.txt").exists()


def test_a_portable_wheel_is_compiled_with_zig_for_the_named_system_and_machine() -> None:
    told = make(ROOT, "--dry-run", "wheel", "MANYLINUX=2_28", "TARGET=aarch64").stdout
    assert "rustup target add aarch64-unknown-linux-gnu" in told
    assert "--zig --target aarch64-unknown-linux-gnu --compatibility manylinux_2_28" in told
    assert "--zig" not in make(ROOT, "--dry-run", "wheel").stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_portable_wheel_asks_for_no_newer_system_than_named(tmp_path: Path, machine: str) -> None:
    if not (ROOT / ".venv" / ".zig").exists():
        pytest.skip("zig is not installed; `make wheel MANYLINUX=2_17` brings it")
    done = make(ROOT, "wheel", "MANYLINUX=2_17", f"TARGET={machine}", f"DIST={tmp_path}")
    assert done.returncode == 0, done.stderr
    (found,) = tmp_path.glob("*.whl")
    # maturin gives the tag only to a library whose symbols that system has.
    assert f"manylinux_2_17_{machine}" in found.name
    with zipfile.ZipFile(found) as archive:
        library = archive.read("hip3/_hip3.abi3.so")
    assert int.from_bytes(library[18:20], "little") == ELF_MACHINES[machine]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a shell in which there is an installed `hip3` and neither Rust nor anything else."""
    home = tmp_path_factory.mktemp("home")
    subprocess.run([sys.executable, "-m", "venv", str(home / "empty")], check=True, capture_output=True)
    programs = str(home / "empty" / "bin")
    state = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_STATE_HOME": str(home / "state")}
    kept = {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    environment = {**kept, **state, "PATH": programs}
    for tool in ("cargo", "rustc", "maturin", "cc"):
        assert shutil.which(tool, path=programs) is None
    command = [f"{programs}/pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True, env=environment)
    if done.returncode != 0 and "Could not find a version" in done.stderr:
        pytest.skip("no package index is reachable for the wheel's dependencies")
    assert done.returncode == 0, done.stderr
    return environment


def hip3(environment: dict[str, str], *words: str) -> list[str]:
    return [shutil.which("hip3", path=environment["PATH"]) or "", *words]


@pytest.mark.timeout(600)
def test_it_trades_without_rust_and_is_looked_at(installed: dict[str, str], tmp_path: Path) -> None:
    command = hip3(installed, "run", "--duration", str(TRADING_S), "--headless", "--json", "--seed", "7")
    run = subprocess.Popen(
        command, env=installed, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    probe = hip3(installed, "status", "--once", "--json")
    deadline = time.monotonic() + WAIT_S
    state = ""
    while state != "trading" and time.monotonic() < deadline and run.poll() is None:
        seen = subprocess.run(probe, env=installed, cwd=tmp_path, capture_output=True, text=True)
        state = json.loads(seen.stdout)["header"]["state"] if seen.returncode == 0 else ""
    out, err = run.communicate(timeout=WAIT_S)
    assert state == "trading", err
    assert run.returncode == 0, err
    summary = json.loads(out)
    assert summary["frames"] > 100
    assert summary["frames_malformed"] == 0
    assert summary["trader_equity_usd"] == summary["venue_equity_usd"]


@pytest.mark.timeout(600)
def test_what_is_installed_explains_itself_and_names_its_version_and_commit(installed: dict[str, str]) -> None:
    for words in (("help", "run"), ("completion", "bash")):
        done = subprocess.run(hip3(installed, *words), env=installed, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(hip3(installed, "--version"), env=installed, capture_output=True, text=True)
    assert re.fullmatch(rf"hip3 {re.escape(__version__)}( \([0-9a-f]{{12}}(-dirty)?\))?\n", done.stdout)
