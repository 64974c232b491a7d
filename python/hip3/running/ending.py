"""The end of a run: positions by policy, the venue's last word, latches, the summary."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from hip3.control.latch import HALT, HARD_STOP, set_latch
from hip3.errors import CheckFailed, Hip3Error
from hip3.execution.summary import summarize, trader_equity_usd
from hip3.execution.trader import TradingState
from hip3.running.parts import Parts
from hip3.venue.account import read_account
from hip3.venue.info import Info

#: Pause between looks: are the positions left?
LOOK_S = 0.05


async def leave_positions(parts: Parts) -> None:
    """By policy: leaves every position and waits for the orders' ends, or leaves things as they are.

    A halted trader has nothing to wait for: the venue takes nothing that it signs.
    """
    reason = HARD_STOP if parts.guard.stopped else "operator"
    flatten = parts.config.text("run.on_exit") == "flatten" or reason == HARD_STOP
    deadline = parts.clock.now_ns() + parts.config.number("run.exit_timeout_ms") * 1_000_000
    while parts.clock.now_ns() < deadline and parts.trader.state is not TradingState.HALTED:
        if parts.leaving.is_done or (parts.leaving.is_quiet and not flatten):
            return
        if flatten:
            parts.leaving.ask(reason)
        await asyncio.sleep(LOOK_S)


async def venue_equity(parts: Parts) -> Decimal | None:
    """Equity by the venue's own account, read over REST; None where it does not answer."""
    stage = parts.stage
    try:
        account = stage.account
        report = await read_account(Info(parts.http), account.signer, account.user, stage.universe, stage.dexs)
    except Hip3Error as error:
        parts.log.event("warning", "final_account_unread", why=str(error))
        return None
    return report.equity(stage.dexs, stage.universe)


def stopped_by(parts: Parts) -> tuple[str, str] | None:
    """The kind and the reason of a latch that this run leaves behind; None where it leaves none of its own."""
    if parts.guard.stopped:
        return HARD_STOP, parts.guard.stopped
    if parts.trader.state is TradingState.HALTED and not parts.stage.signer.is_killed:
        return HALT, f"{parts.trader.state_why}; see hip3 check"
    return None


def latch(parts: Parts) -> None:
    """Sets the latch of `stopped_by`. Where it cannot be set, the log says so and the run's exit status still does."""
    found = stopped_by(parts)
    if found is not None:
        kind, reason = found
        try:
            set_latch(parts.latch, reason, kind)
        except CheckFailed as error:
            parts.log.event("error", "latch_not_set", why=str(error))


def keep_day(parts: Parts) -> None:
    """The day's last word, and the latch of a hard stop: by now nothing is left to be signed."""
    parts.guard.book.save()
    if parts.guard.stopped:
        latch(parts)


def summary(parts: Parts, equity_usd: Decimal | None, *, interrupted: bool) -> dict[str, Any]:
    """The run in one object; `equity_usd` is the venue's word on the account."""
    stage = parts.stage
    baseline = stage.account.baseline(stage.dexs, stage.universe)
    stop = stopped_by(parts)
    return {
        **summarize(parts.trader),
        "state": parts.trader.state.value,
        "stopped": None if stop is None else f"{stop[0].replace('_', ' ')}: {stop[1]}",
        "interrupted": interrupted,
        "venue": stage.where.name,
        "mode": parts.config.text("run.mode"),
        "markets": len(stage.markets),
        "duration_s": round((parts.clock.now_ns() - parts.started_ns) / 1e9, 3),
        "venue_equity_usd": None if equity_usd is None else format(equity_usd.normalize(), "f"),
        "trader_equity_usd": format(trader_equity_usd(parts.trader, baseline).normalize(), "f"),
        "sent": {"websocket": parts.dispatcher.sent_ws, "http": parts.dispatcher.sent_http},
        "backup_sweeps": parts.backup.sweeps,
        "backup_sent_over_http": parts.backup.sent_over_http,
        "reconnects": {link.name: link.drops for link in (parts.order_link, parts.data_link)},
        "recording": None if parts.recorder is None else str(parts.recorder.directory),
        "recording_failure": None if parts.recorder is None else parts.recorder.failure or None,
    }
