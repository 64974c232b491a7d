"""`hip3 key`: a key comes in by standard input alone, lies where only its owner reads it, and is never shown."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from hip3 import cli
from hip3.config import load
from hip3.credentials import ENV_KEY, load_signer
from hip3.errors import ConfigError

from ...terminal import Done
from .sample import ADDRESS, KEY, PASSPHRASE, private, usual

Run = Callable[..., Done]


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `hip3 key` with `given` on standard input."""

    def key(*words: str, given: str | bytes = "") -> Done:
        (home / "given").write_bytes(given if isinstance(given, bytes) else given.encode())
        with (home / "given").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            status = cli.main(["key", *words])
        told = capfd.readouterr()
        assert "0123456789" not in told.out + told.err
        return Done(status, told.out, told.err)

    return key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def address_by(*sets: str) -> str:
    """The address that a run with these options signs with."""
    return load_signer(load(None, list(sets)), False).address


def test_a_key_is_taken_into_a_keystore_at_the_usual_place_where_a_run_finds_it(run: Run, home: Path) -> None:
    old = os.umask(0)
    try:
        done = run("import", "--passphrase-file", f"{home}/word", given=f"  {KEY}\n")
    finally:
        os.umask(old)
    path = usual(home)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"agent {ADDRESS}",
        f"in {path}, encrypted, mode 0600",
        "nothing to configure: hip3 looks for it there",
        "approve it for your account on the venue's page, then: hip3 check",
    ]
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert os.listdir(path.parent) == ["agent.json"]
    assert Account.decrypt(json.loads(path.read_text()), PASSPHRASE) == bytes.fromhex(KEY[2:])
    assert address_by(f"account.passphrase_file={home}/word") == ADDRESS


def test_another_place_is_told_as_the_configuration_takes_it(run: Run, home: Path) -> None:
    done = run("import", "--plain", "--path", f"{home}/own.key", given=KEY)
    assert f'[account]\nkey_file = "{home}/own.key"\n' in done.out
    assert f"in {home}/own.key, plain, mode 0600\n" in done.out
    assert (home / "own.key").read_text() == KEY
    assert address_by(f"account.key_file={home}/own.key") == ADDRESS


def test_the_configured_place_is_taken_without_being_told_again(run: Run, home: Path) -> None:
    done = run("import", "--plain", "--set", f"account.key_file={home}/set.key", given=KEY)
    assert "nothing to configure" in done.out
    assert (home / "set.key").exists()
    assert not usual(home).exists()


def test_the_configured_passphrase_file_serves_an_import_too(run: Run, home: Path) -> None:
    word = f"account.passphrase_file={home}/word"
    assert run("import", "--set", word, given=KEY).status == 0
    assert address_by(word) == ADDRESS


def test_a_keystore_of_another_program_is_written_anew_under_its_passphrase(run: Run, home: Path) -> None:
    theirs = Account.encrypt(KEY, PASSPHRASE, kdf="pbkdf2", iterations=1000)
    del theirs["address"]
    assert run("import", "--passphrase-file", f"{home}/word", given=json.dumps(theirs)).status == 0
    ours = json.loads(usual(home).read_text())
    assert (ours["address"], ours["crypto"]["kdfparams"]["n"]) == (ADDRESS[2:], 2**18)


REFUSED = {
    "nothing": ("", [], "standard input is empty"),
    "white space": (" \n\n", [], "standard input is empty"),
    "half a key": (KEY[:40], [], "standard input: key is neither"),
    "two keys": (f"{KEY}\n{KEY}\n", [], "standard input: key is neither"),
    "a passphrase": ("x" * 32 + "\n", [], "32 characters are no private key, which has 64 hex digits"),
    "no key of the curve": ("00" * 32, ["--plain"], "standard input: key is neither"),
    "a book": ("x" * 5000, [], "standard input has more than 4096 bytes"),
    "no keystore": ("{}", [], "standard input: no keystore of version 3"),
    "a keystore as a plain file": ("{}", ["--plain"], "imported as one, without --plain"),
    "a short passphrase": (KEY, ["--passphrase-file", "short"], "12 characters or more; nothing was written"),
    "an empty passphrase": (KEY, ["--passphrase-file", "empty"], "12 characters or more; nothing was written"),
    "a passphrase of spaces": (KEY, ["--passphrase-file", "spaces"], "12 characters or more; nothing was written"),
    "umlauts count once": (KEY, ["--passphrase-file", "umlauts"], "12 characters or more; nothing was written"),
    "a passphrase for all to read": (KEY, ["--passphrase-file", "open"], "chmod 600 it"),
    "a passphrase that is not there": (KEY, ["--passphrase-file", "none"], "No such file"),
    "both forms": (KEY, ["--plain", "--keystore"], "not allowed with"),
    "a key as an argument": ("", [KEY], "unrecognized arguments"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_in_is_one_line_and_leaves_no_file(run: Run, home: Path, case: str) -> None:
    given, words, why = REFUSED[case]
    for name, text in {"short": "eleven char", "empty": "\n", "spaces": " " * 20, "umlauts": "ü" * 11}.items():
        private(home / name, text)
    private(home / "open", PASSPHRASE).chmod(0o640)
    words = [str(home / word) if (home / word).exists() or word == "none" else word for word in words]
    done = run("import", *words, given=given)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert why in done.err
    assert not usual(home).exists()


def test_a_wrong_passphrase_of_a_given_keystore_is_one_line(run: Run, home: Path) -> None:
    theirs = Account.encrypt(KEY, "another passphrase", iterations=2)
    done = run("import", "--passphrase-file", f"{home}/word", given=json.dumps(theirs))
    told = "hip3: standard input: the passphrase is wrong, or the keystore is damaged\n"
    assert (done.status, done.err) == (2, told)


def test_a_key_that_is_there_is_overwritten_only_when_that_is_said(run: Run, home: Path) -> None:
    path = private(home / "agent.key", "5a" * 32)
    words = ["import", "--plain", "--path", str(path)]
    done = run(*words, given=KEY)
    assert (done.status, done.out) == (2, "")
    assert done.err == f"hip3: {path} exists; --force puts the new key in its place, --path names another\n"
    assert path.read_text() == "5a" * 32
    assert run(*words, "--force", given=KEY).status == 0
    assert (path.read_text(), mode(path)) == (KEY, 0o600)


def test_a_place_that_cannot_be_written_is_one_line_and_leaves_nothing_of_the_key(run: Run, home: Path) -> None:
    (home / "taken").mkdir()
    done = run("import", "--plain", "--force", "--path", f"{home}/taken", given=KEY)
    assert (done.status, done.err.count("\n")) == (1, 1)
    done = run("import", "--plain", "--path", f"{home}/word/agent.key", given=KEY)
    assert (done.status, done.err) == (1, f"hip3: {home}/word: File exists\n")
    (home / "given").unlink()
    found = [path for path in home.rglob("*") if path.is_file() and KEY[2:] in path.read_text()]
    assert found == []


def show(run: Run, *words: str) -> tuple[dict[str, object], str]:
    """What `hip3 key show` says, as an object and as text."""
    # The environment's key is taken out when it is read.
    given = os.environ.get(ENV_KEY)
    as_object = json.loads(run("show", "--json", *words).out)
    if given is not None:
        os.environ[ENV_KEY] = given
    return as_object, run("show", *words).out


def test_each_form_is_shown_by_its_address_and_place(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = private(home / "agent.key", KEY)
    found, text = show(run, "--set", f"account.key_file={plain}")
    assert found == {"address": ADDRESS, "form": "file", "encrypted": False, "path": str(plain)}
    assert text == f"agent {ADDRESS}\nfrom file {plain}\n"

    monkeypatch.setenv(ENV_KEY, "5a" * 32)
    found, text = show(run)
    assert (found["form"], found["path"]) == ("environment", None)
    assert text.endswith("from environment\n")

    # Once there is a keystore, the environment is not asked any more.
    monkeypatch.setenv(ENV_KEY, "5a" * 32)
    run("import", "--passphrase-file", f"{home}/word", given=KEY)
    found, text = show(run)
    assert found == {"address": ADDRESS, "form": "keystore", "encrypted": True, "path": str(usual(home))}
    assert text == f"agent {ADDRESS}\nfrom keystore {usual(home)}\n"

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(usual(home).parent))
    found, text = show(run, "--set", f"account.key_file={usual(home)}")
    assert (found["form"], found["encrypted"], found["address"]) == ("credential", True, ADDRESS)
    assert text.endswith(f"from credential, encrypted {usual(home)}\n")


def test_a_keystore_and_its_passphrase_may_both_be_credentials(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("import", "--path", f"{home}/hip3.key", "--passphrase-file", f"{home}/word", given=KEY)
    # As a service manager leaves them: the group bits are those of an access list.
    for name in ("hip3.key", "word"):
        (home / name).chmod(0o440)
    sets = [f"account.key_file={home}/hip3.key", f"account.passphrase_file={home}/word"]
    with pytest.raises(ConfigError, match="can be read by others"):
        address_by(*sets)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(home))
    assert address_by(*sets) == ADDRESS


def test_a_keystore_without_its_address_says_so(run: Run, home: Path) -> None:
    theirs = Account.encrypt(KEY, PASSPHRASE, iterations=2)
    del theirs["address"]
    path = private(home / "theirs.json", json.dumps(theirs))
    found, text = show(run, "--set", f"account.key_file={path}")
    assert found["address"] is None
    assert "the keystore does not name it; hip3 check unlocks it" in text


def test_without_any_key_the_remedy_is_named(run: Run) -> None:
    done = run("show")
    assert (done.status, done.out) == (2, "")
    assert "hip3 key import takes one in" in done.err


def test_forget_removes_the_file_and_names_the_agent_that_is_still_approved(run: Run, home: Path) -> None:
    path = private(home / "agent.key", KEY)
    words = ["forget", "--set", f"account.key_file={path}"]
    done = run(*words)
    assert (done.status, done.err) == (2, "hip3: forget asks for a word on a terminal; without one it needs --yes\n")
    assert path.exists()
    done = run(*words, "--yes")
    assert (done.status, done.err) == (0, "")
    assert f"remove agent {ADDRESS} on the venue's page too" in done.out
    assert not path.exists()
    assert run(*words, "--yes").err == f"hip3: there is no key file {path}\n"


def test_forget_leaves_a_file_alone_that_is_no_key(run: Run, home: Path) -> None:
    path = private(home / "notes.txt", "remember the milk")
    done = run("forget", "--yes", "--set", f"account.key_file={path}")
    assert (done.status, done.out) == (2, "")
    assert "is not usable" in done.err
    assert path.exists()
