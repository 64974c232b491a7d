"""Where the agent's key comes from. It passes through as bytes that the core wipes, and is never printed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hip3._hip3 import Signer
from hip3.config import Config
from hip3.errors import ConfigError

ENV_KEY = "HIP3_AGENT_KEY"
KEY_BYTES_MAX = 200


def load_signer(config: Config, mainnet: bool) -> Signer:
    """The signer of `account.key_file`, else of the environment. Raises ConfigError naming the remedy."""
    path = config.text("account.key_file")
    if path:
        key = _read_key_file(Path(path).expanduser())
    elif os.environ.get(ENV_KEY):
        key = bytearray(os.environ.pop(ENV_KEY).strip().encode())
    else:
        raise ConfigError(f"no agent key: name a file of mode 0600 in account.key_file, or set {ENV_KEY}")
    try:
        return Signer(key, mainnet, config.text("account.vault") or None)
    except ValueError as error:
        raise ConfigError(f"the agent key is not usable: {error}") from None


def throw_away_signer() -> Signer:
    """A signer with a random key of no value, for the embedded venue."""
    return Signer(bytearray(os.urandom(32)), False)


def _read_key_file(path: Path) -> bytearray:
    """Reads the opened file only after checking that very file: regular, ours, mode 0600, no link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"account.key_file: {path}: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
            raise ConfigError(f"account.key_file: {path} is no regular file of this user")
        if found.st_mode & 0o077:
            raise ConfigError(f"account.key_file: {path} can be read by others; chmod 600 it")
        return bytearray(os.read(descriptor, KEY_BYTES_MAX).strip())
    finally:
        os.close(descriptor)
