"""Users of this machine by name, for logs and messages. By the kernel's numbers, not by what the environment says."""

from __future__ import annotations

import os
import pwd


def name_of(uid: int) -> str:
    """The user's name, or the number where it has none, as in many containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def own_name() -> str:
    """The user of this process."""
    return name_of(os.getuid())
