"""Paths that begin at somebody's home directory, which not every user has: one line that names the option, else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hip3.errors import ConfigError

NO_HOME = "HOME is not set and this user has no home"


def expanded(named: str | Path, what: str) -> Path:
    """The path with its `~` or `~user` resolved. Raises ConfigError, which names the option `what`."""
    try:
        return Path(named).expanduser()
    except RuntimeError:
        user = Path(named).parts[0].removeprefix("~")
    why = f"there is no user {user}" if user else NO_HOME
    raise ConfigError(f"{what}: {named}: {why}; write the whole path")


def home(remedy: str) -> Path:
    """The user's home directory. Raises ConfigError; `remedy` says what to do besides setting HOME."""
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(f"{NO_HOME}: set HOME, or {remedy}") from None


def state_directory(environment: Mapping[str, str], remedy: str) -> Path:
    """The user's directory of what outlives a run of this program. Raises ConfigError, as `home` does."""
    named = environment.get("XDG_STATE_HOME")
    return (Path(named) if named else home(remedy) / ".local" / "state") / "hip3"
