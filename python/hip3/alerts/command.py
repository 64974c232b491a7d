"""`hip3 alert test` and `hip3 alert list`: does a message arrive, and which alerts are there."""

from __future__ import annotations

import sys
from dataclasses import asdict

import orjson

from hip3.alerts.rules import RULES
from hip3.alerts.services import services_of
from hip3.config import Config
from hip3.errors import CheckFailed, ConfigError


def test(config: Config, as_json: bool) -> int:
    """Sends one message to every service and says what became of it. Raises Hip3Error."""
    services = services_of(config)
    if services is None:
        raise ConfigError("alerts.urls_file: names no file; write addresses (apprise) into one of mode 0600")
    title = f"hip3 {config.text('venue.name')}: test"
    deliveries = services.send(title, "This is a test of hip3's alerts; nothing is wrong.", critical=False)
    if as_json:
        sys.stdout.write(orjson.dumps({"deliveries": [asdict(d) for d in deliveries]}).decode() + "\n")
    else:
        for delivery in deliveries:
            sys.stdout.write(f"{delivery.service}: {delivery.problem or 'delivered'}\n")
    failed = sum(bool(delivery.problem) for delivery in deliveries)
    if failed:
        raise CheckFailed(f"{failed} of {len(deliveries)} services did not take the message; see their addresses")
    return 0


def show(as_json: bool) -> int:
    """Every alert with its severity, meaning and remedy."""
    rows = [
        {"name": r.name, "severity": r.severity.word, "meaning": r.meaning, "remedy": r.remedy, "after_s": r.after_s}
        for r in RULES
    ]
    if as_json:
        sys.stdout.write(orjson.dumps({"alerts": rows}).decode() + "\n")
    else:
        for row in rows:
            sys.stdout.write(f"{row['severity']:<8} {row['name']}: {row['meaning']}; {row['remedy']}\n")
    return 0
