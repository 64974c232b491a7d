"""The terminal's mode while keys are read, and after."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator

import pytest

from hip3.status.keyboard import Keyboard


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    outer, inner = os.openpty()
    with os.fdopen(inner, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield inner
        os.close(outer)


async def test_no_key_suspends_or_kills_the_process_and_the_mode_comes_back(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    with Keyboard(lambda _: None):
        during = termios.tcgetattr(terminal)
        nothing = bytes([os.fpathconf(terminal, "PC_VDISABLE")])
        assert during[6][termios.VSUSP] == nothing
        assert during[6][termios.VQUIT] == nothing
        assert during[6][termios.VINTR] == before[6][termios.VINTR], "Ctrl-C stays a signal"
        assert during[3] & termios.ISIG
        assert not during[3] & termios.ICANON
    assert termios.tcgetattr(terminal) == before
