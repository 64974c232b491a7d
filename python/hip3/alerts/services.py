"""The services that carry alerts (apprise, over a hundred kinds), from a private file of addresses.

Addresses hold passwords and tokens: they stand in a file of mode 0600, and no text repeats a part of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hip3.config import Config
from hip3.errors import ConfigError
from hip3.homes import expanded
from hip3.private_file import read_private

FILE_BYTES_MAX = 65_536
SERVICES_MAX = 16
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message at one service; `problem` is empty when it took it."""

    service: str
    problem: str = ""


class Services:
    """Every service of the file."""

    def __init__(self, urls: list[str], origin: str) -> None:
        """Raises ConfigError for an address that no service knows, or without the library."""
        apprise = _library()
        #: Name and plugin of each; a name never holds a part of the address, which may be the secret.
        self._plugins: list[tuple[str, Any]] = []
        for number, url in enumerate(urls, 1):
            plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
            if plugin is None:
                raise ConfigError(f"{origin}: address {number} is of no service that apprise knows")
            self._plugins.append((f"{plugin.service_name} (address {number})", plugin))
        self._types = apprise.NotifyType

    @property
    def names(self) -> list[str]:
        """What each service is called in texts: its kind, and the number of its address in the file."""
        return [name for name, _ in self._plugins]

    def send(self, title: str, body: str, critical: bool) -> list[Delivery]:
        """Sends one message to each service, in turn; each has its own time-outs. Never raises."""
        kind = self._types.FAILURE if critical else self._types.WARNING
        return [self._deliver(name, plugin, title, body, kind) for name, plugin in self._plugins]

    def _deliver(self, name: str, plugin: Any, title: str, body: str, kind: Any) -> Delivery:
        reasons = _Reasons()
        logger = logging.getLogger("apprise")
        logger.addHandler(reasons)
        try:
            taken = plugin.notify(title=title, body=body, notify_type=kind)
        except (Exception, SystemExit) as error:  # a plugin's fault is the service's, not the trader's
            return Delivery(name, type(error).__name__)
        finally:
            logger.removeHandler(reasons)
        return Delivery(name, "" if taken else reasons.last or "refused, or not reached")


class _Reasons(logging.Handler):
    """Keeps the last line in which the library says why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()[:200]


def _library() -> Any:
    try:
        import apprise
    except ImportError:
        raise ConfigError("alerts.urls_file: apprise is not installed: pip install 'hip3[alerts]'") from None
    # Without a handler the library's warnings would go to standard error, past our log.
    logging.getLogger("apprise").propagate = False
    return apprise


def services_of(config: Config) -> Services | None:
    """The services of `alerts.urls_file`; None where no file is named. Raises ConfigError."""
    named = config.text("alerts.urls_file")
    if not named:
        return None
    path = expanded(named, "alerts.urls_file")
    try:
        text = bytes(read_private(path, "alerts.urls_file", FILE_BYTES_MAX)).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"alerts.urls_file: {path}: byte {error.start} is not UTF-8") from None
    urls = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not urls:
        raise ConfigError(f"alerts.urls_file: {path} holds no address; write one a line, such as ntfys://topic")
    if len(urls) > SERVICES_MAX:
        raise ConfigError(f"alerts.urls_file: {path} holds {len(urls)} addresses; at most {SERVICES_MAX}")
    return Services(urls, f"alerts.urls_file: {path}")


def ping_url(config: Config) -> str:
    """The dead-man's address, empty for none. Raises ConfigError for one that is neither https nor loopback."""
    url = config.text("alerts.ping_url")
    if url and not _is_pingable(url):
        raise ConfigError("alerts.ping_url: write an https address, such as https://hc-ping.com/NUMBER")
    return url


def _is_pingable(url: str) -> bool:
    if not (url.isascii() and url.isprintable()) or " " in url:
        return False
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
