"""Checks that what is published is what was tagged, and publishes it: `make release-check`, `make publish`.

The version stands in Cargo.toml alone. A release is a commit with a clean tree, the tag `vX.Y.Z` of that version, and a
section of the changelog; what is published was built from that commit. uv uploads, since it pins the tools anyway, and
takes the credentials from the environment itself: no argument, no output and no variable of this program has them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
COMMIT_FILE = "hip3/commit.txt"
CREDENTIALS = "UV_PUBLISH_TOKEN, or UV_PUBLISH_USERNAME and UV_PUBLISH_PASSWORD"
#: What an index answers about a file that it has: the status of most, and the words of those that answer 400 or 403.
THERE_ALREADY = re.compile(r"status code 409|already exists|does not allow updating", re.IGNORECASE)
FORBIDDEN = re.compile(r"status code (401|403)")
UPLOAD_TIMEOUT_S = 600


class Refused(Exception):
    """One line that says what is wrong and what to do."""


def main(words: list[str]) -> int:
    """`check`, or `publish INDEX_URL DIRECTORY`; 1 for a refusal, on one line."""
    try:
        match words:
            case ["check"]:
                version = check()
                sys.stdout.write(f"hip3 {version} is tagged, told in the changelog, and committed\n")
            case ["publish", index_url, directory]:
                publish(index_url, ROOT / directory)
            case _:
                raise Refused("say `check`, or `publish INDEX_URL DIRECTORY`")
    except Refused as refusal:
        sys.stderr.write(f"release: {refusal}\n")
        return 1
    return 0


def check() -> str:
    """The version that this commit releases. Refused unless version, tag, changelog and tree agree."""
    version: str = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["version"]
    changed = git("status", "--porcelain").splitlines()
    if changed:
        raise Refused(f"the tree is not clean ({changed[0].strip()}); commit it, or work in a fresh clone")
    tags = [tag for tag in git("tag", "--points-at", "HEAD").split() if tag.startswith("v")]
    if f"v{version}" not in tags:
        found = f"tagged {' '.join(tags)}" if tags else "not tagged"
        raise Refused(f"this commit is {found}, Cargo.toml says {version}: tag it v{version}, or change the version")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## \[{re.escape(version)}\].*\n((?:(?!## ).*\n)*)", changelog, re.MULTILINE)
    if section is None or not section[1].strip():
        raise Refused(f"CHANGELOG.md tells nothing about {version}: name the section [Unreleased] so, with its date")
    return version


def publish(index_url: str, directory: Path) -> None:
    """Uploads the wheels and the sdist of this commit's version. What the index has already is never replaced."""
    where = urlsplit(index_url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise Refused("which index? make publish INDEX_URL=https://…")
    if where.username or where.password:
        raise Refused(f"INDEX_URL holds credentials; take them out and set {CREDENTIALS}")
    version = check()
    files = packages(directory, version)
    there = [file.name for file in files if not upload(file, index_url)]
    if len(there) == len(files):
        raise Refused(f"hip3 {version} is there already; a version is never replaced, so raise it in Cargo.toml")
    for name in there:
        sys.stdout.write(f"{name} was there already and stays as it was\n")
    sys.stdout.write(f"hip3 {version} is published\n")


def packages(directory: Path, version: str) -> list[Path]:
    """Wheels and sdist, the latter last. Refused unless all are of this version and were built from this commit."""
    wheels, sdists = sorted(directory.glob("*.whl")), sorted(directory.glob("*.tar.gz"))
    if not wheels or len(sdists) != 1:
        raise Refused(f"{directory} has {len(wheels)} wheels and {len(sdists)} sdists; run make clean wheel sdist")
    commit = git("rev-parse", "HEAD").strip()
    for file in [*wheels, *sdists]:
        if not re.match(rf"hip3-{re.escape(version)}[-.](cp|tar)", file.name):
            raise Refused(f"{file.name} is not of version {version}; run make clean wheel sdist")
        built_from = commit_of(file)
        if not built_from or not commit.startswith(built_from):
            raise Refused(
                f"{file.name} was built from {built_from or 'no commit'}, not {commit[:12]}; run make clean wheel sdist"
            )
    return [*wheels, *sdists]


def commit_of(file: Path) -> str:
    """The commit that a wheel or an sdist says it was built from, or nothing."""
    try:
        if file.suffix == ".whl":
            with zipfile.ZipFile(file) as wheel:
                return wheel.read(COMMIT_FILE).decode("ascii").strip()
        with tarfile.open(file) as sdist:
            member = sdist.extractfile(f"{file.name.removesuffix('.tar.gz')}/python/{COMMIT_FILE}")
            return member.read().decode("ascii").strip() if member else ""
    except KeyError:
        return ""


def upload(file: Path, index_url: str) -> bool:
    """Uploads one file; False where the index has it already. Refused for any other answer than yes."""
    uv = str(Path(sys.executable).with_name("uv"))
    options = ["--publish-url", index_url, "--trusted-publishing", "never", "--no-attestations"]
    command = [uv, "publish", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=UPLOAD_TIMEOUT_S, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        sys.stdout.write(f"{file.name} is uploaded\n")
        return True
    if THERE_ALREADY.search(done.stderr):
        return False
    if FORBIDDEN.search(done.stderr):
        raise Refused(f"the index refuses these credentials; set {CREDENTIALS} to those of somebody who may publish")
    causes = re.findall(r"^ *(?:error|cause): (.*)", done.stderr, re.MULTILINE) or ["uv publish failed without a word"]
    raise Refused(f"{causes[0]}: {causes[-1]}")


def git(*words: str) -> str:
    """What git says about this checkout. Refused where there is none."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"git {words[0]}: {done.stderr.strip().splitlines()[-1]}; publish from a clone")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
