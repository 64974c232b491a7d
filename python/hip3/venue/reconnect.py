"""When to try again, and when not to: pure functions of what happened.

A position may be open while a socket is down, so the first tries come fast; a flapping link is slowed
down so that new connections stay within the venue's thirty a minute.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import Enum, auto

from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI


class Verdict(Enum):
    """What a failure to connect, or the end of a connection, leads to."""

    RETRY = auto()
    #: The address or the certificate is wrong: trying again cannot help for long.
    FATAL = auto()


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """Delays between tries, in milliseconds; `healthy_ms` is how long a link must live to start anew."""

    first_ms: int = 100
    factor: float = 2.0
    max_ms: int = 10_000
    jitter: float = 0.5
    healthy_ms: int = 30_000
    #: Failures in a row after which a certificate error is fatal.
    fatal_after: int = 3


def next_delay_ms(policy: ReconnectPolicy, failures: int, draw: float) -> float:
    """The pause before the next try after `failures` in a row; `draw` is uniform in [0, 1)."""
    if failures <= 0:
        return 0.0
    base = min(policy.max_ms, policy.first_ms * policy.factor ** min(failures - 1, 32))
    return base * (1 + policy.jitter * draw)


def failures_after(policy: ReconnectPolicy, failures: int, lived_ms: float) -> int:
    """The count of failures in a row after a link that lived `lived_ms` ended."""
    return 1 if lived_ms >= policy.healthy_ms else failures + 1


def verdict(policy: ReconnectPolicy, error: BaseException, failures: int) -> Verdict:
    """Retry or fatal. A status of 429, 403 or 5xx at the handshake is the venue's mood, not our end."""
    if isinstance(error, InvalidURI):
        return Verdict.FATAL
    if isinstance(error, ssl.SSLCertVerificationError):
        return Verdict.FATAL if failures >= policy.fatal_after else Verdict.RETRY
    if isinstance(error, InvalidStatus) and error.response.status_code in (404, 405, 410):
        return Verdict.FATAL if failures >= policy.fatal_after else Verdict.RETRY
    if isinstance(error, InvalidHandshake | OSError | TimeoutError):
        return Verdict.RETRY
    return Verdict.RETRY
