"""One key with its address, a passphrase, and where they lie."""

from __future__ import annotations

from pathlib import Path

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
PASSPHRASE = "a passphrase that is long enough"


def private(path: Path, text: str) -> Path:
    """A file of mode 0600."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def usual(home: Path) -> Path:
    """The usual place of the keystore."""
    return home / "hip3" / "agent.json"
