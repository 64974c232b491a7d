"""`hip3 key import`, `show` and `forget`. What is printed of a key is its address."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from hip3._hip3 import address_of, keystore_address, lock_key, relock_key
from hip3.config import Config
from hip3.control.confirm import confirm
from hip3.credentials import KEY_FILE_BYTES_MAX, find_key, is_keystore, key_path, read_source, strip_key
from hip3.durable import sync_directory, write_durably
from hip3.errors import CheckFailed, ConfigError, UsageError
from hip3.homes import expanded
from hip3.keys.hardening import keep_memory_private
from hip3.keys.passphrase import new_passphrase, passphrase_of, strong
from hip3.keys.terminal import ask, read_input, wipe
from hip3.options import as_toml

CHANCE_BYTES = 64


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the command line says about an import; `path` None takes the configured or the usual place."""

    plain: bool = False
    path: Path | None = None
    passphrase_file: Path | None = None
    force: bool = False


def import_key(config: Config, options: ImportOptions) -> int:
    """Takes one key from standard input into a keystore, or a plain file of mode 0600. Raises Hip3Error."""
    keep_memory_private()
    path = expanded(options.path, "--path") if options.path else key_path(config)
    if os.path.lexists(path) and not options.force:
        raise ConfigError(f"{path} exists; --force puts the new key in its place, --path names another")
    body = _key_given()
    try:
        content = _plain(body) if options.plain else _locked(body, config, options.passphrase_file)
        try:
            write_durably(path, content)
        except OSError as error:
            raise CheckFailed(f"{error.filename or path}: {error.strerror}") from None
        finally:
            wipe(content)
    finally:
        wipe(body)
    address = read_source(path).address()
    sys.stdout.write(f"agent {address}\nin {path}, {'plain' if options.plain else 'encrypted'}, mode 0600\n")
    sys.stdout.write(_what_to_configure(config, path))
    sys.stdout.write("approve it for your account on the venue's page, then: hip3 check\n")
    return 0


def _key_given() -> bytearray:
    if sys.stdin.isatty():
        typed = ask("private key of the agent, which is not shown: ")
        body = bytearray() if typed is None else typed
    else:
        body = read_input(KEY_FILE_BYTES_MAX)
    if not strip_key(body, "standard input"):
        raise UsageError("standard input is empty; give it the agent's private key or a keystore")
    return body


def _plain(body: bytearray) -> bytearray:
    """What the file will hold: the key as it was given."""
    if is_keystore(body):
        raise UsageError("standard input is a keystore; it is imported as one, without --plain")
    try:
        # The core wipes what it takes, and this key is still to be written.
        address_of(body.copy())
    except ValueError as error:
        raise UsageError(f"standard input: {error}") from None
    return body


def _locked(body: bytearray, config: Config, passphrase_file: Path | None) -> bytearray:
    """The keystore that the file will hold. One that was given is written anew, under its own passphrase."""
    given = is_keystore(body)
    try:
        # What is no key is told of before anybody types a passphrase for it.
        if given:
            keystore_address(bytes(body))
            passphrase = strong(passphrase_of(config, "the keystore on standard input", passphrase_file))
            return bytearray(relock_key(bytes(body), passphrase, os.urandom(CHANCE_BYTES)))
        address_of(body.copy())
        return bytearray(lock_key(body, new_passphrase(config, passphrase_file), os.urandom(CHANCE_BYTES)))
    except ValueError as error:
        raise UsageError(f"standard input: {error}") from None


def _what_to_configure(config: Config, path: Path) -> str:
    if path == key_path(config):
        return "nothing to configure: hip3 looks for it there\n"
    return f"put into the configuration:\n\n[account]\nkey_file = {as_toml(str(path.absolute()))}\n\n"


def show(config: Config, as_json: bool) -> int:
    """Prints the address of the key that a run would take, and where it comes from. Raises ConfigError."""
    keep_memory_private()
    source = find_key(config)
    encrypted, address = source.encrypted, source.address()
    path = None if source.path is None else str(source.path)
    if as_json:
        row = {"address": address, "form": source.form, "encrypted": encrypted, "path": path}
        sys.stdout.write(orjson.dumps(row).decode() + "\n")
        return 0
    form = f"{source.form}, encrypted" if encrypted and source.form != "keystore" else source.form
    unnamed = "unknown: the keystore does not name it; hip3 check unlocks it"
    sys.stdout.write(f"agent {address or unnamed}\nfrom {form}{'' if path is None else f' {path}'}\n")
    return 0


def forget(config: Config, sure: bool) -> int:
    """Removes the key file once the word is typed, or with `--yes`. Raises Hip3Error."""
    keep_memory_private()
    path = key_path(config)
    if not path.exists():
        raise ConfigError(f"there is no key file {path}")
    # What cannot be read as a key is left alone: a wrong path must not cost somebody another file.
    agent = read_source(path).address() or "whose address it does not name"
    confirm("forget", f"{path} has the key of agent {agent}; it will be removed", sure)
    try:
        path.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise CheckFailed(f"{path}: {error.strerror}") from None
    sys.stdout.write(f"{path} is removed; copies, backups and the disk itself may still have the key\n")
    sys.stdout.write(f"remove agent {agent} on the venue's page too: until then the key can trade\n")
    return 0
