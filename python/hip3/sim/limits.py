"""Limits of one address of the network: connections, messages, weight of reads. Sliding minutes, bounded."""

from __future__ import annotations

from collections import deque
from typing import Any

from hip3.sim.rules import LimitRules

MINUTE_MS = 60_000
#: Weights of `/info` by type; all others weigh 20. Exchange page, section 7.
LIGHT = frozenset(
    ("l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus")
)
WEIGHTS = {**dict.fromkeys(LIGHT, 2), "userRole": 60}
INFO_WEIGHT = 20
#: Requests that weigh one more for so many rows of their answer.
ROWS_PER_WEIGHT = {
    **dict.fromkeys(
        (
            "recentTrades",
            "historicalOrders",
            "userFills",
            "userFillsByTime",
            "fundingHistory",
            "userFunding",
            "userNonFundingLedgerUpdates",
            "twapHistory",
            "userTwapSliceFills",
            "userTwapSliceFillsByTime",
            "delegatorHistory",
            "delegatorRewards",
        ),
        20,
    ),
    "candleSnapshot": 60,
}
ORDERS_PER_WEIGHT = 40


def info_weight(kind: Any, answer: Any) -> int:
    """What a read of this type costs with this answer."""
    per = ROWS_PER_WEIGHT.get(kind)
    rows = len(answer) // per if per is not None and isinstance(answer, list) else 0
    return WEIGHTS.get(kind, INFO_WEIGHT) + rows


def action_weight(action: Any) -> int:
    """What a request of `/exchange` costs: one, and one more for each forty of its batch."""
    batches = [rows for name in ("orders", "cancels", "modifies") if isinstance(rows := action.get(name), list)]
    return 1 + sum(len(rows) for rows in batches) // ORDERS_PER_WEIGHT


class Minute:
    """A sum over the last sixty seconds with a bound; zero means no bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sum = 0
        self._rows: deque[tuple[int, int]] = deque()

    def full(self, now_ms: int) -> bool:
        """Whether nothing more fits."""
        while self._rows and self._rows[0][0] <= now_ms - MINUTE_MS:
            self._sum -= self._rows.popleft()[1]
        return self._most > 0 and self._sum >= self._most

    def add(self, now_ms: int, amount: int) -> None:
        """Counts something; what comes within one block is one row."""
        if self._most == 0:
            return
        self._sum += amount
        if self._rows and self._rows[-1][0] == now_ms:
            amount += self._rows.pop()[1]
        self._rows.append((now_ms, amount))


class Peer:
    """One address of the network."""

    def __init__(self, rules: LimitRules) -> None:
        self.rules = rules
        self.connections = 0
        self.opened = Minute(rules.new_connections_per_minute)
        self.messages = Minute(rules.messages_per_minute)
        self.weight = Minute(rules.rest_weight_per_minute)
        self.posts = 0

    def may_connect(self, now_ms: int) -> bool:
        """Whether one more connection is allowed."""
        most = self.rules.connections
        return not self.opened.full(now_ms) and (most == 0 or self.connections < most)
