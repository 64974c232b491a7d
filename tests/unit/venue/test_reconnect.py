"""The reconnect policy: bounds of every pause, full jitter within them, and which failures are final."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidURI
from websockets.http11 import Response

from hip3.venue.reconnect import ReconnectPolicy, Verdict, failures_after, next_delay_ms, verdict

POLICY = ReconnectPolicy(first_ms=100, factor=2.0, max_ms=10_000, jitter=0.5, healthy_ms=30_000, fatal_after=3)
DRAWS = st.floats(0, 1, exclude_max=True)


def status(code: int) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers()))


def test_pauses_double_from_the_first_to_the_longest() -> None:
    assert [next_delay_ms(POLICY, failures, 0.0) for failures in range(10)] == [
        0.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 10_000.0, 10_000.0,
    ]  # fmt: skip


@given(st.integers(1, 10**9), DRAWS)
def test_every_pause_lies_between_the_base_and_half_more(failures: int, draw: float) -> None:
    base = next_delay_ms(POLICY, failures, 0.0)
    assert POLICY.first_ms <= base <= next_delay_ms(POLICY, failures, draw) <= base * 1.5 <= POLICY.max_ms * 1.5


@given(st.integers(1, 100), DRAWS, DRAWS)
def test_the_draw_moves_the_pause_over_the_whole_of_its_span(failures: int, one: float, other: float) -> None:
    base = next_delay_ms(POLICY, failures, 0.0)
    assert next_delay_ms(POLICY, failures, one) == pytest.approx(base * (1 + one / 2))
    if one < other:
        assert next_delay_ms(POLICY, failures, one) <= next_delay_ms(POLICY, failures, other)


def test_a_link_that_never_lives_stays_within_the_venues_thirty_connections_a_minute() -> None:
    at_ms, connections, failures = 0.0, 0, 0
    while at_ms < 60_000:
        connections += 1
        failures = failures_after(POLICY, failures, lived_ms=0)
        at_ms += next_delay_ms(POLICY, failures, 0.0)
    assert connections <= 15  # two links share the limit


@pytest.mark.parametrize(("lived_ms", "failures"), [(0, 8), (29_999.9, 8), (30_000, 1), (10**9, 1)])
def test_only_a_link_that_lived_long_enough_starts_anew(lived_ms: float, failures: int) -> None:
    assert failures_after(POLICY, 7, lived_ms) == failures


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError("silent"),
        OSError("unreachable"),
        ssl.SSLError("handshake"),
        ConnectionClosedError(None, None),
        InvalidMessage("did not receive a valid HTTP response"),
        RuntimeError("anything else"),
        *(status(code) for code in (400, 401, 403, 429, 500, 502, 503, 504)),
    ],
)
def test_what_may_pass_is_tried_again_however_often_it_failed(error: BaseException) -> None:
    assert {verdict(POLICY, error, failures) for failures in (1, 3, 1000)} == {Verdict.RETRY}


@pytest.mark.parametrize("error", [ssl.SSLCertVerificationError(), status(404), status(405), status(410)])
def test_a_wrong_certificate_or_address_is_final_after_three_tries(error: BaseException) -> None:
    verdicts = [verdict(POLICY, error, failures) for failures in (1, 2, 3, 4)]
    assert verdicts == [Verdict.RETRY, Verdict.RETRY, Verdict.FATAL, Verdict.FATAL]


def test_an_address_that_is_none_is_final_at_once() -> None:
    assert verdict(POLICY, InvalidURI("http://x", "scheme"), 1) is Verdict.FATAL
