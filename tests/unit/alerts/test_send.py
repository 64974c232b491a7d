"""Alerts to services over real HTTP: what arrives, how often, and that a service that fails or hangs delays nobody."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hip3.alerts import command
from hip3.alerts.board import Change
from hip3.alerts.rules import BY_NAME, Severity
from hip3.alerts.send import HOUR_NS, QUEUE_MAX, AlertSender, DeadMansPing, RateLimit, SendLimits
from hip3.alerts.services import Services, ping_url, services_of
from hip3.clock import Clock
from hip3.config import Config, load
from hip3.errors import CheckFailed, ConfigError

LIMITS = SendLimits(Severity.WARNING, repeat_ns=60_000_000_000, hour_max=3)
WAIT_S = 10.0


class Inbox(http.server.ThreadingHTTPServer):
    """A service: keeps what it is sent, answers with `status`."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inbox.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer()

            def do_GET(self) -> None:
                inbox.asked += 1
                self.answer()

            def answer(self) -> None:
                self.send_response(inbox.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]

    def wait(self, count: int) -> list[dict[str, Any]]:
        until = time.monotonic() + WAIT_S
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.01)
        return self.got


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def sender(*urls: str, limits: SendLimits = LIMITS) -> AlertSender:
    return AlertSender(Services(list(urls), "test"), "hip3 SIM 0x1111…2222", limits, Clock())


def change(name: str, raised: bool = True, text: str = "what is wrong") -> Change:
    return Change(BY_NAME[name], text, raised)


def test_an_alert_arrives_with_its_remedy_and_its_end(inbox: Inbox) -> None:
    made = sender(f"json://127.0.0.1:{inbox.port}/")
    made.start()
    made.offer([change("order-link-down", text="no order link; 1 open position")])
    made.offer([change("order-link-down", raised=False)])
    first, second = inbox.wait(2)
    assert first["title"] == "hip3 SIM 0x1111…2222 critical: order-link-down"
    assert "no order link; 1 open position" in first["message"]
    assert "what to do: " + BY_NAME["order-link-down"].remedy in first["message"]
    assert first["type"] == "failure"
    assert second["title"] == "hip3 SIM 0x1111…2222 over: order-link-down"
    made.close(WAIT_S)
    assert (made.sent, made.failed, made.problem) == (2, 0, "")


def test_the_end_of_an_alert_that_was_not_sent_is_not_sent_either(inbox: Inbox) -> None:
    made = sender(f"json://127.0.0.1:{inbox.port}/", limits=SendLimits(Severity.CRITICAL, 1, 5))
    made.offer([change("markets-stale"), change("markets-stale", raised=False), change("halted", raised=False)])
    made.start()
    made.close(WAIT_S)
    assert inbox.got == []


def test_the_same_alert_rests_and_all_together_are_bounded_in_an_hour() -> None:
    rate = RateLimit(LIMITS)
    assert rate.allows("a", 0)
    assert not rate.allows("a", LIMITS.repeat_ns - 1)
    assert rate.allows("a", LIMITS.repeat_ns)
    assert rate.allows("b", LIMITS.repeat_ns)
    assert not rate.allows("c", LIMITS.repeat_ns + 1)
    assert rate.held_back == 2
    assert rate.allows("c", HOUR_NS)


def test_what_was_held_back_is_told_with_the_next(inbox: Inbox) -> None:
    made = sender(f"json://127.0.0.1:{inbox.port}/")
    made.offer([change("halted"), change("halted"), change("day-loss")])
    made.start()
    made.close(WAIT_S)
    assert len(inbox.got) == 2
    assert "1 other alerts were held back" in inbox.got[1]["message"]


def test_a_service_that_fails_is_named_without_its_secret_and_the_others_get_theirs(inbox: Inbox) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        made = sender(f"json://user:topsecret@127.0.0.1:{closed.getsockname()[1]}/", f"json://127.0.0.1:{inbox.port}/")
        made.offer([change("halted")])
        made.start()
        made.close(WAIT_S)
    assert len(inbox.got) == 1
    assert (made.sent, made.failed) == (1, 1)
    assert "alert not delivered by JSON (address 1): " in made.problem
    assert "topsecret" not in made.problem


def test_a_service_that_hangs_delays_nobody_and_the_queue_is_bounded() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        made = sender(f"json://127.0.0.1:{deaf.getsockname()[1]}/", limits=SendLimits(Severity.WARNING, 0, 10**6))
        made.start()
        began = time.monotonic()
        for _ in range(QUEUE_MAX + 50):
            made.offer([change("halted")])
        assert time.monotonic() - began < 1.0
        assert made.dropped >= 49
        made.close(0.05)
        assert time.monotonic() - began < 2.0


def config(**options: str) -> Config:
    return load(None, [f"alerts.{key}={value}" for key, value in options.items()], environment={})


def urls_file(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_the_file_of_addresses_has_comments_and_is_private(tmp_path: Path) -> None:
    named = urls_file(tmp_path / "urls", "# mine\n\njson://127.0.0.1:1/\nntfys://secret-topic\n")
    services = services_of(config(urls_file=named))
    assert services is not None
    assert services.names == ["JSON (address 1)", "ntfy (address 2)"]
    assert services_of(config()) is None


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("json://127.0.0.1:1/", 0o644, "chmod 600"),
        ("# nothing\n", 0o600, "holds no address"),
        ("nonsense\n", 0o600, "address 1 is of no service"),
        ("json://h/\n" * 17, 0o600, "at most 16"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, mode: int, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        services_of(config(urls_file=urls_file(tmp_path / "urls", text, mode)))


def test_alert_test_says_for_each_service_whether_it_took_the_message(
    tmp_path: Path, inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    named = urls_file(tmp_path / "urls", f"json://127.0.0.1:{inbox.port}/\n")
    assert command.test(config(urls_file=named), as_json=False) == 0
    assert capsys.readouterr().out == "JSON (address 1): delivered\n"
    assert inbox.got[0]["title"] == "hip3 sim: test"
    inbox.status = 500
    with pytest.raises(CheckFailed, match="1 of 1 services"):
        command.test(config(urls_file=named), as_json=True)
    (row,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert row["problem"]
    with pytest.raises(ConfigError, match="names no file"):
        command.test(config(), as_json=False)


def test_the_dead_mans_switch_hears_from_a_healthy_trader_alone(inbox: Inbox) -> None:
    well = threading.Event()
    ping = DeadMansPing(f"http://127.0.0.1:{inbox.port}/ping", 20, well.is_set)
    ping.start()
    time.sleep(0.1)
    assert inbox.asked == 0
    well.set()
    until = time.monotonic() + WAIT_S
    while inbox.asked < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert ping.pings >= 2
    inbox.status = 404
    while not ping.problem and time.monotonic() < until:
        time.sleep(0.01)
    assert "alerts.ping_url" in ping.problem
    ping.close()
    ping.join(WAIT_S)
    assert not ping.is_alive()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "nonsense",
        "https://",
        "https://exa mple.com",
        "https://example.org:port/",
        "https://example.org/\u00e9",
        "http://[::1",
    ],
)
def test_a_ping_address_is_https_or_loopback(url: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        ping_url(config(ping_url=url))
    assert ping_url(config(ping_url="https://hc-ping.com/x")) == "https://hc-ping.com/x"


def test_an_answer_that_is_no_http_is_a_problem_and_the_pings_go_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for text in (
                b"garbage\r\n\r\n",
                b"HTTP/1.1 302 x\r\nLocation: http://[::1\r\n\r\n",
                b"HTTP/1.0 200 OK\r\n\r\n",
            ):
                caller, _ = server.accept()
                with caller:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += caller.recv(4096)
                    answered.append(ping.problem)
                    caller.sendall(text)
                    caller.shutdown(socket.SHUT_WR)

        answered: list[str] = []
        ping = DeadMansPing(f"http://127.0.0.1:{server.getsockname()[1]}/secret", 10, lambda: True)
        thread = threading.Thread(target=answer)
        thread.start()
        ping.start()
        thread.join(WAIT_S)
        until = time.monotonic() + WAIT_S
        while not ping.pings and time.monotonic() < until:
            time.sleep(0.01)
        ping.close()
    ping.join(WAIT_S)
    assert ping.pings == 1
    assert answered[1] == "no ping of alerts.ping_url: no answer in HTTP (BadStatusLine)"
    assert answered[2] == "no ping of alerts.ping_url: no answer in HTTP (ValueError)"


def test_no_exception_of_a_service_ends_the_sending(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sender(f"json://127.0.0.1:{inbox.port}/", f"json://127.0.0.1:{inbox.port}/")
    (_, first), _ = made._services._plugins

    def fail(**_: object) -> bool:
        raise SystemExit(3)

    monkeypatch.setattr(first, "notify", fail)
    made.offer([change("halted"), change("killed")])
    made.start()
    made.close(WAIT_S)
    assert len(inbox.got) == 2
    assert made.problem == "alert not delivered by JSON (address 1): SystemExit"

    made = sender(f"json://127.0.0.1:{inbox.port}/")
    monkeypatch.setattr(made._services, "send", lambda *_: [][1])
    made.offer([change("halted"), change("killed")])
    made.start()
    made.close(WAIT_S)
    assert (made.failed, made.problem) == (2, "alert not delivered: IndexError")
