"""From a configuration to the metrics' page of a run, or none: the library is looked for only where it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hip3.config import Config
from hip3.errors import ConfigError
from hip3.homes import expanded
from hip3.metrics.reading import Reading, Source, take
from hip3.private_file import read_private

if TYPE_CHECKING:
    from hip3.metrics.server import MetricsServer

#: How long the making of a page may hold the interpreter, and how long it rests then.
BURST_S = 0.0005
REST_S = 0.001
FILE_BYTES_MAX = 4096
#: A shorter token could be guessed.
TOKEN_CHARACTERS_MIN = 16


def metrics_of(config: Config, source: Source, loop: asyncio.AbstractEventLoop) -> MetricsServer | None:
    """The page of `metrics.port`, not yet served; None for port 0. Readings are taken in `loop`. Raises ConfigError."""
    port, token = settings_of(config)
    if not port:
        return None
    from hip3.metrics.collector import exposition
    from hip3.metrics.server import MetricsServer

    async def reading() -> Reading:
        return take(source)

    async def page() -> bytes:
        taken = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(reading(), loop))
        return await restful(exposition(taken))

    timeout_ms, scrapers_max = config.number("metrics.timeout_ms"), config.number("metrics.scrapers_max")
    return MetricsServer(port, token, page, timeout_ms, scrapers_max)


async def restful(parts: Iterable[bytes]) -> bytes:
    """The parts joined. Their maker holds the interpreter for short bursts, so that frames are decided in between."""
    now_s = asyncio.get_running_loop().time
    found, since_s = [], now_s()
    for part in parts:
        found.append(part)
        if now_s() - since_s >= BURST_S:
            await asyncio.sleep(REST_S)
            since_s = now_s()
    return b"".join(found)


def settings_of(config: Config) -> tuple[int, str]:
    """Port (0 for no page) and token. Raises ConfigError for a token that cannot be had, or without the library."""
    port, token = config.number("metrics.port"), token_of(config)
    if port:
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            raise ConfigError("metrics.port: prometheus-client is not installed: pip install 'hip3[metrics]'") from None
    return port, token


def token_of(config: Config) -> str:
    """The token of `metrics.token_file`, empty where no file is named. Raises ConfigError."""
    named = config.text("metrics.token_file")
    if not named:
        return ""
    path = expanded(named, "metrics.token_file")
    token = bytes(read_private(path, "metrics.token_file", FILE_BYTES_MAX)).decode("latin-1").strip()
    if len(token) < TOKEN_CHARACTERS_MIN or not (token.isascii() and token.isprintable() and " " not in token):
        wanted = f"one word of {TOKEN_CHARACTERS_MIN} printable characters or more"
        raise ConfigError(f"metrics.token_file: {path} does not hold {wanted}; head -c 24 /dev/urandom | base64")
    return token
