"""The typed configuration: the table's defaults, then a TOML file, the environment, `--set`, and flags.

Later sources win. Every error is one line that names the key; unknown keys are refused with the nearest
name, and so are options that contradict each other. The agent's key is never part of it.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.errors import ConfigError
from hip3.homes import home
from hip3.options import KEY_SHAPE, Option, Value, as_toml, did_you_mean, hide_keys, option, table
from hip3.sessions import read_window

ENV_PREFIX = "HIP3__"
#: Where a value comes from that nothing else has set.
DEFAULT_ORIGIN = "default"
#: Options that may be set for one market, under `[market."xyz:SILVER"]`, and what they override.
MARKET_OPTIONS = {
    "threshold_bps": "entry.threshold_bps",
    "max_notional_usd": "entry.max_notional_usd",
    "enabled": "entry.enabled",
    "blackout_windows": "blackout.windows",
    "calendar": "blackout.calendar",
    "calendar_margin_minutes": "blackout.margin_minutes",
}
#: Options of `[entry]` and `[exit]` that the core takes per market or not at all.
_NOT_FOR_CORE = {"entry.threshold_bps", "entry.max_notional_usd", "exit.backup_interval_ms"}
#: Options of which the first may not be above the second.
_NOT_ABOVE = (
    ("orders.in_flight_high_water", "orders.in_flight_max"),
    ("orders.inquiry_interval_ms", "orders.inquiry_interval_max_ms"),
    ("exit.flatten_slippage_bps", "exit.flatten_slippage_max_bps"),
    ("exit.min_holding_ms", "exit.time_stop_ms"),
    ("entry.touch_notional_usd_min", "entry.touch_notional_usd_full"),
    ("entry.order_notional_usd_min", "entry.max_notional_usd"),
    ("links.reconnect_first_ms", "links.reconnect_max_ms"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Effective values by key, with where each came from (`origins`), and the per-market overrides.

    `origins` also has the overrides, under `market."xyz:SILVER".threshold_bps`.
    """

    values: dict[str, Value]
    origins: dict[str, str]
    markets: dict[str, dict[str, Value]]

    def text(self, key: str) -> str:
        """The value of a text option."""
        value: str = self._typed(key, str)
        return value

    def number(self, key: str) -> int:
        """The value of a whole-number option."""
        value: int = self._typed(key, int)
        return value

    def decimal(self, key: str) -> Decimal:
        """The value of an exact-number option."""
        value: Decimal = self._typed(key, Decimal)
        return value

    def switch(self, key: str) -> bool:
        """The value of a switch."""
        value: bool = self._typed(key, bool)
        return value

    def texts(self, key: str) -> list[str]:
        """The value of a list option."""
        value: list[str] = self._typed(key, list)
        return value

    def _typed(self, key: str, kind: type) -> Any:
        value = self.values[key]
        if type(value) is not kind:
            raise TypeError(f"option {key} is {type(value).__name__}, not {kind.__name__}")
        return value

    def for_market(self, coin: str, name: str) -> Value:
        """A per-market option: the market's own value, or the general one."""
        return self.markets.get(coin, {}).get(name, self.values[MARKET_OPTIONS[name]])

    def fingerprint(self) -> str:
        """Twelve hex digits that differ where a value does: which configuration a run went by."""
        rows = sorted(f"{key}={as_toml(value)}" for key, value in self.values.items())
        rows += sorted(f"{market_key(c, n)}={as_toml(v)}" for c, own in self.markets.items() for n, v in own.items())
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]

    def core_settings(self) -> dict[str, Any]:
        """Settings of the core: sections entry, exit and edges, exact numbers as texts."""
        settings: dict[str, Any] = {"entry": {}, "exit": {}, "edges": {}}
        for key, value in self.values.items():
            section, *path = key.split(".")
            if section not in settings or key in _NOT_FOR_CORE:
                continue
            node = settings[section]
            for part in path[:-1]:
                node = node.setdefault(part, {})
            node[path[-1]] = format(value, "f") if isinstance(value, Decimal) else value
        return settings


def load(
    path: Path | None = None,
    overrides: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, tuple[str, str]] | None = None,
) -> Config:
    """Builds the configuration. `path` None looks for `$HIP3_CONFIG`, then the default place.

    `overrides` are `key=value` texts; `flags` are options of the command line (`--venue`) with key and text.
    """
    environment = os.environ if environment is None else environment
    values = {key: row.default for key, row in table().items()}
    config = Config(values, dict.fromkeys(values, DEFAULT_ORIGIN), {})
    file = path or default_path(environment)
    named = path is not None or bool(environment.get("HIP3_CONFIG"))
    if named and not file.exists():
        raise ConfigError(f"{file}: no such file; write one with `hip3 config init`")
    if file.exists():
        _read_file(config, file)
    for name, text in environment.items():
        if name.startswith("HIP3_") and "__" in name and not name.startswith(ENV_PREFIX):
            raise ConfigError(f"environment {name}: write it as {ENV_PREFIX}{name.removeprefix('HIP3_')}")
        if name.startswith(ENV_PREFIX):
            _put(
                config,
                ".".join(name.removeprefix(ENV_PREFIX).lower().split("__")),
                text,
                f"environment {name}",
            )
    for item in overrides or []:
        key, separator, text = item.partition("=")
        if not separator:
            raise ConfigError(f"--set {hide_keys(item)}: write it as key=value")
        _put(config, key.strip(), text.strip(), "--set")
    for flag, (key, text) in (flags or {}).items():
        _put(config, key, text, flag)
    _check_together(config)
    return config


def default_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration file is looked for when none is named."""
    if environment.get("HIP3_CONFIG"):
        return Path(environment["HIP3_CONFIG"])
    return user_directory(environment) / "config.toml"


def user_directory(environment: Mapping[str, str]) -> Path:
    """The user's configuration directory of this program."""
    base = environment.get("XDG_CONFIG_HOME") or str(home("set XDG_CONFIG_HOME") / ".config")
    return Path(base) / "hip3"


def _read_file(config: Config, file: Path) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: byte {error.start} is not UTF-8") from error
    # Before anything else reads the text, so that no message can repeat a key.
    if KEY_SHAPE.search(text):
        raise ConfigError(f"{file}: holds what looks like a private key; use account.key_file with mode 0600")
    try:
        tree = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigError(f"{file}: {error}") from error
    _read_markets(config, tree.pop("market", {}), str(file))

    def walk(prefix: str, node: dict[str, Any]) -> None:
        for name, child in node.items():
            key = f"{prefix}.{name}" if prefix else name
            if isinstance(child, dict):
                if not any(known.startswith(key + ".") for known in table()):
                    raise ConfigError(f"{file}: unknown section [{key}]{did_you_mean(key, _sections())}")
                walk(key, child)
            else:
                _put(config, key, child, str(file))

    walk("", tree)


def _read_markets(config: Config, markets: Any, origin: str) -> None:
    for coin, node in markets.items() if isinstance(markets, dict) else [("", None)]:
        if not isinstance(node, dict):
            raise ConfigError(f'{origin}: write options of one market under [market."xyz:SILVER"]')
        for name, value in node.items():
            _put_market(config, coin, name, value, origin)


def _sections() -> set[str]:
    return {key.rpartition(".")[0] for key in table()} | {"market"}


def _put(config: Config, key: str, value: Any, origin: str) -> None:
    if key.startswith("market."):
        coin, _, name = key.removeprefix("market.").rpartition(".")
        _put_market(config, _market_named(coin), name, value, origin)
        return
    try:
        config.values[key] = option(key).read(value)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None
    config.origins[key] = origin


def market_key(coin: str, name: str) -> str:
    """What a per-market option is called in messages, in `origins` and on the command line."""
    return f"market.{as_toml(coin)}.{name}"


def _market_named(text: str) -> str:
    """The market of a key, which may stand in quotation marks as in a file."""
    try:
        return str(tomllib.loads(f"name = {text}")["name"]) if text.startswith('"') else text
    except ValueError:
        return text.strip('"')


def _put_market(config: Config, coin: str, name: str, value: Any, origin: str) -> None:
    key = market_key(coin, name)
    if not coin:
        raise ConfigError(f'{origin}: {key} names no market; write market."xyz:SILVER".{name}')
    if name not in MARKET_OPTIONS:
        raise ConfigError(f"{origin}: unknown option {key}{did_you_mean(name, MARKET_OPTIONS)}")
    row = replace(option(MARKET_OPTIONS[name]), key=key)
    try:
        config.markets.setdefault(coin, {})[name] = row.read(value)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None
    config.origins[key] = origin


def _check_together(config: Config) -> None:
    """What no single range can say."""
    for low, high in _NOT_ABOVE:
        if _exact(config.values[low]) > _exact(config.values[high]):
            raise ConfigError(f"{low}: {config.values[low]} is above {high} ({config.values[high]})")
    ping, silence = "links.ping_interval_ms", "links.silence_max_ms"
    if config.number(ping) >= config.number(silence):
        # A link without traffic would be dropped before its first ping is answered.
        raise ConfigError(f"{ping}: {config.values[ping]} is not below {silence} ({config.values[silence]})")
    for text in config.texts("blackout.windows"):
        read_window("blackout.windows", text)
    least = "entry.order_notional_usd_min"
    for coin, own in config.markets.items():
        if "max_notional_usd" in own and _exact(own["max_notional_usd"]) < config.decimal(least):
            key = market_key(coin, "max_notional_usd")
            raise ConfigError(f"{key}: {own['max_notional_usd']} is below {least} ({config.values[least]})")
        windows = own.get("blackout_windows", [])
        assert isinstance(windows, list)
        for text in windows:
            read_window(market_key(coin, "blackout_windows"), text)


def _exact(value: Value) -> Decimal:
    return Decimal(str(value))


def write_template() -> str:
    """A configuration file with every option, commented out at its default."""
    lines = ["# Configuration of hip3. Every option stands here at its default; remove the # to change one."]
    sections: dict[str, list[str]] = {}
    for key, row in table().items():
        section, _, name = key.rpartition(".")
        text = ["", f"# {row.reason}", f"# {_describe(row)}", f"#{name} = {as_toml(row.default)}"]
        sections.setdefault(section, []).extend(text)
    for section, text in sections.items():
        lines += ["", f"[{section}]", *text]
    lines += ["", "# One market's own values:", '#[market."xyz:SILVER"]']
    lines += [f"#{name} = {as_toml(option(key).default)}" for name, key in MARKET_OPTIONS.items()]
    return "\n".join(lines) + "\n"


def _describe(row: Option) -> str:
    span = f", {row.min:f} to {row.max:f}" if row.min is not None else ""
    return f"unit: {row.unit}{span}"
