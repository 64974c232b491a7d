"""What goes wrong on purpose: items of a scenario's time-line, and the same by request at run time.

An incident either happens to the markets (`halt`, `freeze`, `upgrade`, …) or to the wire (`latency`, `mute`,
`lose_replies`, …). Wire faults last for `seconds`; `share` is the part of the frames or requests they hit.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from hip3.sim.table import ScenarioError, build

#: What happens to markets: kind, and what it needs.
MARKET_KINDS = {
    "halt": "coin",
    "resume": "coin",
    "delist": "coin",
    "recycle": "coin",
    "freeze": "",
    "jump": "coin",
    "cap": "coin",
    "uncap": "coin",
    "withdraw": "",
    "upgrade": "",
}
#: What happens on the wire.
WIRE_KINDS = ("latency", "feed_latency", "mute", "drop_acks", "lose_replies", "lose_requests", "errors", "disconnect")
KINDS = (*MARKET_KINDS, *WIRE_KINDS)


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that happens. `at_s` counts from the start of the venue; `every_s` above zero repeats it.

    `coin` and `dex` name what it happens to (empty: everything), `channel` what is muted (empty: all market
    and user channels), `ms` a delay, `bps` a jump, `leverage` the most of a recycled asset, `status` an HTTP status.
    """

    kind: str
    at_s: float = 0.0
    every_s: float = 0.0
    seconds: float = 0.0
    coin: str = ""
    dex: str = ""
    channel: str = ""
    ms: int = 0
    bps: float = 0.0
    leverage: int = 0
    share: float = 1.0
    status: int = 502

    def check(self, coins: set[str], dexs: set[str], where: str) -> None:
        """Raises ScenarioError for what the types cannot say."""
        if self.kind not in KINDS:
            raise ScenarioError(f"{where}.kind: one of {', '.join(KINDS)}, not {self.kind!r}")
        if MARKET_KINDS.get(self.kind) == "coin" and not self.coin:
            raise ScenarioError(f"{where}.coin: {self.kind} needs the full name of a market")
        if not 0 <= self.leverage <= 100:
            raise ScenarioError(f"{where}.leverage: 1 to 100, or 0 for as it was")
        if self.coin and self.coin not in coins:
            raise ScenarioError(f"{where}.coin: {self.coin!r} is not a market of this scenario")
        if self.dex and self.dex not in dexs:
            raise ScenarioError(f"{where}.dex: {self.dex!r} is not a dex of this scenario")
        if not 0 < self.share <= 1:
            raise ScenarioError(f"{where}.share: above 0, at most 1, not {self.share}")
        if min(self.at_s, self.every_s, self.seconds, self.ms) < 0 or not 400 <= self.status <= 599:
            raise ScenarioError(f"{where}: times must not be negative, status is 400 to 599")


def read(row: Any, coins: set[str], dexs: set[str], where: str = "incident") -> Incident:
    """An incident of a table or a request. Raises ScenarioError."""
    if not isinstance(row, dict):
        raise ScenarioError(f"{where}: a table is needed")
    made = build(Incident, row, where)
    made.check(coins, dexs, where)
    return made


class TimeLine:
    """The incidents of a scenario in order of time."""

    def __init__(self, incidents: tuple[Incident, ...], start_ms: int) -> None:
        self._due = [(start_ms + int(incident.at_s * 1000), incident) for incident in incidents]

    def due(self, now_ms: int) -> list[Incident]:
        """What happens now; a repeated one is set again."""
        if not any(now_ms >= at_ms for at_ms, _ in self._due):
            return []
        found, left = [], []
        for at_ms, incident in self._due:
            if now_ms < at_ms:
                left.append((at_ms, incident))
                continue
            found.append(incident)
            if incident.every_s > 0:
                left.append((max(at_ms + int(incident.every_s * 1000), now_ms + 1), incident))
        self._due = left
        return found


class WireFaults:
    """The faults of the wire that are in force."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._until: dict[str, tuple[int, Incident]] = {}

    def begin(self, incident: Incident, now_ms: int) -> None:
        """Puts a fault in force; a later one of the same kind takes its place."""
        self._until[incident.kind] = (now_ms + int(incident.seconds * 1000), incident)

    def advance(self, now_ms: int) -> None:
        """Ends what is over."""
        for kind, (until_ms, _) in list(self._until.items()):
            if now_ms >= until_ms:
                del self._until[kind]

    def hit(self, kind: str) -> Incident | None:
        """The fault of this kind when it is in force and its share hits."""
        if not self._until:
            return None
        found = self._until.get(kind)
        if found is None:
            return None
        share = found[1].share
        return found[1] if share >= 1 or self._rng.random() < share else None

    def delay_ms(self, kind: str) -> int:
        """The delay in force, in milliseconds."""
        found = self.hit(kind)
        return found.ms if found is not None else 0

    def muted(self, channel: str) -> bool:
        """Whether a frame of this channel is lost."""
        found = self.hit("mute")
        return found is not None and (not found.channel or found.channel == channel) and channel not in ("post", "pong")
