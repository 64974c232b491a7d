"""Where orders may go: the venue's own hosts under their own names, and loopback; nothing else."""

from __future__ import annotations

import pytest

from hip3.errors import ConfigError
from hip3.venue.endpoints import MAINNET, TESTNET, Endpoint, endpoint, is_loopback

WS, HTTP = "ws://127.0.0.1:3001/ws", "http://127.0.0.1:3001"


def test_the_venues_own_addresses() -> None:
    assert endpoint("mainnet") == MAINNET
    assert endpoint("testnet") == TESTNET
    assert (MAINNET.mainnet, TESTNET.mainnet) == (True, False)
    assert MAINNET.http_url == "https://api.hyperliquid.xyz"
    assert TESTNET.ws_url == "wss://api.hyperliquid-testnet.xyz/ws"


def test_a_venue_on_loopback_signs_as_its_name_says() -> None:
    assert endpoint("sim", WS, HTTP) == Endpoint("sim", WS, HTTP, False)
    assert endpoint("mainnet", WS, HTTP) == Endpoint("mainnet", WS, HTTP, True)
    assert endpoint("testnet", ws_url=WS) == Endpoint("testnet", WS, TESTNET.http_url, False)


@pytest.mark.parametrize(("ws", "http"), [(WS, ""), ("", HTTP), ("", "")])
def test_the_simulated_venue_needs_both_addresses(ws: str, http: str) -> None:
    with pytest.raises(ConfigError, match=r"venue\.ws_url and venue\.http_url: the simulated venue needs both"):
        endpoint("sim", ws, http)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("wss://api.hyperliquid.xyz.evil.com/ws", "api.hyperliquid.xyz.evil.com is neither the venue's own host"),
        ("wss://api.hyperliquid.xyz@evil.com/ws", "evil.com is neither"),
        ("wss://evil.com:443/?api.hyperliquid-testnet.xyz", "evil.com is neither"),
        ("ws://10.0.0.1/ws", "10.0.0.1 is neither"),
        ("ws://0.0.0.0:3001/ws", "0.0.0.0 is neither"),
        ("ws://127.1/ws", "127.1 is neither"),
        ("ws://localhost.evil.com/ws", "localhost.evil.com is neither"),
        ("ws://api.hyperliquid-testnet.xyz/ws", "api.hyperliquid-testnet.xyz is spoken to over wss only"),
        ("wss://api.hyperliquid.xyz/ws", "api.hyperliquid.xyz is mainnet, venue.name says testnet"),
        ("https://api.hyperliquid-testnet.xyz", "is no address of the form wss://host/…"),
        ("api.hyperliquid-testnet.xyz", "is no address of the form"),
        ("ws:///ws", "is no address of the form"),
        ("ws://127.0.0.1:99999/ws", "Port out of range"),
        ("ws://127.0.0.1:x/ws", "Port could not be cast"),
        ("ws://127.0.0.1:0/ws", "is no address of the form"),
        ("ws://[::1/ws", "Invalid IPv6 URL"),
    ],
)
def test_any_other_address_is_refused_by_name(url: str, why: str) -> None:
    with pytest.raises(ConfigError) as told:
        endpoint("testnet", ws_url=url)
    assert str(told.value).startswith("venue.ws_url: ")
    assert why in str(told.value)


def test_rest_addresses_are_checked_alike() -> None:
    with pytest.raises(ConfigError, match=r"^venue\.http_url: api\.hyperliquid\.xyz is mainnet, venue\.name says sim$"):
        endpoint("sim", WS, "https://api.hyperliquid.xyz")
    with pytest.raises(ConfigError, match=r"^venue\.http_url: .* of the form https://host"):
        endpoint("sim", WS, WS)


def test_loopback_is_only_this_machine() -> None:
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.0.1", "localhost.", "127.1", ""]))
