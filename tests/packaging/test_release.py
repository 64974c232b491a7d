"""Publishing: to an index on loopback and back from it, and every state of a repository that is no release."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from passlib.apache import HtpasswdFile

from .conftest import BIN, ROOT, Release, git, make

WHEEL = "hip3-1.2.3-cp311-abi3-manylinux_2_17_x86_64.whl"
SDIST = "hip3-1.2.3.tar.gz"
NAME, SECRET = "publisher", "correct-horse-battery"
WAIT_S = 20.0


def published(root: Path, *words: str, **environment: str) -> str:
    """The one line with which publishing is refused."""
    done = subprocess.run(
        [sys.executable, str(root / "deploy" / "release.py"), *words],
        capture_output=True,
        text=True,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(root), **environment},
    )
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("release: ")
    return done.stderr


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A tagged repository with no more than what a release is judged by, and packages of that commit."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "release.py", tmp_path / "deploy")
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [1.2.3] - 2026-01-31\n\n- All.\n\n## [1.2.2] - 2026-01-01\n"
    )
    (tmp_path / ".gitignore").write_text("/dist/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Everything")
    git(tmp_path, "tag", "v1.2.3")
    package(tmp_path, git(tmp_path, "rev-parse", "--short=12", "HEAD"))
    return tmp_path


def package(root: Path, commit: str) -> None:
    """A wheel and an sdist that hold nothing but the commit."""
    (root / "dist").mkdir(exist_ok=True)
    with zipfile.ZipFile(root / "dist" / WHEEL, "w") as wheel:
        wheel.writestr("hip3/commit.txt", commit)
    stamp = root / "dist" / "hip3-1.2.3" / "python" / "hip3"
    stamp.mkdir(parents=True)
    (stamp / "commit.txt").write_text(commit)
    command = ["tar", "--create", "--gzip", "--file", SDIST, "--remove-files", "hip3-1.2.3"]
    subprocess.run(command, cwd=root / "dist", check=True)


def commit_all(root: Path) -> None:
    git(root, "commit", "--quiet", "--all", "--message", "A change")


def test_a_release_is_told_as_such(small: Path) -> None:
    done = subprocess.run([sys.executable, "deploy/release.py", "check"], cwd=small, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "hip3 1.2.3 is tagged, told in the changelog, and committed\n")


def test_a_change_that_is_not_committed_is_no_release(small: Path) -> None:
    (small / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.4"\n')
    assert "not clean (M Cargo.toml); commit it" in published(small, "check")


def test_a_commit_without_a_tag_is_no_release(small: Path) -> None:
    git(small, "tag", "--delete", "v1.2.3")
    assert "not tagged, Cargo.toml says 1.2.3: tag it v1.2.3" in published(small, "check")


def test_a_tag_of_another_version_is_no_release(small: Path) -> None:
    (small / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.4"\n')
    commit_all(small)
    git(small, "tag", "v1.2.3-1")
    assert "tagged v1.2.3-1, Cargo.toml says 1.2.4: tag it v1.2.4" in published(small, "check")


@pytest.mark.parametrize("text", ["## [Unreleased]\n\n- All.\n", "## [1.2.3]\n\n## [1.2.2]\n\n- Old.\n"])
def test_a_version_of_which_the_changelog_tells_nothing_is_no_release(small: Path, text: str) -> None:
    (small / "CHANGELOG.md").write_text(text)
    commit_all(small)
    git(small, "tag", "--force", "v1.2.3")
    assert "CHANGELOG.md tells nothing about 1.2.3" in published(small, "check")


def test_a_directory_outside_git_is_no_release(small: Path) -> None:
    shutil.rmtree(small / ".git")
    assert "publish from a clone" in published(small, "check", GIT_CEILING_DIRECTORIES=str(small.parent))


@pytest.mark.parametrize("url", ["", "packages.example.com", "ftp://packages.example.com/"])
def test_an_index_that_is_not_named_is_asked_for(small: Path, url: str) -> None:
    assert "which index? make publish INDEX_URL=https://…" in published(small, "publish", url, "dist")


def test_credentials_in_the_address_are_refused_and_not_repeated(small: Path) -> None:
    told = published(small, "publish", f"https://{NAME}:{SECRET}@packages.example.com/", "dist")
    assert "take them out and set UV_PUBLISH_TOKEN" in told
    assert SECRET not in told


def test_packages_of_another_commit_are_refused(small: Path) -> None:
    package(small, "0123456789ab")
    assert f"{WHEEL} was built from 0123456789ab, not " in published(small, "publish", "http://127.0.0.1:9/", "dist")


def test_packages_of_changed_files_or_of_no_commit_are_refused(small: Path) -> None:
    package(small, git(small, "rev-parse", "--short=12", "HEAD").strip() + "-dirty")
    assert "-dirty, not " in published(small, "publish", "http://127.0.0.1:9/", "dist")
    with zipfile.ZipFile(small / "dist" / WHEEL, "w") as wheel:
        wheel.writestr("hip3/__init__.py", "")
    assert "was built from no commit" in published(small, "publish", "http://127.0.0.1:9/", "dist")


def test_packages_of_another_version_are_refused(small: Path) -> None:
    (small / "dist" / WHEEL.replace("1.2.3", "1.2.30")).touch()
    assert "hip3-1.2.30-" in published(small, "publish", "http://127.0.0.1:9/", "dist")


@pytest.mark.parametrize("missing", [WHEEL, SDIST])
def test_half_a_release_is_refused(small: Path, missing: str) -> None:
    (small / "dist" / missing).unlink()
    assert "run make clean wheel sdist" in published(small, "publish", "http://127.0.0.1:9/", "dist")


@dataclass(frozen=True)
class Index:
    """A package index on loopback that takes uploads from one name."""

    port: int
    files: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    where = tmp_path_factory.mktemp("index")
    (where / "files").mkdir()
    names = HtpasswdFile(str(where / "names"), new=True)
    names.set_password(NAME, SECRET)
    names.save()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = Index(free.getsockname()[1], where / "files")
    command = [str(BIN / "pypi-server"), "run", "-i", "127.0.0.1", "-p", str(found.port), "-a", "update"]
    server = subprocess.Popen([*command, "--disable-fallback", "-P", str(where / "names"), str(found.files)], stderr=-3)
    try:
        deadline = time.monotonic() + WAIT_S
        while not is_open(found.port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield found
    finally:
        server.terminate()
        server.wait()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.timeout(600)
def test_a_release_is_published_and_installed_from_the_index(release: Release, index: Index, tmp_path: Path) -> None:
    goal = ("publish", f"INDEX_URL={index.url}")
    wrong = make(release.root, *goal, UV_PUBLISH_USERNAME=NAME, UV_PUBLISH_PASSWORD="guess")
    assert wrong.returncode == 2
    assert "release: the index refuses these credentials; set UV_PUBLISH_TOKEN, or" in wrong.stderr
    assert list(index.files.iterdir()) == []

    credentials = {"UV_PUBLISH_USERNAME": NAME, "UV_PUBLISH_PASSWORD": SECRET}
    done = make(release.root, *goal, **credentials)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"hip3 {release.version} is published\n")
    assert SECRET not in done.stdout + done.stderr
    assert {file.name for file in index.files.iterdir()} == {release.wheel.name, release.sdist.name}

    again = make(release.root, *goal, **credentials)
    assert again.returncode == 2
    assert f"release: hip3 {release.version} is there already; a version is never replaced" in again.stderr

    assert version_installed_from(index, tmp_path) == f"hip3 {release.version} ({release.commit})\n"


@pytest.mark.timeout(600)
def test_an_index_that_is_not_there_is_one_line_with_its_cause(release: Release) -> None:
    impatient = {"UV_PUBLISH_TOKEN": "x", "UV_HTTP_RETRIES": "0"}
    told = published(release.root, "publish", "http://127.0.0.1:9/", "dist", **impatient)
    assert "Connection refused" in told


@pytest.mark.timeout(600)
def test_an_upload_that_broke_off_is_finished(release: Release, index: Index) -> None:
    (index.files / release.sdist.name).unlink(missing_ok=True)
    shutil.copy(release.wheel, index.files)
    goal = ("publish", f"INDEX_URL={index.url}")
    done = make(release.root, *goal, UV_PUBLISH_USERNAME=NAME, UV_PUBLISH_PASSWORD=SECRET)
    assert done.returncode == 0, done.stderr
    assert f"{release.wheel.name} was there already and stays as it was" in done.stdout
    assert (index.files / release.sdist.name).exists()


def version_installed_from(index: Index, home: Path) -> str:
    """What `hip3 --version` says where pip found hip3 on that index and nowhere else."""
    subprocess.run([sys.executable, "-m", "venv", str(home / "user")], check=True, capture_output=True)
    programs = home / "user" / "bin"
    command = [str(programs / "pip"), "--isolated", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--index-url", f"{index.url}simple/", "hip3"], check=True, capture_output=True)
    # Its dependencies are those of this interpreter: they are looked for after what pip has installed.
    (site,) = (home / "user" / "lib").glob("python3*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(f"{ours}\n")
    environment = {"PATH": str(programs)}
    done = subprocess.run([str(programs / "hip3"), "--version"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
