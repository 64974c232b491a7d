"""The table of options (`default.toml`): what each is, its unit, range and reason, and how a value is checked."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any

from hip3.errors import ConfigError

Value = bool | int | str | Decimal | list[str]
#: A private key's shape; such a text is refused as a value and never echoed.
KEY_SHAPE = re.compile(r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])")
#: What an option of unit `0x address` takes, besides nothing.
ADDRESS_UNIT = "0x address"
ADDRESS_SHAPE = re.compile(r"0x[0-9a-fA-F]{40}")
#: Control characters, and bytes of the command line or the environment that are not UTF-8.
UNFIT_SHAPE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: Whole numbers above this are not even printed; every range is far below.
INTEGER_BITS_MAX = 256
#: Characters of a wrong value that its message repeats.
SHOWN_MAX = 80


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table. `kind` follows from the default: bool, int, Decimal, str or list of str."""

    key: str
    default: Value
    kind: type
    unit: str
    reason: str
    min: Decimal | None
    max: Decimal | None
    choices: tuple[str, ...]
    #: Which change makes a trader more careful (reload.py reads the words); None: any change takes a restart.
    tightens: str | None = None

    def read(self, value: Any) -> Value:
        """The value in the option's type, or ConfigError naming key, value, range and unit."""
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
            raise self._wrong(f"a number of {value.bit_length()} bits", f"within {self.min} … {self.max}")
        if KEY_SHAPE.search(str(value)):
            raise ConfigError(f"{self.key}: holds what looks like a private key; use account.key_file with mode 0600")
        if isinstance(value, str) and self.kind in (bool, int, list):
            value = self._from_text(value)
        if self.kind is bool:
            if not isinstance(value, bool):
                raise self._wrong(value, "true or false")
            return value
        if self.kind is int:
            if isinstance(value, bool) or not isinstance(value, int):
                raise self._wrong(value, "a whole number")
            self._check_range(Decimal(value))
            return value
        if self.kind is Decimal:
            number = self._decimal(value)
            self._check_range(number)
            return number
        if self.kind is list:
            if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
                raise self._wrong(value, "a list of texts")
            for item in value:
                self._check_text(item)
            return value
        if not isinstance(value, str):
            raise self._wrong(value, "a text")
        self._check_text(value)
        if self.choices and value not in self.choices:
            raise self._wrong(value, f"one of {', '.join(self.choices)}{did_you_mean(value, self.choices)}")
        if self.unit == ADDRESS_UNIT and value and not ADDRESS_SHAPE.fullmatch(value):
            raise self._wrong(value, "0x and 40 hex digits")
        return value

    def _from_text(self, text: str) -> Any:
        """A value given as text (`--set`, environment) in the TOML sense; lists also separated by commas."""
        if self.kind is list and not text.startswith("["):
            return [item.strip() for item in text.split(",") if item.strip()]
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except (ValueError, ArithmeticError, RecursionError):
            return text

    def _decimal(self, value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise self._wrong(value, "a number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self._wrong(value, "a number") from None
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -4:
            raise self._wrong(value, "a number with at most four decimals")
        return number

    def _check_text(self, text: str) -> None:
        """No path, address or name has a character that the system, the wire or a log line could not carry."""
        if UNFIT_SHAPE.search(text):
            shown = UNFIT_SHAPE.sub(lambda found: repr(found[0])[1:-1], text)
            raise self._wrong(shown, "a text without control characters")

    def _check_range(self, number: Decimal) -> None:
        if (self.min is not None and number < self.min) or (self.max is not None and number > self.max):
            raise self._wrong(number, f"within {self.min} … {self.max} {self.unit}")

    def _wrong(self, value: Any, wanted: str) -> ConfigError:
        shown = str(value)
        if len(shown) > SHOWN_MAX:
            shown = shown[:SHOWN_MAX] + "…"
        return ConfigError(f"{self.key}: {shown} is not {wanted}")


def plain_text(text: str) -> str:
    """The text without what is no character: arguments of the command line may hold any bytes."""
    return text.encode("utf-8", "replace").decode()


def hide_keys(text: str) -> str:
    """The text without anything in the shape of a private key."""
    return KEY_SHAPE.sub("<hidden>", text)


def did_you_mean(name: str, names: Any) -> str:
    """`; did you mean …?` for the nearest name, or nothing."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""


@cache
def table() -> dict[str, Option]:
    """All options by key, in the table's order."""
    text = resources.files("hip3").joinpath("default.toml").read_text(encoding="utf-8")
    rows: dict[str, Option] = {}

    def walk(prefix: str, node: dict[str, Any]) -> None:
        for name, child in node.items():
            key = f"{prefix}.{name}" if prefix else name
            if "default" in child:
                rows[key] = _row(key, child)
            else:
                walk(key, child)

    walk("", tomllib.loads(text))
    return rows


def _row(key: str, row: dict[str, Any]) -> Option:
    default = row["default"]
    numeric = "min" in row
    kind = Decimal if numeric and isinstance(default, str) else type(default)
    return Option(
        key=key,
        default=Decimal(default) if kind is Decimal else default,
        kind=kind,
        unit=row["unit"],
        reason=row["reason"],
        min=Decimal(str(row["min"])) if numeric else None,
        max=Decimal(str(row["max"])) if numeric else None,
        choices=tuple(row.get("choices", ())),
        tightens=row.get("tightens"),
    )


def option(key: str) -> Option:
    """The option of that key; ConfigError with the nearest name for another."""
    found = table().get(key)
    if found is None:
        raise ConfigError(f"unknown option {key}{did_you_mean(key, table())}")
    return found


def as_toml(value: Value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    if isinstance(value, str):
        # JSON escapes what TOML does, but for the delete character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return format(value, "f") if isinstance(value, Decimal) else str(value)
