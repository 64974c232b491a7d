"""Where venues are. Only the venue's own hosts and loopback are taken, so that a typo cannot leak orders."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from hip3.errors import ConfigError

#: The venue's own hosts, and the one name under which each may be used.
OFFICIAL_HOSTS = {"api.hyperliquid.xyz": "mainnet", "api.hyperliquid-testnet.xyz": "testnet"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One venue: `mainnet` decides what its signatures are made for."""

    name: str
    ws_url: str
    http_url: str
    mainnet: bool


MAINNET = Endpoint("mainnet", "wss://api.hyperliquid.xyz/ws", "https://api.hyperliquid.xyz", True)
TESTNET = Endpoint("testnet", "wss://api.hyperliquid-testnet.xyz/ws", "https://api.hyperliquid-testnet.xyz", False)


def endpoint(name: str, ws_url: str = "", http_url: str = "") -> Endpoint:
    """The endpoint of a venue name, with either address replaced.

    Raises ConfigError for a foreign host, and for the host of another venue than the one named.
    The simulated venue has no fixed address: both must be given. It recovers signatures as testnet does.
    """
    known = {"mainnet": MAINNET, "testnet": TESTNET}.get(name)
    if known is None and not (ws_url and http_url):
        raise ConfigError("venue.ws_url and venue.http_url: the simulated venue needs both, or neither to be embedded")
    ws = ws_url or (known.ws_url if known else "")
    http = http_url or (known.http_url if known else "")
    _check("venue.ws_url", name, ws, ("ws", "wss"))
    _check("venue.http_url", name, http, ("http", "https"))
    return Endpoint(name, ws, http, known.mainnet if known else False)


def _check(key: str, name: str, url: str, schemes: tuple[str, str]) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{key}: {url!r}: {error}") from None
    if parts.scheme not in schemes or not host or port == 0:
        raise ConfigError(f"{key}: {url!r} is no address of the form {schemes[1]}://host/…")
    if host in OFFICIAL_HOSTS:
        if OFFICIAL_HOSTS[host] != name:
            raise ConfigError(f"{key}: {host} is {OFFICIAL_HOSTS[host]}, venue.name says {name}")
        if parts.scheme != schemes[1]:
            raise ConfigError(f"{key}: {host} is spoken to over {schemes[1]} only")
        return
    if not is_loopback(host):
        raise ConfigError(f"{key}: {host} is neither the venue's own host nor loopback")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
