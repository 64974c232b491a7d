"""`hip3 config init` and `hip3 config show`: a file to begin with, and the values in effect."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hip3.config import DEFAULT_ORIGIN, MARKET_OPTIONS, Config, default_path, market_key, write_template
from hip3.durable import write_durably
from hip3.errors import CheckFailed, ConfigError
from hip3.options import Value, as_toml, option, table


def init(named: Path | None, force: bool) -> int:
    """Writes the configuration file, of mode 0600; an existing one stays unless `--force` is given."""
    path = named or default_path(os.environ)
    if path.exists() and not force:
        raise ConfigError(f"{path} exists; --force overwrites it")
    try:
        if path.exists() and not path.is_file():
            # A device or a pipe is written to; a file in its place would do harm.
            path.write_text(write_template(), encoding="utf-8")
        else:
            # A disk that is full must not cost somebody the file that is there. A link stays one.
            write_durably(path.resolve(), write_template().encode())
    except OSError as error:
        raise CheckFailed(f"{error.filename or path}: {error.strerror}") from error
    sys.stdout.write(f"{path}\n")
    return 0


def show(config: Config, as_json: bool, with_origins: bool = False) -> int:
    """Prints every effective value, as lines of TOML or one JSON object.

    Lines name the source of a value that is not the default's own; with `with_origins` those of all.
    """
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
        _line(config, key, value, table()[key].unit, with_origins)
    for coin, values in config.markets.items():
        for name, value in values.items():
            _line(config, market_key(coin, name), value, option(MARKET_OPTIONS[name]).unit, with_origins)
    return 0


def _line(config: Config, key: str, value: Value, unit: str, with_origins: bool) -> None:
    origin = config.origins[key]
    # A path may hold a line end, which would end the comment.
    origin_shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in origin)
    told = f"; {origin_shown}" if with_origins or origin != DEFAULT_ORIGIN else ""
    sys.stdout.write(f"{key} = {as_toml(value)}  # {unit}{told}\n")
