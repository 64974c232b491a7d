"""The table of options: every row is complete, every value is checked, and TOML writes back what was read."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any

import pytest

from hip3.config import load
from hip3.errors import ConfigError
from hip3.options import Option, Value, as_toml, did_you_mean, hide_keys, option, table

KEYS = sorted(table())
NUMBERS = [key for key in KEYS if table()[key].kind in (int, Decimal)]
TYPES = {bool, int, Decimal, str, list}
PRIVATE = "0x" + "5a" * 32


@pytest.mark.parametrize("key", KEYS)
def test_every_option_has_a_type_a_unit_and_an_explanation(key: str) -> None:
    row = option(key)
    assert row.kind in TYPES
    assert type(row.default) is row.kind
    assert row.unit
    assert len(row.reason.split()) >= 3
    assert "\n" not in row.reason + row.unit
    assert row.read(row.default) == row.default


@pytest.mark.parametrize("key", NUMBERS)
def test_every_number_has_bounds_that_hold_its_default_and_refuse_what_lies_beyond(key: str) -> None:
    row = option(key)
    assert row.min is not None
    assert row.max is not None
    assert row.min <= Decimal(str(row.default)) <= row.max
    step = Decimal(1) if row.kind is int else Decimal("0.0001")
    assert row.read(str(row.min)) == row.min
    assert row.read(str(row.max)) == row.max
    for beyond in (row.min - step, row.max + step):
        with pytest.raises(ConfigError, match=f"^{key}: {beyond} is not within") as told:
            row.read(format(beyond, "f"))
        assert row.unit in str(told.value)


@pytest.mark.parametrize("key", NUMBERS)
def test_a_unit_in_a_name_is_the_unit_of_its_row(key: str) -> None:
    row = option(key)
    for suffix, unit in (("_ms", "ms"), ("_bps", "bps"), ("_usd", "usd")):
        if key.removesuffix("_max").removesuffix("_min").removesuffix("_full").endswith(suffix):
            assert row.unit == unit


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("entry.enabled", "false", False),
        ("run.seed", "7", 7),
        ("run.seed", "1_000", 1000),
        ("entry.threshold_bps", "40.5", Decimal("40.5")),
        ("entry.threshold_bps", 41, Decimal(41)),
        ("entry.threshold_bps", "1e2", Decimal(100)),
        ("markets.include", "xyz:*, flx:TSLA,", ["xyz:*", "flx:TSLA"]),
        ("markets.include", '["xyz:*"]', ["xyz:*"]),
        ("markets.exclude", "", []),
        ("run.scenario", "7", "7"),
        ("account.address", "0x" + "aB" * 20, "0x" + "aB" * 20),
    ],
)
def test_texts_are_read_in_the_options_own_type(key: str, value: Any, read: Value) -> None:
    found = option(key).read(value)
    assert found == read
    assert type(found) is option(key).kind


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("entry.enabled", 1, "1 is not true or false"),
        ("entry.enabled", "yes", "yes is not true or false"),
        ("run.seed", True, "True is not a whole number"),
        ("run.seed", "5.0", "5.0 is not a whole number"),
        ("run.seed", "0x" + "f" * 5000, "is not within"),
        ("run.seed", "five", "five is not a whole number"),
        ("run.seed", "9" * 1000, "is not within"),
        ("run.seed", "9" * 5000, "is not a whole number"),
        ("run.seed", "[" * 5000, "is not a whole number"),
        ("run.seed", "1e99999999999999999999", "is not a whole number"),
        ("entry.threshold_bps", "nan", "nan is not a number"),
        ("entry.threshold_bps", "-inf", "-inf is not a number"),
        ("entry.threshold_bps", "4O", "4O is not a number"),
        ("entry.threshold_bps", True, "True is not a number"),
        ("entry.threshold_bps", 40.5, "40.5 is not a number"),
        ("entry.threshold_bps", "40.00001", "at most four decimals"),
        ("entry.threshold_bps", "1e400", "is not within"),
        ("markets.include", 3, "3 is not a list of texts"),
        ("markets.include", ["xyz:*", 3], "is not a list of texts"),
        ("run.scenario", 3, "3 is not a text"),
        ("run.mode", "lve", "lve is not one of observe, live; did you mean live"),
        ("account.address", "0x12", "0x12 is not 0x and 40 hex digits"),
    ],
)
def test_wrong_values_are_refused_on_one_line_that_names_the_key(key: str, value: Any, why: str) -> None:
    with pytest.raises(ConfigError) as told:
        option(key).read(value)
    text = str(told.value)
    assert text.startswith(f"{key}: ")
    assert why in text
    assert "\n" not in text
    assert len(text) < 250


@pytest.mark.parametrize("key", ["account.vault", "run.seed", "entry.threshold_bps", "markets.include", "run.mode"])
@pytest.mark.parametrize("value", [PRIVATE, PRIVATE[2:], f"key={PRIVATE}"])
def test_a_private_key_is_no_value_of_any_option_and_is_not_repeated(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=r"private key; use account\.key_file") as told:
        option(key).read(value)
    assert "5a5a" not in str(told.value)


def test_keys_are_hidden_in_any_text_and_addresses_are_not() -> None:
    address = "0x" + "ab" * 20
    assert hide_keys(f"--k={PRIVATE}, {address}") == f"--k=<hidden>, {address}"


def test_unknown_options_name_the_nearest_or_nothing() -> None:
    with pytest.raises(ConfigError, match=r"^unknown option entry.treshold_bps; did you mean entry.threshold_bps\?$"):
        option("entry.treshold_bps")
    assert did_you_mean("zzzzzz", KEYS) == ""


@pytest.mark.parametrize("key", ["run.seed", "run.mode", "entry.enabled", "entry.threshold_bps", "markets.include"])
def test_a_number_too_long_to_print_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key}: a number of 20001 bits"):
        option(key).read(16**5000)


AWKWARD: list[Value] = [
    'a "quoted" \\ text',
    "tab\tnew\nline\x7f\x01",
    "ö…",
    ['"', "\\"],
    [],
    Decimal("1E+3"),
    Decimal("0.0001"),
    True,
    -7,
]


@pytest.mark.parametrize("value", [*(table()[key].default for key in KEYS), *AWKWARD])
def test_a_value_written_as_toml_is_read_back(value: Value) -> None:
    read = tomllib.loads(f"value = {as_toml(value)}", parse_float=Decimal)["value"]
    assert read == value


def test_no_number_within_its_bounds_is_refused_by_the_core() -> None:
    import orjson

    from hip3._hip3 import Engine

    Engine(orjson.dumps(load(None, [], {"XDG_CONFIG_HOME": "/nowhere"}).core_settings()), 1)
    refused = accepted = 0
    for row in (table()[key] for key in NUMBERS):
        for bound in (row.min, row.max):
            try:
                config = load(None, [f"{row.key}={bound}"], {"XDG_CONFIG_HOME": "/nowhere"})
            except ConfigError:
                refused += 1
                continue
            Engine(orjson.dumps(config.core_settings()), 1)
            accepted += 1
    assert accepted > 5 * refused > 0


def test_rows_are_immutable() -> None:
    row: Option = option("run.seed")
    with pytest.raises(AttributeError):
        row.default = 2  # type: ignore[misc]
