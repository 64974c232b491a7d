"""A marked key through everything that a user does with it: no output and no file repeats it, in any spelling."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hip3.research.record import read_lines

from ..local_venue import LocalVenue, local_venue
from ..terminal import WAIT_S

PASSPHRASE = secrets.token_urlsafe(24)


class User:
    """Runs commands in a home of their own and keeps everything that they print."""

    def __init__(self, home: Path, venue: LocalVenue) -> None:
        self.home = home
        self.said: list[bytes] = []
        word = home / "word"
        word.touch(mode=0o600)
        word.write_text(PASSPHRASE + "\n")
        (home / "hip3.toml").write_text(
            f'[venue]\nname = "testnet"\n[account]\npassphrase_file = "{word}"\n'
            f'[status]\nsocket = "{home}/s.sock"\n[control]\nlatch = "{home}/KILL"\n[log]\nformat = "json"\n'
        )
        places = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE")}
        self.environment = {
            **os.environ,
            **venue.environment,
            **places,
            "HIP3_CONFIG": str(home / "hip3.toml"),
            "HOME": str(home),
        }

    def start(self, *words: str, **pipes: int) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
        command = [sys.executable, "-m", "hip3", *words]
        return subprocess.Popen(command, env=self.environment, cwd=self.home, start_new_session=True, **pipes)

    def do(self, *words: str, status: int = 0, given: bytes | None = None) -> bytes:
        pipes = {} if given is None else {"stdin": subprocess.PIPE}
        return self.end(self.start(*words, **pipes), status, given)

    def end(self, process: subprocess.Popen[bytes], status: int, given: bytes | None = None) -> bytes:
        out, err = process.communicate(given, timeout=WAIT_S)
        self.said += [out, err]
        assert process.returncode == status, err
        return out


def spellings(secret: bytes) -> Iterator[bytes]:
    """The bytes themselves, hex of either case, and base64 wherever they may begin."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for text in (secret, secret.hex().encode()):
        for shift in range(3):
            # Whole groups alone: what stands beside the secret decides the others.
            whole = base64.b64encode(bytes(shift) + text)[4 if shift else 0 : -4]
            yield whole
            yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def everything(user: User, recording: Path) -> Iterator[tuple[str, bytes]]:
    """What was printed, what lies in files, and what is packed in a recording."""
    yield from ((f"output {number}", said) for number, said in enumerate(user.said))
    for path in user.home.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    yield "recording", b"\n".join(line for _, line in read_lines(recording))


@pytest.mark.timeout(180)
def test_neither_key_nor_passphrase_is_repeated_anywhere(tmp_path: Path) -> None:
    venue_home, home = tmp_path / "venue", tmp_path / "home"
    venue_home.mkdir()
    home.mkdir(mode=0o700)
    with local_venue(venue_home) as venue:
        key = venue.key_file.read_bytes().strip()
        user = User(home, venue)
        user.do("key", "import", given=key)
        user.do("key", "import", given=key, status=2)
        user.do("key", "show")
        user.do("key", "show", "--json")
        user.do("config", "show")
        user.do("check")
        user.do("check", "--json")
        recording = home / "recording"
        run = user.start("run", "--json", "--headless", "--duration", "8", "--record", str(recording))
        shown = look(user)
        assert shown["header"]["agent_valid_until_ms"] > shown["time_ms"]
        user.do("status", "--once")
        user.do("pause", "--reason", "canary")
        user.do("resume")
        user.do("flatten", "--all")
        user.end(run, 0)
        user.do("replay", str(recording), "--json")
        # What goes wrong has texts of its own.
        user.do("run", "--set", f"account.address={key.decode()}", status=2)
        user.do("run", key.decode(), status=2)
        user.do("run", "--set", f"account.passphrase_file={home}/hip3.toml", status=2)
        user.do("run", "--set", f"account.key_file={home}/word", status=2)
        user.do("run", "--set", "account.passphrase_file=", status=2)
        user.do("key", "import", "--force", given=key + key, status=2)
        (home / "word").unlink()
        secret = bytes.fromhex(key.decode().removeprefix("0x"))
        marks = [*spellings(secret), PASSPHRASE.encode(), base64.b64encode(PASSPHRASE.encode())]
        found = [(where, mark) for where, body in everything(user, recording) for mark in marks if mark in body]
        assert found == []
        # The search finds what is there.
        user.said.append(b"..." + base64.b64encode(b"x" + secret))
        assert [where for where, body in everything(user, recording) if any(mark in body for mark in marks)] != []


def look(user: User) -> dict[str, dict[str, int]]:
    """The snapshot of the run once it trades."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        done = subprocess.run(
            [sys.executable, "-m", "hip3", "status", "--json"], env=user.environment, capture_output=True
        )
        user.said += [done.stdout, done.stderr]
        if done.returncode == 0 and b'"state":"trading"' in done.stdout:
            shown: dict[str, dict[str, int]] = json.loads(done.stdout)
            return shown
        time.sleep(0.2)
    raise AssertionError("it never traded")
