"""Files that are on the disk before anything is said about them."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def write_durably(path: Path, body: bytes | bytearray) -> None:
    """Puts a whole file in place of the one there, and returns once content and name are on the disk. OSError.

    From its first moment the file is its owner's alone, and no buffer in between keeps what is in it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with open(draft, "xb", buffering=0, opener=_private) as file:
            if file.write(body) != len(body):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(draft))
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create_durably(path: Path) -> None:
    """An empty file, where there is room for no content; one that is there stays. OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_directory(path.parent)


def append_durably(path: Path, line: bytes) -> None:
    """Adds one line; it is on the disk when this returns. A new file is its owner's alone. OSError."""
    with open(path, "ab", opener=_private) as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Puts the names of a directory on the disk. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
