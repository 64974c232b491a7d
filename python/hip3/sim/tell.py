"""`hip3 sim --tell`: asks a running venue to let an incident happen."""

from __future__ import annotations

import http.client
from typing import Any

import orjson

from hip3.errors import UsageError, VenueUnreachable
from hip3.sim.incidents import Incident

TIMEOUT_S = 5


def parse(text: str) -> dict[str, Any]:
    """`KIND [KEY=VALUE]…` as a table; numbers where the incident has numbers. Raises UsageError."""
    kind, *pairs = text.split() or [""]
    row: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise UsageError(f"--tell {text!r}: KIND KEY=VALUE… is needed, not {pair!r}")
        default = getattr(Incident("mute"), key, "")
        try:
            row[key] = value if isinstance(default, str) else type(default)(value)
        except ValueError:
            raise UsageError(f"--tell {text!r}: {key} is a number, not {value!r}") from None
    return row


def main(port: int, texts: list[str]) -> int:
    """Sends each incident to the venue on a loopback port; the exit status. Raises Hip3Error."""
    for row in [parse(text) for text in texts]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/control", orjson.dumps(row), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
        except OSError as error:
            raise VenueUnreachable(
                f"no venue on port {port}: {error.strerror or error}; start one: hip3 sim"
            ) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise UsageError(f"--tell {row['kind']}: {body}")
    return 0
