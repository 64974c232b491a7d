"""A TOML table to a frozen dataclass: every key known, every value of its type, each error naming its key."""

from __future__ import annotations

import difflib
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal, InvalidOperation
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hip3.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

#: Field metadata: the value follows from the place in the file and is no key of it.
DERIVED = {"derived": True}


class ScenarioError(ConfigError):
    """A scenario file is wrong; the text names the file and the key."""


def rows(value: Any, key: str) -> list[dict[str, Any]]:
    """A non-empty list of tables. Raises ScenarioError."""
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise ScenarioError(f"{key}: a list of tables is needed")
    return value


def build(kind: type[T], row: dict[str, Any], where: str, **ready: Any) -> T:
    """Makes a `kind` from a table; `ready` are values that are already built. Raises ScenarioError."""
    prefix = f"{where}." if where else ""
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}
    settable = [name for name, item in known.items() if name not in ready and "derived" not in item.metadata]
    values = dict(ready)
    for key, value in row.items():
        if key not in settable:
            near = difflib.get_close_matches(key, settable, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ScenarioError(f"{prefix}{key}: no such key{hint}")
        values[key] = _convert(hints[key], value, f"{prefix}{key}")
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise ScenarioError(f"{prefix}{name}: missing")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) in (Union, UnionType):
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise ScenarioError(f"{where}: a table is needed")
        return build(hint, value, where)
    if hint is Decimal and type(value) in (str, int, Decimal):
        try:
            return Decimal(value)
        except InvalidOperation:
            raise ScenarioError(f"{where}: not a number: {value!r}") from None
    if hint is float and type(value) in (int, float, Decimal):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    raise ScenarioError(f"{where}: {getattr(hint, '__name__', hint)} is needed, not {value!r}")
