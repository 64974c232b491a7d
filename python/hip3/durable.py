"""Files that are on the disk before anything is said about them."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, body: bytes) -> None:
    """Puts a whole file in place of the one there, and returns once content and name are on the disk. OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def append_durably(path: Path, line: bytes) -> None:
    """Adds one line; it is on the disk when this returns. OSError."""
    with path.open("ab") as file:
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
