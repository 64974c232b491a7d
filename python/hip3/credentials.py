"""Where the agent's key comes from. It passes through as bytes that the core wipes, and is never printed.

In this order: the file of `account.key_file` (a service manager's credential, a keystore, or a plain file of mode
0600; told apart by what is in it), the keystore at its usual place, the environment, which others may see.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from hip3._hip3 import Signer, address_of, keystore_address
from hip3.config import Config, user_directory
from hip3.errors import ConfigError
from hip3.homes import expanded
from hip3.keys.hardening import keep_memory_private
from hip3.keys.passphrase import passphrase_of
from hip3.keys.terminal import wipe
from hip3.private_file import is_credential, read_private

ENV_KEY = "HIP3_AGENT_KEY"
#: A keystore has about 500 bytes.
KEY_FILE_BYTES_MAX = 4096
RAW_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeySource:
    """A key that was found and not yet taken: `form` is keystore, file, credential or environment."""

    form: str
    path: Path | None
    body: bytearray = field(repr=False)

    @property
    def encrypted(self) -> bool:
        """Whether a passphrase stands between the file and the key."""
        return is_keystore(self.body)

    def address(self) -> str | None:
        """The key's address, without a passphrase: None for a keystore that names none. Uses the key up."""
        try:
            return keystore_address(bytes(self.body)) if self.encrypted else address_of(self.body)
        except ValueError as error:
            raise ConfigError(f"{self.told()} is not usable: {error}") from None

    def told(self) -> str:
        """What messages call it."""
        kind = "keystore" if self.encrypted else "agent key"
        return f"the {kind} of {ENV_KEY}" if self.path is None else f"the {kind} {self.path}"


def load_signer(config: Config, mainnet: bool) -> Signer:
    """The signer of the configured key; asks for a passphrase where one is needed. Raises ConfigError."""
    keep_memory_private()
    source = find_key(config)
    vault = config.text("account.vault") or None
    try:
        if source.encrypted:
            passphrase = passphrase_of(config, source.told())
            return Signer.unlock(bytes(source.body), passphrase, mainnet, vault)
        return Signer(source.body, mainnet, vault)
    except ValueError as error:
        raise ConfigError(f"{source.told()} is not usable: {error}") from None


def find_key(config: Config) -> KeySource:
    """The first source that is there. Raises ConfigError naming the remedy."""
    named = config.text("account.key_file")
    # Taken out of the environment even where a file is named: no child process inherits it.
    given = os.environ.pop(ENV_KEY, "")
    if named:
        return read_source(expanded(named, "account.key_file"))
    usual = key_path(config)
    if usual.exists():
        return read_source(usual)
    if given.strip():
        return KeySource("environment", None, strip_key(bytearray(os.fsencode(given)), ENV_KEY))
    last = f"set {ENV_KEY}"
    raise ConfigError(f"no agent key: hip3 key import takes one in; or name its file in account.key_file, or {last}")


def key_path(config: Config) -> Path:
    """The file that holds the key or will: the configured one, else the usual place."""
    named = config.text("account.key_file")
    return expanded(named, "account.key_file") if named else user_directory(os.environ) / "agent.json"


def read_source(path: Path) -> KeySource:
    """The key file at this path, if nobody else can read it. Raises ConfigError."""
    body = strip_key(read_private(path, "account.key_file", KEY_FILE_BYTES_MAX), f"account.key_file: {path}")
    form = "credential" if is_credential(path) else "keystore" if is_keystore(body) else "file"
    return KeySource(form, path, body)


def is_keystore(body: bytearray) -> bool:
    """Whether this is JSON, which no plain key is."""
    return body.startswith(b"{")


def strip_key(body: bytearray, what: str) -> bytearray:
    """The same buffer without white space around it. ConfigError for what the core would take as bytes of a key.

    From people and files comes text, and a text of 32 characters is a passphrase in the wrong place.
    """
    while body[-1:].isspace():
        del body[-1]
    while body[:1].isspace():
        del body[0]
    if len(body) == RAW_KEY_BYTES:
        wipe(body)
        raise ConfigError(f"{what}: {RAW_KEY_BYTES} characters are no private key, which has 64 hex digits")
    return body


def throw_away_signer() -> Signer:
    """A signer with a random key of no value, for the embedded venue, which inherits no other."""
    os.environ.pop(ENV_KEY, None)
    return Signer(bytearray(os.urandom(RAW_KEY_BYTES)), False)
