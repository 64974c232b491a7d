"""Files that hold secrets: read only where nobody else can. The one check of their owner, kind and mode."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hip3.errors import ConfigError


def read_private(path: Path, what: str, bytes_max: int) -> bytearray:
    """The first `bytes_max` bytes of a file of ours: regular, mode 0600, no link; checked on the opened file itself.

    `what` names the option in errors. Returned in one buffer, for a reader that wipes it. Raises ConfigError.
    """
    try:
        # Without O_NONBLOCK the opening of a named pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        link = isinstance(error, OSError) and error.errno == errno.ELOOP
        why = "is a link; name the file itself" if link else getattr(error, "strerror", "") or str(error)
        raise ConfigError(f"{what}: {path}: {why}") from None
    try:
        found = os.fstat(descriptor)
        # A service manager's credential belongs to root, and its group bits are those of an access list.
        owners, closed_to = ({0, os.getuid()}, 0o007) if is_credential(path) else ({os.getuid()}, 0o077)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners:
            raise ConfigError(f"{what}: {path} is no regular file of this user")
        if found.st_mode & closed_to:
            raise ConfigError(f"{what}: {path} can be read by others; chmod 600 it")
        return _read(descriptor, bytes_max)
    finally:
        os.close(descriptor)


def is_credential(path: Path) -> bool:
    """Whether the file lies in the directory that a service manager made for this process alone."""
    given = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(given) and path.parent == Path(given)


def _read(descriptor: int, bytes_max: int) -> bytearray:
    body = bytearray(bytes_max)
    del body[os.readv(descriptor, [body]) :]
    return body
