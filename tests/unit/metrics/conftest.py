"""The trader's bench as a fixture."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..execution.trader_bench import TraderBench


@pytest.fixture
def trader_bench() -> Callable[..., TraderBench]:
    return TraderBench
