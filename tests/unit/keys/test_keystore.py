"""Keystores of the core: files move between this program and others, secrets are wiped, and threads run meanwhile."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

import pytest
from eth_account import Account

from hip3._hip3 import Signer, keystore_address, lock_key, relock_key

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
PASSPHRASE = "a passphrase, with ümlauts"


def word(text: str = PASSPHRASE) -> bytearray:
    return bytearray(text.encode())


def theirs(kdf: str, **changes: Any) -> bytes:
    """A keystore as eth-account writes it, cheap."""
    made = Account.encrypt(KEY, PASSPHRASE, kdf=kdf, iterations=4096 if kdf == "scrypt" else 1000)
    return json.dumps(made | changes).encode()


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_a_keystore_of_eth_account_unlocks_here(kdf: str) -> None:
    made = theirs(kdf)
    assert keystore_address(made) == ADDRESS
    assert Signer.unlock(made, word(), True).address == ADDRESS
    with pytest.raises(ValueError, match="the passphrase is wrong"):
        Signer.unlock(made, word("another passphrase"), True)


def test_a_keystore_of_ours_unlocks_in_eth_account() -> None:
    made = lock_key(bytearray(KEY.encode()), word(), os.urandom(64))
    assert Account.decrypt(json.loads(made), PASSPHRASE) == bytes.fromhex(KEY[2:])
    assert keystore_address(made) == ADDRESS
    assert Signer.unlock(made, word(), False).address == ADDRESS


def test_a_keystore_written_anew_has_our_cost_the_address_and_the_same_passphrase() -> None:
    made = theirs("pbkdf2", address=ADDRESS)
    again = json.loads(relock_key(made, word(), os.urandom(64)))
    assert again["crypto"]["kdfparams"]["n"] == 2**18
    assert f"0x{again['address']}" == ADDRESS
    assert Account.decrypt(again, PASSPHRASE) == bytes.fromhex(KEY[2:])


def test_two_keystores_of_one_key_have_nothing_in_common_but_the_address() -> None:
    first, second = (json.loads(lock_key(bytearray(KEY.encode()), word(), os.urandom(64))) for _ in range(2))
    assert first["address"] == second["address"]
    for part in ("ciphertext", "mac"):
        assert first["crypto"][part] != second["crypto"][part]
    assert first["id"] != second["id"]


def test_every_secret_that_comes_in_is_wiped_whatever_becomes_of_it() -> None:
    made = theirs("scrypt")
    for refused in (made, b"{}"):
        secret = word("another passphrase")
        with pytest.raises(ValueError, match=r"passphrase|keystore"):
            Signer.unlock(refused, secret, False)
        assert secret == bytes(len(secret))
        secret = word("another passphrase")
        with pytest.raises(ValueError, match=r"passphrase|keystore"):
            relock_key(refused, secret, bytes(64))
        assert secret == bytes(len(secret))
    key, secret = bytearray(b"0x12"), word()
    with pytest.raises(ValueError, match="key is neither"):
        lock_key(key, secret, bytes(64))
    assert (key, secret) == (bytes(len(key)), bytes(len(secret)))


def test_a_refused_keystore_is_never_repeated() -> None:
    for body in (KEY.encode(), json.dumps({"version": KEY}).encode(), json.dumps([KEY]).encode()):
        with pytest.raises(ValueError, match="no keystore of version 3") as told:
            keystore_address(body)
        assert "0123456789" not in str(told.value)


def test_other_threads_run_while_a_key_is_derived() -> None:
    made = lock_key(bytearray(KEY.encode()), word(), os.urandom(64))
    beats = []
    done = threading.Event()

    def beat() -> None:
        while not done.is_set():
            beats.append(time.perf_counter())
            time.sleep(0.005)

    thread = threading.Thread(target=beat)
    thread.start()
    began = time.perf_counter()
    Signer.unlock(made, word(), False)
    ended = time.perf_counter()
    done.set()
    thread.join()
    # With the interpreter held it would be one at most, whatever the machine.
    assert sum(began < at < ended for at in beats) > 5
