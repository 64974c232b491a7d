"""What stays of a key in a process that took it in: nothing as text, and no other process of the user looks for it."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from .sample import private

#: Begins of secrets are looked for with their digests, so that the search does not find itself.
SCRIPT = """
import contextlib, hashlib, json, sys
from hip3 import cli, credentials
from hip3.config import load
from hip3.keys import command

credentials.keep_memory_private = command.keep_memory_private = lambda: None
wanted = json.loads(sys.argv[2])
if sys.argv[1] == "run":
    held = credentials.load_signer(load(None, sys.argv[3:]), False)
else:
    with contextlib.redirect_stdout(sys.stderr):
        assert cli.main(["key", "import", *sys.argv[3:]]) == 0
control = bytearray(b"a secret" + b" that is left behind")
wanted.append(["a secret", 28, hashlib.sha256(control).hexdigest()])
found = [0] * len(wanted)
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for row in maps:
        span, rights = row.split()[:2]
        begin, end = (int(part, 16) for part in span.split("-"))
        if "r" not in rights or "[v" in row:
            continue
        memory.seek(begin)
        body = memory.read(end - begin) or b""
        for number, (start, length, digest) in enumerate(wanted):
            at = body.find(start.encode())
            while at >= 0:
                found[number] += hashlib.sha256(body[at : at + length]).hexdigest() == digest
                at = body.find(start.encode(), at + 1)
print(json.dumps(found))
"""
FREED = 24
HARDENED = """
import ctypes, os, resource
from hip3.keys.hardening import keep_memory_private
keep_memory_private()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3), len(os.listdir("/proc/self/fd")) > 2)
"""


def left(kind: str, words: list[str], secret: list[str], given: str = "") -> list[int]:
    """How often each secret is in the memory of a process that has done this; last one that must be found."""
    # The allocator writes over the first bytes of what is freed: the rest is what betrays.
    rests = [text[FREED:] for text in secret]
    wanted = [[rest[:8], len(rest), hashlib.sha256(rest.encode()).hexdigest()] for rest in rests]
    command = [sys.executable, "-c", SCRIPT, kind, json.dumps(wanted), *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    found: list[int] = json.loads(done.stdout)
    assert found.pop() > 0
    return found


@pytest.mark.parametrize("kind", ["run", "import"])
@pytest.mark.parametrize("form", ["plain", "keystore"])
def test_neither_key_nor_passphrase_stays_in_memory_as_it_was_read(tmp_path: Path, form: str, kind: str) -> None:
    key, word = secrets.token_hex(32), secrets.token_hex(32)
    word_file = private(tmp_path / "word", word)
    if kind == "import":
        words = ["--path", str(tmp_path / "made"), *(["--plain"] if form == "plain" else [])]
        assert left(kind, [*words, "--passphrase-file", str(word_file)], [key, word], key + "\n") == [0, 0]
        return
    body = key if form == "plain" else json.dumps(Account.encrypt("0x" + key, word, iterations=2))
    sets = [f"account.key_file={private(tmp_path / 'key', body)}", f"account.passphrase_file={word_file}"]
    assert left(kind, sets, [key, word]) == [0, 0]


def test_a_process_with_a_key_leaves_no_core_file_and_is_closed_to_its_user() -> None:
    done = subprocess.run([sys.executable, "-c", HARDENED], capture_output=True, text=True, timeout=50)
    assert done.stdout == "(0, 0) 0 True\n", done.stderr
