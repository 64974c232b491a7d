"""Questions on a terminal: what is typed is not shown, standard input may be a pipe, and Ctrl-C ends them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from ...terminal import Terminal
from .sample import KEY, PASSPHRASE, private, usual

NOWHERE = ("--set", "venue.ws_url=ws://127.0.0.1:9/ws", "--set", "venue.http_url=http://127.0.0.1:9")


def test_a_passphrase_is_typed_twice_without_echo_while_the_key_comes_by_a_pipe(home: Path) -> None:
    seat = Terminal("key", "import", given=KEY)
    for prompt in ("new passphrase for the keystore: ", "the same again: "):
        seat.wait_for(prompt)
        assert not seat.echoes
        seat.type(f"{PASSPHRASE}\n")
    done = seat.end()
    assert (done.status, done.err) == (0, "")
    assert PASSPHRASE not in done.screen + done.out
    assert Account.decrypt(json.loads(usual(home).read_text()), PASSPHRASE) == bytes.fromhex(KEY[2:])


def test_two_passphrases_that_differ_write_nothing(home: Path) -> None:
    seat = Terminal("key", "import", given=KEY)
    seat.wait_for("new passphrase for the keystore: ")
    seat.type(f"{PASSPHRASE}\n")
    seat.wait_for("the same again: ")
    seat.type(f"{PASSPHRASE}!\n")
    done = seat.end()
    assert (done.status, done.err) == (2, "hip3: the two passphrases differ; nothing was written\n")
    assert not usual(home).exists()


def test_a_key_typed_on_a_terminal_is_not_shown(home: Path) -> None:
    seat = Terminal("key", "import", "--plain")
    seat.wait_for("private key of the agent, which is not shown: ")
    assert not seat.echoes
    seat.type(f"{KEY}\n")
    done = seat.end()
    assert done.status == 0
    assert "0123456789" not in done.screen + done.out + done.err
    assert usual(home).read_text() == KEY


@pytest.mark.parametrize("words", [["key", "import"], ["run", "--venue", "testnet", "--headless"]])
def test_ctrl_c_at_a_question_ends_at_once_and_gives_the_terminal_back(home: Path, words: list[str]) -> None:
    given = KEY
    if words[0] == "run":
        usual(home).parent.mkdir()
        private(usual(home), json.dumps(Account.encrypt(KEY, PASSPHRASE, iterations=2)))
    seat = Terminal(*words, given=given)
    seat.wait_for("passphrase")
    assert not seat.echoes
    seat.type("half a passphr\x03")
    done = seat.end()
    assert (done.status, done.out, done.err) == (130, "", "")
    assert "half" not in done.screen
    assert done.echoes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_at_a_question_ends_by_it_and_gives_the_terminal_back(home: Path, number: signal.Signals) -> None:
    seat = Terminal("key", "import", given=KEY)
    seat.wait_for("passphrase")
    assert not seat.echoes
    seat.send(number)
    done = seat.end()
    assert (done.status, done.out, done.err) == (-number, "", "")
    assert done.echoes
    assert not usual(home).exists()


def test_no_key_suspends_a_question_or_dumps_it(home: Path) -> None:
    seat = Terminal("key", "import", given=KEY)
    strange = f"{PASSPHRASE}\x1c\x1a"
    for prompt in ("new passphrase for the keystore: ", "the same again: "):
        seat.wait_for(prompt)
        seat.send(signal.SIGTSTP)
        seat.type(f"{strange}\n")
    done = seat.end()
    assert (done.status, done.err) == (0, "")
    assert done.echoes
    assert Account.decrypt(json.loads(usual(home).read_text()), strange) == bytes.fromhex(KEY[2:])


def test_a_run_asks_for_the_passphrase_before_anything_else_and_refuses_a_wrong_one(home: Path) -> None:
    usual(home).parent.mkdir()
    private(usual(home), json.dumps(Account.encrypt(KEY, PASSPHRASE, iterations=2)))
    told = {
        "right": (3, "the venue does not answer"),
        "wrong": (2, "the passphrase is wrong, or the keystore is damaged"),
    }
    for word, (status, why) in told.items():
        seat = Terminal("run", *NOWHERE)
        seat.wait_for(f"passphrase of the keystore {usual(home)}: ")
        seat.type(f"{PASSPHRASE if word == 'right' else word}\n")
        done = seat.end()
        assert (done.status, done.out, done.err.count("\n")) == (status, "", 1)
        assert why in done.err


def test_without_a_terminal_a_run_names_the_option(home: Path) -> None:
    usual(home).parent.mkdir()
    private(usual(home), json.dumps(Account.encrypt(KEY, PASSPHRASE, iterations=2)))
    done = subprocess.run(
        [sys.executable, "-m", "hip3", "run", *NOWHERE], capture_output=True, text=True, start_new_session=True
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.endswith("name a file of mode 0600 with it in account.passphrase_file\n")
