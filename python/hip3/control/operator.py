"""`Operator`: what can be said to a running trader, and what each of it does. Every method answers with a sentence.

Nothing here raises a limit, opens a position or lifts a latch. Who may ask is the socket's and the view's matter.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from hip3.clock import Clock
from hip3.config import Config
from hip3.control.verbs import act
from hip3.errors import Hip3Error
from hip3.execution.trader import Trader, TradingState
from hip3.reload import Change, changes_of, told
from hip3.startup import Stage
from hip3.status.choice import Request
from hip3.status.log import Log
from hip3.terms import Terms, selected, terms_of


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the operator needs of the run: see the fields."""

    #: Sends what a verb has made.
    pump: Callable[[], None]
    #: Why entries cannot be resumed, or nothing.
    ending: Callable[[], str]
    #: The configuration, read from its sources anew. Raises ConfigError.
    read: Callable[[], Config]
    #: Told of a configuration that was taken over.
    on_reload: Callable[[Config, Terms], None]


class Operator:
    """One for each run. `config` is the configuration that is in force."""

    def __init__(self, config: Config, stage: Stage, trader: Trader, clock: Clock, log: Log, hooks: Hooks) -> None:
        self.config = config
        self._stage = stage
        self._trader = trader
        self._clock = clock
        self._log = log
        self._hooks = hooks
        self._reloading = asyncio.Lock()

    @property
    def venue(self) -> str:
        """Name of the venue."""
        return self._stage.where.name

    @property
    def state(self) -> str:
        """The trading state in a word."""
        return self._trader.state.value

    async def act(self, request: Request) -> str:
        """What a key of this run's own view asked for, by the same way as any other viewer's."""
        if request.verb == "quit":
            return "Ctrl-C ends this run; hip3 status looks at it from elsewhere"
        try:
            return await asyncio.to_thread(act, self.config, request.verb, list(request.coins), request.confirmed)
        except Hip3Error as error:
            return str(error)

    def pause(self) -> str:
        """No new entries; positions and exits go on."""
        if why := self._hooks.ending():
            return f"there are no entries already: {why}"
        self._trader.stop_entries(self._clock.now_ns(), "paused by the operator")
        self._log.event("warning", "paused", remedy="hip3 resume")
        held = len(self._trader.engine.positions())
        return f"paused: no entries; {held} position{'s' if held != 1 else ''} left to the exits"

    def resume(self) -> str:
        """Entries again. Raises ValueError where that cannot be."""
        why = self._hooks.ending()
        if why or not self._trader.resume_entries(self._clock.now_ns()):
            raise ValueError(why or "the trader is halted; start another: hip3 run")
        self._log.event("info", "resumed")
        return "resumed: entries are taken"

    def flatten(self, coins: list[str]) -> str:
        """Leaves the positions of these coins, or all. Raises ValueError for a market that is not traded."""
        by_coin = {market.coin: market.asset for market in self._stage.markets}
        unknown = [coin for coin in coins if coin not in by_coin]
        if unknown:
            near = difflib.get_close_matches(unknown[0], by_coin, 1)
            raise ValueError(f"{unknown[0]} is not traded here" + (f"; did you mean {near[0]}?" if near else ""))
        if self._trader.state is TradingState.HALTED:
            raise ValueError("the trader is halted and sends nothing; leave positions on the venue's page")
        held = {position.coin for position in self._trader.engine.positions()}
        asked = set(coins) or held
        leaving = sorted(coin for coin in asked & held if self._trader.engine.is_flattening(by_coin[coin]))
        wanted = {by_coin[coin] for coin in coins} or None
        made = self._trader.flatten("operator", self._clock.now_ns(), wanted)
        self._hooks.pump()
        self._log.event("warning", "flatten", markets=",".join(coins) or "all", orders=made)
        told = [f"{made} order{'s' if made != 1 else ''} on the way"] if made else []
        told += [f"already being left: {', '.join(leaving)}"] if leaving else []
        told += [f"nothing held in {', '.join(sorted(asked - held))}"] if asked - held else []
        return f"flatten: {'; '.join(told) or 'nothing is held'}; entries go on unless paused"

    async def reload(self) -> str:
        """Takes over the configuration as its sources are now, if all that differs tightens. Raises ValueError.

        Reading happens on a thread, since files and calendars may take their time; the core changes at one moment.
        """
        async with self._reloading:
            try:
                config, changes, terms = await asyncio.to_thread(self._read_again)
            except Hip3Error as error:
                self._log.event("error", "reload_refused", why=str(error), remedy="correct it, then hip3 reload")
                raise ValueError(str(error)) from None
            if changes:
                settings, markets = orjson.dumps(terms.settings), orjson.dumps(terms.markets)
                self._trader.reconfigure(settings, markets, self._clock.now_ns())
                self.config = config
                self._hooks.on_reload(config, terms)
            self._log.event("warning", "reloaded", changes=told(changes), config=self.config.fingerprint())
            return f"reloaded: {told(changes)}"

    def _read_again(self) -> tuple[Config, list[Change], Terms]:
        config = self._hooks.read()
        selected(config, self._stage.universe)
        markets = self._stage.markets
        changes = changes_of(self.config, config, [market.coin for market in markets])
        return config, changes, terms_of(config, markets, self._stage.fees, self._clock.now_ns())
