"""`hip3 run`: wires venue, trader, backup, recording and view together, and takes them down in order.

Owns the event loop's tasks and nothing that decides. The end of a run goes: no new entries, the position
policy, the last read of the venue's account, backup and sockets down, recording closed, summary.
"""

from __future__ import annotations

import asyncio
import gc
import getpass
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from hip3 import __version__
from hip3.alerts.board import AlertBoard
from hip3.alerts.watch import Watch
from hip3.clock import Clock
from hip3.config import Config
from hip3.control.day import DayBook, LossLimit, day_path
from hip3.control.guard import DayGuard
from hip3.control.latch import HALT, HARD_STOP, latch_path, note, read_latch, set_latch, watch_latch
from hip3.control.operator import Hooks, Operator
from hip3.control.server import ControlServer, control_path
from hip3.control.service import ServiceManager
from hip3.errors import ConfigError, Hip3Error, Stopped, VenueUnreachable
from hip3.execution.backup import MarkRegressionMonitor, StaleBookReader
from hip3.execution.blackout import Blackouts
from hip3.execution.leaving import Leaving
from hip3.execution.submit import Dispatcher
from hip3.execution.summary import has_marks, summarize, trader_equity_usd
from hip3.execution.trader import TradingState
from hip3.loop import Loop
from hip3.metrics.service import metrics_of
from hip3.research.record import Recorder
from hip3.startup import Stage, link_settings, open_venue, prepare
from hip3.status.lines import LineWriter
from hip3.status.live import LiveView
from hip3.status.log import Log
from hip3.status.panels import venue_word
from hip3.status.publish import StatusServer, socket_path
from hip3.status.snapshot import SnapshotSource
from hip3.status.tables import summary_table
from hip3.terms import Terms
from hip3.venue.account import read_account
from hip3.venue.agent import ApprovalWatch, refuse_unfit_key
from hip3.venue.budget import RequestBudget
from hip3.venue.http import BlockingHttp, HttpClient
from hip3.venue.info import Info
from hip3.venue.link import Link
from hip3.venue.subscriptions import Subscription

OnState = Callable[[bool, str], None]
#: What the order link listens to of the account, besides its state on each dex.
USER_CHANNELS = ("orderUpdates", "userFills", "userFundings")
#: Pause of the event loop's heartbeat, well under the backup's stall limit.
BEAT_S = 0.05
#: Pause between looks at the end of a run: are the positions left?
LOOK_S = 0.05
#: Pause between fetches of log notices.
LOG_S = 0.1
#: What of the log is not read for so long at the end of a run is left.
LOG_DRAIN_S = 1.0
#: A loop that has not beaten for this long is no sign of life to the outside.
HEALTHY_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line adds to the configuration."""

    duration_s: float | None = None
    headless: bool = False
    json: bool = False
    confirm_live: bool = False
    master_key: bool = False


def main(config: Config, options: RunOptions, read: Callable[[], Config]) -> int:
    """`hip3 run`: trades until the duration ends or a signal comes, then prints the summary.

    `read` gives the configuration anew, for a reload.
    """
    if config.text("venue.name") == "mainnet" and config.text("run.mode") == "live" and not options.confirm_live:
        raise ConfigError("live orders on mainnet need --confirm-live")
    latch = latch_path(config, os.environ)
    _refuse_latched(latch)
    # The backup thread must get the interpreter within a fraction of its interval.
    sys.setswitchinterval(0.0005)
    summary = asyncio.run(run(config, options, read))
    if options.json:
        sys.stdout.write(orjson.dumps(summary).decode() + "\n")
    else:
        Console().print(summary_table(summary, "run"))
    _refuse_latched(latch)
    if summary["interrupted"]:
        return 130
    return 0


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal; after a hang-up it has none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _refuse_latched(path: Path) -> None:
    latch = read_latch(path)
    if latch is not None:
        raise Stopped(f"{latch.told()}; nothing trades while {path} is there, `hip3 unkill` lifts it")


async def run(config: Config, options: RunOptions, read: Callable[[], Config]) -> dict[str, Any]:
    """One run from its preparation to its summary."""
    async with AsyncExitStack() as stack:
        where, signer = await open_venue(config, stack)
        assert signer is not None
        http = HttpClient(where.http_url, config.number("links.http_timeout_ms") / 1000)
        stack.push_async_callback(http.close)
        stage = await prepare(config, where, signer, Info(http))
        if stage.start.sends_orders:
            now_ms = Clock().now_ns() // 1_000_000
            refuse_unfit_key(where.name, stage.account, stage.approval, now_ms, master_allowed=options.master_key)
        session = Session(config, options, stage, http, read)
        if session.lines is not None:
            stack.callback(session.lines.close, LOG_DRAIN_S)
        return await session.run()


class Session:
    """One run: its parts, its tasks, its end."""

    def __init__(
        self, config: Config, options: RunOptions, stage: Stage, http: HttpClient, read: Callable[[], Config]
    ) -> None:
        self.config = config
        self.options = options
        self.stage = stage
        self.clock = Clock()
        self.http = http
        self.interrupted = False
        self.started_ns = self.clock.now_ns()
        self.on_screen = sys.stdout.isatty() and not options.headless and not options.json
        form = config.text("log.format")
        as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
        # The view has the terminal to itself; what is not a terminal takes lines always.
        hidden = self.on_screen and sys.stderr.isatty()
        self.lines = None if hidden else LineWriter(sys.stderr.fileno())
        self.log = Log(self.lines.put if self.lines else lambda line: True, self.clock.now_ns, as_json=as_json)
        self.recorder = self._open_recorder()
        record = self.recorder.write if self.recorder is not None else None
        if record is not None:
            record(self.started_ns, stage.start.to_line())
        watch_latch(latch_path(config, os.environ), stage.signer)
        self.trader = stage.start.build(stage.signer, record, self.clock.now_ns)
        self.order_link = self._link("order", self._user_subscriptions(), self._on_order_link, pong_counts=True)
        self.data_link = self._link("market data", self._market_subscriptions(), self._on_data_link, pong_counts=False)
        self.dispatcher = Dispatcher(self.trader, self.clock, self.order_link, http.post)
        self.loop = Loop(self.trader, self.dispatcher, self.clock)
        self.leaving = Leaving(self.trader, self.clock, self.loop.pump)
        self.backup = self._backup()
        self.reader = StaleBookReader(
            self.trader, self.clock, self._blocking_http().post, config.number("exit.book_age_ms_max")
        )
        account = stage.account.user
        self.budget = RequestBudget(Info(http), account, lambda: self.dispatcher.sent_ws + self.dispatcher.sent_http)
        self.approval = ApprovalWatch(Info(http), stage.approval, self.clock)
        self.alerts = AlertBoard()
        self.blackouts = Blackouts(stage.start.engine_settings["blackouts"], stage.start.markets)
        self.guard = self._guard(latch_path(config, os.environ))
        word = venue_word({"venue": stage.where.name, "mode": config.text("run.mode")})
        where = f"hip3 {word} {account[:6]}…{account[-4:]}"
        self.watch = Watch(config, self.clock, self.alerts, where, self._is_healthy)
        self.snapshots = SnapshotSource(self)
        self.status = StatusServer(
            self.snapshots.take,
            socket_path(config, os.environ),
            config.number("status.refresh_ms"),
            config.number("status.viewers_max"),
        )
        hooks = Hooks(self.loop.pump, self._cannot_resume, read, self._take_over)
        self.operator = Operator(config, stage, self.trader, self.clock, self.log, hooks)
        self.control = ControlServer(self.operator, control_path(self.status.path), latch_path(config, os.environ))
        self.metrics = metrics_of(config, self, asyncio.get_running_loop())
        self.service = ServiceManager(os.environ)
        self.reload_failure = ""
        self._reload: asyncio.Task[None] | None = None
        self._had_terminal = _has_terminal()
        self._blacked_out: frozenset[str] = frozenset()
        self._stopping = asyncio.Event()
        self._ending = False

    # ------------------------------------------------------------- wiring

    def _open_recorder(self) -> Recorder | None:
        directory = self.config.text("record.dir")
        return Recorder(Path(directory), self.config.number("record.queue_max")) if directory else None

    def _guard(self, latch: Path) -> DayGuard:
        """The account of an embedded venue is new in each run: its day is kept nowhere."""
        stage, venue = self.stage, self.stage.where.name
        path = day_path(latch, venue, stage.account.user) if venue != "sim" else None
        baseline = stage.account.baseline(stage.dexs, stage.universe)

        def equity_usd() -> Decimal | None:
            with self.trader.reading():
                return trader_equity_usd(self.trader, baseline) if has_marks(self.trader) else None

        limit = LossLimit(self.config.decimal("stop.day_loss_usd"))
        return DayGuard(DayBook(path, self.started_ns), limit, self.clock, equity_usd)

    def _link(self, name: str, subscriptions: list[Subscription], on_state: OnState, *, pong_counts: bool) -> Link:
        settings = link_settings(self.config, pong_counts=pong_counts)
        return Link(name, self.stage.where.ws_url, subscriptions, self._on_frame, on_state, self.clock, settings)

    def _blocking_http(self) -> BlockingHttp:
        return BlockingHttp(self.stage.where.http_url, self.config.number("links.http_timeout_ms") / 1000)

    def _backup(self) -> MarkRegressionMonitor:
        running = asyncio.get_running_loop()
        return MarkRegressionMonitor(
            self.trader,
            self.clock,
            lambda: running.call_soon_threadsafe(self.loop.pump),
            self._blocking_http().post,
            self.config.number("exit.backup_interval_ms"),
        )

    def _user_subscriptions(self) -> list[Subscription]:
        user = self.stage.account.user
        subscriptions: list[Subscription] = [{"type": kind, "user": user} for kind in USER_CHANNELS]
        return subscriptions + [{"type": "clearinghouseState", "user": user, "dex": d} for d in self.stage.dexs]

    def _market_subscriptions(self) -> list[Subscription]:
        return [{"type": kind, "coin": m.coin} for m in self.stage.markets for kind in ("activeAssetCtx", "bbo")]

    def _on_frame(self, frame: bytes, recv_ns: int) -> None:
        self.loop.on_frame(frame, recv_ns)

    def _on_order_link(self, ready: bool, why: str) -> None:
        self._log_link("order_link", ready, why)
        self.trader.on_link(ready, self.clock.now_ns())
        self.loop.pump()

    def _on_data_link(self, ready: bool, why: str) -> None:
        self._log_link("data_link", ready, why)

    def _log_link(self, name: str, ready: bool, why: str) -> None:
        self.log.event("info" if ready or self._ending else "warning", name, ready=ready, why=why)

    # -------------------------------------------------------------- running

    async def run(self) -> dict[str, Any]:
        """Trades until the duration ends, a signal comes or a part fails; returns the summary."""
        self._take_signals()
        self.log.event(
            "info",
            "run",
            version=__version__,
            venue=self.stage.where.name,
            mode=self.config.text("run.mode"),
            markets=len(self.stage.markets),
            config=self.config.fingerprint(),
        )
        refresh_ms = self.config.number("status.refresh_ms")
        view = LiveView(lambda: (self.snapshots.take(), 0.0), refresh_ms, self.operator.act) if self.on_screen else None
        parts = [
            self.order_link.run(),
            self.data_link.run(),
            self._beat(),
            self._pass_on_notices(),
            self.status.run(),
            self.control.run(),
            self.watch.run(self.snapshots.sample),
            self.budget.run(),
            self.guard.run(self._hard_stop, self._leave_for_good),
            self.approval.run(self._agent_ending),
        ]
        if view is not None:
            parts.append(view.run())
        tasks = [asyncio.create_task(part) for part in parts]
        gc.collect()
        gc.freeze()
        self._start_threads()
        try:
            await self._until_stopped(tasks)
            self.trader.stop_entries(self.clock.now_ns(), "the run is ending")
            await self._leave_positions()
            equity = await self._venue_equity()
        finally:
            self._ending = True
            self.service.stopping()
            self.backup.stop()
            self.reader.stop()
            self.loop.stop()
            await self.status.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.dispatcher.close(1.0)
            await asyncio.to_thread(self._keep_day)
            await asyncio.to_thread(self.watch.close)
            if self.metrics is not None:
                await asyncio.to_thread(self.metrics.close)
            if self.recorder is not None:
                await asyncio.to_thread(self.recorder.close)
            self.service.close()
        return self._summary(equity)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    def _interrupt(self) -> None:
        self.interrupted = True
        self._stopping.set()

    def _on_hangup(self) -> None:
        """A terminal that is gone ends the run; without one SIGHUP asks for the configuration to be read anew."""
        if self._had_terminal and not _has_terminal():
            self._interrupt()
        elif self._reload is None or self._reload.done():
            self._reload = asyncio.create_task(self._reload_by_signal())

    async def _reload_by_signal(self) -> None:
        """Nobody hears the answer: a refusal stays among the problems until a reload succeeds."""
        try:
            told = await self.operator.reload()
        except ValueError as error:
            self.reload_failure = f"the configuration was not reloaded: {error}"
            return
        self.reload_failure = ""
        latch = latch_path(self.config, os.environ)
        await asyncio.to_thread(note, latch, "reload", getpass.getuser(), "SIGHUP", told)

    def _start_threads(self) -> None:
        if self.config.switch("exit.backup"):
            self.backup.start()
        self.reader.start()
        if self.metrics is not None:
            self.metrics.start()

    async def _until_stopped(self, tasks: list[asyncio.Task[None]]) -> None:
        """Waits for the end of the duration or a signal; the failure of any part ends the run."""
        stop = asyncio.create_task(self._stopping.wait())
        start_timeout_s = self.config.number("run.start_timeout_ms") / 1000
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            while not stop.done():
                elapsed = loop.time() - begin
                if self.options.duration_s is not None and elapsed >= self.options.duration_s:
                    return
                if self.trader.state is TradingState.STARTING and elapsed > start_timeout_s:
                    raise VenueUnreachable(f"not ready after {start_timeout_s:g} s: {self._what_is_missing()}")
                if self.trader.state is TradingState.HALTED:
                    await asyncio.to_thread(self._latch_halt)
                    return
                if self.backup.failure is not None:
                    raise RuntimeError("the backup monitor failed") from self.backup.failure
                left = 1.0 if self.options.duration_s is None else self.options.duration_s - elapsed
                done, _ = await asyncio.wait([stop, *tasks], timeout=min(0.25, left), return_when="FIRST_COMPLETED")
                for task in done - {stop}:
                    task.result()
        finally:
            stop.cancel()

    def _latch_halt(self) -> None:
        """A halt by the venue's word holds over restarts as a kill does; one by a kill is latched already."""
        latch = latch_path(self.config, os.environ)
        if not self.stage.signer.is_killed:
            set_latch(latch, f"{self.trader.state_why}; see hip3 check", HALT)

    def _what_is_missing(self) -> str:
        for link in (self.order_link, self.data_link):
            if not link.is_ready:
                missing = f", {len(link.missing)} subscriptions unacknowledged" if link.missing else ""
                return f"the {link.name} link ({link.last_drop or 'connecting'}{missing})"
        return "the account state of " + ", ".join(d or "the main dex" for d in self.stage.dexs)

    @property
    def problems(self) -> dict[str, str]:
        """Parts of the run that do not work and do not end it, by name."""
        found = {
            "status": self.status.problem,
            "control": self.control.problem,
            "recording": "" if self.recorder is None else self.recorder.failure,
            "alerts": "; ".join(self.watch.problems),
            "metrics": self.metrics.problem if self.metrics is not None else "",
            "day": self.guard.book.failure,
            "log": self.lines.failure if self.lines else "",
            "reload": self.reload_failure,
        }
        return {name: problem for name, problem in found.items() if problem}

    def _is_healthy(self) -> bool:
        """Whether the event loop moves and the trader may act: what a dead-man's switch is told."""
        moves = self.clock.now_ns() - self.backup.heartbeat_ns < HEALTHY_NS
        return moves and self.trader.state in (TradingState.TRADING, TradingState.REDUCING)

    def _cannot_resume(self) -> str:
        """Why entries cannot be resumed, or nothing."""
        if self.guard.stopped:
            return f"hard stop: {self.guard.stopped}"
        return "the trader is ending; start another: hip3 run" if self._ending or self._stopping.is_set() else ""

    def _take_over(self, config: Config, terms: Terms) -> None:
        """What besides the core goes by a configuration that was read anew."""
        self.config = config
        self.blackouts = Blackouts(terms.settings["blackouts"], terms.markets)
        self.guard.limit = LossLimit(config.decimal("stop.day_loss_usd"))
        self.snapshots.take_over(config, terms.markets)

    # -------------------------------------------------------------- hard stop

    def _hard_stop(self, why: str) -> None:
        """The day has lost too much: no entries from here on, and every position is left."""
        self.trader.stop_entries(self.clock.now_ns(), f"hard stop: {why}")
        self.log.event("error", "hard_stop", why=why, remedy="understand the loss, then hip3 unkill")

    def _agent_ending(self, why: str) -> None:
        """The agent's last hour: no entries, so that nothing is held when nobody can leave it any more."""
        if self.trader.state is TradingState.TRADING:
            self.trader.stop_entries(self.clock.now_ns(), why)
            self.log.event("error", "agent_ending", why=why, remedy="make a new agent (docs/keys.md), then start anew")

    def _leave_for_good(self) -> None:
        """Ends the run once nothing is held; until then asks to leave, however long it takes."""
        self.leaving.ask(HARD_STOP)
        if self.leaving.is_done:
            self._stopping.set()

    def _keep_day(self) -> None:
        """The day's last word, and the latch of a hard stop: by now nothing is left to be signed."""
        self.guard.book.save()
        if self.guard.stopped:
            set_latch(latch_path(self.config, os.environ), self.guard.stopped, HARD_STOP)

    async def _beat(self) -> None:
        while True:
            if self.stage.signer.is_killed and self.trader.state is not TradingState.HALTED:
                self.trader.halt("killed", self.clock.now_ns())
                self.log.event("error", "killed", remedy="hip3 unkill")
            self.backup.beat()
            if self.trader.state is TradingState.TRADING:
                self.service.ready()
            self.service.alive(self.clock.now_ns())
            await asyncio.sleep(BEAT_S)

    async def _pass_on_notices(self) -> None:
        while True:
            notices = self.trader.take_notices()
            for notice in notices:
                self.alerts.note(self.clock.now_ns(), notice.event, notice.fields)
            self.log.notices(notices)
            self._log_blackouts()
            await asyncio.sleep(LOG_S)

    def _log_blackouts(self) -> None:
        out = self.blackouts.out(self.clock.now_ns())
        if out != self._blacked_out:
            began, ended = (", ".join(sorted(coins)) for coins in (out - self._blacked_out, self._blacked_out - out))
            self.log.event("info", "blackout", began=began, ended=ended)
            self._blacked_out = out

    # ---------------------------------------------------------------- ending

    async def _leave_positions(self) -> None:
        """By policy: leaves every position and waits for the orders' ends, or leaves things as they are.

        A halted trader has nothing to wait for: the venue takes nothing that it signs.
        """
        reason = HARD_STOP if self.guard.stopped else "operator"
        flatten = self.config.text("run.on_exit") == "flatten" or reason == HARD_STOP
        deadline = self.clock.now_ns() + self.config.number("run.exit_timeout_ms") * 1_000_000
        while self.clock.now_ns() < deadline and self.trader.state is not TradingState.HALTED:
            if self.leaving.is_done or (self.leaving.is_quiet and not flatten):
                return
            if flatten:
                self.leaving.ask(reason)
            await asyncio.sleep(LOOK_S)

    async def _venue_equity(self) -> Decimal | None:
        """Equity by the venue's own account, read over REST; None where it does not answer."""
        stage = self.stage
        try:
            account = stage.account
            report = await read_account(Info(self.http), account.signer, account.user, stage.universe, stage.dexs)
        except Hip3Error as error:
            self.log.event("warning", "final_account_unread", why=str(error))
            return None
        return report.equity(stage.dexs, stage.universe)

    def _summary(self, venue_equity: Decimal | None) -> dict[str, Any]:
        stage = self.stage
        baseline = stage.account.baseline(stage.dexs, stage.universe)
        self.log.notices(self.trader.take_notices())
        return {
            **summarize(self.trader),
            "state": self.trader.state.value,
            "interrupted": self.interrupted,
            "venue": stage.where.name,
            "mode": self.config.text("run.mode"),
            "markets": len(stage.markets),
            "duration_s": round((self.clock.now_ns() - self.started_ns) / 1e9, 3),
            "venue_equity_usd": None if venue_equity is None else format(venue_equity.normalize(), "f"),
            "trader_equity_usd": format(trader_equity_usd(self.trader, baseline).normalize(), "f"),
            "sent": {"websocket": self.dispatcher.sent_ws, "http": self.dispatcher.sent_http},
            "backup_sweeps": self.backup.sweeps,
            "backup_sent_over_http": self.backup.sent_over_http,
            "reconnects": {link.name: link.drops for link in (self.order_link, self.data_link)},
            "recording": None if self.recorder is None else str(self.recorder.directory),
            "recording_failure": None if self.recorder is None else self.recorder.failure or None,
        }
