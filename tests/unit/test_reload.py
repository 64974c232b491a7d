"""What a running trader takes over of a configuration read anew: only what tightens, and all of it or nothing."""

from __future__ import annotations

import pytest

from hip3.config import Config, load
from hip3.errors import CheckFailed
from hip3.options import option, table
from hip3.reload import NAMED_MAX, changes_of, is_tighter, told

COINS = ["xyz:GOLD", "xyz:SILVER"]
KINDS = {"up", "down", "down, 0 is none", "on", "off", "more", "named"}


def configured(*overrides: str) -> Config:
    return load(None, list(overrides), {"XDG_CONFIG_HOME": "/nowhere"})


def taken(old: list[str], new: list[str]) -> str:
    return told(changes_of(configured(*old), configured(*new), COINS))


def refused(old: list[str], new: list[str]) -> str:
    with pytest.raises(CheckFailed) as error:
        taken(old, new)
    text = str(error.value)
    assert text.startswith("nothing was taken over: ")
    assert "restart" in text
    return text


def test_every_option_of_entries_says_how_it_tightens_and_in_a_word_that_is_read() -> None:
    for key, row in table().items():
        assert row.tightens in KINDS | {None}
        if key.startswith(("entry.", "blackout.", "stop.")):
            assert row.tightens is not None, key
        if row.tightens in ("up", "down", "down, 0 is none"):
            assert row.min is not None


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("entry.threshold_bps", "40", "50"),
        ("entry.max_notional_usd", "1000", "500"),
        ("entry.positions_max", "5", "4"),
        ("entry.enabled", "true", "false"),
        ("entry.require_oracle_move", "false", "true"),
        ("markets.exclude", "[]", '["xyz:GOLD"]'),
        ("blackout.windows", '["20:00-21:00"]', '["20:00-21:00", "22:00-23:00"]'),
        ("blackout.calendar", "", "XNYS"),
        ("blackout.margin_minutes", "0", "5"),
        ("stop.day_loss_usd", "250", "100"),
    ],
)
def test_a_change_is_taken_over_in_one_direction_only(key: str, before: str, after: str) -> None:
    row = option(key)
    assert is_tighter(row, row.read(before), row.read(after))
    assert not is_tighter(row, row.read(after), row.read(before))
    assert not is_tighter(row, row.read(before), row.read(before))
    assert key in taken([f"{key}={before}"], [f"{key}={after}"])
    assert key in refused([f"{key}={after}"], [f"{key}={before}"])


def test_a_limit_that_is_none_at_zero_may_be_set_and_not_taken_away() -> None:
    assert "0 → 500" in taken(["stop.day_loss_usd=0"], ["stop.day_loss_usd=500"])
    assert "500 → 0" in refused(["stop.day_loss_usd=500"], ["stop.day_loss_usd=0"])


def test_windows_that_replace_others_and_another_exchange_do_not_tighten() -> None:
    assert "blackout.windows" in refused(['blackout.windows=["20:00-21:00"]'], ['blackout.windows=["22:00-23:00"]'])
    assert "blackout.calendar" in refused(["blackout.calendar=XNYS"], ["blackout.calendar=XTKS"])


def test_what_a_restart_is_for_is_refused_whatever_its_direction() -> None:
    for new in ("exit.time_stop_ms=10000", "run.mode=observe", "markets.include=BTC", "account.vault="):
        key = new.partition("=")[0]
        if configured(new).values != configured().values:
            assert key in refused([], [new])
    assert "account.key_file" in refused([], ["account.key_file=/elsewhere"])


def test_one_change_that_loosens_keeps_the_others_out() -> None:
    text = refused([], ["entry.threshold_bps=50", "entry.positions_max=6"])
    assert "entry.positions_max 5 → 6" in text
    assert "threshold" not in text


def test_nothing_that_differs_is_said_to_be_so() -> None:
    assert taken(["entry.threshold_bps=50"], ["entry.threshold_bps=50.0"]) == "nothing differs"


def test_a_markets_own_options_are_compared_by_what_holds_for_it() -> None:
    own = 'market."xyz:SILVER".threshold_bps'
    assert f"{own} 40 → 60" in taken([], [f"{own}=60"])
    assert f"{own} 40 → 30" in refused([], [f"{own}=30"])
    assert f"{own} 25 → 40" in taken([f"{own}=25"], []), "back to the general one, which is higher"
    assert f"{own} 60 → 50" in refused([f"{own}=60"], ["entry.threshold_bps=50"])
    assert taken([f"{own}=60"], [f"{own}=60", "entry.threshold_bps=50"]).count("threshold_bps") == 1
    assert 'market."xyz:GOLD".enabled true → false' in taken([], ['market."xyz:GOLD".enabled=false'])


def test_an_option_of_a_market_that_is_not_traded_here_changes_nothing() -> None:
    assert taken([], ['market."xyz:TSLA".threshold_bps=10']) == "nothing differs"


def test_a_sentence_names_a_few_changes_and_counts_the_rest() -> None:
    old = configured()
    raised = [f"{key}={row.min}" for key, row in table().items() if row.tightens == "down" and row.min != row.default]
    changes = changes_of(old, configured(*raised, "entry.order_notional_usd_min=10"), COINS)
    assert len(changes) > NAMED_MAX
    assert told(changes).endswith(f" and {len(changes) - NAMED_MAX} more")
