"""Each alert fires for the series that it is made for and not for those just beside, in Prometheus's own engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_rules import ALERTS, FILE, OWN

#: Series (without the target's labels) with values a minute apart, as promtool writes them.
Series = dict[str, str]
TRADING = {'hip3_state{state="starting"}': "0x40"}
STARTING = {'hip3_state{state="starting"}': "1x40"}
DATA_UP = {'hip3_link_up{link="data"}': "1x40"}
#: For each alert what raises it and what is quiet; those that ask for `hip3_alert_active` alone follow below.
CASES: dict[str, tuple[Series, Series]] = {
    "Hip3Down": ({"up": "1x5 0x35"}, {"up": "1x40"}),
    "Hip3Restarting": ({"process_start_time_seconds": "1x30 2 3 4x8"}, {"process_start_time_seconds": "1x30 2x10"}),
    "Hip3ExitsSlow": (
        {
            'hip3_exit_latency_seconds_bucket{path="primary",le="0.1"}': "0x40",
            'hip3_exit_latency_seconds_bucket{path="primary",le="0.25"}': "0+1x40",
            'hip3_exit_latency_seconds_bucket{path="primary",le="+Inf"}': "0+1x40",
        },
        {
            'hip3_exit_latency_seconds_bucket{path="primary",le="0.1"}': "0+1x40",
            'hip3_exit_latency_seconds_bucket{path="primary",le="+Inf"}': "0+1x40",
            'hip3_exit_latency_seconds_bucket{path="backup",le="0.1"}': "0x40",
            'hip3_exit_latency_seconds_bucket{path="backup",le="+Inf"}': "0+1x40",
        },
    ),
    "Hip3DecisionsSlow": (
        {
            'hip3_frame_to_decision_seconds_bucket{le="0.05"}': "0+90x40",
            'hip3_frame_to_decision_seconds_bucket{le="0.1"}': "0+100x40",
            'hip3_frame_to_decision_seconds_bucket{le="+Inf"}': "0+100x40",
        },
        {
            'hip3_frame_to_decision_seconds_bucket{le="0.05"}': "0+100x40",
            'hip3_frame_to_decision_seconds_bucket{le="+Inf"}': "0+100x40",
        },
    ),
    "Hip3DuplicateFlatten": ({"hip3_flattens_duplicate_total": "1x40"}, {"hip3_flattens_duplicate_total": "0x40"}),
    "Hip3PositionStuck": (
        {'hip3_position_leaving_seconds{coin="xyz:A"}': "15.1x40"},
        {
            'hip3_position_leaving_seconds{coin="xyz:A"}': "15x40",
            'hip3_position_overdue_seconds{coin="xyz:A"}': "10x40",
        },
    ),
    "Hip3BackupSilent": ({"hip3_backup_age_seconds": "12x40"}, {"hip3_backup_age_seconds": "11.9x40"}),
    # promtool's clock begins at the epoch: after forty minutes it is 2400 s.
    "Hip3AgentLastDay": (
        {"hip3_agent_valid_until_timestamp_seconds": "88800x40"},
        {"hip3_agent_valid_until_timestamp_seconds": "88801x40"},
    ),
    "Hip3AgentExpiring": (
        {"hip3_agent_valid_until_timestamp_seconds": "607200x40"},
        {"hip3_agent_valid_until_timestamp_seconds": "607201x40"},
    ),
    "Hip3OrderLinkDown": (
        {**TRADING, 'hip3_link_up{link="order"}': "0x40"},
        {**STARTING, 'hip3_link_up{link="order"}': "0x40"},
    ),
    "Hip3DataLinkDown": (
        {**TRADING, 'hip3_link_up{link="data"}': "0x40"},
        {**TRADING, 'hip3_link_up{link="order"}': "0x40"},
    ),
    "Hip3MarketsStale": (
        {
            **TRADING,
            **DATA_UP,
            'hip3_markets{state="stale"}': "18x40",
            'hip3_markets{state="ready"}': "18x40",
            'hip3_markets{state="blacked_out"}': "50x40",
        },
        {
            **TRADING,
            **DATA_UP,
            'hip3_markets{state="stale"}': "17x40",
            'hip3_markets{state="ready"}': "19x40",
            'hip3_markets{state="blacked_out"}': "50x40",
        },
    ),
    "Hip3OrdersUnknown": ({"hip3_orders_unknown": "2x40"}, {"hip3_orders_unknown": "0x40"}),
    "Hip3DayLoss": (
        {"hip3_day_pnl_usd": "-100x40", "hip3_day_loss_alert_usd": "100x40"},
        {"hip3_day_pnl_usd": "-9999x40", "hip3_day_loss_alert_usd": "0x40"},
    ),
    "Hip3RequestsLow": (
        {"hip3_requests_left": "1000x40", "hip3_requests_cap": "10000x40", "hip3_requests_left_min_ratio": "0.1x40"},
        {"hip3_requests_left": "1001x40", "hip3_requests_cap": "10000x40", "hip3_requests_left_min_ratio": "0.1x40"},
    ),
    "Hip3FramesMalformed": ({"hip3_frames_malformed_total": "0x35 1x5"}, {"hip3_frames_malformed_total": "7x40"}),
    "Hip3PartFailed": ({"hip3_parts_failed": "1x40"}, {"hip3_parts_failed": "0x40"}),
    "Hip3PositionResync": ({"hip3_position_resyncs_total": "0x37 1x3"}, {"hip3_position_resyncs_total": "0x10 1x30"}),
}
ASKED = {
    alert: (
        {f'hip3_alert_active{{alert="{rule.name}"}}': "1x40"},
        {f'hip3_alert_active{{alert="{rule.name}"}}': "0x40", 'hip3_alert_active{alert="another"}': "1x40"},
    )
    for alert, rule in OWN.items()
    if alert not in CASES
}


def of_target(series: Series) -> list[dict[str, str]]:
    """The series of one trader that is up."""
    named = {"up": "1x40"} | series
    rows = []
    for name, values in named.items():
        metric, _, labels = name.partition("{")
        more = f",{labels.removesuffix('}')}" if labels else ""
        rows.append({"series": f'{metric}{{job="hip3",instance="here"{more}}}', "values": values})
    return rows


def case(alert: str, series: Series, firing: bool) -> dict[str, Any]:
    """Whether the alert fires after forty minutes of these series, as promtool asks."""
    asked = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    found = [{"labels": "{}", "value": 1}] if firing else []
    test = {"expr": asked, "eval_time": "40m", "exp_samples": found}
    return {"interval": "1m", "input_series": of_target(series), "promql_expr_test": [test]}


def test_every_alert_has_its_case() -> None:
    assert set(CASES | ASKED) == set(ALERTS)


def test_an_alert_fires_at_its_limit_and_not_before(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; what the rules name has been read all the same")
    cases = [case(a, s, f) for a, both in (CASES | ASKED).items() for s, f in zip(both, (True, False), strict=True)]
    path = tmp_path / "cases.yml"
    tests = {"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": cases}
    path.write_text(yaml.safe_dump(tests), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
