"""How long signing goes on after a kill: by the latch's file and by SIGUSR1, against a signer that never rests.

    python tests/bench/kill_speed.py

Each round begins when the file has its name, or the signal is sent, and ends at the first refusal. Prints one JSON
object: milliseconds over the rounds, and how many signatures came after the first refusal (0).
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hip3._hip3 import Signer

ROUNDS = 300
#: Signatures that are tried after the first refusal.
AFTER = 50


def rounds(kill: Callable[[Path], None], home: Path) -> dict[str, float | int]:
    """The figures of one way to kill."""
    waits, late = [], 0
    for number in range(ROUNDS):
        signer, path = Signer(bytearray(b"7" * 64), False), home / f"{kill.__name__}{number}"
        signer.watch_kill_file(path)
        signer.noop(1, 1)
        kill(path)
        begin = time.perf_counter()
        while is_signed(signer):
            pass
        waits.append((time.perf_counter() - begin) * 1000)
        late += sum(is_signed(signer) for _ in range(AFTER))
    waits.sort()
    p50, p99 = waits[ROUNDS // 2], waits[ROUNDS * 99 // 100]
    return {"p50_ms": round(p50, 2), "p99_ms": round(p99, 2), "max_ms": round(waits[-1], 2), "signed_after": late}


def is_signed(signer: Signer) -> bool:
    """Whether one more action is signed."""
    try:
        signer.noop(time.time_ns() // 1_000_000, 1)
    except ValueError:
        return False
    return True


def file(path: Path) -> None:
    """The latch as `touch` makes it."""
    path.touch()


def sigusr1(_: Path) -> None:
    """The signal, to this process."""
    os.kill(os.getpid(), signal.SIGUSR1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps({way.__name__: rounds(way, Path(directory)) for way in (file, sigusr1)}))
