"""The venue's way of writing: numbers, addresses, errors of shape. Knows no market and no account."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

#: Prices and sizes inside are integers of 10^-8, money integers of 10^-6.
UNIT = 100_000_000
USD = 1_000_000
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,8})?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CLOID = re.compile(r"0x[0-9a-fA-F]{32}")
UNPARSABLE = "Failed to deserialize the JSON body into the target type"


class BadRequest(Exception):
    """A body that the venue cannot read: HTTP 422 with this text."""

    def __init__(self, text: str = UNPARSABLE) -> None:
        super().__init__(text)


def text(value: int, decimals: int = 8) -> str:
    """An integer of 10^-decimals as the venue writes numbers: plain, at least one decimal."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**decimals)
    shown = f"{fraction:0{decimals}d}".rstrip("0") or "0"
    return f"{sign}{whole}.{shown}"


def usd(value: int) -> str:
    """Money as the venue writes it."""
    return text(value, 6)


def notional(px: int, sz: int) -> int:
    """`px * sz` in millionths, truncated towards zero; exact for every price and size on their grids."""
    product = px * sz
    return product // 10_000_000_000 if product >= 0 else -(-product // 10_000_000_000)


def decimal(value: Any) -> int:
    """A price or size of a request as an integer of 10^-8. Raises BadRequest for any other text."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise BadRequest
    whole, _, fraction = value.partition(".")
    return int(whole) * UNIT + int(fraction.ljust(8, "0") or 0)


def address(value: Any) -> str:
    """An address in lower case. Raises BadRequest."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise BadRequest
    return value.lower()


def cloid(value: Any) -> str:
    """A client order id in lower case. Raises BadRequest."""
    if not isinstance(value, str) or not _CLOID.fullmatch(value):
        raise BadRequest
    return value.lower()


def whole(value: Any) -> int:
    """A whole number of a request, of 64 bits without sign. Raises BadRequest."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise BadRequest
    return value


def word(value: Any, known: Container[str]) -> str:
    """One of some words. Raises BadRequest for any other value, whatever its type."""
    if not isinstance(value, str) or value not in known:
        raise BadRequest
    return value


def boolean(value: Any) -> bool:
    """A boolean of a request. Raises BadRequest."""
    if not isinstance(value, bool):
        raise BadRequest
    return value
