"""Where the agent's key comes from. It passes through as bytes that the core wipes, and is never printed."""

from __future__ import annotations

import errno
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
    """Reads the opened file only after checking that very file: regular, ours, mode 0600, no link."""
    try:
        # Without O_NONBLOCK the opening of a named pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        link = isinstance(error, OSError) and error.errno == errno.ELOOP
        why = "is a link; name the file itself" if link else getattr(error, "strerror", "") or str(error)
        raise ConfigError(f"account.key_file: {path}: {why}") from None
    try:
        found = os.fstat(descriptor)
        # A service manager's credential belongs to root, and its group bits are those of an access list.
        owners, closed_to = ({0, os.getuid()}, 0o007) if _is_credential(path) else ({os.getuid()}, 0o077)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners:
            raise ConfigError(f"account.key_file: {path} is no regular file of this user")
        if found.st_mode & closed_to:
            raise ConfigError(f"account.key_file: {path} can be read by others; chmod 600 it")
        return _read_stripped(descriptor)
    finally:
        os.close(descriptor)


def _is_credential(path: Path) -> bool:
    """Whether the file lies in the directory that a service manager made for this process alone."""
    given = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(given) and path.parent == Path(given)


def _read_stripped(descriptor: int) -> bytearray:
    """Reads into the one buffer that the core will wipe; white space around the key is cut off in place."""
    key = bytearray(KEY_BYTES_MAX)
    del key[os.readv(descriptor, [key]) :]
    while key[-1:].isspace():
        del key[-1]
    while key[:1].isspace():
        del key[0]
    return key
