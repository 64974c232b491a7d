"""A venue in a process of its own with one funded account, for clients that others have written."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account

KEY = "0x" + f"{7:064x}"


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    """Clients leave sockets to the garbage collector; their warnings are no other test's."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def wallet() -> Any:
    return Account.from_key(KEY)


@pytest.fixture
def url(wallet: Any) -> Iterator[str]:
    command = [sys.executable, "-m", "hip3", "sim", "--port", "0", "--seed", "1", "--fund", f"{wallet.address}=10000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["http_url"]
        process.terminate()
        process.communicate(timeout=20)
