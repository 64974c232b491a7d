"""A process that holds a key keeps its memory to itself. To be called before the key is read."""

from __future__ import annotations

import contextlib
import ctypes
import resource

#: Of `prctl`, from linux/prctl.h.
PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """No core file, and no other process of this user may read this one's memory or first environment.

    The second also closes `/proc/PID/environ`, where a key that came by the environment stays readable after it was
    taken out. Its price: a debugger or profiler needs root to attach. What this process reads of itself under `/proc`
    (its descriptors, its statistics) stays open to it. Where the kernel says no, trading goes on without.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
