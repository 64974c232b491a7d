"""`hip3 config init` and `hip3 config show`: a file to begin with, and the values in effect."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hip3.config import Config, default_path, market_key, write_template
from hip3.errors import CheckFailed, ConfigError
from hip3.options import as_toml, table


def init(named: Path | None, force: bool) -> int:
    """Writes the configuration file; an existing one stays unless `--force` is given."""
    path = named or default_path(os.environ)
    if path.exists() and not force:
        raise ConfigError(f"{path} exists; --force overwrites it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write_template(), encoding="utf-8")
    except OSError as error:
        raise CheckFailed(f"{error.filename or path}: {error.strerror}") from error
    sys.stdout.write(f"{path}\n")
    return 0


def show(config: Config, as_json: bool) -> int:
    """Prints every effective value, as lines of TOML or one JSON object."""
    if as_json:
        import orjson

        rows = {key: {"value": value, "origin": config.origins[key]} for key, value in config.values.items()}
        markets = {
            coin: {n: {"value": v, "origin": config.origins[market_key(coin, n)]} for n, v in values.items()}
            for coin, values in config.markets.items()
        }
        body = {"options": rows, "markets": markets}
        sys.stdout.write(orjson.dumps(body, default=str).decode() + "\n")
        return 0
    for key, value in config.values.items():
        sys.stdout.write(f"{key} = {as_toml(value)}  # {table()[key].unit}; {config.origins[key]}\n")
    for coin, values in config.markets.items():
        for name, value in values.items():
            key = market_key(coin, name)
            sys.stdout.write(f"{key} = {as_toml(value)}  # {config.origins[key]}\n")
    return 0
