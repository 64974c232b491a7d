"""Keys of the view: each changes the choice, or asks for a verb; what loses money asks for its word first."""

from __future__ import annotations

from typing import Any

import pytest

from hip3.status.choice import SORTS, Choice, Request, press
from hip3.status.keyboard import keys_of
from hip3.status.view import chosen

ROWS = [
    {
        "coin": coin,
        "market": f"dex_1:{n} ({coin})",
        "threshold_pct": pct,
        "buy_edge_bps": buy,
        "sell_edge_bps": None,
        "book_age_ms": book_age,
        "updates": n,
    }
    for n, (coin, pct, buy, book_age) in enumerate(
        [("xyz:A", 10.0, "5", 100), ("xyz:B", 90.0, None, None), ("xyz:C", 50.0, "-3", 9000)]
    )
]


def snapshot(venue: str = "sim", state: str = "trading") -> dict[str, Any]:
    return {"header": {"venue": venue, "state": state}, "markets": ROWS}


def typed(keys: str | list[str], choice: Choice | None = None, **of: str) -> tuple[Choice, list[Request]]:
    choice, asked = choice or Choice(), []
    for key in keys:
        choice, request = press(choice, key, snapshot(**of), chosen(snapshot(**of), choice))
        asked += [request] if request else []
    return choice, asked


def test_help_opens_and_closes() -> None:
    assert typed("?")[0].showing_help
    assert not typed("??")[0].showing_help
    assert not typed(["?", "escape"])[0].showing_help


def test_sorting_goes_through_every_order_and_back() -> None:
    choice, seen = Choice(), []
    for _ in SORTS:
        choice, _ = typed("s", choice)
        seen.append(choice.sort)
    assert sorted(seen) == sorted(SORTS)
    assert choice.sort == "threshold"


@pytest.mark.parametrize(
    ("sort", "coins"),
    [
        ("threshold", "BCA"),
        ("edge now", "ACB"),
        ("name", "ABC"),
        ("age", "BCA"),
        ("updates", "CBA"),
    ],
)
def test_each_order_of_markets(sort: str, coins: str) -> None:
    assert "".join(row["coin"][-1] for row in chosen(snapshot(), Choice(sort=sort))) == coins


def test_a_filter_works_while_it_is_typed_and_stays_or_goes() -> None:
    choice, _ = typed("/b")
    assert [row["coin"] for row in chosen(snapshot(), choice)] == ["xyz:B"]
    kept, _ = typed(["enter"], choice)
    assert (kept.filter, kept.typing_filter) == ("b", False)
    gone, _ = typed(["escape"], choice)
    assert gone.filter == ""
    shorter, _ = typed(["backspace"], choice)
    assert shorter.filter == ""


def test_keys_are_letters_while_a_filter_is_typed() -> None:
    choice, asked = typed("/pqK")
    assert (choice.filter, asked) == ("pqK", [])


def test_arrows_select_within_the_markets_and_enter_shows_all_about_one() -> None:
    assert typed(["down"])[0].selected == "xyz:B"
    assert typed(["up"])[0].selected == "xyz:A"
    choice, _ = typed(["down", "down", "down", "down"])
    assert choice.selected == "xyz:A"
    assert typed(["enter"], choice)[0].detail
    assert not typed(["enter"])[0].detail
    assert typed(["escape"], choice)[0].selected is None


def test_freezing_keeps_the_snapshot_of_now() -> None:
    choice, _ = typed("f")
    assert choice.frozen == snapshot()
    assert typed("f", choice)[0].frozen is None


def test_pausing_needs_one_key_and_the_next_one_resumes() -> None:
    assert typed("p")[1] == [Request("pause")]
    assert typed("p", state="reducing")[1] == [Request("resume")]


def test_verbs_are_judged_by_the_newest_snapshot_and_not_by_the_frozen_picture() -> None:
    frozen, newest = snapshot(state="reducing"), snapshot(state="trading")
    choice = Choice(frozen=frozen)
    assert press(choice, "p", frozen, ROWS, newest)[1] == Request("pause")
    assert press(choice, "p", newest, ROWS, frozen)[1] == Request("resume")
    on_mainnet, request = press(choice, "p", frozen, ROWS, snapshot(venue="mainnet"))
    assert (on_mainnet.asking is not None, request) == (True, None)


def test_a_silent_trader_is_not_guessed_about_but_can_be_killed() -> None:
    choice, request = press(Choice(), "p", snapshot(), ROWS, snapshot(), 37.0)
    assert request is None
    assert "no word from the trader for 37 s" in choice.answer
    for key in "FK":
        assert press(Choice(), key, snapshot(), ROWS, snapshot(), 37.0)[0].asking is not None


def test_on_mainnet_pausing_needs_its_word() -> None:
    choice, asked = typed("p", venue="mainnet")
    assert asked == []
    assert typed([*"pause", "enter"], choice)[1] == [Request("pause", confirmed=True)]


@pytest.mark.parametrize(("key", "verb"), [("F", "flatten"), ("K", "kill")])
def test_flatten_and_kill_need_their_word(key: str, verb: str) -> None:
    choice, asked = typed(key)
    assert asked == []
    assert typed([*verb, "enter"], choice)[1] == [Request(verb, confirmed=True)]
    for wrong in (["enter"], [*verb[:-1], "enter"], ["escape"], [*verb, "escape"], [*verb.upper(), "enter"]):
        after, done = typed(wrong, choice)
        assert (done, after.asking) == ([], None)
        assert "not done" in after.answer


def test_flatten_leaves_only_the_selected_market() -> None:
    choice, _ = typed(["down", "F"])
    assert choice.asking is not None
    assert "xyz:B" in choice.asking.told
    assert typed([*"flatten", "enter"], choice)[1] == [Request("flatten", ("xyz:B",), confirmed=True)]


def test_what_is_typed_is_bounded() -> None:
    assert len(typed("/" + "x" * 500)[0].filter) == 40


def test_quit_is_a_request() -> None:
    assert typed("q")[1] == [Request("quit")]


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"s", ["s"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA", ["up"]),
        (b"\r\n", ["enter", "enter"]),
        (b"\x7f\b", ["backspace", "backspace"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[15~q", ["q"]),
        (b"\x1b[1;5Cq", ["q"]),
        ("µq".encode(), ["µ", "q"]),
        (b"\xffq\x00", ["q"]),
    ],
)
def test_bytes_of_a_terminal_to_keys(data: bytes, keys: list[str]) -> None:
    assert keys_of(data) == keys
