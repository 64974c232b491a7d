"""What a running trader may take over from a configuration that is read again: only what makes it more careful.

Pure: two configurations in, the changes out, or every reason why not. Nothing is taken over in part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hip3.config import MARKET_OPTIONS, Config, market_key
from hip3.errors import CheckFailed
from hip3.options import Option, Value, as_toml, table

#: Changes and refusals that one sentence names.
NAMED_MAX = 8


@dataclass(frozen=True, slots=True)
class Change:
    """One option that differs, of one market or of all (`key`); `may_tighten`: there is a direction that would do."""

    key: str
    old: Value
    new: Value
    may_tighten: bool

    def told(self) -> str:
        """`key old → new`."""
        return f"{self.key} {as_toml(self.old)} → {as_toml(self.new)}"


def changes_of(old: Config, new: Config, coins: Iterable[str]) -> list[Change]:
    """What differs between two configurations, for the markets traded. Raises CheckFailed unless all of it tightens."""
    changes: list[Change] = []
    refused: list[Change] = []
    for row in table().values():
        _compare(row, row.key, old.values[row.key], new.values[row.key], changes, refused)
    for coin in sorted(coins):
        if coin not in old.markets and coin not in new.markets:
            continue
        for name, general in MARKET_OPTIONS.items():
            before, after = old.for_market(coin, name), new.for_market(coin, name)
            if (before, after) != (old.values[general], new.values[general]):
                _compare(table()[general], market_key(coin, name), before, after, changes, refused)
    if refused:
        fixed = [change for change in refused if not change.may_tighten]
        loose = [change for change in refused if change.may_tighten]
        why = [f"{_listed(loose)} does not tighten"] if loose else []
        why += [f"{_listed(fixed)} cannot change in a running trader"] if fixed else []
        raise CheckFailed(f"nothing was taken over: {'; '.join(why)}; restart for that")
    return changes


def told(changes: list[Change]) -> str:
    """The changes as one sentence."""
    return _listed(changes) if changes else "nothing differs"


def _compare(row: Option, key: str, before: Value, after: Value, changes: list[Change], refused: list[Change]) -> None:
    if before != after:
        (changes if is_tighter(row, before, after) else refused).append(
            Change(key, before, after, row.tightens is not None)
        )


def is_tighter(row: Option, before: Value, after: Value) -> bool:
    """Whether this change of an option makes the trader more careful."""
    match row.tightens:
        case "up":
            return _number(after) > _number(before)
        case "down":
            return _number(after) < _number(before)
        case "down, 0 is none":
            return _number(after) > 0 and (_number(before) == 0 or _number(after) < _number(before))
        case "on" | "off":
            return after is (row.tightens == "on")
        case "more":
            return set(_texts(before)) < set(_texts(after))
        case "named":
            return before == "" != after
        case _:
            return False


def _number(value: Value) -> Decimal:
    assert not isinstance(value, list | str)
    return Decimal(value)


def _texts(value: Value) -> list[str]:
    assert isinstance(value, list)
    return value


def _listed(changes: list[Change]) -> str:
    more = f" and {len(changes) - NAMED_MAX} more" if len(changes) > NAMED_MAX else ""
    return ", ".join(change.told() for change in changes[:NAMED_MAX]) + more
