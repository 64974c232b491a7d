"""Who may read the metrics: each head with its status, and any bytes give one."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip3.metrics.request import TOLD, judge, read_request

TOKEN = "a-token-of-24-characters"


def asked(*headers: str, line: str = "GET /metrics HTTP/1.1", token: str = "") -> HTTPStatus:
    return judge(read_request("\r\n".join([line, *headers]).encode("latin-1")), token)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9184", "localhost:9184", "LOCALHOST"])
def test_programs_of_this_machine_may_read(host: str) -> None:
    assert asked(f"Host: {host}", "Accept: */*") is HTTPStatus.OK
    assert asked(f"host:{host}", line="HEAD /metrics?name=x HTTP/1.0") is HTTPStatus.OK


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:9184",
        "evil.example:127.0.0.1",
        "127.0.0.1:9184@evil.example",
        "0.0.0.0",
        "10.0.0.7:9184",
        "127.0.0.1:",
        "127.0.0.1:١٢",
        "",
    ],
)
def test_a_name_that_is_made_to_lead_here_is_refused(host: str) -> None:
    head = f"GET /metrics HTTP/1.1\r\nHost: {host}".encode()
    assert judge(read_request(head), "") is HTTPStatus.FORBIDDEN


def test_no_host_and_two_hosts_are_refused() -> None:
    assert asked() is HTTPStatus.FORBIDDEN
    assert asked("Host: localhost", "Host: evil.example") is HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9184", ""])
def test_a_page_in_a_browser_is_refused_whatever_its_origin(origin: str) -> None:
    assert asked("Host: localhost", f"Origin: {origin}") is HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "header",
    [
        "X-Nothing: 1",
        "Authorization: Bearer",
        f"Authorization: {TOKEN}",
        f"Authorization: Basic {TOKEN}",
        f"Authorization: Bearer {TOKEN[:-1]}",
        f"Authorization: Bearer {TOKEN}x",
        f"Authorization: Bearer {TOKEN.upper()}",
        f"Authorization: Bearer {TOKEN}\xff",
    ],
)
def test_without_the_token_nothing_is_told_not_even_what_is_here(header: str) -> None:
    for line in ("GET /metrics HTTP/1.1", "GET /other HTTP/1.1", "POST /metrics HTTP/1.1"):
        assert asked("Host: localhost", header, line=line, token=TOKEN) is HTTPStatus.UNAUTHORIZED


def test_the_token_lets_in_once_said_and_not_twice() -> None:
    right = f"Authorization: Bearer {TOKEN}"
    assert asked("Host: localhost", right, token=TOKEN) is HTTPStatus.OK
    assert asked("Host: localhost", right.lower().replace(TOKEN.lower(), TOKEN), token=TOKEN) is HTTPStatus.OK
    assert asked("Host: localhost", right, right, token=TOKEN) is HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("path", ["/", "/metrics/", "/Metrics", "/../metrics", "http://localhost/metrics"])
def test_another_path_is_not_here(path: str) -> None:
    assert asked("Host: localhost", line=f"GET {path} HTTP/1.1") is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_only_reading_is_allowed(method: str) -> None:
    assert asked("Host: localhost", line=f"{method} /metrics HTTP/1.1") is HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /metrics",
        b"GET  /metrics HTTP/1.1",
        b"GET /metrics HTTP/2.0",
        b"get /metrics HTTP/1.1",
        b"GET /metrics HTTP/1.1\r\nHost",
        b"GET /metrics HTTP/1.1\r\nHost : localhost",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n folded: x",
        b"GET /metrics HTTP/1.1\nHost: localhost",
    ],
)
def test_what_is_no_request_is_told_so(head: bytes) -> None:
    assert judge(read_request(head), "") is HTTPStatus.BAD_REQUEST


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_a_status_and_every_refusal_its_line(head: bytes, led_in: bool) -> None:
    status = judge(read_request((b"GET /metrics HTTP/1.1\r\n" if led_in else b"") + head), TOKEN)
    assert status in TOLD, "nothing random knows the token"
