"""Passphrases of keystores: from a file of their owner alone, else asked for on the terminal."""

from __future__ import annotations

from pathlib import Path

from hip3.config import Config
from hip3.errors import ConfigError, UsageError
from hip3.homes import expanded
from hip3.keys.terminal import ask, cut_line_end, wipe
from hip3.private_file import read_private

OPTION = "account.passphrase_file"
PASSPHRASE_BYTES_MAX = 1024
#: With the cost of a keystore's derivation, what guessing has to be up against.
PASSPHRASE_CHARS_MIN = 12


def passphrase_of(config: Config, keystore: str, path: Path | None = None) -> bytearray:
    """The passphrase of an existing keystore, which `keystore` names in the question.

    Of `path`, else of the option, else typed. Raises ConfigError where none of them gives it.
    """
    found = _from_file(config, path)
    if found is None:
        found = ask(f"passphrase of {keystore}: ")
    if found is None:
        remedy = f"name a file of mode 0600 with it in {OPTION}"
        raise ConfigError(f"{keystore} needs its passphrase, and there is no terminal to ask for it; {remedy}")
    return found


def new_passphrase(config: Config, path: Path | None = None) -> bytearray:
    """The passphrase of a keystore to be: of `path`, else of the option, else typed twice. Raises Hip3Error."""
    found = _from_file(config, path)
    if found is not None:
        return strong(found)
    typed = ask("new passphrase for the keystore: ")
    if typed is None:
        raise UsageError("there is no terminal to ask for a passphrase; name a file of mode 0600: --passphrase-file")
    again = ask("the same again: ")
    differ = again != typed
    if again is not None:
        wipe(again)
    if differ:
        wipe(typed)
        raise UsageError("the two passphrases differ; nothing was written")
    return strong(typed)


def strong(passphrase: bytearray) -> bytearray:
    """The same, or UsageError when it is too short to withstand guessing."""
    # Characters of UTF-8 without a text of them, which nobody could wipe.
    chars = sum(byte & 0xC0 != 0x80 for byte in passphrase)
    if chars < PASSPHRASE_CHARS_MIN or passphrase.isspace():
        wipe(passphrase)
        raise UsageError(f"a passphrase has {PASSPHRASE_CHARS_MIN} characters or more; nothing was written")
    return passphrase


def _from_file(config: Config, path: Path | None) -> bytearray | None:
    option = config.text(OPTION)
    if path is not None:
        return _read(path, "--passphrase-file")
    return _read(Path(option), OPTION) if option else None


def _read(path: Path, what: str) -> bytearray:
    return cut_line_end(read_private(expanded(path, what), what, PASSPHRASE_BYTES_MAX))
