"""The benches as fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .desk_bench import DeskBench
from .trader_bench import TraderBench


@pytest.fixture
def trader_bench() -> Callable[..., TraderBench]:
    return TraderBench


@pytest.fixture
def desk_bench() -> Callable[..., DeskBench]:
    return DeskBench
