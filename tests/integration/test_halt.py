"""A key that the venue takes no more: the run halts, and the halt holds until somebody has looked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange

from ..local_venue import ACCOUNT_KEY, local_venue

WAIT_S = 50


@pytest.mark.timeout(120)
def test_an_agent_that_was_replaced_halts_the_run_and_the_next_starts(tmp_path: Path) -> None:
    with local_venue(tmp_path) as venue:
        environment = {**os.environ, **venue.environment}
        sets = ["--set", f"status.socket={tmp_path}/s.sock", "--set", f"control.latch={tmp_path}/KILL"]
        sets += ["--venue", "testnet", "--set", f"account.key_file={venue.key_file}"]
        command = [sys.executable, "-m", "hip3", "run", "--headless", "--json", "--duration", "40", *sets]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert run.stderr is not None
        assert any('"trading"' in line for line in run.stderr)
        # An agent of the same name takes the place of the one before.
        answer, _ = Exchange(Account.from_key(ACCOUNT_KEY), venue.environment["HIP3__VENUE__HTTP_URL"]).approve_agent(
            "hip3"
        )
        assert answer["status"] == "ok"
        out, err = run.communicate(timeout=WAIT_S)
        assert run.returncode == 4, err
        assert json.loads(out)["state"] == "halted"
        said = err.splitlines()[-1]
        assert "halt: " in said
        assert "does not exist" in said
        assert "hip3 check" in said
        assert json.loads((tmp_path / "KILL").read_text())["kind"] == "halt"
        again = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=WAIT_S)
        assert (again.returncode, again.stdout, again.stderr.count("\n")) == (4, "", 1)
        assert "hip3 unkill" in again.stderr
