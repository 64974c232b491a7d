"""What a request to the metrics' page deserves: one pure function from its head to a status. Any bytes give one.

Loopback alone keeps nobody out: a page of any site can make a browser on this machine ask, under a name that it
resolves to 127.0.0.1. Such a request carries that name as its host, or its own origin; both are refused.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from http import HTTPStatus

PATH = "/metrics"
METHODS = ("GET", "HEAD")
LOCAL_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::\d{1,5})?", re.IGNORECASE | re.ASCII)
REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (\S+) HTTP/1\.[01]", re.ASCII)
#: What a refusal says, each with its remedy.
TOLD = {
    HTTPStatus.BAD_REQUEST: "not a request of HTTP/1.1",
    HTTPStatus.UNAUTHORIZED: "send the header Authorization: Bearer with the token of metrics.token_file",
    HTTPStatus.FORBIDDEN: "for programs of this machine: ask for 127.0.0.1 or localhost, without an Origin",
    HTTPStatus.NOT_FOUND: f"only {PATH} is here",
    HTTPStatus.METHOD_NOT_ALLOWED: "only GET and HEAD are answered",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A head that could be read: names of headers in lower case; one that came twice has both values."""

    method: str
    path: str
    headers: dict[str, list[str]]


def read_request(head: bytes) -> Request | None:
    """The head of a request, without its blank line; None for what is none."""
    line, *rest = head.decode("latin-1").split("\r\n")
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        return None
    headers: dict[str, list[str]] = {}
    for text in rest:
        name, colon, value = text.partition(":")
        if not colon or not name or name != name.strip():
            return None
        headers.setdefault(name.lower(), []).append(value.strip())
    return Request(found[1], found[2].partition("?")[0], headers)


def judge(request: Request | None, token: str) -> HTTPStatus:
    """OK, or why not. Whoever is not let in learns nothing of what is here."""
    if request is None:
        return HTTPStatus.BAD_REQUEST
    hosts = request.headers.get("host", [])
    if "origin" in request.headers or len(hosts) != 1 or LOCAL_HOST.fullmatch(hosts[0]) is None:
        return HTTPStatus.FORBIDDEN
    if token and not _has_token(request, token):
        return HTTPStatus.UNAUTHORIZED
    if request.path != PATH:
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.OK if request.method in METHODS else HTTPStatus.METHOD_NOT_ALLOWED


def _has_token(request: Request, token: str) -> bool:
    """Compared in constant time, so that how long it takes tells nothing of how much was right."""
    given = request.headers.get("authorization", [])
    scheme, _, told = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return scheme.lower() == "bearer" and hmac.compare_digest(told.strip().encode("latin-1"), token.encode())
