"""REST over HTTP: one client for the event loop, one for threads that must not depend on it."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import aiohttp

HEADERS = {"Content-Type": "application/json"}
BODY_BYTES_MAX = 64 * 2**20


class HttpClient:
    """POSTs of the event loop over kept-alive connections. Raises OSError or TimeoutError without an answer."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and body of one POST."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=HEADERS)
        try:
            # No redirects: signed orders go to the checked host and nowhere else.
            async with self._session.post(self._base_url + path, data=body, allow_redirects=False) as response:
                return response.status, await response.read()
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error

    async def close(self) -> None:
        """Closes the kept-alive connections."""
        if self._session is not None:
            await self._session.close()


class BlockingHttp:
    """POSTs of one thread; a connection for each, so that a dead one is never waited for."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        parts = urlsplit(base_url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._timeout_s = timeout_s

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and body of one POST; OSError where no whole answer came."""
        connection: http.client.HTTPConnection
        if self._secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("POST", path, body, HEADERS)
            response = connection.getresponse()
            return response.status, response.read(BODY_BYTES_MAX)
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
