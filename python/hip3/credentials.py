"""Where the agent's key comes from. It passes through as bytes that the core wipes, and is never printed."""

from __future__ import annotations

import os
from pathlib import Path

from hip3._hip3 import Signer
from hip3.config import Config
from hip3.errors import ConfigError
from hip3.private_file import read_private

ENV_KEY = "HIP3_AGENT_KEY"
KEY_BYTES_MAX = 200


def load_signer(config: Config, mainnet: bool) -> Signer:
    """The signer of `account.key_file`, else of the environment. Raises ConfigError naming the remedy."""
    path = config.text("account.key_file")
    # Taken out of the environment even where a file is named: no child process inherits it.
    given = os.environ.pop(ENV_KEY, "").strip()
    if path:
        key = _read_key_file(Path(path).expanduser())
    elif given:
        key = bytearray(os.fsencode(given))
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
    """The key in the one buffer that the core will wipe; white space around it is cut off in place."""
    key = read_private(path, "account.key_file", KEY_BYTES_MAX)
    while key[-1:].isspace():
        del key[-1]
    while key[:1].isspace():
        del key[0]
    return key
