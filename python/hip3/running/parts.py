"""`Parts`: everything that a run consists of, wired together. Decides nothing and starts nothing.

What it shows of itself is what snapshots, metrics and the view read.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from decimal import Decimal

from hip3.alerts.board import AlertBoard
from hip3.alerts.watch import Watch
from hip3.clock import Clock
from hip3.config import Config
from hip3.control.day import DayBook, LossLimit, day_path
from hip3.control.guard import DayGuard
from hip3.control.latch import latch_path, watch_latch
from hip3.control.operator import Hooks, Operator
from hip3.control.server import ControlServer, control_path
from hip3.control.service import ServiceManager
from hip3.execution.backup import MarkRegressionMonitor, StaleBookReader
from hip3.execution.blackout import Blackouts
from hip3.execution.leaving import Leaving
from hip3.execution.submit import Dispatcher
from hip3.execution.summary import has_marks, trader_equity_usd
from hip3.execution.trader import TradingState
from hip3.homes import expanded
from hip3.loop import Loop
from hip3.metrics.service import metrics_of
from hip3.research.record import Recorder
from hip3.running.hangup import Hangup
from hip3.startup import Stage, link_settings
from hip3.status.lines import LineWriter
from hip3.status.log import Log
from hip3.status.panels import venue_word
from hip3.status.publish import StatusServer, socket_path
from hip3.status.snapshot import SnapshotSource
from hip3.terms import Terms
from hip3.venue.agent import ApprovalWatch
from hip3.venue.budget import RequestBudget
from hip3.venue.http import BlockingHttp, HttpClient
from hip3.venue.info import Info
from hip3.venue.link import Link
from hip3.venue.subscriptions import Subscription

OnState = Callable[[bool, str], None]
#: What the order link listens to of the account, besides its state on each dex.
USER_CHANNELS = ("orderUpdates", "userFills", "userFundings")
#: A loop that has not beaten for this long is no sign of life to the outside.
HEALTHY_NS = 5_000_000_000


class Parts:
    """Made in the event loop. `on_screen`: the view has the terminal; `read` gives the configuration anew;
    `latch_problem` says why no latch could be set, if so.
    """

    def __init__(
        self,
        config: Config,
        stage: Stage,
        http: HttpClient,
        read: Callable[[], Config],
        *,
        on_screen: bool,
        latch_problem: str,
    ) -> None:
        self.config = config
        self.stage = stage
        self.clock = Clock()
        self.http = http
        self.started_ns = self.clock.now_ns()
        #: Once nothing brings the run back.
        self.is_ending = False
        self.latch = latch_path(config, os.environ)
        self.lines, self.log = self._log(on_screen)
        self.recorder = self._open_recorder()
        record = self.recorder.write if self.recorder is not None else None
        if record is not None:
            record(self.started_ns, stage.start.to_line())
        self._latch_problem = latch_problem
        watch_latch(self.latch, stage.signer)
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
        self.guard = self._guard()
        word = venue_word({"venue": stage.where.name, "mode": config.text("run.mode")})
        where = f"hip3 {word} {account[:6]}…{account[-4:]}"
        self.watch = Watch(config, self.clock, self.alerts, where, self._is_healthy, self.log.event)
        self.snapshots = SnapshotSource(self)
        self.status = StatusServer(
            self.snapshots.take,
            socket_path(config, os.environ),
            config.number("status.refresh_ms"),
            config.number("status.viewers_max"),
        )
        hooks = Hooks(self.loop.pump, self._cannot_resume, read, self._take_over)
        self.operator = Operator(config, stage, self.trader, self.clock, self.log, hooks)
        self.hangup = Hangup(self.operator, self.latch)
        self.control = ControlServer(self.operator, control_path(self.status.path), self.latch)
        self.metrics = metrics_of(config, self, asyncio.get_running_loop())
        self.service = ServiceManager(os.environ)

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
            "reload": self.hangup.failure,
            "latch": self._latch_problem,
        }
        return {name: problem for name, problem in found.items() if problem}

    def what_is_missing(self) -> str:
        """What a run that does not begin to trade waits for."""
        for link in (self.order_link, self.data_link):
            if not link.is_ready:
                missing = f", {len(link.missing)} subscriptions unacknowledged" if link.missing else ""
                return f"the {link.name} link ({link.last_drop or 'connecting'}{missing})"
        return "the account state of " + ", ".join(d or "the main dex" for d in self.stage.dexs)

    # -------------------------------------------------------------- making

    def _log(self, on_screen: bool) -> tuple[LineWriter | None, Log]:
        form = self.config.text("log.format")
        as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
        # The view has the terminal to itself; what is not a terminal takes lines always.
        lines = None if on_screen and sys.stderr.isatty() else LineWriter(sys.stderr.fileno())
        return lines, Log(lines.put if lines else lambda line: True, self.clock.now_ns, as_json=as_json)

    def _open_recorder(self) -> Recorder | None:
        directory = self.config.text("record.dir")
        if not directory:
            return None
        return Recorder(expanded(directory, "record.dir"), self.config.number("record.queue_max"))

    def _guard(self) -> DayGuard:
        """The account of an embedded venue is new in each run: its day is kept nowhere."""
        stage, venue = self.stage, self.stage.where.name
        path = day_path(self.latch, venue, stage.account.user) if venue != "sim" else None
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

    # -------------------------------------------------- what parts are told

    def _on_frame(self, frame: bytes, recv_ns: int) -> None:
        self.loop.on_frame(frame, recv_ns)

    def _on_order_link(self, ready: bool, why: str) -> None:
        self._log_link("order_link", ready, why)
        self.trader.on_link(ready, self.clock.now_ns())
        self.loop.pump()

    def _on_data_link(self, ready: bool, why: str) -> None:
        self._log_link("data_link", ready, why)

    def _log_link(self, name: str, ready: bool, why: str) -> None:
        self.log.event("info" if ready or self.is_ending else "warning", name, ready=ready, why=why)

    def _is_healthy(self) -> bool:
        """Whether the event loop moves and the trader may act: what a dead-man's switch is told."""
        moves = self.clock.now_ns() - self.backup.heartbeat_ns < HEALTHY_NS
        return moves and self.trader.state in (TradingState.TRADING, TradingState.REDUCING)

    def _cannot_resume(self) -> str:
        """Why entries cannot be resumed, or nothing."""
        if self.guard.stopped:
            return f"hard stop: {self.guard.stopped}"
        return "the trader is ending; start another: hip3 run" if self.is_ending else self.approval.ending()

    def _take_over(self, config: Config, terms: Terms) -> None:
        """What besides the core goes by a configuration that was read anew."""
        self.config = config
        self.blackouts = Blackouts(terms.settings["blackouts"], terms.markets)
        self.guard.limit = LossLimit(config.decimal("stop.day_loss_usd"))
        self.snapshots.take_over(config, terms.markets)
