"""A user with a configuration directory of their own, and no key yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from hip3.credentials import ENV_KEY

from .sample import PASSPHRASE, private


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration directory; beside it a file with the passphrase."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in (ENV_KEY, "HIP3_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    private(tmp_path / "word", PASSPHRASE + "\n")
    return tmp_path
