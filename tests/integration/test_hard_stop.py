"""A day that loses too much: the account is left flat, nothing starts by itself, and the loss outlives the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ..local_venue import local_venue

#: Less than what crossing one spread costs: the first position reaches it.
TINY = ["--set", "stop.day_loss_usd=0.1"]
#: Where nobody can make a file, root included.
NOWHERE = "/proc/hip3/KILL"


def hip3(home: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "hip3", *arguments]
    sets = ["--set", f"status.socket={home}/s.sock", "--set", f"control.latch={home}/KILL"]
    own = {**os.environ, **environment}
    done = subprocess.run([*command, *sets], capture_output=True, text=True, timeout=50, env=own)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.timeout(120)
def test_a_day_that_lost_too_much_is_left_flat_and_latched(tmp_path: Path) -> None:
    status, out, err = hip3(tmp_path, "run", "--headless", "--json", "--seed", "7", "--duration", "40", *TINY)
    assert status == 4, err
    summary = json.loads(out)
    assert summary["exits"]["by_reason"]["hard_stop"] >= 1
    assert summary["open_positions"] == []
    assert summary["flattens_duplicate"] == 0
    assert summary["duration_s"] < 30
    events = [json.loads(line)["event"] for line in err.splitlines()[:-1]]
    assert events.index("hard_stop") < events.index("exit")
    latch = json.loads((tmp_path / "KILL").read_text())
    assert latch["kind"] == "hard_stop"
    assert latch["reason"].endswith(" USD after fees; stop.day_loss_usd is 0.1")
    status, _, err = hip3(tmp_path, "run", "--headless", "--duration", "1")
    assert (status, err.count("\n")) == (4, 1)
    assert "hard stop: the UTC day has brought -0" in err
    assert hip3(tmp_path, "check")[0] == 1
    assert hip3(tmp_path, "unkill", "--yes", "--reason", "understood")[0] == 0
    assert hip3(tmp_path, "run", "--headless", "--duration", "1")[0] == 0
    verbs = [json.loads(line)["verb"] for line in (tmp_path / "control.log").read_text().splitlines()]
    assert verbs == ["hard_stop", "unkill"]


@pytest.mark.timeout(120)
def test_the_loss_of_the_day_outlives_a_restart(tmp_path: Path) -> None:
    with local_venue(tmp_path) as venue:
        keys = ["--venue", "testnet", "--set", f"account.key_file={venue.key_file}"]
        run = ["run", "--headless", "--json", "--duration", "2", *keys]
        assert hip3(tmp_path, *run, **venue.environment)[0] == 0
        path = tmp_path / f"day-testnet-{venue.account.lower()}.json"
        assert json.loads(path.read_text())["day"] == datetime.now(UTC).date().isoformat()
        path.write_text(json.dumps({"day": datetime.now(UTC).date().isoformat(), "pnl_usd": "-250"}))
        status, out, err = hip3(tmp_path, *run, **venue.environment)
        assert (status, out, err.count("\n")) == (4, "", 1)
        assert "the UTC day has brought -250.00 USD after fees; stop.day_loss_usd is 250" in err
        assert not (tmp_path / "KILL").exists()
        assert hip3(tmp_path, *run, "--set", "stop.day_loss_usd=300", **venue.environment)[0] == 0


@pytest.mark.timeout(120)
def test_a_hard_stop_whose_latch_cannot_be_set_ends_with_its_status_all_the_same(tmp_path: Path) -> None:
    nowhere = ["--set", f"control.latch={NOWHERE}", "--set", f"status.socket={tmp_path}/t.sock"]
    command = [sys.executable, "-m", "hip3", "run", "--headless", "--json", "--seed", "7", "--duration", "40", *TINY]
    done = subprocess.run([*command, *nowhere], capture_output=True, text=True, timeout=50)
    assert done.returncode == 4, done.stderr
    summary = json.loads(done.stdout)
    assert summary["stopped"].startswith("hard stop: the UTC day has brought ")
    assert summary["open_positions"] == []
    assert "no latch could be set at" in done.stderr.splitlines()[-1]


@pytest.mark.timeout(60)
def test_real_orders_are_not_begun_where_no_latch_could_be_set(tmp_path: Path) -> None:
    with local_venue(tmp_path) as venue:
        keys = ["--venue", "testnet", "--set", f"account.key_file={venue.key_file}"]
        command = [sys.executable, "-m", "hip3", "run", "--headless", "--duration", "2", *keys]
        command += ["--set", f"control.latch={NOWHERE}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=50, env={**os.environ, **venue.environment}
        )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "name a place that can be written in control.latch" in done.stderr
