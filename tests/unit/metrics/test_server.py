"""The page over real sockets: what it answers, whom it cuts off, and that nobody who reads it is waited for."""

from __future__ import annotations

import asyncio
import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from hip3.config import load
from hip3.errors import ConfigError
from hip3.metrics.server import CONTENT_TYPE, REQUEST_BYTES_MAX, MetricsServer
from hip3.metrics.service import BURST_S, metrics_of, restful, token_of

TOKEN = "a-token-of-24-characters"
WAIT_S = 10.0
TIMEOUT_MS = 400
Open = Callable[..., MetricsServer]


@pytest.fixture
def serve() -> Iterator[Open]:
    made: list[MetricsServer] = []

    def begin(
        page: Callable[[], Any] | None = None, *, token: str = "", scrapers_max: int = 4, timeout_ms: int = TIMEOUT_MS
    ) -> MetricsServer:
        async def small() -> bytes:
            return b"hip3_uptime_seconds 1.0\n"

        server = MetricsServer(0, token, page or small, timeout_ms, scrapers_max)
        server.start()
        made.append(server)
        return server

    yield begin
    for server in made:
        server.close()
        assert not server.is_alive()


def ask(server: MetricsServer, method: str = "GET", path: str = "/metrics", **headers: str) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def dialled(server: MetricsServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)


def rest_of(connection: socket.socket) -> bytes:
    """What still comes until the other end hangs up."""
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


def test_it_is_bound_to_loopback_alone(serve: Open) -> None:
    server = serve()
    assert server._socket is not None
    assert server._socket.getsockname() == ("127.0.0.1", server.port)


def test_a_scrape_is_the_page_and_its_head_alone_the_same_without_it(serve: Open) -> None:
    server = serve()
    status, body, headers = ask(server)
    assert (status, body) == (200, b"hip3_uptime_seconds 1.0\n")
    assert (headers["Content-Type"], headers["Cache-Control"]) == (CONTENT_TYPE, "no-store")
    status, body, headers = ask(server, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "24")


def test_refusals_are_one_line_each_with_what_a_client_needs(serve: Open) -> None:
    server = serve(token=TOKEN)
    right = {"Authorization": f"Bearer {TOKEN}"}
    status, body, headers = ask(server)
    assert (status, headers["WWW-Authenticate"], body.count(b"\n")) == (401, "Bearer", 1)
    status, body, headers = ask(server, "POST", **right)
    assert (status, headers["Allow"], body.count(b"\n")) == (405, "GET, HEAD", 1)
    assert ask(server, path="/", **right)[0] == 404
    assert ask(server, Host="evil.example", **right)[0] == 403
    assert ask(server, Origin="http://localhost", **right)[0] == 403
    assert ask(server, **right)[0] == 200


def test_a_request_that_does_not_end_is_cut_off_by_size_and_by_time(serve: Open) -> None:
    server = serve()
    with dialled(server) as endless:
        endless.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (REQUEST_BYTES_MAX + 1))
        assert rest_of(endless).startswith(b"HTTP/1.1 431 ")
    with dialled(server) as slow:
        begin = time.monotonic()
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert rest_of(slow) == b""
        assert TIMEOUT_MS / 1000 * 0.5 < time.monotonic() - begin < WAIT_S
    assert ask(server)[0] == 200


def test_a_drip_of_bytes_does_not_buy_time(serve: Open) -> None:
    server = serve()
    with dialled(server) as dripping:
        begin = time.monotonic()
        sent = 0
        try:
            while time.monotonic() - begin < WAIT_S:
                dripping.sendall(b"X")
                sent += 1
                time.sleep(0.02)
        except ConnectionError:
            pass
        assert 0 < sent < TIMEOUT_MS / 20 * 3


def test_those_who_wait_do_not_add_up(serve: Open) -> None:
    server = serve(scrapers_max=2, timeout_ms=60_000)
    waiting = [dialled(server) for _ in range(2)]
    try:
        for connection in waiting:
            connection.sendall(b"GET")
        until_s = time.monotonic() + WAIT_S
        while (found := ask(server))[0] != 503:
            assert time.monotonic() < until_s, "the bound was never reached"
        assert found[1] == b"too many scrapers at once\n"
        waiting.pop().close()
        while ask(server)[0] != 200:
            assert time.monotonic() < until_s, "a place never became free"
    finally:
        for connection in waiting:
            connection.close()


def test_a_reader_who_does_not_read_is_let_go(serve: Open) -> None:
    async def large() -> bytes:
        return b"x" * 50_000_000

    server = serve(large, scrapers_max=1)
    with dialled(server) as deaf:
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until_s = time.monotonic() + WAIT_S
        while ask(server, "HEAD")[0] != 200:
            assert time.monotonic() < until_s, "the place of one who does not read never became free"
        assert len(rest_of(deaf)) < 50_000_000


def test_scrapes_close_together_share_one_reading(serve: Open) -> None:
    taken: list[int] = []

    async def counted() -> bytes:
        taken.append(1)
        return b"%d" % len(taken)

    server = serve(counted)
    assert {ask(server)[1] for _ in range(5)} <= {b"1", b"2"}
    assert len(taken) <= 2


def test_an_event_loop_that_stands_still_is_told_and_not_waited_for(serve: Open) -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    status, body, _ = ask(serve(never))
    assert (status, body) == (503, b"the trader's event loop stands still\n")


def test_our_own_fault_is_a_problem_of_the_run_and_the_page_goes_on(serve: Open) -> None:
    faults = [KeyError("equity_usd")]

    async def faulty() -> bytes:
        if faults:
            raise faults.pop()
        return b"well"

    server = serve(faulty)
    status, body, _ = ask(server)
    assert (status, body) == (500, b"a scrape of the metrics failed: KeyError: 'equity_usd'\n")
    assert server.problem == body.decode().strip()
    assert ask(server)[:2] == (200, b"well")
    assert server.problem == ""


def test_a_port_that_is_taken_is_a_problem_and_ends_nothing(serve: Open) -> None:
    port = serve().port

    async def page() -> bytes:
        raise AssertionError("never asked")

    second = MetricsServer(port, "", page, TIMEOUT_MS, 1)
    assert (
        second.problem == f"no metrics: 127.0.0.1:{port}: Address already in use; end who has it, or set metrics.port"
    )
    second.start()
    second.close()
    assert not second.is_alive()


def test_the_end_waits_for_no_scraper() -> None:
    async def page() -> bytes:
        return b""

    server = MetricsServer(0, "", page, 60_000, 4)
    server.start()
    with dialled(server) as waiting:
        waiting.sendall(b"GET")
        begin = time.monotonic()
        server.close()
        assert time.monotonic() - begin < 1.0
        assert rest_of(waiting) == b""
    assert threading.active_count() == len([t for t in threading.enumerate() if t.name != "hip3-metrics"])


def test_one_that_never_ran_ends_at_once() -> None:
    async def page() -> bytes:
        return b""

    server = MetricsServer(0, "", page, 1000, 4)
    server.close()
    assert server.problem == ""


async def test_whoever_makes_a_page_rests_so_that_others_get_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def parts() -> Iterator[bytes]:
        for letter in b"abcde":
            until_s = time.perf_counter() + 2 * BURST_S
            while time.perf_counter() < until_s:
                pass
            yield bytes([letter])

    task = asyncio.create_task(other())
    assert await restful(parts()) == b"abcde"
    assert turns >= 5
    task.cancel()


# ----------------------------------------------------------- from a configuration


def given_file(tmp_path: Path, text: str, mode: int = 0o600) -> list[str]:
    path = tmp_path / "token"
    path.touch(mode=mode)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return [f"metrics.token_file={path}"]


def made(*overrides: str) -> MetricsServer | None:
    with asyncio.Runner() as runner:
        source = cast(Any, None)  # a reading is taken at a scrape, and none comes
        return metrics_of(load(None, list(overrides), {}), source, runner.get_loop())


def test_nothing_is_served_unless_a_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert made() is None


def test_without_the_library_a_port_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"^metrics\.port: .* pip install 'hip3\[metrics\]'$"):
        made("metrics.port=9184")


def test_a_token_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    assert token_of(load(None, given_file(tmp_path, f"{TOKEN}\n"), {})) == TOKEN
    assert token_of(load(None, [], {})) == ""


@pytest.mark.parametrize("text", ["", "\n", "too short", "two words of enough length", "x" * 15, "ü" * 20])
def test_what_is_no_token_is_an_error_with_its_remedy(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"^metrics\.token_file: .*head -c 24 /dev/urandom") as told:
        token_of(load(None, given_file(tmp_path, text), {}))
    assert not text.strip() or text.strip() not in str(told.value)


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^metrics\.token_file: .*chmod 600"):
        token_of(load(None, given_file(tmp_path, TOKEN, 0o640), {}))
