"""Nonces of one signer: each once, the hundred highest kept, inside the venue's window."""

from __future__ import annotations

import bisect

#: The window as measured on the test network: 120 s inside two days back and one day ahead.
BACK_MS = 2 * 86_400_000 - 120_000
AHEAD_MS = 86_400_000 - 120_000
KEPT = 100
#: Nonces remembered for the `duplicate` answer; older ones fall under the floor anyway.
REMEMBERED_MAX = 100_000


class NonceSet:
    """The venue's memory of one signer's nonces."""

    def __init__(self) -> None:
        self._highest: list[int] = []
        self._used: dict[int, None] = {}

    def admit(self, nonce: int, now_ms: int) -> str | None:
        """Burns the nonce, or says in the venue's words why it is refused (and then burns nothing)."""
        if nonce in self._used:
            return f"Invalid nonce: duplicate nonce {nonce}"
        floor = now_ms - BACK_MS
        if len(self._highest) >= KEPT:
            floor = max(floor, self._highest[0])
        if nonce < floor:
            return f"Invalid nonce: nonce too low {nonce} < {floor}"
        if nonce > now_ms + AHEAD_MS:
            return f"Invalid nonce: nonce too high {nonce} > {now_ms + AHEAD_MS}"
        bisect.insort(self._highest, nonce)
        del self._highest[:-KEPT]
        self._used[nonce] = None
        if len(self._used) > REMEMBERED_MAX:
            del self._used[next(iter(self._used))]
        return None
