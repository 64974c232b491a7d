"""The typed configuration: the table's defaults, then a TOML file, the environment, and `--set`.

Later sources win. Every error is one line that names the key; unknown keys are refused with the nearest
name. The agent's key is never part of it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hip3.errors import ConfigError
from hip3.options import KEY_SHAPE, Option, Value, as_toml, did_you_mean, option, table

ENV_PREFIX = "HIP3__"
#: Options that may be set for one market, under `[market."xyz:SILVER"]`, and what they override.
MARKET_OPTIONS = {
    "threshold_bps": "entry.threshold_bps",
    "max_notional_usd": "entry.max_notional_usd",
    "enabled": "entry.enabled",
}
#: Options of `[entry]` and `[exit]` that the core takes per market or not at all.
_NOT_FOR_CORE = {"entry.threshold_bps", "entry.max_notional_usd", "exit.backup_interval_ms"}


@dataclass(frozen=True, slots=True)
class Config:
    """Effective values by key, with where each came from (`origins`), and the per-market overrides."""

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
) -> Config:
    """Builds the configuration. `path` None looks for `$HIP3_CONFIG`, then the default place."""
    environment = os.environ if environment is None else environment
    values = {key: row.default for key, row in table().items()}
    config = Config(values, dict.fromkeys(values, "default"), {})
    file = path or default_path(environment)
    if path is not None and not file.exists():
        raise ConfigError(f"{file}: no such file; write one with `hip3 config init`")
    if file.exists():
        _read_file(config, file)
    for name, text in environment.items():
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
            raise ConfigError(f"--set {item}: write it as key=value")
        _put(config, key.strip(), text.strip(), "--set")
    _check_together(config)
    return config


def default_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration file is looked for when none is named."""
    if environment.get("HIP3_CONFIG"):
        return Path(environment["HIP3_CONFIG"])
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "hip3" / "config.toml"


def _read_file(config: Config, file: Path) -> None:
    try:
        text = file.read_text(encoding="utf-8")
        tree = tomllib.loads(text, parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error
    if any(KEY_SHAPE.fullmatch(word) for word in text.replace('"', " ").replace("'", " ").split()):
        raise ConfigError(f"{file}: holds what looks like a private key; use account.key_file with mode 0600")
    for coin, node in tree.pop("market", {}).items():
        for name, value in node.items():
            _put_market(config, coin, name, value)

    def walk(prefix: str, node: dict[str, Any]) -> None:
        for name, child in node.items():
            key = f"{prefix}.{name}" if prefix else name
            if isinstance(child, dict):
                if not any(known.startswith(key + ".") for known in table()):
                    raise ConfigError(f"unknown section [{key}]{did_you_mean(key, _sections())}")
                walk(key, child)
            else:
                _put(config, key, child, str(file))

    walk("", tree)


def _sections() -> set[str]:
    return {key.rpartition(".")[0] for key in table()} | {"market"}


def _put(config: Config, key: str, value: Any, origin: str) -> None:
    if key.startswith("market."):
        coin, _, name = key.removeprefix("market.").rpartition(".")
        _put_market(config, coin.strip('"'), name, value)
        return
    config.values[key] = option(key).read(value)
    config.origins[key] = origin


def _put_market(config: Config, coin: str, name: str, value: Any) -> None:
    if name not in MARKET_OPTIONS:
        raise ConfigError(f'unknown option market."{coin}".{name}{did_you_mean(name, MARKET_OPTIONS)}')
    config.markets.setdefault(coin, {})[name] = option(MARKET_OPTIONS[name]).read(value)


def _check_together(config: Config) -> None:
    """What no single range can say."""
    pairs = [
        ("orders.in_flight_high_water", "orders.in_flight_max"),
        ("exit.flatten_slippage_bps", "exit.flatten_slippage_max_bps"),
        ("entry.touch_notional_usd_min", "entry.touch_notional_usd_full"),
        ("entry.order_notional_usd_min", "entry.max_notional_usd"),
        ("links.reconnect_first_ms", "links.reconnect_max_ms"),
    ]
    for low, high in pairs:
        if Decimal(str(config.values[low])) > Decimal(str(config.values[high])):
            raise ConfigError(f"{low}: {config.values[low]} is above {high} ({config.values[high]})")


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
    span = f", {row.min} to {row.max}" if row.min is not None else ""
    return f"unit: {row.unit}{span}"
