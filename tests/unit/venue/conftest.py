"""A venue that answers `/info` from a table, and the captured replies where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hip3.venue.info import Info

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"


class AnsweringHttp:
    """Answers each request by its type, or by type and one field; notes what was asked."""

    def __init__(self, answers: dict[Any, Any]) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        assert path == "/info"
        request: dict[str, Any] = orjson.loads(body)
        self.asked.append(request)
        kind = request["type"]
        for key in [(kind, request.get("user")), (kind, request.get("dex")), kind]:
            if key in self.answers:
                answer = self.answers[key]
                return answer if isinstance(answer, tuple) else (200, orjson.dumps(answer))
        raise AssertionError(f"no answer for {request}")


@pytest.fixture
def answering() -> Callable[[dict[Any, Any]], Info]:
    """Makes an `Info` with fixed answers; a tuple is an HTTP status and body."""
    return lambda answers: Info(AnsweringHttp(answers))  # type: ignore[arg-type]


@pytest.fixture
def captured() -> Callable[[str], Any]:
    """Reads a captured reply in place; skips the test where the captures are not at hand."""

    def read(name: str) -> Any:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"the captured replies are not at hand: {path}")
        return json.loads(path.read_text())

    return read
