"""Alerts to people, and the sign of life to a dead-man's switch: each on a thread of its own, nothing waits for them.

Owns the queue, the limits of how often, and the two threads. What holds is the board's matter.
"""

from __future__ import annotations

import threading
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hip3.alerts.board import Change
from hip3.alerts.rules import Severity
from hip3.alerts.services import Delivery, Services
from hip3.clock import Clock

#: Messages that wait for a slow service; the oldest gives way.
QUEUE_MAX = 100
HOUR_NS = 3_600_000_000_000
MS = 1_000_000
PING_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SendLimits:
    """How often, and how grave, an alert must be to be sent."""

    severity_min: Severity
    repeat_ns: int
    hour_max: int


class RateLimit:
    """One alert at most once in `repeat_ns`, all together `hour_max` in an hour; what is held back is counted."""

    def __init__(self, limits: SendLimits) -> None:
        self.held_back = 0
        self._limits = limits
        self._last_ns: dict[str, int] = {}
        self._sent_ns: deque[int] = deque(maxlen=limits.hour_max)

    def allows(self, name: str, now_ns: int) -> bool:
        """Whether an alert that begins now may be sent; counts it when it may."""
        last_ns = self._last_ns.get(name)
        full = len(self._sent_ns) == self._limits.hour_max and now_ns - self._sent_ns[0] < HOUR_NS
        if full or (last_ns is not None and now_ns - last_ns < self._limits.repeat_ns):
            self.held_back += 1
            return False
        self._last_ns[name] = now_ns
        self._sent_ns.append(now_ns)
        return True


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads."""

    title: str
    body: str
    severity: Severity


class AlertSender(threading.Thread):
    """Sends changes of the board; a service that hangs or fails delays nothing but its own messages."""

    def __init__(self, services: Services, where: str, limits: SendLimits, clock: Clock) -> None:
        super().__init__(name="hip3-alerts", daemon=True)
        self.sent = 0
        self.failed = 0
        self.dropped = 0
        #: The last delivery that failed, for the view; empty when the last one succeeded.
        self.problem = ""
        self._services = services
        self._where = where
        self._limits = limits
        self._clock = clock
        self._rate = RateLimit(limits)
        self._told: set[str] = set()
        self._queue: deque[Message] = deque()
        self._wake = threading.Condition()
        self._ending = False

    def offer(self, changes: list[Change]) -> None:
        """Queues what has to be sent; never waits."""
        now_ns = self._clock.now_ns()
        for change in changes:
            message = self._message(change, now_ns)
            if message is None:
                continue
            with self._wake:
                self._queue.append(message)
                if len(self._queue) > QUEUE_MAX:
                    self._queue.popleft()
                    self.dropped += 1
                self._wake.notify()

    def _message(self, change: Change, now_ns: int) -> Message | None:
        rule = change.rule
        if rule.severity < self._limits.severity_min:
            return None
        if not change.raised:
            if rule.name not in self._told:
                return None
            self._told.discard(rule.name)
            return Message(f"{self._where} over: {rule.name}", change.text, Severity.WARNING)
        if not self._rate.allows(rule.name, now_ns):
            return None
        self._told.add(rule.name)
        held_back, self._rate.held_back = self._rate.held_back, 0
        more = f"\n({held_back} other alerts were held back)" if held_back else ""
        body = f"{change.text}\n{rule.meaning}\nwhat to do: {rule.remedy}{more}"
        return Message(f"{self._where} {rule.severity.word}: {rule.name}", body, rule.severity)

    def run(self) -> None:
        """Sends until `close`, then what is still queued."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._ending)
                if not self._queue:
                    return
                message = self._queue.popleft()
            try:
                self._note(self._services.send(message.title, message.body, message.severity is Severity.CRITICAL))
            except Exception as error:  # whatever it was, the alerts after this one are still to be sent
                self.failed += 1
                self.problem = f"alert not delivered: {type(error).__name__}"

    def _note(self, deliveries: list[Delivery]) -> None:
        failed = [delivery for delivery in deliveries if delivery.problem]
        self.sent += len(deliveries) - len(failed)
        self.failed += len(failed)
        self.problem = "; ".join(f"alert not delivered by {d.service}: {d.problem}" for d in failed)

    def close(self, timeout_s: float) -> None:
        """Ends the thread after what is queued, or after the time; what is left then is lost with the process."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        if self.is_alive():
            self.join(timeout_s)


class DeadMansPing(threading.Thread):
    """Asks for `url` each `interval_ms` while `is_alive` says so: whoever watches it learns of silence."""

    def __init__(self, url: str, interval_ms: int, is_healthy: Callable[[], bool]) -> None:
        super().__init__(name="hip3-ping", daemon=True)
        self.pings = 0
        self.problem = ""
        self._url = url
        self._interval_s = interval_ms / 1000
        self._is_healthy = is_healthy
        self._ended = threading.Event()

    def run(self) -> None:
        """Pings until `close`, at once for the first time."""
        while True:
            if self._is_healthy():
                self._ping()
            if self._ended.wait(self._interval_s):
                return

    def _ping(self) -> None:
        try:
            with urllib.request.urlopen(self._url, timeout=PING_TIMEOUT_S):  # noqa: S310 - checked by services.ping_url
                self.pings += 1
                self.problem = ""
        except OSError as error:
            self.problem = f"no ping of alerts.ping_url: {getattr(error, 'reason', error)}"
        except Exception as error:  # a server may answer anything, and none of it may end the sign of life
            # Without the error's own text, which may repeat the address, and that is a secret.
            self.problem = f"no ping of alerts.ping_url: no answer in HTTP ({type(error).__name__})"

    def close(self) -> None:
        """Ends the thread; a ping under way is not waited for."""
        self._ended.set()
