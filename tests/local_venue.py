"""A venue on loopback that `--venue testnet` reaches: one funded account, and an agent that it has approved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from hyperliquid.exchange import Exchange

#: The default markets, for an address that starts many traders within a minute.
SCENARIO = """
base = "default"
name = "patient"
description = "the default markets without a limit on reads"

[limits]
rest_weight_per_minute = 1000000
"""
ACCOUNT_KEY = "0x" + "5" * 64


@dataclass(frozen=True)
class LocalVenue:
    """`environment` leads every command for testnet here; `key_file` (mode 0600) has the agent's key."""

    account: str
    agent: str
    key_file: Path
    environment: dict[str, str]


@contextmanager
def local_venue(home: Path, *, fund_usd: int = 10_000, agent_name: str = "hip3") -> Iterator[LocalVenue]:
    """Runs the venue while the block does. A name may end in ` valid_until MS`."""
    account = Account.from_key(ACCOUNT_KEY)
    scenario = home / "patient.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    command = [sys.executable, "-m", "hip3", "sim", "--port", "0", "--seed", "7", "--scenario", str(scenario)]
    process = subprocess.Popen([*command, "--fund", f"{account.address}={fund_usd}"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        answer, agent_key = Exchange(account, ready["http_url"]).approve_agent(agent_name)
        assert answer["status"] == "ok", answer
        key_file = home / "agent.key"
        key_file.touch(mode=0o600)
        key_file.write_text(agent_key, encoding="utf-8")
        yield LocalVenue(
            account=account.address,
            agent=Account.from_key(agent_key).address,
            key_file=key_file,
            environment={"HIP3__VENUE__WS_URL": ready["ws_url"], "HIP3__VENUE__HTTP_URL": ready["http_url"]},
        )
    finally:
        process.terminate()
        process.communicate(timeout=30)
