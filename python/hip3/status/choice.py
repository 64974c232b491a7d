"""What a viewer chose by keys, as data: a pure function from a choice, a key and a snapshot to the next choice.

Knows no terminal and sends nothing: what has to be done comes out as a `Request`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

Snapshot = dict[str, Any]
TYPED_MAX = 40
#: A viewer takes the trader for silent after this many seconds without a snapshot.
SILENT_S = 3.0

#: Orders of the market table; the first is the one at the start.
SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "threshold": lambda row: -row["threshold_pct"],
    "edge now": lambda row: -max(float(row["buy_edge_bps"] or "-inf"), float(row["sell_edge_bps"] or "-inf")),
    "name": lambda row: row["coin"],
    "age": lambda row: -(row["book_age_ms"] if row["book_age_ms"] is not None else 10**12),
    "updates": lambda row: -row["updates"],
}

HELP = (
    "?        this page, and back",
    "p        pause: no new entries, exits go on; again: resume",
    "/        filter markets by a part of their name",
    "s        sort: threshold, edge now, name, age, updates",
    "up down  select a market; Enter shows all about it, Esc goes back",
    "f        freeze the picture; the trader goes on",
    "F        flatten every position, or the selected market's; asks for the word",
    "K        kill: nothing is signed any more, nothing starts until hip3 unkill; asks for the word",
    "q        quit; the trader goes on where it runs in another process",
    "",
    "threshold  the largest edge seen against the entry threshold; a sparkline point is ten seconds",
    "to exit    how far the book is from the exit rule; armed: the paths that watch for it",
)


@dataclass(frozen=True, slots=True)
class Request:
    """Something to be done outside of the view: a verb of control, or `quit`."""

    verb: str
    coins: tuple[str, ...] = ()
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """A question that is answered by typing a word."""

    request: Request
    word: str
    told: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The state of one viewer. `frozen` is the snapshot that is kept on the screen."""

    showing_help: bool = False
    filter: str = ""
    sort: str = "threshold"
    selected: str | None = None
    detail: bool = False
    frozen: Snapshot | None = None
    typing_filter: bool = False
    typed: str = ""
    asking: Asking | None = None
    answer: str = ""


def press(
    choice: Choice,
    key: str,
    snapshot: Snapshot,
    rows: list[dict[str, Any]],
    newest: Snapshot | None = None,
    silent_s: float = 0.0,
) -> tuple[Choice, Request | None]:
    """The choice after a key. `snapshot` is the one shown, `rows` its markets as filtered and sorted.

    Verbs are judged by the `newest` snapshot, which a frozen picture is not, and which is `silent_s` old.
    Keys are single characters and the names up, down, enter, escape, backspace.
    """
    if choice.asking is not None:
        return _answer(choice, choice.asking, key)
    if choice.typing_filter:
        return _type_filter(choice, key), None
    choice = replace(choice, answer="")
    match key:
        case "?":
            return replace(choice, showing_help=not choice.showing_help), None
        case "/":
            return replace(choice, typing_filter=True, typed=choice.filter, detail=False), None
        case "s":
            names = list(SORTS)
            return replace(choice, sort=names[(names.index(choice.sort) + 1) % len(names)]), None
        case "f":
            return replace(choice, frozen=None if choice.frozen is not None else snapshot), None
        case "up" | "down":
            return _select(choice, 1 if key == "down" else -1, rows), None
        case "enter":
            return replace(choice, detail=choice.selected is not None and not choice.detail), None
        case "escape":
            return replace(choice, showing_help=False, detail=False, selected=None, filter=""), None
        case "q":
            return choice, Request("quit")
        case "p" | "F" | "K":
            return _control(choice, key, snapshot if newest is None else newest, silent_s)
        case _:
            return choice, None


def _control(choice: Choice, key: str, snapshot: Snapshot, silent_s: float) -> tuple[Choice, Request | None]:
    """Pausing asks on mainnet; flattening and killing always do."""
    if key == "p":
        if silent_s > SILENT_S:
            told = f"no word from the trader for {silent_s:.0f} s: p cannot tell pause from resume; use hip3 pause"
            return replace(choice, answer=told), None
        request = Request("resume" if snapshot["header"]["state"] == "reducing" else "pause")
        if snapshot["header"]["venue"] != "mainnet":
            return choice, request
        told = f"{request.verb} this trader on mainnet"
    elif key == "F":
        coins = (choice.selected,) if choice.selected is not None else ()
        request = Request("flatten", coins)
        told = f"leave {coins[0] if coins else 'every position'} now"
    else:
        request = Request("kill")
        told = "sign nothing more; positions and orders stay as they are"
    return replace(choice, asking=Asking(replace(request, confirmed=True), request.verb, told), typed=""), None


def _answer(choice: Choice, asking: Asking, key: str) -> tuple[Choice, Request | None]:
    done = replace(choice, asking=None, typed="")
    if key == "escape":
        return replace(done, answer=f"{asking.word}: not done"), None
    if key == "enter":
        if choice.typed == asking.word:
            return done, asking.request
        return replace(done, answer=f"{asking.word}: not done, {choice.typed or 'nothing'} was typed"), None
    return replace(choice, typed=_edit(choice.typed, key)), None


def _type_filter(choice: Choice, key: str) -> Choice:
    if key == "enter":
        return replace(choice, typing_filter=False, filter=choice.typed, typed="", selected=None)
    if key == "escape":
        return replace(choice, typing_filter=False, filter="", typed="")
    typed = _edit(choice.typed, key)
    return replace(choice, typed=typed, filter=typed)


def _edit(typed: str, key: str) -> str:
    if key == "backspace":
        return typed[:-1]
    return (typed + key)[:TYPED_MAX] if len(key) == 1 and key.isprintable() else typed


def _select(choice: Choice, step: int, rows: list[dict[str, Any]]) -> Choice:
    coins = [row["coin"] for row in rows]
    if not coins:
        return replace(choice, selected=None)
    if choice.selected not in coins:
        return replace(choice, selected=coins[0] if step > 0 else coins[-1])
    place = coins.index(choice.selected) + step
    return replace(choice, selected=coins[max(0, min(place, len(coins) - 1))])
