"""Every metric of a run, in the order in which it is exposed. The reference in docs/metrics.md is made from here.

Names carry base units (seconds, USD, ratio) or the field's own (bps); counters begin at 0 with the run. Rows for
words of this program (states, reasons, gates) are there from the start, those for markets while they are traded.
"""

from __future__ import annotations

from collections.abc import Iterator

from hip3 import __version__
from hip3._hip3 import EXIT_REASONS
from hip3.alerts.rules import RULES
from hip3.execution.gates import EntryRefusal
from hip3.execution.orders import ENDS
from hip3.execution.trader import TradingState
from hip3.metrics.family import Family, Row, counter, gauge, histogram, one_hot
from hip3.metrics.market_families import MARKETS, POSITIONS
from hip3.metrics.reading import Reading

LINKS = ("order", "data")


def _run_info(r: Reading) -> Iterator[Row]:
    head = r.snapshot["header"]
    yield (head["venue"], head["mode"], head["account"]), 1.0


def _alerts(r: Reading) -> Iterator[Row]:
    active = {row["name"] for row in r.snapshot["alerts"]}
    for rule in RULES:
        yield (rule.name, rule.severity.word), float(rule.name in active)


def _orders(r: Reading) -> Iterator[Row]:
    for end in sorted(ENDS):
        yield (end.value,), r.counts["orders"].get(end.value, 0)


def _exits(r: Reading) -> Iterator[Row]:
    counted = {(row["reason"], row["path"]): row["count"] for row in r.snapshot["exit_counts"]}
    for reason in EXIT_REASONS:
        for (path,), _ in _counted(r, "claims_made_"):
            yield (reason, path), counted.get((reason, path), 0)


def _refusals(r: Reading) -> Iterator[Row]:
    for code, count in _counted(r, "refused_"):
        yield ("core", *code), count
    for gate in EntryRefusal:
        yield ("gate", gate.value), r.counts["refusals"].get(f"gate_{gate.value}", 0)


def _counted(r: Reading, prefix: str) -> Iterator[tuple[tuple[str], int]]:
    """The core's counters whose names begin so, by what follows."""
    for name, count in r.counters.items():
        if name.startswith(prefix):
            yield (name.removeprefix(prefix),), count


def _links(r: Reading, field: str) -> Iterator[Row]:
    for link in LINKS:
        yield (link,), float(r.snapshot["header"][f"{link}_{field}"])


def _silence(r: Reading) -> Iterator[Row]:
    return ((labels, age_ms / 1000) for labels, age_ms in _links(r, "age_ms"))


RUN = (
    Family(
        "hip3_build_info", "gauge", "The version that runs; always 1.", ("version",), lambda _: [((__version__,), 1)]
    ),
    Family("hip3_run_info", "gauge", "What is traded where; always 1.", ("venue", "mode", "account"), _run_info),
    gauge(
        "hip3_agent_valid_until_timestamp_seconds",
        "When the agent's approval ends, in seconds since the epoch; absent where that is not known.",
        lambda r: _scaled(_head(r, "agent_valid_until_ms")),
    ),
    gauge("hip3_uptime_seconds", "Time since the start of the run.", lambda r: r.snapshot["header"]["uptime_s"]),
    Family(
        "hip3_state",
        "gauge",
        "What the trader may send: 1 for the state that holds.",
        ("state",),
        lambda r: one_hot(r.snapshot["header"]["state"], TradingState),
    ),
    Family("hip3_alert_active", "gauge", "Whether the alert of that name holds.", ("alert", "severity"), _alerts),
    gauge("hip3_parts_failed", "Parts that do not work and do not end the run.", lambda r: len(r.snapshot["problems"])),
)
MONEY = (
    gauge("hip3_equity_usd", "The account by the trader's own count, at mark.", lambda r: _head(r, "equity_usd")),
    gauge("hip3_pnl_usd", "Equity since the start of the run.", lambda r: _head(r, "pnl_usd")),
    gauge(
        "hip3_day_pnl_usd", "Equity since the start of the UTC day, over restarts.", lambda r: _head(r, "day_pnl_usd")
    ),
    gauge(
        "hip3_realized_pnl_usd", "Of what was closed in this run, before fees.", lambda r: r.counts["realized_pnl_usd"]
    ),
    gauge("hip3_fees_usd", "Fees of this run; rebates lower them.", lambda r: r.counts["fees_usd"]),
    gauge("hip3_funding_usd", "Funding of this run; positive when received.", lambda r: r.counts["funding_usd"]),
    gauge(
        "hip3_day_loss_alert_usd",
        "alerts.day_loss_usd: a larger loss of the day is an alert; 0 for none.",
        lambda r: r.limits["alerts.day_loss_usd"],
    ),
    gauge(
        "hip3_day_loss_stop_usd",
        "stop.day_loss_usd: a larger loss of the day ends trading; 0 for none.",
        lambda r: r.limits["stop.day_loss_usd"],
    ),
)
TRADES = (
    counter("hip3_entry_signals_total", "Entries that the core decided.", lambda r: r.counters["entries"]),
    counter("hip3_entries_total", "Entry orders of which anything filled.", lambda r: r.counts["entries"]),
    counter(
        "hip3_would_be_entries_total",
        "Entries that a run in observe did not send.",
        lambda r: r.counts["would_be_entries"],
    ),
    Family("hip3_exits_total", "counter", "Positions left to the last lot.", ("reason", "path"), _exits),
    counter("hip3_fills_total", "Fills applied.", lambda r: r.counts["fills"]),
    counter(
        "hip3_fills_duplicate_total", "Fills that had been applied before.", lambda r: r.counters["fills_duplicate"]
    ),
    Family(
        "hip3_refusals_total",
        "counter",
        "Entries refused: by the core's conditions (stage core) and the trader's gates (stage gate).",
        ("stage", "gate"),
        _refusals,
    ),
    Family("hip3_orders_total", "counter", "Orders by their final state.", ("state",), _orders),
    gauge("hip3_orders_live", "Orders that are not over.", lambda r: r.counts["orders"]["live"]),
    gauge(
        "hip3_orders_unknown", "Orders that were sent and not answered in time.", lambda r: _head(r, "unknown_orders")
    ),
    counter("hip3_order_inquiries_total", "Questions about orders without an answer.", lambda r: r.counts["inquiries"]),
    counter("hip3_flattens_sent_total", "Flatten orders sent.", lambda r: r.counts["flattens_sent"]),
    counter(
        "hip3_flattens_duplicate_total",
        "Flatten orders sent while another of their market lived: always 0.",
        lambda r: r.counts["flattens_duplicate"],
    ),
    Family(
        "hip3_claims_made_total",
        "counter",
        "Claims: the right to flatten a market, by who found the exit.",
        ("path",),
        lambda r: _counted(r, "claims_made_"),
    ),
    Family(
        "hip3_claims_released_total",
        "counter",
        "Claims that ended, by how their order did.",
        ("reason",),
        lambda r: _counted(r, "claims_released_"),
    ),
    counter(
        "hip3_claims_mismatched_total",
        "Ends of claims that named another order than the holder.",
        lambda r: r.counters["claims_mismatched"],
    ),
    counter(
        "hip3_flatten_channel_full_total",
        "Flatten orders that found no room; the backup tries again.",
        lambda r: r.counters["flatten_channel_full"],
    ),
    counter(
        "hip3_position_resyncs_total", "Positions taken over from the venue's account.", lambda r: r.counts["resyncs"]
    ),
)
VENUE = (
    Family(
        "hip3_link_up",
        "gauge",
        "Whether the connection stands, with every subscription acknowledged.",
        ("link",),
        lambda r: _links(r, "link"),
    ),
    Family("hip3_link_drops_total", "counter", "Connections lost.", ("link",), lambda r: _links(r, "link_drops")),
    Family(
        "hip3_link_age_seconds",
        "gauge",
        "Time since the venue last said anything that counts.",
        ("link",),
        _silence,
    ),
    counter("hip3_frames_total", "Frames taken.", lambda r: r.counts["frames"]),
    counter("hip3_frames_malformed_total", "Frames that could not be read.", lambda r: r.counts["frames_malformed"]),
    gauge(
        "hip3_requests_left",
        "Requests that the venue still takes from the account.",
        lambda r: _head(r, "requests_left"),
    ),
    gauge("hip3_requests_cap", "Requests that the account may make in all.", lambda r: _head(r, "requests_cap")),
    gauge(
        "hip3_requests_left_min_ratio",
        "alerts.requests_left_min: a smaller share left is an alert.",
        lambda r: r.limits["alerts.requests_left_min"],
    ),
    gauge("hip3_posts_in_flight", "Messages that await an answer.", lambda r: _head(r, "in_flight")),
    gauge("hip3_posts_in_flight_max", "So many may await one.", lambda r: _head(r, "in_flight_max")),
    Family(
        "hip3_messages_sent_total",
        "counter",
        "Messages sent by the event loop, by their way.",
        ("route",),
        lambda r: (((route,), count) for route, count in r.sent.items()),
    ),
    counter("hip3_backup_sweeps_total", "Looks of the backup monitor.", lambda r: r.sweeps),
    gauge(
        "hip3_backup_age_seconds",
        "Time since the backup monitor last looked; absent while it does not run.",
        lambda r: _scaled(_head(r, "backup_age_ms")),
    ),
)
LATENCIES = (
    histogram(
        "hip3_frame_to_decision_seconds", "From a frame's arrival to the end of its decisions.", "frame_to_decision"
    ),
    histogram(
        "hip3_frame_to_wire_seconds",
        "From the arrival that decided an order to its bytes on the socket; entries wait for their batch.",
        "frame_to_wire",
    ),
    histogram("hip3_exit_to_wire_seconds", "The same, of flatten orders alone.", "exit_to_wire"),
    histogram("hip3_exit_latency_seconds", "From the moment an exit was due to its decision.", "exit_latency", "path"),
)


def _head(r: Reading, field: str) -> object:
    return r.snapshot["header"][field]


def _scaled(ms: object) -> float | None:
    return ms / 1000 if isinstance(ms, int) else None


FAMILIES: tuple[Family, ...] = (*RUN, *MONEY, *TRADES, *VENUE, *LATENCIES, *POSITIONS, *MARKETS)
